//! Waiting for a condition, with a deadline and what was seen last.

use std::time::{Duration, Instant};

use super::error::{LabError, Result};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks again until `look` answers `Ok`; the last `Err` says why it did not in time.
pub(crate) async fn until<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = std::result::Result<T, String>>,
{
    let start = Instant::now();
    let mut last = String::from("nothing seen");
    while let Some(left) = limit.checked_sub(start.elapsed()) {
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(reason)) => last = reason,
            Err(_) => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(LabError::Deadline { what: what.into(), seconds: limit.as_secs(), last })
}

/// Asks again until `look` is true.
pub(crate) async fn until_true(what: &str, limit: Duration, look: impl Fn() -> bool) -> Result<()> {
    until(what, limit, || async { if look() { Ok(()) } else { Err("not yet".into()) } }).await
}
