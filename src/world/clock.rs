//! Time, as a port: rehearsal runs on virtual time.

use super::Answer;
use std::time::Duration;

/// Milliseconds since the Unix epoch, on the operator's clock. For people and measures; never used to order records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Time from `earlier` to `self`; zero if the clock went backwards.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment and `time` more.
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 in UTC with milliseconds, as it stands in the journal.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|at| format!("{at:.3}"))
            .unwrap_or_else(|_| format!("{} ms", self.0))
    }
}

/// The clock.
pub trait Clock {
    /// Now.
    fn now(&self) -> Moment;
    /// Ends when this much time has passed.
    fn sleep(&self, time: Duration) -> Answer<'_, ()>;
}
