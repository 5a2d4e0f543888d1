//! A record that cannot be written is the end of the process, as a kill before that record is: which is why the alphabet has no row of its
//! own for it. Here the driver of a real run meets it at every record of the shipped failovers.

use super::{inventory, plan};
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::driver::{DriveError, Driver, NoSignals, Reader};
use crate::engine::perform::Progress;
use crate::engine::preview;
use crate::engine::record::{Choice, Record, Verdict};
use crate::engine::state::RunState;
use crate::journal::chain::Line;
use crate::journal::memory::MemoryJournal;
use crate::journal::{AppendError, Durable, Storage};
use crate::plan::Plan;
use crate::redact::Redactor;
use crate::rehearse::scene::scene;
use crate::step::condition::Starts;
use crate::step::testing::at_once;
use crate::world::clock::{Clock, Moment};
use crate::world::sim::Sim;
use crate::world::{Answer, Member, World, ready};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A disk with room for so many lines.
struct Disk {
    lines: Rc<RefCell<MemoryJournal>>,
    room: usize,
    /// Changing calls that had been made when it was full.
    calls: Rc<Cell<Option<usize>>>,
    sim: Sim,
}

impl Disk {
    fn full(&self) -> Result<(), AppendError> {
        if self.lines.borrow().lines.len() < self.room {
            return Ok(());
        }
        self.calls.set(Some(self.sim.tape.calls()));
        Err(AppendError { why: "no space left on device".into(), line: String::new() })
    }
}

impl Storage for Disk {
    fn append(&mut self, body: Map<String, Value>, durable: Durable) -> Result<Line, AppendError> {
        self.full()?;
        self.lines.borrow_mut().now = self.sim.clock.now().0;
        self.lines.borrow_mut().append(body, durable)
    }

    fn settle(&mut self) -> Result<(), AppendError> {
        Ok(())
    }
}

/// The clock of the write gap stands still, and so do watches: a simulated sleep ends at once.
struct NoAlarms(Sim);

impl Clock for NoAlarms {
    fn now(&self) -> Moment {
        self.0.clock.now()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        match time > Duration::from_secs(20) || time == Duration::from_secs(2) {
            true => Box::pin(std::future::pending()),
            false => self.0.clock.sleep(time),
        }
    }
}

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

struct Nobody;

impl Reader for Nobody {
    fn record(&self, _: &Line, _: &Record, _: &RunState) {}
    fn progress(&self, _: &Progress) {}
    fn waiting(&self, _: &Asked) {}
}

/// One run in a world, as its journal has it.
struct Trial {
    plan: Rc<Plan>,
    sim: Sim,
    lines: Rc<RefCell<MemoryJournal>>,
}

impl Trial {
    fn new(runbook: &str) -> Self {
        let mut plan = plan(runbook);
        let sim = scene(&plan, &inventory());
        let seen = at_once(preview::preview(&plan, &sim.world(), &Starts::new()));
        plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
        sim.tape.play([]);
        Self { plan: Rc::new(plan), sim, lines: Rc::default() }
    }

    /// One process, with room for so many lines; and the changing calls that it made after it could write no more.
    async fn process(&self, room: usize) -> (Result<Verdict, DriveError>, usize) {
        let calls = Rc::new(Cell::new(None));
        let (lines, sim) = (Rc::clone(&self.lines), self.sim.clone());
        let before = lines.borrow().lines.clone();
        let journal = Disk { lines, room, calls: Rc::clone(&calls), sim };
        let world = World { clock: Rc::new(NoAlarms(self.sim.clone())), ..self.sim.world() };
        let mut driver = Driver::new(
            Rc::clone(&self.plan),
            world,
            journal,
            &before,
            Rc::new(Starts::new()),
            Rc::new(Willing),
            Rc::new(Nobody),
            Redactor::default(),
        )
        .unwrap();
        let created = before.is_empty().then(|| Record::Created {
            run: "01900000-0000-7000-8000-00000000beef".into(),
            plan: self.plan.digest(),
            format: self.plan.format,
            since: None,
            starts: BTreeMap::new(),
        });
        let opened = Record::Opened {
            version: "1".into(),
            operator: "ada".into(),
            host: "bastion".into(),
            pid: 7,
            terminal: false,
            choice: Choice::Continue,
            reason: String::new(),
            torn: 0,
        };
        let began = created.into_iter().chain([opened]).try_for_each(|record| driver.append(&record));
        let ended = match began {
            Ok(()) => {
                let driven = driver.drive(&NoSignals);
                tokio::time::timeout(Duration::from_secs(60), driven).await.expect("it waits for ever")
            }
            Err(error) => Err(error),
        };
        let after = calls.get().map_or(0, |calls| self.sim.tape.calls() - calls);
        (ended, after)
    }

    /// What is so in the world: roles, settings, timelines; records; commands; each change under its name.
    fn truth(&self) -> String {
        let servers = self.sim.postgres.servers().into_iter().map(|(at, server)| {
            format!("{at}: {} {} {} {:?}", server.up, server.recovery, server.timeline, server.altered)
        });
        let servers: Vec<String> = servers.collect();
        format!("{servers:?} {:?} {:?}", self.sim.dns.all_sets(), self.sim.exec.marks())
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_written_ends_the_process_as_a_kill_does() {
    for runbook in ["runbooks/postgres-planned-failover.yaml", "runbooks/postgres-shutdown-failover.yaml"] {
        let whole = Trial::new(runbook);
        assert_eq!(whole.process(usize::MAX).await.0.unwrap(), Verdict::Completed);
        let records = whole.lines.borrow().lines.len();
        assert!(records > 25, "{records}");
        for room in 1..records {
            let trial = Trial::new(runbook);
            let (ended, after) = trial.process(room).await;
            assert!(matches!(ended, Err(DriveError::Journal(_))), "{runbook}, {room}: {ended:?}");
            assert_eq!(after, 0, "{runbook}: called after line {room} was the last");
            assert_eq!(trial.lines.borrow().lines.len(), room);
            // Whoever comes next, once there is room, comes to the end to which a process comes that was killed there.
            let resumed = trial.process(usize::MAX).await.0;
            assert_eq!(resumed.unwrap(), Verdict::Completed, "{runbook}, resumed after line {room}");
            assert_eq!(trial.truth(), whole.truth(), "{runbook}, resumed after line {room}");
            let target = Member::new("orders", "us-east");
            let timeline = trial.sim.postgres.servers()[&target].timeline;
            assert_eq!(timeline, 2, "promoted more than once after line {room}");
        }
    }
}
