//! What can go wrong with a changing call, and when its effect comes about.

use super::clock::SimClock;
use super::shared::Shared;
use crate::world::Reply;
use crate::world::clock::{Clock as _, Moment};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::{Debug, Display};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

/// What happens to one changing call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing.
    None,
    /// The guard says no; nothing is changed.
    Refuse,
    /// It is done, and the answer gets lost (cases L1, L4, L7 and L10).
    LostApplied,
    /// It is not done, and the answer gets lost (cases L2, L5, L8 and L11).
    LostAbsent,
    /// A part of it is done and the rest never, and the answer gets lost (cases L13, L14, L15 and L16). Nothing is done where no part of it is something of
    /// its own.
    LostHalf,
    /// It is not done, and the answer says that it is. Only of what may say so: see [`Deed::claims`] (cases U5 and
    /// U6).
    Claimed,
    /// The answer gets lost, and it is done after this time (cases L3, L6, L9 and L12).
    Late(Duration),
}

/// What happens to the changing calls of all ports, in the order in which they are made; and how many were made.
#[derive(Debug, Default)]
pub struct Tape {
    next: RefCell<VecDeque<Fault>>,
    calls: Cell<usize>,
    /// Those of the calls, counted from 0, of which a part could have been done.
    halves: RefCell<Vec<usize>>,
    /// Those that could have said that they did what they did not.
    claims: RefCell<Vec<usize>>,
}

impl Tape {
    /// The next calls meet these; those after them meet nothing.
    pub fn play(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.next.borrow_mut() = faults.into_iter().collect();
        self.calls.set(0);
        self.halves.borrow_mut().clear();
        self.claims.borrow_mut().clear();
    }

    /// Changing calls since [`Tape::play`].
    pub fn calls(&self) -> usize {
        self.calls.get()
    }

    /// Whether a part of this call (counted from 0) could have been done, and not the rest.
    pub fn halves(&self, call: usize) -> bool {
        self.halves.borrow().contains(&call)
    }

    /// Whether this call (counted from 0) could have said that it did what it did not.
    pub fn claims(&self, call: usize) -> bool {
        self.claims.borrow().contains(&call)
    }

    fn next(&self, halves: bool, claims: bool) -> Fault {
        if halves {
            self.halves.borrow_mut().push(self.calls.get());
        }
        if claims {
            self.claims.borrow_mut().push(self.calls.get());
        }
        self.calls.set(self.calls.get() + 1);
        self.next.borrow_mut().pop_front().unwrap_or(Fault::None)
    }
}

/// What all ports of one world share: time, and the tape.
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// Virtual time.
    pub clock: Rc<SimClock>,
    /// What happens to changing calls.
    pub tape: Rc<Tape>,
}

/// A call that may be made later than it was asked for.
pub trait Deed: Clone + Debug + Hash {
    /// The truth that it changes.
    type Truth: Clone;

    /// Makes it.
    fn make(&self, truth: &mut Self::Truth) -> Reply;

    /// A part of it that can be done without the rest, where that is neither all of it nor nothing.
    fn half(&self, _truth: &Self::Truth) -> Option<Self> {
        None
    }

    /// What it says of itself where it may say so without having done anything.
    fn claims(&self) -> Option<Reply> {
        None
    }
}

/// The faults of one port: the next changing calls meet them in order; after the last one the tape is asked. Looks at what is `silent`
/// are unknown.
#[derive(Debug)]
pub struct Faults<D> {
    common: Common,
    next: RefCell<VecDeque<Fault>>,
    silent: Shared<BTreeSet<String>>,
    late: Shared<Vec<Late<D>>>,
    /// What is late is being made: a port may look at another one meanwhile.
    settling: Cell<bool>,
}

/// A change that is still on its way.
#[derive(Clone, Debug)]
struct Late<D> {
    due: Moment,
    place: String,
    deed: D,
}

impl<D: Deed> Faults<D> {
    /// No faults.
    pub fn new(common: &Common) -> Self {
        Self {
            common: common.clone(),
            next: RefCell::default(),
            silent: Shared::default(),
            late: Shared::new(Vec::new()),
            settling: Cell::new(false),
        }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self {
            common: common.clone(),
            next: self.next.clone(),
            silent: self.silent.clone(),
            late: self.late.clone(),
            settling: Cell::new(false),
        }
    }

    /// What tells two worlds apart; moments count by how far they are.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        let now = self.common.clock.now();
        self.next.borrow().hash(hasher);
        self.silent.hash(hasher);
        for late in &*self.late.borrow() {
            (late.due.since(now), &late.place, &late.deed).hash(hasher);
        }
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

    /// All places answer again.
    pub fn unsilence_all(&self) {
        self.silent.borrow_mut().clear();
    }

    /// Whether anything does not answer.
    pub fn any_silent(&self) -> bool {
        !self.silent.borrow().is_empty()
    }

    /// Whether a change is still on its way.
    pub fn any_late(&self) -> bool {
        !self.late.borrow().is_empty()
    }

    /// Whether this place is silent. Its name is made only where anything is.
    pub fn is_silent(&self, place: &(impl Display + ?Sized)) -> bool {
        let silent = self.silent.borrow();
        !silent.is_empty() && silent.contains(&place.to_string())
    }

    /// Changes that are still on their way to a place.
    pub(super) fn on_their_way(&self, place: &(impl Display + ?Sized)) -> Vec<D> {
        let late = self.late.borrow();
        if late.is_empty() {
            return Vec::new();
        }
        let place = place.to_string();
        late.iter().filter(|late| late.place == place).map(|late| late.deed.clone()).collect()
    }

    /// The time in this world.
    pub(super) fn now(&self) -> Moment {
        self.common.clock.now()
    }

    /// When the last change that is on its way comes about.
    pub fn last_due(&self) -> Option<Moment> {
        self.late.borrow().iter().map(|late| late.due).max()
    }

    /// Makes what was late come about, as far as its time has come. Ports call this before every look and change.
    pub(super) fn settle(&self, truth: &Shared<D::Truth>) {
        if self.late.borrow().is_empty() || self.settling.replace(true) {
            return;
        }
        let now = self.common.clock.now();
        loop {
            let due = {
                let mut late = self.late.borrow_mut();
                let due = late.iter().enumerate().filter(|(_, late)| late.due <= now);
                due.min_by_key(|(_, late)| late.due).map(|(index, _)| index).map(|index| late.remove(index))
            };
            match due {
                Some(late) => drop(late.deed.make(&mut truth.borrow_mut())),
                None => break,
            }
        }
        self.settling.set(false);
    }

    /// Makes a change under the next fault.
    pub(super) fn run(&self, place: &str, truth: &Shared<D::Truth>, deed: D) -> Reply {
        self.settle(truth);
        if self.is_silent(&place) {
            return Reply::lost("no answer in time");
        }
        let own = self.next.borrow_mut().pop_front();
        let half = deed.half(&truth.borrow());
        let fault = own.unwrap_or_else(|| self.common.tape.next(half.is_some(), deed.claims().is_some()));
        match fault {
            Fault::None => deed.make(&mut truth.borrow_mut()),
            Fault::Refuse => Reply::refused("refused by a simulated fault"),
            Fault::LostApplied => {
                deed.make(&mut truth.borrow_mut());
                Reply::lost("the answer was lost")
            }
            Fault::LostAbsent => Reply::lost("the answer was lost"),
            Fault::Claimed => deed.claims().unwrap_or_else(|| Reply::lost("the answer was lost")),
            Fault::LostHalf => {
                if let Some(half) = half {
                    half.make(&mut truth.borrow_mut());
                }
                Reply::lost("the answer was lost")
            }
            Fault::Late(time) => {
                let due = self.common.clock.now().plus(time);
                self.late.borrow_mut().push(Late { due, place: place.to_owned(), deed });
                Reply::lost("the answer was lost")
            }
        }
    }
}
