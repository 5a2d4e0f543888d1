//! Virtual time for a driver whose tasks wait beside each other.

use crate::world::Answer;
use crate::world::clock::{Clock, Moment};
use crate::world::sim::clock::SimClock;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// More turns of the loop than any run needs.
const ENOUGH: usize = 200_000;

thread_local! {
    /// The time of the journal: its clock is a plain function.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// The time of the journal.
pub fn now() -> i64 {
    NOW.get()
}

/// Virtual time in which several may sleep at once: it goes on to whoever wakes first, when nothing else is left to be done.
pub struct Sleepers {
    sim: Rc<SimClock>,
    asleep: RefCell<Vec<(Moment, Waker)>>,
}

impl Sleepers {
    /// On the clock of a world, whose time is that of the journal from here on.
    pub fn on(sim: &Rc<SimClock>) -> Self {
        NOW.set(sim.now().0);
        Self { sim: Rc::clone(sim), asleep: RefCell::default() }
    }

    fn wake_next(&self) {
        let first = self.asleep.borrow().iter().map(|(due, _)| *due).min();
        let due = first.unwrap_or_else(|| panic!("it waits for something that never comes"));
        self.sim.advance(due.since(self.sim.now()));
        NOW.set(self.sim.now().0);
        let mut asleep = self.asleep.borrow_mut();
        let (woken, rest) = asleep.drain(..).partition::<Vec<_>, _>(|(at, _)| *at <= due);
        *asleep = rest;
        drop(asleep);
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Clock for Sleepers {
    fn now(&self) -> Moment {
        self.sim.now()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        let due = self.sim.now().plus(time);
        Box::pin(std::future::poll_fn(move |context| {
            if self.sim.now() >= due {
                return Poll::Ready(());
            }
            self.asleep.borrow_mut().push((due, context.waker().clone()));
            Poll::Pending
        }))
    }
}

/// Polls it to its end, and lets time pass while nothing else is left to be done.
pub fn wait<T>(clock: &Sleepers, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..ENOUGH {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => clock.wake_next(),
        }
    }
    panic!("no end");
}
