//! Virtual time.

use crate::world::Answer;
use crate::world::clock::{Clock, Moment};
use std::cell::Cell;
use std::time::Duration;

/// A clock that stands still until somebody sleeps on it. A sleep ends at once, when it is polled: one that is never polled takes
/// no time.
#[derive(Clone, Debug)]
pub struct SimClock {
    now: Cell<i64>,
}

impl Default for SimClock {
    /// Begins on 1 January 2030, 00:00 UTC.
    fn default() -> Self {
        Self { now: Cell::new(1_893_456_000_000) }
    }
}

impl SimClock {
    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.now.set(Moment(self.now.get()).plus(time).0);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Moment {
        Moment(self.now.get())
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        Box::pin(async move { self.advance(time) })
    }
}
