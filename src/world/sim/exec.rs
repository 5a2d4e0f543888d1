//! Commands in memory: each has a result, may set a mark, and may look at one.

use super::Faults;
use crate::journal::Permit;
use crate::world::exec::{Command, ENDED_WELL, Exec, Output};
use crate::world::{Answer, Known, Reply, ready};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a command does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

type Marks = Rc<RefCell<BTreeSet<String>>>;

/// Simulated commands, named by their argument list joined with spaces.
#[derive(Debug)]
pub struct SimExec {
    /// Faults; places are commands.
    pub faults: Faults,
    scripts: RefCell<BTreeMap<String, Script>>,
    marks: Marks,
    ran: RefCell<Vec<Command>>,
}

impl SimExec {
    /// No commands.
    pub fn new(faults: Faults) -> Self {
        Self { faults, scripts: RefCell::default(), marks: Marks::default(), ran: RefCell::default() }
    }

    /// Teaches a command.
    pub fn script(&self, command: &str, script: Script) {
        self.scripts.borrow_mut().insert(command.to_owned(), script);
    }

    /// Whether a mark is set: the ground truth.
    pub fn marked(&self, mark: &str) -> bool {
        self.faults.settle();
        self.marks.borrow().contains(mark)
    }

    /// Somebody else takes a mark away.
    pub fn unmark(&self, mark: &str) {
        self.marks.borrow_mut().remove(mark);
    }

    /// The commands that were run with a permit, in order.
    pub fn ran(&self) -> Vec<Command> {
        self.ran.borrow().clone()
    }

    fn find(&self, command: &Command) -> Option<Script> {
        self.scripts.borrow().get(&command.argv.join(" ")).cloned()
    }
}

fn run(marks: &Marks, script: &Script) -> Reply {
    match script.code {
        0 => {
            let mut marks = marks.borrow_mut();
            if let Some(mark) = &script.clears {
                marks.remove(mark);
            }
            marks.extend(script.sets.clone());
            Reply::acknowledged(match script.stdout.lines().last() {
                Some(line) => format!("{ENDED_WELL}: {line}"),
                None => ENDED_WELL.to_owned(),
            })
        }
        75 => Reply::refused("exit code 75 (nothing was done)"),
        code => Reply::lost(format!("exit code {code}")),
    }
}

impl Exec for SimExec {
    fn look<'a>(&'a self, command: &'a Command) -> Answer<'a, Known<Output>> {
        self.faults.settle();
        if self.faults.is_silent(&command.argv.join(" ")) {
            return ready(Known::unknown(format!("no end within {} ms", command.timeout_ms)));
        }
        ready(match self.find(command) {
            None => Known::unknown(format!("`{}` could not be started", command.argv.join(" "))),
            Some(script) => {
                let code = match &script.asks {
                    Some(mark) => i32::from(!self.marks.borrow().contains(mark)),
                    None => script.code,
                };
                Known::Known(Output { code, stdout: script.stdout, stderr: String::new() })
            }
        })
    }

    fn run<'a>(&'a self, _permit: &'a Permit, command: &'a Command) -> Answer<'a, Reply> {
        Box::pin(async move {
            let Some(script) = self.find(command) else {
                return Reply::refused(format!("`{}` could not be started", command.argv.join(" ")));
            };
            self.ran.borrow_mut().push(command.clone());
            let change = || run(&self.marks, &script);
            let late = || {
                let (marks, script) = (Rc::clone(&self.marks), script.clone());
                Box::new(move || drop(run(&marks, &script))) as Box<dyn FnOnce()>
            };
            self.faults.run(&command.argv.join(" "), change, late)
        })
    }
}
