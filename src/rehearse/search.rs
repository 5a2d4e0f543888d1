//! Tries every schedule within a bound: forks between tasks, tapes within them, equal states once.

use super::alphabet::{CallFault, Mishap};
use super::digest::digest;
use super::invariants::broken;
use super::moves::mishaps;
use super::node::{Ground, Link, Node};
use super::report::{alone, belief, truth};
use crate::engine::decide::Task;
use crate::engine::record::{Choice, Verdict};
use crate::engine::state::Undone;
use crate::step::contract::Part;
use crate::world::sim::Fault;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

/// More moves than any run needs.
const ENOUGH: u32 = 4_000;
/// Processes that one schedule may have besides those that it needs because others were killed.
const DECISIONS: u32 = 1;

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
    /// Moves that were made.
    pub moves: u64,
    /// Distinct states.
    pub states: u64,
    /// Paths that ended in a state that had been seen with as many mishaps left.
    pub merged: u64,
    /// Ends of runs, by verdict.
    pub ends: BTreeMap<String, u64>,
    /// Whether the bound on states ended the search.
    pub cut: bool,
}

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

/// A search in progress.
pub struct Search<'a> {
    ground: &'a Ground,
    bound: Bound,
    seen: HashMap<u128, u32>,
    /// Counts so far.
    pub counts: Counts,
    /// Findings so far, the first of each cause.
    pub findings: BTreeMap<String, (Finding, u64)>,
    /// Why the run does not complete when nothing goes wrong; nothing if it does.
    pub alone: Option<String>,
    /// Effects that were made, and taken back, in some schedule.
    pub covered: BTreeMap<(usize, usize), (bool, bool)>,
}

/// A state that is to be searched on from.
struct Open {
    node: Node,
    depth: u32,
    decisions: u32,
}

impl<'a> Search<'a> {
    /// Nothing is searched yet.
    pub fn new(ground: &'a Ground, bound: Bound) -> Self {
        Self {
            ground,
            bound,
            seen: HashMap::new(),
            counts: Counts::default(),
            findings: BTreeMap::new(),
            alone: None,
            covered: BTreeMap::new(),
        }
    }

    /// Searches on from a state in which nothing drives the run yet.
    pub fn run(&mut self, node: Node) {
        let mut open = vec![Open { node, depth: 0, decisions: 0 }];
        if let Some(first) = open.first_mut() {
            first.node.open(self.ground, Choice::Continue);
        }
        while let Some(next) = open.pop() {
            if self.bound.first && !self.findings.is_empty() {
                return;
            }
            if self.counts.states >= self.bound.states {
                self.counts.cut = true;
                return;
            }
            self.visit(next, &mut open);
        }
    }

    /// Whether the state is new, or has more mishaps left than before.
    fn fresh(&mut self, at: &Open) -> bool {
        let left = self.bound.mishaps - at.node.mishaps;
        let key = digest(self.ground, &at.node, at.decisions);
        match self.seen.get_mut(&key) {
            Some(before) if *before > left => false,
            Some(before) => {
                *before = left + 1;
                true
            }
            None => {
                self.seen.insert(key, left + 1);
                self.counts.states += 1;
                true
            }
        }
    }

    fn found(&mut self, node: &Node, depth: u32, invariant: &'static str, title: &'static str, what: String) {
        let cause = format!("{invariant} {}", super::story::cause(node.trail.as_ref()));
        let finding = || Finding {
            invariant,
            title,
            what: what.clone(),
            trail: node.trail.clone(),
            mishaps: node.mishaps,
            length: depth,
            truth: truth(self.ground, node),
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
        if let Some((invariant, what)) = broken(self.ground, node, later) {
            self.found(node, depth, invariant.id, invariant.title, what);
            return false;
        }
        if depth > ENOUGH {
            self.found(node, depth, "I11", "it does not end", format!("no end after {ENOUGH} moves"));
            return false;
        }
        true
    }

    fn visit(&mut self, mut at: Open, open: &mut Vec<Open>) {
        loop {
            // Whoever can commit does, before two states are compared.
            at.node.tell("", false);
            self.counts.moves += 1;
            // Before the states are compared: how it came here may be what is wrong.
            if !self.sound(&at.node, at.depth, false) {
                return;
            }
            if !self.fresh(&at) {
                self.counts.merged += 1;
                return;
            }
            at.node.sound = Some(at.node.sim.truths());
            at.depth += 1;
            if let Some(verdict) = at.node.state.verdict.filter(|_| at.node.alive) {
                self.ended(at, verdict, open);
                return;
            }
            if !at.node.alive {
                self.resumed(&at, open);
                return;
            }
            let wanted = at.node.wanted(self.ground);
            if at.node.mishaps < self.bound.mishaps {
                for mishap in mishaps(self.ground, &at.node, &wanted) {
                    let mut node = at.node.fork();
                    node.suffer(self.ground, &mishap);
                    node.split |= node.foreign && split(self.ground, &node);
                    open.push(at.then(node));
                }
            }
            if at.node.immediate(self.ground, &wanted) {
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
                match at.node.perform(self.ground, last, &[], (true, false)) {
                    Some((record, _)) => {
                        self.cover(last, &record);
                        let answered = matches!(last, Task::Ask(_));
                        at.node.append(self.ground, record);
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

    /// Makes a task, in every way in which it can come out.
    fn perform(&mut self, at: &Open, task: &Task, open: &mut Vec<Open>) {
        let left = self.bound.mishaps - at.node.mishaps;
        if matches!(task, Task::Ask(_)) {
            self.answer(at, task, left, open);
            return;
        }
        let changes = matches!(task, Task::Apply(..));
        let mut tapes: Vec<Vec<Option<CallFault>>> = vec![Vec::new()];
        while let Some(tape) = tapes.pop() {
            let late = late(self.ground, task);
            let faults: Vec<Fault> =
                tape.iter().map(|fault| fault.map_or(Fault::None, |fault| fault.fault(late))).collect();
            let used = u32::try_from(tape.iter().flatten().count()).unwrap_or(u32::MAX);
            let mut node = at.node.fork();
            let Some((record, calls)) = node.perform(self.ground, task, &faults, (true, false)) else {
                self.found(&node, at.depth, "I11", "it does not end", format!("{task:?} waits for ever"));
                continue;
            };
            for (place, fault) in tape.iter().enumerate() {
                if let Some(fault) = fault {
                    node.suffer(self.ground, &Mishap::Call(place + 1, *fault));
                }
            }
            if used < left && changes {
                for place in tape.len()..calls {
                    for fault in CallFault::ALL {
                        let mut next = tape.clone();
                        next.resize(place, None);
                        next.push(Some(fault));
                        tapes.push(next);
                    }
                }
                let mut killed = node.fork();
                killed.suffer(self.ground, &Mishap::KilledBeforeReply);
                open.push(at.then(killed));
            }
            self.cover(task, &record);
            node.append(self.ground, record);
            open.push(at.then(node));
        }
    }

    /// Which effects were taken back in a run that ended as it should.
    fn taken_back(&mut self, node: &Node) {
        for (s, step) in node.state.steps.iter().enumerate() {
            for (e, effect) in step.effects.iter().enumerate() {
                if effect.undone == Some(Undone::Restored) {
                    self.covered.entry((s, e)).or_default().1 = true;
                }
            }
        }
    }

    /// Which effects were made in some schedule.
    fn cover(&mut self, task: &Task, record: &crate::engine::record::Record) {
        if let (Task::Apply(s, e, undo, _), crate::engine::record::Record::Replied { reply, .. }) =
            (task, record)
            && matches!(reply, crate::world::Reply::Acknowledged { .. })
        {
            self.covered.entry((*s, *e)).or_default().0 |= !undo;
        }
    }

    fn answer(&mut self, at: &Open, task: &Task, left: u32, open: &mut Vec<Open>) {
        let mut ways = vec![(None, (true, false))];
        if left > 0 {
            ways.push((Some(Mishap::No), (false, false)));
            ways.push((Some(Mishap::Absent), (false, true)));
        }
        for (mishap, answer) in ways {
            let mut node = at.node.fork();
            let Some((record, _)) = node.perform(self.ground, task, &[], answer) else { continue };
            let denied = mishap.is_some();
            if let Some(mishap) = mishap {
                node.suffer(self.ground, &mishap);
            }
            node.append(self.ground, record);
            // Whatever the engine made of the answer.
            node.denied = denied;
            open.push(at.then(node));
        }
    }

    /// A run has ended. What was on its way still arrives; and a person may decide to go on, or back, once things are well again.
    fn ended(&mut self, at: Open, verdict: Verdict, open: &mut Vec<Open>) {
        if verdict == Verdict::RolledBack {
            self.taken_back(&at.node);
        }
        *self.counts.ends.entry(verdict.word().to_owned()).or_default() += 1;
        if self.bound.mishaps == 0 && at.decisions == 0 && self.alone.is_none() {
            self.alone = alone(&at.node, verdict);
        }
        let mut later = at.node.fork();
        later.sim.clock.advance(Duration::from_secs(24 * 3600));
        later.tell("", false);
        if !self.sound(&later, at.depth, true) {
            return;
        }
        if verdict.closes() || at.decisions >= DECISIONS {
            return;
        }
        for choice in [Choice::Continue, Choice::RollBack] {
            let mut node = at.node.fork();
            node.kill();
            node.calm();
            node.only_killed = false;
            node.open(self.ground, choice);
            open.push(Open { node, depth: at.depth, decisions: at.decisions + 1 });
        }
    }

    /// The process was killed: a person resumes, or rolls back.
    fn resumed(&mut self, at: &Open, open: &mut Vec<Open>) {
        for choice in [Choice::Continue, Choice::RollBack] {
            let mut node = at.node.fork();
            node.only_killed &= choice == Choice::Continue;
            node.open(self.ground, choice);
            open.push(at.then(node));
        }
    }
}

impl Open {
    /// What follows from this state.
    fn then(&self, node: Node) -> Self {
        Self { node, depth: self.depth, decisions: self.decisions }
    }
}

/// Whether two servers of a cluster take writes.
pub(super) fn split(ground: &Ground, node: &Node) -> bool {
    ground.plan.clusters.keys().any(|cluster| node.sim.postgres.writable(cluster).len() > 1)
}

/// How long after its answer was lost a call may still come about.
pub(super) fn late(ground: &Ground, task: &Task) -> Duration {
    match task {
        Task::Apply(s, e, ..) => lateness(&ground.plan.steps[*s].effects[*e]),
        _ => Duration::ZERO,
    }
}

/// How long after its answer was lost a call of this effect may still come about.
pub fn lateness(planned: &crate::plan::PlannedEffect) -> Duration {
    // A database shows the session of a call that is still under way; of requests and commands there is only a bound.
    let info = planned.action.info();
    // What the kind says now, and not what a plan kept of it.
    let of = planned.action.effects().into_iter().find(|effect| effect.id == planned.effect.id);
    let settles = of.map_or(planned.effect.settles_ms, |effect| effect.settles_ms);
    match info.name.starts_with("postgres.") && info.part != Part::Stop {
        true => Duration::from_secs(20),
        false => Duration::from_millis(settles.saturating_sub(200)),
    }
}
