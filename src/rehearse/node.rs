//! One state of a rehearsal: a simulated world, a run in it, and what its process holds. It can be forked and compared.

pub use super::ground::{Bend, Ground, Happening, Link};
use super::idle::Looking;
use super::source::Source;
use super::told::told_before;
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::decide::{Task, decide};
use crate::engine::immediate::{Immediate, immediate};
use crate::engine::perform::{Cx, perform};
use crate::engine::record::{Choice, Record};
use crate::engine::state::{RunState, Stage};
use crate::engine::times::Times;
use crate::journal::memory::Unkept;
use crate::journal::{Permit, Storage as _};
use crate::plan::{Mode, Plan};
use crate::step::Class;
use crate::world::clock::{Clock as _, Moment};
use crate::world::sim::{Fault, Sim, Truths};
use crate::world::{Answer, World, ready};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One state.
pub struct Node {
    /// The simulated world.
    pub sim: Sim,
    /// Its ports.
    world: World,
    /// The run as its journal has it.
    pub state: RunState,
    /// Moments of the run.
    pub times: Times,
    /// What its process may do.
    permits: BTreeMap<(usize, usize, bool), Rc<Permit>>,
    /// Whether a process drives it.
    pub alive: bool,
    /// Processes so far.
    pub processes: u32,
    /// Writes of which applications were told that they are committed, by cluster.
    pub told: Rc<BTreeMap<String, Vec<String>>>,
    /// Those of them of which a person has accepted that they are lost.
    pub accepted: Rc<BTreeMap<String, BTreeSet<String>>>,
    /// Clusters and records of ours that others changed.
    pub foreign: Rc<BTreeSet<String>>,
    /// Clusters of which others made two primaries.
    pub split: Rc<BTreeSet<String>>,
    /// Clusters whose old primary has died by itself.
    pub died: Rc<BTreeSet<String>>,
    /// What counts since a person took the run over.
    pub(super) taken: Option<Rc<Ground>>,
    /// Whether both sides took commits.
    pub diverged: bool,
    /// Whether the last answer was not a yes.
    pub denied: bool,
    /// Whether whoever began this process asked for a rollback.
    pub back: bool,
    /// A person went on while everything was well; how many mishaps there had been then.
    pub hoping: Option<u32>,
    /// A change that should not have been made.
    pub trespass: Option<String>,
    /// What others had set, and was overwritten unseen.
    pub seized: Option<String>,
    /// Whether nothing went wrong but that mrctl was killed, and whoever came next went on.
    pub only_killed: bool,
    /// Mishaps so far.
    pub mishaps: u32,
    /// Whether states are told apart by what was taken back, so that a search can show it.
    pub exact: bool,
    /// Hash of each step's part of the run, while no record has changed it.
    pub(super) hashes: Vec<Cell<Option<u64>>>,
    /// The servers and records for which the invariants were found to hold.
    pub(super) sound: Option<Truths>,
    /// When that was.
    pub(super) visited: Option<Moment>,
    /// Whether the last record was a look of which nothing is left for whoever begins anew.
    pub(super) idle: bool,
    /// How it came here.
    pub trail: Option<Rc<Link>>,
}

/// Polls once: every simulated port answers at once, and what waits nevertheless waits for ever.
pub(super) fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Answers every question the same way.
struct Scripted {
    yes: bool,
    absent: bool,
}

impl Person for Scripted {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        let yes = self.yes && !matches!(asked.kind, AskedKind::Paused { .. });
        let how = if self.absent { "absent" } else { "terminal" };
        let (by, reason) = ("operator".into(), String::new());
        ready(Answered { yes, by, how: how.into(), choice: Choice::Leave, reason })
    }
}

impl Ground {
    /// The first state: a run that is about to be created in this world.
    pub fn begin(
        plan: Plan,
        sim: Sim,
        source: Source,
        local: BTreeSet<String>,
        places: BTreeMap<String, BTreeSet<String>>,
        bend: Bend,
    ) -> Option<(Self, Node)> {
        let mut plan = plan;
        let world = sim.world();
        let starts = once(crate::engine::preview::starts(&plan, &world))?;
        let seen = once(crate::engine::preview::preview(&plan, &world, &starts))?;
        plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
        let mut node = Node {
            world,
            state: RunState::new(&plan),
            times: Times::default(),
            permits: BTreeMap::new(),
            alive: false,
            processes: 0,
            told: Rc::new(
                plan.clusters
                    .keys()
                    .map(|name| (name.clone(), told_before(&sim, name, &plan.from)))
                    .collect(),
            ),
            accepted: Rc::default(),
            foreign: Rc::default(),
            split: Rc::default(),
            died: Rc::default(),
            taken: None,
            diverged: false,
            denied: false,
            back: false,
            hoping: None,
            trespass: None,
            seized: None,
            only_killed: true,
            mishaps: 0,
            exact: true,
            hashes: vec![Cell::new(None); plan.steps.len()],
            sound: None,
            visited: None,
            idle: false,
            trail: None,
            sim: sim.fork(),
        };
        node.world = node.sim.world();
        let created = Record::Created {
            run: "rehearsal".into(),
            plan: plan.digest(),
            format: plan.format,
            since: None,
            starts: crate::engine::preview::starts_in_words(&starts),
        };
        let ground = Self { plan, unplanned: None, starts, start: sim, source, local, places, bend };
        node.append(&ground, created);
        Some((ground, node))
    }
}

impl Node {
    /// The same state again, in a world of its own.
    pub fn fork(&self) -> Box<Self> {
        let sim = self.sim.fork();
        Box::new(Self {
            world: sim.world(),
            sim,
            state: self.state.clone(),
            times: self.times.clone(),
            permits: self.permits.clone(),
            alive: self.alive,
            processes: self.processes,
            told: Rc::clone(&self.told),
            accepted: Rc::clone(&self.accepted),
            foreign: Rc::clone(&self.foreign),
            split: Rc::clone(&self.split),
            died: Rc::clone(&self.died),
            taken: self.taken.clone(),
            diverged: self.diverged,
            denied: self.denied,
            back: self.back,
            hoping: self.hoping,
            trespass: self.trespass.clone(),
            seized: self.seized.clone(),
            only_killed: self.only_killed,
            mishaps: self.mishaps,
            exact: self.exact,
            hashes: self.hashes.clone(),
            sound: self.sound.clone(),
            visited: self.visited,
            idle: self.idle,
            trail: self.trail.clone(),
        })
    }

    /// Whether what just happened is on the way to something else, and seldom comes out where another way does: an intent, a last look, an
    /// end.
    pub(super) fn on_its_way(&self) -> bool {
        let Some(Happening::Record(record)) = self.trail.as_ref().map(|link| &link.what) else {
            return false;
        };
        matches!(
            **record,
            Record::Intent { .. }
                | Record::Surveyed { .. }
                | Record::Ended { .. }
                | Record::LockLost { .. }
                | Record::Signalled { .. }
        )
    }

    pub(super) fn happened(&mut self, what: Happening) {
        self.trail = Some(Rc::new(Link { what, before: self.trail.take() }));
    }

    /// A record as the driver writes it.
    pub fn append(&mut self, ground: &Ground, record: Record) {
        let mut record = record;
        if let Some(bend) = ground.bend.record {
            bend(&ground.plan, &mut record);
        }
        self.note_seizures(ground);
        self.accept(ground, &record);
        self.times.note(&ground.plan, self.sim.clock.now(), &record);
        self.forget_hashes(ground, &record);
        let looking = Looking::before(ground, self, &record);
        let before = ground.bend.state.map(|bend| (bend, self.state.clone()));
        self.state.fold(&ground.plan, &record);
        if let Some((bend, before)) = before {
            bend(&record, &before, &mut self.state);
        }
        self.idle = looking.is_some_and(|looking| looking.leaves_nothing(ground, self));
        self.permitted(ground, &record);
        self.happened(Happening::Record(Rc::new(record)));
    }

    /// Parts of the run that a record may change are hashed again.
    fn forget_hashes(&self, ground: &Ground, record: &Record) {
        let one = match record {
            Record::Looked { step, .. }
            | Record::Intent { step, .. }
            | Record::Replied { step, .. }
            | Record::Required { step, .. } => ground.plan.step_index(step),
            _ => None,
        };
        // A promotion that is seen to be disarmed takes its proof along.
        let disarms = |s: &usize| {
            ground.plan.mode == Mode::Unplanned
                && ground.plan.steps[*s].effects.iter().any(|planned| planned.effect.class == Class::Pivot)
        };
        match one.filter(|s| !disarms(s)) {
            Some(s) if ground.bend.state.is_none() && !ground.plan.ways_back() => {
                self.hashes[s].set(None);
                // What was seen last counts in its step only as long as it is the last.
                if let Some((last, _)) = self.state.fresh {
                    self.hashes[last].set(None);
                }
            }
            _ => self.hashes.iter().for_each(|hash| hash.set(None)),
        }
    }

    /// A process begins.
    pub fn open(&mut self, ground: &Ground, choice: Choice) {
        self.permits.clear();
        self.alive = true;
        self.sim.postgres.lock_all(&self.state.run);
        self.processes += 1;
        self.back = choice == Choice::RollBack || self.rolls_back();
        self.append(
            ground,
            Record::Opened {
                version: String::new(),
                operator: "operator".into(),
                host: String::new(),
                pid: 0,
                terminal: false,
                choice,
                reason: String::new(),
                torn: 0,
            },
        );
    }

    /// Its ports.
    pub(super) fn ports(&self) -> &World {
        &self.world
    }

    /// The time in its world.
    pub(super) fn now(&self) -> Moment {
        self.sim.clock.now()
    }

    /// The process is gone.
    pub fn kill(&mut self) {
        self.alive = false;
        self.permits.clear();
    }

    /// Whether it takes back what it did.
    pub(super) fn rolls_back(&self) -> bool {
        matches!(self.state.stage, Stage::RollingBack { .. })
    }

    /// Whether others changed this cluster, or a record (`record at server`).
    pub fn foreign_to(&self, name: &str) -> bool {
        self.foreign.contains(name)
    }

    /// Others have made two primaries of these clusters.
    pub(super) fn torn(&mut self, clusters: impl IntoIterator<Item = String>) {
        for cluster in clusters {
            if !self.split.contains(&cluster) {
                Rc::make_mut(&mut self.split).insert(cluster);
            }
        }
    }

    /// What should be in flight; nothing without a process.
    pub fn wanted(&self, ground: &Ground) -> BTreeSet<Task> {
        if self.alive { decide(&ground.plan, &self.state) } else { BTreeSet::new() }
    }

    /// Writes what needs no waiting. Whether there was something.
    pub fn immediate(&mut self, ground: &Ground, wanted: &BTreeSet<Task>) -> bool {
        match immediate(&ground.plan, &self.state, wanted) {
            None => return false,
            Some(Immediate::Plain(record)) => self.append(ground, record),
            Some(Immediate::Intent { key, record, of }) => {
                if let Ok((_, permit)) = Unkept::default().append_intent(key, serde_json::Map::new()) {
                    self.permits.insert(of, Rc::new(permit));
                }
                self.append(ground, record);
            }
        }
        true
    }

    /// Turns one task into its record, with what its changing calls meet. Gives the record, which is not written yet, and how many
    /// changing calls there were; nothing if it waits for ever.
    pub fn perform(
        &self,
        ground: &Ground,
        task: &Task,
        tape: &[Fault],
        answer: (bool, bool),
    ) -> Option<(Record, usize)> {
        let permit = match task {
            Task::Apply(s, e, undo, _) => self.permits.get(&(*s, *e, *undo)),
            _ => None,
        };
        let person = Scripted { yes: answer.0, absent: answer.1 };
        let progress = Cell::new(());
        let cx = Cx {
            plan: &ground.plan,
            world: &self.world,
            starts: &ground.starts,
            person: &person,
            progress: &|_| progress.set(()),
            times: &self.times,
        };
        self.sim.clock.hurry();
        self.sim.tape.play(tape.iter().cloned());
        let record = once(perform(&cx, task, &self.state, permit.map(|permit| &**permit)))??;
        Some((record, self.sim.tape.calls()))
    }
}
