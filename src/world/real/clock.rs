//! The operator's clock.

use crate::world::Answer;
use crate::world::clock::{Clock, Moment};
use std::time::Duration;

/// Wall time for moments, the runtime's timer for sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Moment {
        Moment(jiff::Timestamp::now().as_millisecond())
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
