//! Commands in memory: each has a result, may set a mark, and may look at one.

use super::Faults;
use super::fault::{Common, Deed};
use super::postgres::SimPostgres;
use super::shared::Shared;
use crate::journal::Permit;
use crate::world::exec::{Command, ENDED_WELL, Exec, Output};
use crate::world::{Answer, Known, Member, Reply, ready};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// How a fence command keeps users from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// Ends it.
    End,
    /// Closes the way to it.
    Close,
}

/// What a command does to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Stops it cleanly.
    Stop(Member),
    /// Starts it.
    Start(Member),
    /// Prints its control file.
    ControlData(Member),
    /// Tells whether it is stopped.
    Look(Member),
    /// Makes it a standby of the primary in this region, through a slot if one is named.
    Rejoin(Member, String, Option<String>),
    /// Fences it.
    Fence(Member, Means),
    /// Looks whether users can reach it.
    Fenced(Member),
}

/// What a command does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Script {
    /// Exit code of a run.
    pub code: i32,
    /// What it prints.
    pub stdout: String,
    /// A mark that a run with exit code 0 sets.
    pub sets: Option<String>,
    /// A mark that a run with exit code 0 takes away.
    pub clears: Option<String>,
    /// For a look: exit code 0 if this mark is set, 1 if not.
    pub asks: Option<String>,
    /// What it does to a server.
    pub acts: Option<Act>,
}

/// What commands change.
#[derive(Clone, Debug)]
pub struct Truth {
    marks: BTreeSet<String>,
    postgres: Rc<SimPostgres>,
}

/// Simulated commands, named by their argument list joined with spaces.
#[derive(Debug)]
pub struct SimExec {
    /// Faults; places are commands.
    pub faults: Faults<Script>,
    scripts: Shared<BTreeMap<String, Script>>,
    truth: Shared<Truth>,
    ran: Shared<Vec<Command>>,
}

impl SimExec {
    /// No commands.
    pub fn new(common: &Common, postgres: Rc<SimPostgres>) -> Self {
        Self {
            faults: Faults::new(common),
            scripts: Shared::default(),
            truth: Shared::new(Truth { marks: BTreeSet::new(), postgres }),
            ran: Shared::default(),
        }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common, postgres: Rc<SimPostgres>) -> Self {
        let marks = self.truth.borrow().marks.clone();
        Self {
            faults: self.faults.fork(common),
            scripts: self.scripts.clone(),
            truth: Shared::new(Truth { marks, postgres }),
            ran: self.ran.clone(),
        }
    }

    /// What tells two worlds apart.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        self.truth.borrow().marks.hash(hasher);
    }

    /// What is late and due comes about.
    pub(super) fn settle(&self) {
        self.faults.settle(&self.truth);
    }

    /// Marks that are set: the ground truth.
    pub fn marks(&self) -> BTreeSet<String> {
        self.faults.settle(&self.truth);
        self.truth.borrow().marks.clone()
    }

    /// Teaches a command.
    pub fn script(&self, command: &str, script: Script) {
        self.scripts.borrow_mut().insert(command.to_owned(), script);
    }

    /// Whether a mark is set: the ground truth.
    pub fn marked(&self, mark: &str) -> bool {
        self.faults.settle(&self.truth);
        self.truth.borrow().marks.contains(mark)
    }

    /// Somebody else has set a mark.
    pub fn mark(&self, mark: &str) {
        self.truth.borrow_mut().marks.insert(mark.to_owned());
    }

    /// Somebody else takes a mark away.
    pub fn unmark(&self, mark: &str) {
        self.truth.borrow_mut().marks.remove(mark);
    }

    /// The commands that were run with a permit, in order.
    pub fn ran(&self) -> Vec<Command> {
        self.ran.borrow().clone()
    }

    fn find(&self, command: &Command) -> Option<Script> {
        self.scripts.borrow().get(&command.argv.join(" ")).cloned()
    }
}

/// The exit code of a look from where users come from.
fn fenced(nobody_reaches: &Known<bool>) -> i32 {
    match nobody_reaches {
        Known::Known(true) => 0,
        Known::Known(false) => 3,
        Known::Unknown(_) => 4,
    }
}

impl Deed for Script {
    type Truth = Truth;

    fn make(&self, truth: &mut Truth) -> Reply {
        match self.code {
            0 => {
                match &self.acts {
                    Some(Act::Stop(at)) => truth.postgres.stop(&at.resource, &at.region),
                    Some(Act::Start(at)) => truth.postgres.start(&at.resource, &at.region),
                    Some(Act::Rejoin(at, primary, slot)) => {
                        truth.postgres.rejoin(at, primary, slot.as_deref());
                    }
                    Some(Act::Fence(at, means)) => truth.postgres.fence(at, *means),
                    Some(Act::ControlData(_) | Act::Look(_) | Act::Fenced(_)) | None => {}
                }
                if let Some(mark) = &self.clears {
                    truth.marks.remove(mark);
                }
                truth.marks.extend(self.sets.clone());
                Reply::acknowledged(match self.stdout.lines().last() {
                    Some(line) => format!("{ENDED_WELL}: {line}"),
                    None => ENDED_WELL.to_owned(),
                })
            }
            75 => Reply::refused("exit code 75 (nothing was done)"),
            code => Reply::lost(format!("exit code {code}")),
        }
    }

    /// What a fence command says of itself proves nothing.
    fn claims(&self) -> Option<Reply> {
        matches!(self.acts, Some(Act::Fence(..))).then(|| Reply::acknowledged(ENDED_WELL))
    }
}

impl Exec for SimExec {
    fn look<'a>(&'a self, command: &'a Command) -> Answer<'a, Known<Output>> {
        self.faults.settle(&self.truth);
        if self.faults.is_silent(&command.argv.join(" ")) {
            return ready(Known::unknown(format!("no end within {} ms", command.timeout_ms)));
        }
        ready(match self.find(command) {
            None => Known::unknown(format!("`{}` could not be started", command.argv.join(" "))),
            Some(script) => {
                let runs = |at: &Member| {
                    self.truth.borrow().postgres.read(&at.resource, &at.region, |server| server.up)
                };
                let code = match (&script.asks, &script.acts) {
                    (Some(mark), _) => i32::from(!self.truth.borrow().marks.contains(mark)),
                    (None, Some(Act::Look(at))) if runs(at) == Some(true) => 3,
                    (None, Some(Act::Fenced(at))) => fenced(&self.truth.borrow().postgres.nobody_reaches(at)),
                    (None, _) => script.code,
                };
                let stdout = match &script.acts {
                    Some(Act::ControlData(at)) => self.truth.borrow().postgres.control_data(at),
                    Some(
                        Act::Stop(_)
                        | Act::Start(_)
                        | Act::Look(_)
                        | Act::Rejoin(..)
                        | Act::Fence(..)
                        | Act::Fenced(_),
                    )
                    | None => script.stdout,
                };
                Known::Known(Output { code, stdout, stderr: String::new() })
            }
        })
    }

    fn run<'a>(&'a self, _permit: &'a Permit, command: &'a Command) -> Answer<'a, Reply> {
        Box::pin(async move {
            let Some(script) = self.find(command) else {
                return Reply::refused(format!("`{}` could not be started", command.argv.join(" ")));
            };
            self.ran.borrow_mut().push(command.clone());
            self.faults.run(&command.argv.join(" "), &self.truth, script)
        })
    }
}
