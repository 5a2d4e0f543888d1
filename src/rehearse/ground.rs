//! What stays the same over a rehearsal, what an engine is broken with on purpose, and what a story is told from.

use super::alphabet::Mishap;
use super::source::Source;
use crate::engine::record::Record;
use crate::engine::state::RunState;
use crate::engine::switch::Hindrance;
use crate::plan::Plan;
use crate::step::condition::Starts;
use crate::world::sim::Sim;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What stays the same over a whole rehearsal.
pub struct Ground {
    /// The plan.
    pub plan: Plan,
    /// The plan with which a person may take the run over as unplanned, if there is one.
    pub unplanned: Option<Plan>,
    /// What `at_start(…)` refers to.
    pub starts: Starts,
    /// The world as it was.
    pub start: Sim,
    /// What the source was like.
    pub source: Source,
    /// Clusters whose applications write only where the primary is.
    pub local: BTreeSet<String>,
    /// What answers in each region.
    pub places: BTreeMap<String, BTreeSet<String>>,
    /// What is broken on purpose.
    pub bend: Bend,
}

impl Ground {
    /// The same for a run that was taken over with this plan.
    pub(super) fn taken_over(&self, plan: Plan) -> Self {
        Self {
            plan,
            unplanned: None,
            starts: self.starts.clone(),
            start: self.start.fork(),
            source: self.source,
            local: self.local.clone(),
            places: self.places.clone(),
            bend: self.bend,
        }
    }
}

/// A broken engine: what the rehearsal is tested with. A sound one bends nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bend {
    /// Falsifies a record before it is written.
    pub record: Option<fn(&Plan, &mut Record)>,
    /// Falsifies what was folded: the state before, and after.
    pub state: Option<fn(&Record, &RunState, &mut RunState)>,
    /// Whether what stands against a takeover refuses it.
    pub refuses: Option<fn(&[Hindrance]) -> bool>,
    /// Tells states apart that differ only in what was last seen of servers and records: nothing but the rules of what can be seen asks
    /// for it, so a rehearsal does not, and the test of these rules does.
    pub remembers: bool,
    /// Tells states apart by everything in them, whether or not anything depends on it: what is found must be the same.
    pub apart: bool,
}

/// Something that happened, in order: what a story is told from.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A record of the run.
    Record(Rc<Record>),
    /// A fault.
    Mishap(Mishap),
    /// What did not answer or stayed behind is well again.
    Calm,
}

/// The happenings that led to a state, the last one first.
#[derive(Debug)]
pub struct Link {
    /// What happened.
    pub what: Happening,
    /// What happened before it.
    pub before: Option<Rc<Self>>,
}
