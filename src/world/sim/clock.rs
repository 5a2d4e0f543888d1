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
    /// How many sleeps there were in a row, for a clock that hurries.
    hurry: Cell<Option<u32>>,
}

impl Default for SimClock {
    /// Begins on 1 January 2030, 00:00 UTC.
    fn default() -> Self {
        Self { now: Cell::new(1_893_456_000_000), hurry: Cell::new(None) }
    }
}

impl SimClock {
    /// From now on each sleep in a row takes twice as long as asked for more than the one before it: whoever looks every ten
    /// milliseconds for a minute is a slow machine that looks a dozen times. Called again, a new row begins.
    pub fn hurry(&self) {
        self.hurry.set(Some(0));
    }

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
        Box::pin(async move {
            let row = self.hurry.get();
            self.hurry.set(row.map(|row| row.saturating_add(1)));
            self.advance(time.saturating_mul(1 << row.unwrap_or(0).min(20)));
        })
    }
}
