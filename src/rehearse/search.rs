//! Tries every schedule within a bound: forks between tasks, tapes within them, equal states once.

use super::digest::digest;
pub use super::found::{Bound, Counts, Covered, Finding};
use super::hands::Hand;
use super::invariants::broken;
use super::moves::{mishaps, split};
use super::node::{Ground, Node};
use super::open::{Open, Waiting};
use super::report::{adopted, alone, belief, truth};
use super::seen::{Claim, Met, Seen};
use super::takeover::ground;
use crate::engine::decide::Task;
use crate::engine::record::{Choice, Verdict};
use crate::engine::state::Undone;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

/// More moves than any run needs.
const ENOUGH: u32 = 4_000;
/// Processes that one schedule may have besides those that it needs because others were killed.
const DECISIONS: u32 = 1;

/// A search in progress.
pub struct Search<'a> {
    pub(super) ground: &'a Ground,
    pub(super) bound: Bound,
    seen: &'a Seen,
    /// States that each worker follows, with how many faults were left: those with the fewest faults.
    trunk: HashMap<u32, u32>,
    worker: Worker,
    /// Moves without a fault, where several workers may each see a part of a loop.
    pub moves: Vec<super::loops::Move>,
    /// Counts so far.
    pub counts: Counts,
    /// Findings so far, the first of each cause.
    pub findings: BTreeMap<String, (Finding, u64)>,
    /// Why the run does not complete when nothing goes wrong; nothing if it does.
    pub alone: Option<String>,
    /// Effects that the run adopts when nothing goes wrong: they are there, and not by it.
    pub adopted: Vec<String>,
    /// Effects that were made, and taken back, in some schedule.
    pub covered: Covered,
}

/// One of those that share a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Which, from 0.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Worker {
    /// Does all of it.
    pub const ALONE: Self = Self { index: 0, of: 1 };
}

impl<'a> Search<'a> {
    /// Nothing is searched yet.
    pub fn new(ground: &'a Ground, bound: Bound, seen: &'a Seen, worker: Worker) -> Self {
        Self {
            ground,
            bound,
            seen,
            trunk: HashMap::new(),
            worker,
            moves: Vec::new(),
            counts: Counts::default(),
            findings: BTreeMap::new(),
            alone: None,
            adopted: Vec::new(),
            covered: Covered::new(),
        }
    }

    /// Searches on from a state in which nothing drives the run yet.
    pub fn run(&mut self, node: Node) {
        let mut first = Open::first(node);
        first.node.open(self.ground, Choice::Continue);
        first.node.exact = self.bound.mishaps < 2;
        let mut open = vec![Waiting::State(first, None)];
        while let Some(next) = open.pop() {
            let (Waiting::State(_, claim) | Waiting::Fault(_, _, claim)) = &next;
            if claim.is_some_and(|claim| !self.seen.claim(claim)) {
                continue;
            }
            if self.bound.first && !self.findings.is_empty() {
                return;
            }
            if self.counts.states * (self.worker.of as u64) >= self.bound.states {
                self.counts.cut = true;
                return;
            }
            match next {
                Waiting::State(next, _) => self.visit(next, &mut open),
                Waiting::Fault(at, mishap, _) => {
                    let mut node = at.node.fork();
                    let ground = ground(self.ground, at.node.taken.as_ref());
                    node.suffer(ground, &mishap);
                    if !node.foreign.is_empty() {
                        let torn = split(ground, &node);
                        node.torn(torn);
                    }
                    match node.alive {
                        true => self.visit(at.then(node), &mut open),
                        false => self.resumed(&at, &node, true, &mut open),
                    }
                }
            }
        }
    }

    /// Whether every worker follows a state with so many faults: only what comes after them is shared out. With one level of faults more than
    /// that there is enough to share.
    fn common(&self, mishaps: u32) -> bool {
        self.worker.of > 1 && mishaps <= self.bound.mishaps.saturating_sub(2)
    }

    /// What the state is to the search.
    fn meet(&mut self, state: u128, mishaps: u32) -> (Met, u32) {
        let (met, number) = self.seen.meet(state, self.bound.mishaps - mishaps);
        self.counts.states += u64::from(met == Met::New);
        if !self.common(mishaps) {
            return (met, number);
        }
        // All of them go the same way here, whoever was here first.
        let left = self.bound.mishaps - mishaps;
        match self.trunk.insert(number, left) {
            Some(before) if before >= left => {
                self.trunk.insert(number, before);
                (Met::Known, number)
            }
            _ => (if met == Met::New { met } else { Met::Again }, number),
        }
    }

    /// Whose it is what follows from a state with so many faults.
    pub(super) fn claim(&self, at: &Open, mishaps: u32) -> Option<Claim> {
        let shared = self.common(at.node.mishaps) && !self.common(mishaps);
        shared.then(|| at.claim(self.bound.mishaps - at.node.mishaps)).flatten()
    }

    /// Whether a state is compared with others. One that no fault can follow is only where many come together: what a look, a call or a
    /// turn ends with.
    fn compared(&self, node: &Node) -> bool {
        node.mishaps < self.bound.mishaps || !node.on_its_way()
    }

    pub(super) fn found(
        &mut self,
        node: &Node,
        depth: u32,
        invariant: &'static str,
        title: &'static str,
        what: String,
    ) {
        let cause = format!("{invariant} {}", super::story::cause(node.trail.as_ref()));
        let finding = || Finding {
            invariant,
            title,
            what: what.clone(),
            trail: node.trail.clone(),
            mishaps: node.mishaps,
            length: depth,
            truth: truth(ground(self.ground, node.taken.as_ref()), node),
            belief: belief(node),
        };
        let entry = self.findings.entry(cause).or_insert_with(|| (finding(), 0));
        entry.1 += 1;
        if (node.mishaps, depth) < (entry.0.mishaps, entry.0.length) {
            entry.0 = finding();
        }
    }

    /// Checks a state after a move; whether it is searched on from.
    fn sound(&mut self, node: &Node, depth: u32, later: bool) -> bool {
        if let Some((invariant, what)) = broken(ground(self.ground, node.taken.as_ref()), node, later) {
            self.found(node, depth, invariant.id, invariant.title, what);
            return false;
        }
        if depth > ENOUGH {
            self.found(node, depth, "I11", "it does not end", format!("no end after {ENOUGH} moves"));
            return false;
        }
        true
    }

    fn visit(&mut self, mut at: Open, open: &mut Vec<Waiting>) {
        let taken = at.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        loop {
            // Whoever can commit does, before two states are compared.
            at.node.tell("", false);
            self.counts.moves += 1;
            // Before the states are compared: how it came here may be what is wrong.
            if !self.sound(&at.node, at.depth, false) {
                return;
            }
            let mut new = true;
            if self.compared(&at.node) {
                let state = digest(ground, &at.node, at.decisions);
                let (met, number) = self.meet(state, at.node.mishaps);
                if self.worker.of > 1 {
                    self.moves.extend(at.before().map(|before| (before, number)));
                }
                if met == Met::Known {
                    self.counts.schedules += 1;
                    self.counts.merged += 1;
                    if at.comes_back(number) {
                        let what = "it comes back to where it was, again and again".to_string();
                        self.found(&at.node, at.depth, "I11", "it does not end", what);
                    }
                    return;
                }
                new = met == Met::New;
                at.note(number);
            }
            at.node.sound = Some(at.node.sim.truths());
            at.node.visited = Some(at.node.now());
            at.depth += 1;
            if let Some(verdict) = at.node.state.verdict.filter(|_| at.node.alive) {
                self.counts.schedules += 1;
                self.ended(at, verdict, new, open);
                return;
            }
            let wanted = at.node.wanted(ground);
            if at.node.mishaps < self.bound.mishaps {
                let from = Rc::new(at.then(at.node.fork()));
                for mishap in mishaps(ground, &at.node, &wanted) {
                    let claim = self.claim(&at, at.node.mishaps + 1);
                    open.push(Waiting::Fault(Rc::clone(&from), mishap, claim));
                }
            }
            if at.node.immediate(ground, &wanted) {
                continue;
            }
            let tasks: Vec<&Task> =
                wanted.iter().filter(|task| !matches!(task, Task::Gap | Task::Watch(_))).collect();
            let Some((last, others)) = tasks.split_last() else {
                let what = format!("nothing is left to do, and it has not ended: {wanted:?}");
                self.found(&at.node, at.depth, "I11", "it does not end", what);
                return;
            };
            let left = self.bound.mishaps - at.node.mishaps;
            let one_way = left == 0 || !matches!(last, Task::Apply(..) | Task::Ask(_));
            if others.is_empty() && one_way {
                // It can come out in one way only: nothing is copied.
                match at.node.perform(ground, last, &[], (true, false)) {
                    Some((record, _)) => {
                        self.cover(&at.node, last, &record);
                        let answered = matches!(last, Task::Ask(_));
                        at.node.append(ground, record);
                        at.node.denied &= !answered;
                        continue;
                    }
                    None => {
                        let what = format!("{last:?} waits for ever");
                        self.found(&at.node, at.depth, "I11", "it does not end", what);
                        return;
                    }
                }
            }
            for task in others {
                self.perform(&at, task, open);
            }
            self.perform(&at, last, open);
            return;
        }
    }

    /// Which effects were taken back in a run that ended as it should.
    fn taken_back(&mut self, node: &Node) {
        if node.taken.is_some() {
            return;
        }
        for (s, step) in node.state.steps.iter().enumerate() {
            for (e, effect) in step.effects.iter().enumerate() {
                if effect.undone == Some(Undone::Restored) {
                    self.covered.entry((s, e)).or_default().1 = true;
                }
            }
        }
    }

    /// Which effects were made in some schedule.
    pub(super) fn cover(&mut self, node: &Node, task: &Task, record: &crate::engine::record::Record) {
        if node.taken.is_some() {
            // Made for another plan.
            return;
        }
        if let (Task::Apply(s, e, undo, _), crate::engine::record::Record::Replied { reply, .. }) =
            (task, record)
            && matches!(reply, crate::world::Reply::Acknowledged { .. })
        {
            self.covered.entry((*s, *e)).or_default().0 |= !undo;
        }
    }

    pub(super) fn count(&mut self, hand: &Hand) {
        if let Some(name) = hand.name() {
            *self.counts.by_hand.entry(name).or_default() += 1;
        }
    }

    /// A run has ended. What was on its way still arrives; and a person may decide to go on, or back, once things are well again.
    fn ended(&mut self, at: Open, verdict: Verdict, new: bool, open: &mut Vec<Waiting>) {
        if verdict == Verdict::RolledBack {
            self.taken_back(&at.node);
        }
        *self.counts.ends.entry(verdict.word().to_owned()).or_default() += u64::from(new);
        if self.bound.mishaps == 0 && at.decisions == 0 && self.alone.is_none() {
            self.alone = alone(self.ground, &at.node, verdict);
            self.adopted = adopted(&at.node);
        }
        // Whoever took it over may find out that it was wrong.
        let last = verdict.closes() || at.decisions >= DECISIONS + u32::from(at.node.taken.is_some());
        let (depth, back) = (at.depth, (!last).then(|| at.then(at.node.fork())));
        let mut later = at.node;
        later.sim.clock.advance(Duration::from_secs(24 * 3600));
        later.tell("", false);
        if !self.sound(&later, depth, true) {
            return;
        }
        let Some(at) = back else { return };
        let ground = ground(self.ground, at.node.taken.as_ref());
        let mut ill = at.node.fork();
        let hands = ill.hands(ground);
        ill.kill();
        ill.only_killed = false;
        // Nobody waited for everything to answer again.
        let waited = ill.well();
        let mut well = ill.fork();
        well.calm();
        well.hoping = Some(well.mishaps);
        for hand in hands {
            let worlds = [(!waited).then_some(&ill), Some(&well)];
            for node in worlds.into_iter().flatten().filter_map(|node| node.begun(ground, &hand)) {
                self.count(&hand);
                open.push(Waiting::State(at.decided(node), None));
            }
        }
    }
}
