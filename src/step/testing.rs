//! What tests of kinds share.

use crate::journal::memory::MemoryJournal;
use crate::journal::{IntentKey, Permit, Storage as _};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls once. In the simulated world every port answers at once, so a kind that is still pending waits for something it must not
/// wait for.
///
/// # Panics
/// When it is pending.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a kind must not wait"),
    }
}

/// A permit for a test.
pub fn permit(undo: bool) -> Permit {
    let key = IntentKey { run: "run".into(), step: "step".into(), effect: "effect".into(), attempt: 1, undo };
    MemoryJournal::default().append_intent(key, serde_json::Map::new()).unwrap().1
}
