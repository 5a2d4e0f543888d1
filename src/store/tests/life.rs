//! Processes of a run, one after the other, in one simulated world and over one folder: the real driver, the real store and journal.

use super::disk::{Call, Death, Disk};
use super::scene::Scene;
use super::time::{Sleepers, now, wait};
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::driver::{DriveError, Driver, NoSignals, Reader};
use crate::engine::perform::Progress;
use crate::engine::preview;
use crate::engine::record::{Choice, Record, Verdict};
use crate::engine::state::RunState;
use crate::journal::chain::Line;
use crate::plan::Plan;
use crate::redact::Redactor;
use crate::step::condition::Starts;
use crate::store::{Run, Store, StoreError};
use crate::world::sim::Sim;
use crate::world::{Answer, World, ready};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Says yes to everything; leaves what is paused.
struct Willing;

impl Person for Willing {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        let yes = !matches!(asked.kind, AskedKind::Paused { .. });
        let (by, how) = ("ada".into(), "terminal".into());
        ready(Answered { yes, by, how, choice: Choice::Leave, reason: String::new() })
    }
}

struct Nobody;

impl Reader for Nobody {
    fn record(&self, _: &Line, _: &Record, _: &RunState) {}
    fn progress(&self, _: &Progress) {}
    fn waiting(&self, _: &Asked) {}
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was killed.
    Died,
    /// With a verdict.
    Verdict(Verdict),
    /// The journal could not be written, and it said so.
    JournalFailed,
    /// The journal is not taken: damaged.
    Refused(String),
    /// There was nothing to go on with: the run is closed.
    Closed(Option<Verdict>),
}

/// What applications and an onlooker see of it.
#[derive(Default)]
pub struct Seen {
    told: BTreeMap<String, Vec<String>>,
    /// What must never be.
    pub wrong: Vec<String>,
}

/// One run, through all its processes.
pub struct Trial<'a> {
    scene: &'a Scene,
    pub sim: Sim,
    folder: tempfile::TempDir,
    pub disk: Rc<Disk>,
    pub seen: Rc<RefCell<Seen>>,
    lives: usize,
}

/// Whoever can commit does, and is told so; nobody may have two places to do so.
fn witness(sim: &Sim, clusters: &[String], seen: &RefCell<Seen>) {
    let mut seen = seen.borrow_mut();
    for cluster in clusters {
        let writable = sim.postgres.writable(cluster);
        if writable.len() > 1 {
            seen.wrong.push(format!("two primaries of {cluster}: {writable:?}"));
        }
        for region in writable {
            let told = seen.told.entry(cluster.clone()).or_default();
            let name = format!("write-{}", told.len());
            if sim.postgres.write_once(cluster, &region, &name) {
                told.push(name);
            }
        }
    }
}

impl<'a> Trial<'a> {
    /// Nothing has begun.
    pub fn new(scene: &'a Scene) -> Self {
        let sim = scene.sim.fork();
        // Memory, where there is one: what a disk keeps is told by the disk of these tests.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        Store::at(folder.path()).unwrap();
        let seen = Rc::new(RefCell::new(Seen::default()));
        let (clusters, own) = (scene.plan.clusters.keys().cloned().collect::<Vec<_>>(), Rc::clone(&seen));
        let onlooker = sim.clone();
        let disk = Disk::new(folder.path(), Box::new(move || witness(&onlooker, &clusters, &own)));
        Self { scene, sim, folder, disk: Rc::new(disk), seen, lives: 0 }
    }

    /// The next run has this number in its name.
    pub fn begin_as(&mut self, number: usize) {
        self.lives = number;
    }

    /// The state folder.
    pub fn store(&self) -> Store {
        Store::at(self.folder.path()).unwrap()
    }

    /// One process, as `mrctl failover` begins it where there is no run, and `mrctl resume` where there is one.
    pub fn process(&mut self, fate: Option<(usize, Death)>) -> End {
        self.lives += 1;
        // Whoever died was missed for some seconds.
        self.sim.clock.advance(Duration::from_secs(3));
        self.disk.begin(fate);
        let ended = self.drive();
        witness(&self.sim, &self.clusters(), &self.seen);
        match ended {
            _ if self.disk.died() => End::Died,
            Ok(end) => end,
            Err(_) => End::JournalFailed,
        }
    }

    fn drive(&mut self) -> Result<End, String> {
        let text = |error: StoreError| error.to_string();
        let store = Store::by(Rc::clone(&self.disk) as _, self.folder.path()).map_err(text)?;
        let (runs, broken) = store.runs().map_err(text)?;
        if let Some((_, error)) = broken.first() {
            return Ok(End::Refused(error.to_string()));
        }
        let begins = |choice, torn: usize| Record::Opened {
            version: "1".into(),
            operator: "ada".into(),
            host: "bastion".into(),
            pid: 7,
            terminal: false,
            choice,
            reason: String::new(),
            torn: torn as u64,
        };
        let created = |run: &str, plan: &Plan, starts: &Starts| Record::Created {
            run: run.into(),
            plan: plan.digest(),
            format: plan.format,
            since: None,
            starts: preview::starts_in_words(starts),
        };
        let (plan, past, journal, starts, opening) = match runs.iter().find(|run| run.open()) {
            None if !runs.is_empty() => return Ok(End::Closed(runs[0].state.verdict)),
            None => {
                let id = format!("01900000-0000-7000-8000-{:012}", self.lives);
                let (plan, starts) = (self.scene.plan.clone(), self.scene.starts.clone());
                let (_, journal) = store.create(&id, &plan, now).map_err(text)?;
                let opening = vec![created(&id, &plan, &starts), begins(Choice::Continue, 0)];
                (plan, Vec::new(), journal, starts, opening)
            }
            Some(run) => {
                let (Run { id, plan, lines, .. }, journal, torn) = store.open(&run.id, now).map_err(text)?;
                let starts = lines.iter().find_map(|(_, record)| match record {
                    Record::Created { starts, .. } => Some(preview::starts_from_words(starts)),
                    _ => None,
                });
                let mut opening = vec![begins(Choice::Continue, torn)];
                if starts.is_none() {
                    opening.insert(0, created(&id, &plan, &Starts::new()));
                }
                (plan, lines, journal, starts.unwrap_or_default(), opening)
            }
        };
        let run = match (past.first(), opening.first()) {
            (Some((_, Record::Created { run, .. })), _) | (_, Some(Record::Created { run, .. })) => run,
            _ => return Err("no run".into()),
        };
        self.sim.postgres.lock_all(run);
        let clock = Rc::new(Sleepers::on(&self.sim.clock));
        let world = World { clock: Rc::clone(&clock) as _, ..self.sim.world() };
        let lines: Vec<Line> = past.iter().map(|(line, _)| line.clone()).collect();
        let text = |error: DriveError| error.to_string();
        let mut driver = Driver::new(
            Rc::new(plan),
            world,
            journal,
            &lines,
            Rc::new(starts),
            Rc::new(Willing),
            Rc::new(Nobody),
            Redactor::default(),
        )
        .map_err(text)?;
        opening.iter().try_for_each(|record| driver.append(record)).map_err(text)?;
        match wait(&clock, driver.drive(&NoSignals)) {
            Ok(verdict) => Ok(End::Verdict(verdict)),
            Err(DriveError::Journal(error)) => Err(error.to_string()),
            Err(error) => {
                self.seen.borrow_mut().wrong.push(error.to_string());
                Err(error.to_string())
            }
        }
    }

    /// The run as it stands in the folder, if there is one.
    pub fn run(&self) -> Option<Run> {
        self.store().runs().unwrap().0.into_iter().next()
    }

    /// The data sets.
    pub fn clusters(&self) -> Vec<String> {
        self.scene.plan.clusters.keys().cloned().collect()
    }

    /// Everything in the state folder.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        fn all(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                match path.is_dir() {
                    true => {
                        found.push((path.display().to_string(), Vec::new()));
                        all(&path, found);
                    }
                    false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
                }
            }
        }
        let (mut found, root) = (Vec::new(), self.folder.path().display().to_string());
        all(self.folder.path(), &mut found);
        found.iter_mut().for_each(|(path, _)| *path = path.replacen(&root, "", 1));
        found.sort();
        found
    }

    /// Its records; none if there is no run.
    pub fn records(&self) -> Vec<Record> {
        let lines = self.run().map(|run| run.lines).unwrap_or_default();
        lines.into_iter().map(|(_, record)| record).collect()
    }

    /// The calls of the last process.
    pub fn calls(&self) -> Vec<Call> {
        self.disk.made()
    }

    /// The records, a line each.
    pub fn story(&self) -> String {
        let line = |record: &Record| match record {
            Record::Looked { step, effect, purpose, standing, evidence, .. } => {
                format!("looked {step}/{effect} {purpose:?} {standing:?}: {evidence}")
            }
            Record::Intent { step, effect, attempt, undo, .. } => {
                format!("intent {step}/{effect} attempt {attempt}{}", if *undo { ", undo" } else { "" })
            }
            other => format!("{other:?}"),
        };
        self.records().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Writes of which applications were told, and that nobody finds who is asked from now on.
    pub fn lost(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        let mut lost = Vec::new();
        for (cluster, told) in &seen.told {
            for region in self.sim.postgres.writable(cluster) {
                let log = self.sim.postgres.read(cluster, &region, |server| server.log.clone()).unwrap();
                lost.extend(told.iter().filter(|name| !log.contains(name)).cloned());
            }
        }
        lost
    }
}
