//! What a search has counted and found.

use super::node::Link;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How far is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Mishaps in one schedule.
    pub mishaps: u32,
    /// States after which the search gives up.
    pub states: u64,
    /// Whether the first finding ends it.
    pub first: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Moves that were made. Two workers that meet may make one twice.
    pub moves: u64,
    /// Schedules that were followed to an end, or to a state from which the rest was known.
    pub schedules: u64,
    /// Distinct states.
    pub states: u64,
    /// Schedules that were not followed further, since they came to a state that had been seen with as many faults left.
    pub merged: u64,
    /// Ends of runs, by verdict.
    pub ends: BTreeMap<String, u64>,
    /// Processes that a person began otherwise than by going on or back, by how.
    pub by_hand: BTreeMap<&'static str, u64>,
    /// Whether the bound on states ended the search.
    pub cut: bool,
}

impl Counts {
    /// With what another worker counted.
    pub fn add(&mut self, other: &Self) {
        self.moves += other.moves;
        self.schedules += other.schedules;
        self.merged += other.merged;
        self.cut |= other.cut;
        for (hand, number) in &other.by_hand {
            *self.by_hand.entry(hand).or_default() += number;
        }
        for (verdict, number) in &other.ends {
            *self.ends.entry(verdict.clone()).or_default() += number;
        }
    }
}

/// Effects that were made, and taken back to a good end, in some schedule.
pub type Covered = BTreeMap<(usize, usize), (bool, bool)>;

/// A schedule that breaks an invariant.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The invariant.
    pub invariant: &'static str,
    /// What must not be.
    pub title: &'static str,
    /// What is wrong.
    pub what: String,
    /// How it came about.
    pub trail: Option<Rc<Link>>,
    /// Mishaps in it.
    pub mishaps: u32,
    /// Happenings in it.
    pub length: u32,
    /// What is true in the end.
    pub truth: String,
    /// What the run believes then.
    pub belief: String,
}
