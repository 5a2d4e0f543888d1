//! Drives a run with a person, readers and signals, and turns its end into an exit code.

use super::beating::{self, Until};
use super::beside;
use super::setup::{Format, Setup, host, now, operator};
use crate::engine::Person;
use crate::engine::driver::{DriveError, Driver, Reader, Signals};
use crate::engine::record::{Choice, Record};
use crate::engine::state::RunState;
use crate::exit_code::ExitCode;
use crate::journal::chain::Line;
use crate::journal::file::{Journal, read_lines};
use crate::output::Readers;
use crate::output::canvas::Canvas;
use crate::output::checklist::Frame;
use crate::output::given::{Approvals, Given};
use crate::output::input::Input;
use crate::output::ndjson::Ndjson;
use crate::output::plain::Plain;
use crate::output::prompt::AtTerminal;
use crate::output::summary::ByHand;
use crate::output::terminal::Live;
use crate::output::terminal::Now;
use crate::plan::Plan;
use crate::step::condition::Starts;
use crate::world::{Answer, World};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything that a run needs to be driven.
pub struct Drive<'a> {
    /// Circumstances.
    pub setup: &'a Setup,
    /// The plan.
    pub plan: Plan,
    /// Ports.
    pub world: World,
    /// Where records go.
    pub journal: Journal,
    /// Lines so far with their records.
    pub past: Vec<(Line, Record)>,
    /// `at_start(…)`.
    pub starts: Starts,
    /// Approvals given beforehand.
    pub approvals: Approvals,
    /// The run, as commands take it.
    pub short: String,
    /// Records that begin this process, in order.
    pub opening: Vec<Record>,
}

/// What begins a process.
pub fn opened(setup: &Setup, choice: Choice, reason: &str, torn: usize) -> Record {
    Record::Opened {
        version: env!("CARGO_PKG_VERSION").into(),
        operator: operator(),
        host: host(),
        pid: std::process::id(),
        terminal: setup.output.interactive,
        choice,
        reason: reason.into(),
        torn: torn as u64,
    }
}

/// SIGINT, SIGTERM and SIGHUP.
struct Process(RefCell<Option<[(Signal, &'static str); 3]>>);

impl Process {
    fn new() -> Self {
        let stream = |kind, name: &'static str| signal(kind).ok().map(|signal| (signal, name));
        let streams = (|| {
            Some([
                stream(SignalKind::interrupt(), "SIGINT")?,
                stream(SignalKind::terminate(), "SIGTERM")?,
                stream(SignalKind::hangup(), "SIGHUP")?,
            ])
        })();
        Self(RefCell::new(streams))
    }
}

impl Signals for Process {
    fn next(&self) -> Answer<'_, String> {
        Box::pin(std::future::poll_fn(|context| {
            let mut streams = self.0.borrow_mut();
            for (signal, name) in streams.iter_mut().flatten() {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready((*name).to_string());
                }
            }
            std::task::Poll::Pending
        }))
    }
}

impl Drive<'_> {
    /// Drives until a verdict.
    pub async fn run(self) -> ExitCode {
        let Self { setup, plan, world, mut journal, past, starts, approvals, short, opening } = self;
        // Before anything is drawn: its warning is a line of its own.
        setup.mirror(&mut journal);
        let path = journal.path().to_path_buf();
        let frame = Frame { run: short.clone(), journal: path.display().to_string() };
        let by_hand: Rc<ByHand> = {
            let (plan, world) = (plan.clone(), world.clone());
            Rc::new(move |s, e, facts| {
                let planned = &plan.steps[s].effects[e];
                planned.action.by_hand(&planned.effect.id, facts, &world)
            })
        };
        let clock: Now = Arc::new(now);
        let records = || past.iter().map(|(line, record)| (line.at, record));
        let approvals = approvals.for_plan(&plan);
        let mut readers: Vec<Rc<dyn Reader>> = Vec::new();
        let mut person: Rc<dyn Person> = Rc::new(Given::new(&plan, approvals.clone(), operator()));
        if setup.format == Format::Json {
            let events = Ndjson::new(&plan, records(), short, &setup.output, Arc::clone(&clock));
            readers.push(Rc::new(events.taking_back(Rc::clone(&by_hand))));
        }
        if setup.output.interactive {
            let canvas = Canvas::stderr(setup.output.stderr.clone());
            let live =
                Live::new(&plan, records(), frame, by_hand, setup.output.style, canvas, clock).ticking();
            let live = Rc::new(live);
            readers.push(Rc::clone(&live) as Rc<dyn Reader>);
            match Input::stdin() {
                Ok(input) => {
                    let at = AtTerminal::new(&plan, live, input, approvals, operator(), &setup.output);
                    person = Rc::new(at.telling(Rc::new(Readers(readers.clone()))));
                }
                Err(error) => return setup.fail(&format!("the terminal cannot be read: {error}")),
            }
        } else if setup.format == Format::Text {
            readers.push(Rc::new(Plain::new(&plan, records(), frame, by_hand, &setup.output, clock)));
        }
        let lines: Vec<Line> = past.iter().map(|(line, _)| line.clone()).collect();
        if let Some(folder) = path.parent() {
            beside::log(folder, &setup.redactor);
            readers.push(Rc::new(beside::Samples::new(folder)));
            readers.push(Rc::new(beside::Surprises::new(folder, past.iter().map(|(_, record)| record))));
        }
        let until = Until::new(Rc::new(plan.clone()), past.iter().map(|(_, record)| record));
        readers.push(Rc::new(until.clone()));
        let readers: Rc<dyn Reader> = Rc::new(Readers(readers));
        let reader: Rc<dyn Reader> = Rc::new(beside::Clean { readers, redactor: setup.redactor.clone() });
        let beaten = world.clone();
        let beating = beating::begin(setup, until, &beaten).await;
        let driver = Driver::new(
            Rc::new(plan),
            world,
            journal,
            &lines,
            Rc::new(starts),
            person,
            reader,
            setup.redactor.clone(),
        );
        let (mut standing, mut ended) = (Vec::new(), None);
        let result = match driver {
            Ok(mut driver) => {
                audit(&mut driver, &path);
                let opening = opening.iter().try_for_each(|record| driver.append(record));
                let result = match opening {
                    Ok(()) => {
                        let process = Process::new();
                        tokio::select! {
                            biased;
                            result = driver.drive(&process) => result,
                            never = beating.go_on() => match never {},
                        }
                    }
                    Err(error) => Err(error),
                };
                if result.is_err() {
                    standing = stands(&driver);
                }
                ended = Some(driver);
                result
            }
            Err(error) => Err(error),
        };
        if let Some(mut driver) = ended {
            setup.mirrored(&mut driver.journal);
        }
        match result {
            Ok(verdict) => ExitCode::from(verdict),
            Err(DriveError::Journal(error)) => {
                setup.say(&format!(
                    "mrctl: {error}; stopped before the next effect. What could not be written:"
                ));
                setup.say(&error.line);
                standing.iter().for_each(|line| setup.say(line));
                ExitCode::JournalFailed
            }
            Err(error) => {
                setup.say(&format!("mrctl: {error}"));
                ExitCode::JournalFailed
            }
        }
    }
}

/// What this run changed and has not taken back, with what takes it back by hand: a run that cannot write its journal cannot go on.
fn stands(driver: &Driver<Journal>) -> Vec<String> {
    let mut lines = Vec::new();
    for (s, e, planned) in driver.plan.effects() {
        let effect = &driver.state.steps[s].effects[e];
        let Some(intent) = effect.intent.as_ref().filter(|_| effect.stands()) else { continue };
        lines.push(format!("still in force: {} ({})", driver.plan.steps[s].title, planned.name));
        let by_hand = planned.action.by_hand(&planned.effect.id, &intent.prior, &driver.world);
        lines.extend(by_hand.into_iter().map(|line| format!("    {line}")));
    }
    lines
}

/// In debug builds (all tests), after every append the live state must equal the state folded from the file.
fn audit(driver: &mut Driver<Journal>, path: &Path) {
    if cfg!(debug_assertions) {
        let (plan, path) = (Rc::clone(&driver.plan), path.to_path_buf());
        driver.audit = Some(Box::new(move |live| {
            let read = read_lines(&path).map(|(lines, _, _)| lines).unwrap_or_default();
            let records: Vec<Record> =
                read.iter().filter_map(|line| crate::engine::driver::read_record(line).ok()).collect();
            let folded = RunState::of(&plan, &records);
            debug_assert!(
                folded == *live,
                "the state folded from {} differs from the live one",
                path.display()
            );
        }));
    }
}
