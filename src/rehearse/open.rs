//! States that wait to be searched on from, and the way to each.

use super::alphabet::Mishap;
use super::node::Node;
use super::seen::Claim;
use std::cell::Cell;
use std::rc::Rc;

/// What waits to be searched on from.
pub(super) enum Waiting {
    /// A state; with a claim one of the workers goes on from it.
    State(Open, Option<Claim>),
    /// A state to which something is to happen: it is copied only then, while it is at hand.
    Fault(Rc<Open>, Mishap, Option<Claim>),
}

/// A state that is to be searched on from.
pub(super) struct Open {
    /// The state.
    pub node: Box<Node>,
    /// Moves so far.
    pub depth: u32,
    /// Decisions of persons after an end.
    pub decisions: u32,
    /// The states before it.
    path: Option<Rc<Step>>,
    /// How many claims were made for what follows from it.
    claims: Cell<u32>,
}

/// A state on the way to another, for those that come back to themselves.
struct Step {
    state: u32,
    mishaps: u32,
    before: Option<Rc<Self>>,
}

impl Drop for Step {
    /// One after the other: a long way would be too deep for the stack.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(Ok(mut step)) = next.map(Rc::try_unwrap) {
            next = step.before.take();
        }
    }
}

impl Open {
    /// The first one.
    pub fn first(node: Node) -> Self {
        Self { node: Box::new(node), depth: 0, decisions: 0, path: None, claims: Cell::new(0) }
    }

    /// It is followed.
    pub fn note(&mut self, state: u32) {
        let before = self.path.take();
        self.path = Some(Rc::new(Step { state, mishaps: self.node.mishaps, before }));
        self.claims.set(0);
    }

    /// The next of those that follow from this state with `left` faults left.
    pub fn claim(&self, left: u32) -> Option<Claim> {
        let claim = Claim::new(self.path.as_ref()?.state, left, self.claims.get());
        self.claims.set(self.claims.get() + 1);
        claim
    }

    /// The state before this one, if no fault came between.
    pub fn before(&self) -> Option<u32> {
        self.path.as_ref().filter(|step| step.mishaps == self.node.mishaps).map(|step| step.state)
    }

    /// A person decided after the end.
    pub fn decided(&self, node: Box<Node>) -> Self {
        Self { decisions: self.decisions + 1, ..self.then(node) }
    }

    /// Whether it was in this state before, with no fault since.
    pub fn comes_back(&self, state: u32) -> bool {
        let mut step = self.path.as_ref();
        while let Some(before) = step.filter(|before| before.mishaps == self.node.mishaps) {
            if before.state == state {
                return true;
            }
            step = before.before.as_ref();
        }
        false
    }

    /// What follows from this state.
    pub fn then(&self, node: Box<Node>) -> Self {
        Self {
            node,
            depth: self.depth,
            decisions: self.decisions,
            path: self.path.clone(),
            claims: Cell::new(0),
        }
    }
}
