//! The operator's clock.

use crate::world::Answer;
use crate::world::clock::{Clock, Moment};
use std::sync::OnceLock;
use std::time::Duration;

/// What the wall clock showed when it was first asked, and since when the machine had been running by then.
static BEGAN: OnceLock<(Moment, Duration)> = OnceLock::new();

/// Now. The wall clock is read once in a process; from there on the time counts that the machine has been running, also while it
/// slept. So a clock that is set in the middle of a run moves no deadline, and no record comes before the one that it follows.
pub fn now() -> Moment {
    let (began, running) = *BEGAN.get_or_init(|| (wall(), running()));
    began.plus(self::running().saturating_sub(running))
}

/// What the wall clock shows, which anybody may set: for what other hosts say about time.
pub fn wall() -> Moment {
    Moment(jiff::Timestamp::now().as_millisecond())
}

/// How long the machine has been running, also while it slept.
fn running() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Longest sleep between two looks at the time.
const SLICE: Duration = Duration::from_secs(1);

/// `now` for moments, the runtime's timer for sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Moment {
        now()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        Box::pin(async move {
            // The runtime's timer stands still while the machine sleeps, and `now` does not: a deadline that passed in its sleep has passed.
            let until = now().plus(time);
            let mut left = time;
            while !left.is_zero() {
                tokio::time::sleep(left.min(SLICE)).await;
                left = until.since(now());
            }
        })
    }
}
