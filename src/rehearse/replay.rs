//! A counterexample once more, happening by happening: the same schedule in a fresh world has to give the same records. Only so is there a
//! truth to tell after each of them; a difference is a bug of the rehearsal, and is told as one.

use super::alphabet::{CallFault, Mishap};
use super::invariants::broken;
use super::moves::{late, split};
use super::node::{Ground, Happening, Link, Node};
use super::report::{Counterexample, How, belief};
use super::story;
use super::takeover::ground;
use crate::engine::decide::Task;
use crate::engine::record::{Choice, Record, Verdict};
use crate::plan::Plan;
use crate::world::sim::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// As [`Happening`], but without anything that is shared: it outlives its search.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a schedule has some dozens of them, and nearly all are records"
)]
pub enum Happened {
    /// A record of the run.
    Record(Record),
    /// A fault.
    Mishap(Mishap),
    /// What did not answer or stayed behind is well again.
    Calm,
}

/// One happening, with what is so right after it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Moment {
    /// In words; empty for what an operator need not read.
    pub text: String,
    /// Whether it is a fault.
    pub fault: bool,
    /// What is true.
    pub truth: String,
    /// What the run believes.
    pub belief: String,
}

/// What is true in a world, as far as it can be compared with another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// By cluster: regions in which an application can commit.
    pub writable: BTreeMap<String, BTreeSet<String>>,
    /// By `record at server`: where users are sent.
    pub shares: BTreeMap<String, String>,
    /// What commands have done and not taken back, by their looks.
    pub marks: BTreeSet<String>,
}

/// A counterexample that was replayed.
#[derive(Debug)]
pub struct Replayed {
    /// Its happenings in order.
    pub moments: Vec<Moment>,
    /// What is true at the end, when everything that was on its way has arrived.
    pub truth: Truth,
    /// What the run ended as; nothing if it did not.
    pub verdict: Option<Verdict>,
}

/// Why a replay is not the counterexample: never the runbook's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    /// The world cannot be begun, or nothing gives the next record.
    #[error("the replay stands still at happening {at}: {why}")]
    Stuck {
        /// Happenings before it.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// Something else happened.
    #[error("the replay differs at happening {at}: {what}")]
    Other {
        /// Happenings before it.
        at: usize,
        /// What happened instead.
        what: String,
    },
    /// Nothing is wrong in the end.
    #[error("the replay ends with {is}, and not with {was}")]
    End {
        /// What is wrong in the end now.
        is: String,
        /// What was.
        was: String,
    },
}

/// The happenings that led to a state, as values.
pub(super) fn schedule(trail: Option<&Rc<Link>>) -> Vec<Happened> {
    story::happenings(trail).iter().map(Happened::of).collect()
}

impl Happened {
    fn of(happening: &Happening) -> Self {
        match happening {
            Happening::Record(record) => Self::Record((**record).clone()),
            Happening::Mishap(mishap) => Self::Mishap(mishap.clone()),
            Happening::Calm => Self::Calm,
        }
    }

    /// One line of a story, and whether it is a fault.
    fn line(&self) -> (String, bool) {
        let happening = match self {
            Self::Record(record) => Happening::Record(Rc::new(record.clone())),
            Self::Mishap(mishap) => Happening::Mishap(mishap.clone()),
            Self::Calm => Happening::Calm,
        };
        story::line(&happening).unwrap_or_default()
    }
}

/// Replays a counterexample of this plan.
pub fn replay(plan: &Plan, how: &How<'_>, one: &Counterexample) -> Result<Replayed, Differs> {
    let (local, places) = (how.local.clone(), how.places.clone());
    let begun = Ground::begin(plan.clone(), (how.world)(), how.source, local, places, how.bend);
    let Some((mut ground, node)) = begun else {
        return Err(Differs::Stuck { at: 0, why: "a step waits for ever".into() });
    };
    ground.unplanned.clone_from(&how.unplanned);
    let mut replay = Replay { ground: &ground, wanted: &one.schedule, node, done: 0, moments: Vec::new() };
    replay.taken()?;
    while replay.done < one.schedule.len() {
        replay.node.tell("", false);
        replay.step()?;
        replay.taken()?;
    }
    replay.ended(one)
}

struct Replay<'a> {
    ground: &'a Ground,
    wanted: &'a [Happened],
    node: Node,
    done: usize,
    moments: Vec<Moment>,
}

impl Replay<'_> {
    fn stuck(&self, why: impl Into<String>) -> Differs {
        Differs::Stuck { at: self.done, why: why.into() }
    }

    /// Compares what has happened since with the schedule, and notes what is so now.
    fn taken(&mut self) -> Result<(), Differs> {
        let mut new = Vec::new();
        let mut count = 0_usize;
        let mut link = self.node.trail.as_ref();
        while let Some(one) = link {
            count += 1;
            new.push(Happened::of(&one.what));
            link = one.before.as_ref();
        }
        new.truncate(count.saturating_sub(self.done));
        new.reverse();
        if new.is_empty() {
            return Err(self.stuck("nothing happens"));
        }
        for happened in new {
            if self.wanted.get(self.done) != Some(&happened) {
                return Err(Differs::Other { at: self.done, what: format!("{happened:?}") });
            }
            let (text, fault) = happened.line();
            self.done += 1;
            self.moments.push(Moment {
                text,
                fault,
                truth: self.truth().in_words(),
                belief: belief(&self.node),
            });
        }
        Ok(())
    }

    /// Makes the next happening, with everything that belongs to it.
    fn step(&mut self) -> Result<(), Differs> {
        let taken = self.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        match &self.wanted[self.done] {
            Happened::Calm => {
                self.node.kill();
                self.node.calm();
                self.node.only_killed = false;
                self.node.hoping = Some(self.node.mishaps);
            }
            Happened::Mishap(Mishap::Call(..) | Mishap::KilledMidway(_) | Mishap::KilledBeforeReply) => {
                self.called()?
            }
            Happened::Mishap(mishap @ (Mishap::No | Mishap::Absent)) => {
                let answer = (false, *mishap == Mishap::Absent);
                self.performed(self.done + 1, &[], answer, |node, ground| node.suffer(ground, mishap))?;
                self.node.denied = true;
            }
            Happened::Mishap(mishap) => {
                self.node.suffer(ground, mishap);
                if !self.node.foreign.is_empty() {
                    let torn = split(ground, &self.node);
                    self.node.torn(torn);
                }
            }
            Happened::Record(Record::Opened { choice, .. }) => {
                if self.node.alive {
                    // The run had ended, and nobody waited for everything to be well.
                    self.node.kill();
                    self.node.only_killed = false;
                }
                self.node.only_killed &= self.node.processes == 0 || *choice == Choice::Continue;
                self.node.open(ground, *choice);
            }
            Happened::Record(Record::Switched { .. }) => {
                if self.node.alive {
                    self.node.kill();
                }
                self.node.only_killed = false;
                self.node = *self.node.taken_over(ground).map_err(|why| self.stuck(why))?;
            }
            Happened::Record(_) => {
                let wanted = self.node.wanted(ground);
                let answered = wanted.iter().any(|task| matches!(task, Task::Ask(_)));
                if !self.node.immediate(ground, &wanted) {
                    self.performed(self.done, &[], (true, false), |_, _| {})?;
                    self.node.denied &= !answered;
                }
            }
        }
        Ok(())
    }

    /// A changing task whose calls meet faults, after which the process may be killed before the answer is recorded.
    fn called(&mut self) -> Result<(), Differs> {
        let taken = self.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        let rest = &self.wanted[self.done..];
        let met = rest.iter().map_while(|one| match one {
            Happened::Mishap(Mishap::Call(n, fault)) => Some((*n, *fault)),
            _ => None,
        });
        let met: Vec<(usize, CallFault)> = met.collect();
        let killed = match rest.get(met.len()) {
            Some(Happened::Mishap(how @ (Mishap::KilledMidway(_) | Mishap::KilledBeforeReply))) => {
                Some(how.clone())
            }
            _ => None,
        };
        let at = self.done + met.len();
        let suffered: Vec<Mishap> = met.iter().map(|(n, fault)| Mishap::Call(*n, *fault)).collect();
        let suffer = |node: &mut Node, ground: &Ground| {
            for mishap in &suffered {
                node.suffer(ground, mishap);
            }
        };
        let Some(killed) = killed else {
            return self.performed(at, &met, (true, false), suffer);
        };
        // Its record is not written: any changing task that comes to this is the one.
        let task = self.node.wanted(ground).into_iter().find(|task| matches!(task, Task::Apply(..)));
        let task = task.ok_or_else(|| self.stuck("no call is to be made"))?;
        let mut node = self.node.fork();
        let mut tape = self.tape(&task, &met);
        if let Mishap::KilledMidway(done) = killed {
            tape.resize(done, Fault::None);
            tape.push(Fault::LostAbsent);
        }
        node.perform(ground, &task, &tape, (true, false))
            .ok_or_else(|| self.stuck(format!("{task:?} waits for ever")))?;
        suffer(&mut node, ground);
        node.suffer(ground, &killed);
        self.node = *node;
        Ok(())
    }

    fn tape(&self, task: &Task, met: &[(usize, CallFault)]) -> Vec<Fault> {
        let late = late(ground(self.ground, self.node.taken.as_ref()), task);
        let last = met.iter().map(|(n, _)| *n).max().unwrap_or_default();
        (1..=last)
            .map(|n| met.iter().find(|(m, _)| *m == n).map_or(Fault::None, |(_, fault)| fault.fault(late)))
            .collect()
    }

    /// The task that gives the record at this place of the schedule.
    fn performed(
        &mut self,
        at: usize,
        met: &[(usize, CallFault)],
        answer: (bool, bool),
        suffer: impl Fn(&mut Node, &Ground),
    ) -> Result<(), Differs> {
        let Some(Happened::Record(record)) = self.wanted.get(at) else {
            return Err(self.stuck("a record is missing"));
        };
        let taken = self.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        let tasks = self.node.wanted(ground);
        let mut instead = Vec::new();
        for task in tasks.iter().filter(|task| !matches!(task, Task::Gap | Task::Watch(_))) {
            let mut node = self.node.fork();
            match node.perform(ground, task, &self.tape(task, met), answer) {
                Some((made, _)) if made == *record => {
                    suffer(&mut node, ground);
                    node.append(ground, made);
                    self.node = *node;
                    return Ok(());
                }
                Some((made, _)) => instead.push(format!("{made:?}")),
                None => instead.push(format!("{task:?} waits for ever")),
            }
        }
        Err(Differs::Other { at, what: format!("{}, and not {record:?}", instead.join("; ")) })
    }

    /// What is wrong in the end has to be what was.
    fn ended(mut self, one: &Counterexample) -> Result<Replayed, Differs> {
        self.node.tell("", false);
        let taken = self.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        let mut found = broken(ground, &self.node, false);
        let verdict = self.node.alive.then_some(self.node.state.verdict).flatten();
        self.node.sim.clock.advance(Duration::from_secs(24 * 3600));
        self.node.tell("", false);
        if found.is_none() {
            found = broken(ground, &self.node, true);
            self.moments.push(Moment {
                text: "a day later everything that was on its way has arrived".into(),
                fault: false,
                truth: self.truth().in_words(),
                belief: belief(&self.node),
            });
        }
        let is = found.map_or("I11", |(invariant, _)| invariant.id);
        if is != one.invariant {
            return Err(Differs::End { is: is.into(), was: one.invariant.clone() });
        }
        let truth = self.truth();
        Ok(Replayed { moments: self.moments, truth, verdict })
    }

    fn truth(&self) -> Truth {
        let sim = &self.node.sim;
        let clusters = self.ground.plan.clusters.keys();
        Truth {
            writable: clusters
                .map(|name| (name.clone(), sim.postgres.writable(name).into_iter().collect()))
                .collect(),
            shares: sim
                .dns
                .shares()
                .into_iter()
                .map(|(at, shares)| (format!("{} at {}", at.record, at.server), shares_in_words(&shares)))
                .collect(),
            marks: sim.exec.marks(),
        }
    }
}

/// Shares as a truth compares them.
pub fn shares_in_words(shares: &crate::world::Known<crate::world::dns::Shares>) -> String {
    shares.get().map_or_else(|| "not understood".to_owned(), crate::engine::survey::shares_in_words)
}

impl Truth {
    /// In one line.
    pub fn in_words(&self) -> String {
        let mut parts = Vec::new();
        for (cluster, regions) in &self.writable {
            let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
            let regions = if regions.is_empty() { "nowhere".into() } else { regions.join(" and ") };
            parts.push(format!("writes to {cluster}: {regions}"));
        }
        parts.extend(self.shares.iter().map(|(at, shares)| format!("{at}: {shares}")));
        if !self.marks.is_empty() {
            let marks: Vec<&str> = self.marks.iter().map(String::as_str).collect();
            parts.push(format!("done by commands: {}", marks.join(", ")));
        }
        parts.join(" · ")
    }
}
