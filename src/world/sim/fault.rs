//! What can go wrong with a changing call, and when its effect comes about.

use super::clock::SimClock;
use crate::world::Reply;
use crate::world::clock::{Clock as _, Moment};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// What happens to one changing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The guard says no; nothing is changed.
    Refuse,
    /// It is done, and the answer gets lost.
    LostApplied,
    /// It is not done, and the answer gets lost.
    LostAbsent,
    /// The answer gets lost, and it is done after this time.
    Late(Duration),
}

/// A change that is still on its way.
type Late<'a> = (Moment, Box<dyn FnOnce() + 'a>);

/// The faults of one port: the next changing calls meet them in order; after the last one all is well. Looks at what is `silent`
/// are unknown.
pub struct Faults {
    clock: Rc<SimClock>,
    next: RefCell<VecDeque<Fault>>,
    silent: RefCell<BTreeSet<String>>,
    late: RefCell<Vec<Late<'static>>>,
}

impl Faults {
    /// No faults.
    pub fn new(clock: Rc<SimClock>) -> Self {
        Self { clock, next: RefCell::default(), silent: RefCell::default(), late: RefCell::default() }
    }

    /// The call after those that were named before meets this fault.
    pub fn push(&self, fault: Fault) {
        self.next.borrow_mut().push_back(fault);
    }

    /// This place (a server, `resource in region`) does not answer looks from now on, and changing calls to it get lost.
    pub fn silence(&self, place: &str) {
        self.silent.borrow_mut().insert(place.to_owned());
    }

    /// It answers again.
    pub fn unsilence(&self, place: &str) {
        self.silent.borrow_mut().remove(place);
    }

    /// Whether this place is silent.
    pub fn is_silent(&self, place: &str) -> bool {
        self.silent.borrow().contains(place)
    }

    /// Makes what was late come about, as far as its time has come. Ports call this before every look and change.
    pub(super) fn settle(&self) {
        let now = self.clock.now();
        loop {
            let due = {
                let mut late = self.late.borrow_mut();
                late.iter().position(|(at, _)| *at <= now).map(|index| late.remove(index))
            };
            match due {
                Some((_, change)) => change(),
                None => return,
            }
        }
    }

    /// Runs a change under the next fault. `change` gives what an undisturbed call would answer; `late` makes it again, later.
    pub(super) fn run(
        &self,
        place: &str,
        change: impl FnOnce() -> Reply,
        late: impl FnOnce() -> Box<dyn FnOnce() + 'static>,
    ) -> Reply {
        self.settle();
        if self.is_silent(place) {
            return Reply::lost("no answer in time");
        }
        let fault = self.next.borrow_mut().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::None => change(),
            Fault::Refuse => Reply::refused("refused by a simulated fault"),
            Fault::LostApplied => {
                change();
                Reply::lost("the answer was lost")
            }
            Fault::LostAbsent => Reply::lost("the answer was lost"),
            Fault::Late(time) => {
                self.late.borrow_mut().push((self.clock.now().plus(time), late()));
                Reply::lost("the answer was lost")
            }
        }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("next", &self.next)
            .field("silent", &self.silent)
            .finish_non_exhaustive()
    }
}
