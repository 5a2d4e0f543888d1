//! The engine in the simulated world: every process of a run is driven to its end or killed at a chosen point, while applications
//! write on both sides, and the ground truth is checked after every move.

mod again;
mod ahead;
mod by_hand;
mod decisions;
mod faults;
mod golden;
mod half;
mod identity;
mod kill;
mod once;
mod sections;
mod surprises;
mod switched;
mod ways_back;

use super::ask::{Answered, Asked, AskedKind, Person};
use super::decide::{Task, decide};
use super::immediate::{Immediate, immediate};
use super::perform::{Cx, perform};
use super::preview;
use super::record::{Choice, Record, Verdict};
use super::state::RunState;
use super::times::Times;
use crate::error::render;
use crate::journal::memory::MemoryJournal;
use crate::journal::{Permit, Storage as _};
use crate::plan::Plan;
use crate::plan::testing::planned;
use crate::step::condition::Starts;
use crate::step::testing::at_once;
use crate::world::clock::{Clock as _, Moment};
use crate::world::sim::exec::Script;
use crate::world::sim::{Fault, Sim, two_regions};
use crate::world::{Answer, World, ready};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// More moves than any run of these tests needs.
const ENOUGH: usize = 2_000;

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    Never,
    /// Right after this record of the run, counted from 1, is on disk.
    Record(usize),
    /// After this changing call of the run, counted from 1, has done its work, and before its reply is recorded.
    Call(usize),
}

/// Says yes to everything; leaves what is paused.
struct Willing;

impl Person for Willing {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        let yes = !matches!(asked.kind, AskedKind::Paused { .. });
        ready(Answered {
            yes,
            by: "ada".into(),
            how: "terminal".into(),
            choice: Choice::Leave,
            reason: String::new(),
        })
    }
}

/// Something that others do.
type Event = Box<dyn FnOnce(&Trial)>;

/// One run in one world.
struct Trial {
    plan: Plan,
    sim: Sim,
    world: World,
    journal: MemoryJournal,
    records: Vec<Record>,
    state: RunState,
    times: Times,
    person: Rc<dyn Person>,
    /// Whether a person can be asked about a pause.
    terminal: bool,
    calls: usize,
    /// What happens to this changing call, counted from 1.
    fault: Option<(usize, Fault)>,
    /// What happens in the world right after this record, counted from 1.
    event: Option<(usize, Event)>,
    /// The call that sent the first message.
    told_at: Option<usize>,
    /// Writes that applications were told are committed.
    told: Vec<String>,
}

/// The plan for a runbook of the fixtures in a world, with the identity facts that are seen there.
fn plan(runbook: &str, inventory: &str, world: &World) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (plan, problems, sources) = planned(&folder.join(runbook), &folder.join(inventory));
    let mut plan = plan.unwrap_or_else(|| panic!("{}", render::text(&problems, &sources, false, 100)));
    let seen = at_once(preview::preview(&plan, world, &Starts::new()));
    plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
    plan
}

impl Trial {
    fn new(runbook: &str) -> Self {
        Self::in_world(runbook, "production.yaml", two_regions())
    }

    fn in_world(runbook: &str, inventory: &str, sim: Sim) -> Self {
        let opens =
            Script { stdout: "opened\nOPS-17\n".into(), sets: Some("open".into()), ..Script::default() };
        sim.exec.script("tickets open", opens);
        sim.exec.script("tickets look", Script { asks: Some("open".into()), ..Script::default() });
        let world = sim.world();
        let plan = plan(runbook, inventory, &world);
        Self {
            state: RunState::new(&plan),
            plan,
            world,
            sim,
            journal: MemoryJournal::default(),
            records: Vec::new(),
            times: Times::default(),
            person: Rc::new(Willing),
            terminal: false,
            calls: 0,
            fault: None,
            event: None,
            told_at: None,
            told: Vec::new(),
        }
    }

    /// Lets something happen in the world right after this record.
    fn at(&mut self, record: usize, event: impl FnOnce(&Self) + 'static) {
        self.event = Some((record, Box::new(event)));
    }

    /// A record as the driver writes it: on disk, read back, folded; and what a reader folds is the same.
    fn append(&mut self, record: &Record) {
        self.journal.now = self.sim.clock.now().0;
        let serde_json::Value::Object(body) = serde_json::to_value(record).unwrap() else { unreachable!() };
        let line = self.journal.append(body, record.durable()).unwrap();
        let read = super::driver::read_record(&line).unwrap();
        assert_eq!(read, *record);
        self.times.note(&self.plan, Moment(line.at), &read);
        self.state.fold(&self.plan, &read);
        self.records.push(read);
        assert_eq!(RunState::of(&self.plan, &self.records), self.state, "a reader folds something else");
    }

    fn created(&mut self) {
        self.append(&Record::Created {
            run: "01900000-0000-7000-8000-00000000beef".into(),
            plan: self.plan.digest(),
            format: self.plan.format,
            since: None,
            starts: BTreeMap::new(),
        });
    }

    /// Drives one process until a verdict, or until it is killed.
    fn process(&mut self, choice: Choice, kill: Kill) -> Option<Verdict> {
        if self.records.is_empty() {
            self.created();
            if kill == Kill::Record(1) {
                return None;
            }
        }
        self.append(&Record::Opened {
            version: "1".into(),
            operator: "ada".into(),
            host: "bastion".into(),
            pid: 7,
            terminal: self.terminal,
            choice,
            reason: String::new(),
            torn: 0,
        });
        let mut permits: BTreeMap<(usize, usize, bool), Permit> = BTreeMap::new();
        for _ in 0..ENOUGH {
            if kill == Kill::Record(self.records.len()) {
                return None;
            }
            if let Some((_, event)) = self.event.take_if(|(record, _)| *record == self.records.len()) {
                event(self);
            }
            if let Some(verdict) = self.state.verdict {
                return Some(verdict);
            }
            let wanted = decide(&self.plan, &self.state);
            match immediate(&self.plan, &self.state, &wanted) {
                Some(Immediate::Plain(record)) => self.append(&record),
                Some(Immediate::Intent { key, record, of }) => {
                    self.append(&record);
                    let permit =
                        MemoryJournal::default().append_intent(key, serde_json::Map::new()).unwrap().1;
                    permits.insert(of, permit);
                }
                None => {
                    // Clocks and watches run beside something; virtual time makes them end at once.
                    let task = wanted.iter().find(|task| !matches!(task, Task::Gap | Task::Watch(_)));
                    let task = task.unwrap_or_else(|| panic!("stuck: {wanted:?} in {:#?}", self.state.stage));
                    let changes = matches!(task, Task::Apply(..));
                    self.calls += usize::from(changes);
                    if changes && let Some((_, fault)) = self.fault.take_if(|(call, _)| *call == self.calls) {
                        self.push(task, fault);
                    }
                    let record = self.perform(&task.clone(), &permits);
                    if self.told_at.is_none() && !self.sim.notify.sent().is_empty() {
                        self.told_at = Some(self.calls);
                    }
                    self.check();
                    if changes && kill == Kill::Call(self.calls) {
                        return None;
                    }
                    self.append(&record);
                }
            }
            self.check();
        }
        panic!("no end after {ENOUGH} moves: {:#?}", self.records.iter().rev().take(6).collect::<Vec<_>>());
    }

    /// The port of this task's next changing call meets the fault.
    fn push(&self, task: &Task, fault: Fault) {
        let Task::Apply(s, ..) = task else { unreachable!() };
        let kind = self.plan.steps[*s].kind.as_str();
        match kind.split('.').next() {
            Some("postgres") => self.sim.postgres.faults.push(fault),
            Some("dns") => self.sim.dns.faults.push(fault),
            Some("cache") => self.sim.cache.faults.push(fault),
            Some("notify") => self.sim.notify.faults.push(fault),
            Some("exec") => self.sim.exec.faults.push(fault),
            _ => panic!("no faults for {kind}"),
        }
    }

    fn perform(&self, task: &Task, permits: &BTreeMap<(usize, usize, bool), Permit>) -> Record {
        let permit = match task {
            Task::Apply(s, e, undo, _) => permits.get(&(*s, *e, *undo)),
            _ => None,
        };
        let cx = Cx {
            plan: &self.plan,
            world: &self.world,
            starts: &Starts::new(),
            person: &*self.person,
            progress: &|_| (),
            times: &self.times,
        };
        at_once(perform(&cx, task, &self.state, permit)).unwrap()
    }

    /// Applications try to commit on both sides; whatever they were told must be where the next ones commit. Traffic goes somewhere.
    fn check(&mut self) {
        let writable = self.sim.postgres.writable("orders");
        assert!(writable.len() < 2, "two primaries: {writable:?}\n{}", self.story());
        for region in ["eu-west", "us-east"] {
            let name = format!("write-{}", self.told.len());
            if self.sim.postgres.write("orders", region, &name, false) {
                self.told.push(name);
                let log = self.log(region);
                let lost: Vec<_> = self.told.iter().filter(|told| !log.contains(told)).collect();
                assert!(lost.is_empty(), "lost in {region}: {lost:?}\n{}", self.story());
            }
        }
    }

    fn log(&self, region: &str) -> Vec<String> {
        self.sim.postgres.with("orders", region, |server| server.log.clone()).unwrap()
    }

    /// Keys in the target's cache.
    fn warmed(&self) -> usize {
        self.sim.cache.with("sessions", "us-east", |server| server.keys.len()).unwrap()
    }

    /// The world line of the last survey.
    fn world_line(&self) -> String {
        self.state.survey.as_ref().map(|survey| survey.world.clone()).unwrap_or_default()
    }

    /// The journal as a file.
    fn text(&self) -> String {
        let mut prev = crate::journal::chain::GENESIS.to_owned();
        let mut text = String::new();
        for line in &self.journal.lines {
            text += &crate::journal::chain::write(line.seq, line.at, &prev, line.body.clone()).0;
            text.push('\n');
            prev.clone_from(&line.hash);
        }
        text
    }

    /// The records, a line each, for failures.
    fn story(&self) -> String {
        let line = |record: &Record| match record {
            Record::Looked { step, effect, purpose, standing, evidence, .. } => {
                format!("looked {step}/{effect} {purpose:?} {standing:?}: {evidence}")
            }
            Record::Intent { step, effect, attempt, undo, .. } => {
                format!("intent {step}/{effect} attempt {attempt}{}", if *undo { ", undo" } else { "" })
            }
            other => format!("{other:?}"),
        };
        self.records.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether nothing of this run is left in the world.
    fn untouched(&self) -> bool {
        let fresh = two_regions();
        let sets = |sim: &Sim| {
            let at = crate::world::dns::RecordName { record: "www".into(), server: "pdns-eu".into() };
            at_once(sim.world().dns.look(&at)).map(|facts| facts.sets)
        };
        self.sim.postgres.writable("orders") == ["eu-west"] && sets(&self.sim) == sets(&fresh)
    }
}

#[test]
fn a_planned_failover_ends_well_and_loses_nothing() {
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(
        trial.world_line(),
        "writes: us-east · old primary: frozen · traffic: 100% us-east · undo: not possible"
    );
    assert!(trial.told.len() > 20, "applications wrote {} times", trial.told.len());
    let sent = trial.sim.notify.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text, "Orders serves from us-east. Writes stopped for 0.0 s, ticket OPS-17.");
    assert_eq!(trial.warmed(), 40);
}
