//! Whoever makes the faults of a counterexample come at their places: they read the run's journal, as a person with a stop-watch would,
//! whenever something is about to reach a server.

use super::armed::{Armed, Deed, Met, Pass};
use super::cause;
use super::commands::Troupe;
use crate::engine::driver::read_record;
use crate::engine::record::{Purpose, Record};
use crate::journal::file::read_lines;
use crate::lab::error::{FileContext, LabError, Result};
use crate::lab::{Lab, Process};
use crate::plan::Plan;
use crate::rehearse::alphabet::{CallFault, Mishap};
use crate::rehearse::moves::lateness;
use crate::rehearse::replay::Happened;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// How often the journal is looked at while nothing is said to a server.
const GLANCE: Duration = Duration::from_millis(5);
/// How long mrctl may take to write that it was asked to stop.
const HEARD: Duration = Duration::from_secs(10);

struct Inner {
    schedule: Vec<Happened>,
    /// Happenings that need no watching any more.
    next: usize,
    armed: Option<Armed>,
    silent: BTreeSet<String>,
    child: Option<Process>,
    dead: bool,
    late: Vec<(Instant, Deed)>,
    notes: Vec<String>,
    trouble: Option<String>,
    causes: cause::Causes,
}

/// Directs one run.
pub struct Director {
    lab: Arc<Lab>,
    plan: Plan,
    troupe: Troupe,
    inner: Mutex<Inner>,
}

/// What a record is about, without what it says of it: the same in the model and for real.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind(std::mem::Discriminant<Record>, String, String, Option<Purpose>, bool);

impl Kind {
    fn of(record: &Record) -> Self {
        let (step, effect, purpose, undo) = match record {
            Record::Looked { step, effect, purpose, .. } => {
                (step.as_str(), effect.as_str(), Some(*purpose), false)
            }
            Record::Intent { step, effect, undo, .. } | Record::Replied { step, effect, undo, .. } => {
                (step.as_str(), effect.as_str(), None, *undo)
            }
            Record::Surprised { step, effect, .. } => (step.as_str(), effect.as_str(), None, false),
            Record::Required { step, .. } | Record::Retrying { step, .. } => (step.as_str(), "", None, false),
            Record::Answered { question, .. } => (question.as_str(), "", None, false),
            Record::Created { .. }
            | Record::Rehearsed { .. }
            | Record::Opened { .. }
            | Record::Expired { .. }
            | Record::Breached { .. }
            | Record::Signalled { .. }
            | Record::LockLost { .. }
            | Record::Attested { .. }
            | Record::Switched { .. }
            | Record::Handled { .. }
            | Record::Waived { .. }
            | Record::Turned { .. }
            | Record::Surveyed { .. }
            | Record::Ended { .. }
            | Record::Abandoned { .. } => ("", "", None, false),
        };
        Self(std::mem::discriminant(record), step.into(), effect.into(), purpose, undo)
    }
}

impl Director {
    pub(super) fn new(lab: Arc<Lab>, plan: &Plan, schedule: Vec<Happened>, troupe: Troupe) -> Self {
        let inner = Inner {
            schedule,
            next: 0,
            armed: None,
            silent: BTreeSet::new(),
            child: None,
            dead: false,
            late: Vec::new(),
            notes: Vec::new(),
            trouble: None,
            causes: cause::Causes::default(),
        };
        Self { lab, plan: plan.clone(), troupe, inner: Mutex::new(inner) }
    }

    /// The stand-ins and their marks.
    pub fn troupe(&self) -> &Troupe {
        &self.troupe
    }

    /// Starts the process that drives the run from now on. Nothing is said to a server before it is known.
    pub async fn begin(
        &self,
        start: impl FnOnce() -> std::io::Result<tokio::process::Child>,
    ) -> std::io::Result<tokio::process::Child> {
        let mut inner = self.inner.lock().await;
        let child = start()?;
        inner.dead = false;
        inner.armed = None;
        inner.child = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Process::of);
        Ok(child)
    }

    /// Faults that were made since the last question, in words.
    pub async fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().await.notes)
    }

    /// What could not be made, or did not find its place.
    pub async fn trouble(&self) -> Option<String> {
        let inner = self.inner.lock().await;
        inner.trouble.clone().or_else(|| {
            let left = inner.schedule.iter().skip(inner.next).find_map(|happened| match happened {
                Happened::Mishap(mishap) => Some(mishap.in_words()),
                Happened::Record(_) | Happened::Calm => None,
            });
            let armed = inner.armed.as_ref().map(|armed| format!("the call that would meet {:?}", armed.met));
            left.or(armed).map(|what| format!("the run never came to the place of: {what}"))
        })
    }

    /// What was so is over: everything answers again, and what was on its way arrives. The schedule goes on behind its calm.
    pub async fn calm(&self) -> Result<()> {
        let mut inner = self.inner.lock().await;
        let rest = &inner.schedule[inner.next..];
        if let Some(at) = rest.iter().position(|happened| *happened == Happened::Calm) {
            inner.next += at + 1;
        }
        self.settled(&mut inner).await
    }

    /// What was on its way arrives, and what was held is let go. What is silent stays so.
    pub async fn settle(&self) -> Result<()> {
        let mut inner = self.inner.lock().await;
        self.settled(&mut inner).await
    }

    async fn settled(&self, inner: &mut Inner) -> Result<()> {
        inner.silent.clear();
        inner.causes.heal(&self.lab).await?;
        for (_, deed) in std::mem::take(&mut inner.late) {
            self.make(deed).await?;
        }
        Ok(())
    }

    async fn make(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::Command(command) => self.troupe.play(&command),
            Deed::Request(server, request) => super::proxy::send(server, &request).await,
        }
    }

    pub(super) async fn later(&self, after: Duration, deed: Deed) {
        self.inner.lock().await.late.push((Instant::now() + after, deed));
    }

    pub(super) async fn kill(&self) {
        kill(&mut *self.inner.lock().await);
    }

    /// Kills mrctl, and cuts off what it has written since without having said a word to a server: these lines are as little there as if
    /// it had been killed at once.
    async fn kill_after(&self, inner: &mut Inner, lines: usize) -> Result<()> {
        let child = inner.child.clone();
        kill(inner);
        if let Some(child) = child {
            crate::lab::wait::until_true("mrctl is dead", HEARD, || !child.alive()).await?;
        }
        let Some(journal) = self.journal() else { return Ok(()) };
        let text = std::fs::read(&journal).on("reading", &journal)?;
        let kept: usize = text.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
        let file = std::fs::OpenOptions::new().write(true).open(&journal).on("opening", &journal)?;
        file.set_len(kept as u64).on("cutting", &journal)
    }

    /// Whether this place answers nobody.
    pub(super) async fn silent(&self, place: &str) -> bool {
        self.inner.lock().await.silent.contains(place)
    }

    /// Asked before something is said to a place: the faults whose turn it is come first.
    pub(super) async fn pass(&self, place: &str) -> Pass {
        let mut inner = self.inner.lock().await;
        self.act(&mut inner).await;
        match () {
            () if inner.dead => Pass::Close,
            () if inner.silent.contains(place) => Pass::Swallow,
            () => Pass::Go,
        }
    }

    /// What the changing call that is about to be made meets; `calls` is after how many of them one that is killed is.
    pub(super) async fn called(&self, calls: Option<usize>) -> Option<Met> {
        let mut inner = self.inner.lock().await;
        if !inner.armed.as_mut()?.turn(calls) {
            return None;
        }
        inner.armed.take().map(|armed| armed.met)
    }

    /// Makes what is due.
    async fn act(&self, inner: &mut MutexGuard<'_, Inner>) {
        let now = Instant::now();
        while let Some(at) = inner.late.iter().position(|(due, _)| *due <= now) {
            let (_, deed) = inner.late.remove(at);
            if let Err(error) = self.make(deed).await {
                inner.trouble = Some(error.to_string());
            }
        }
        while let Some((at, mishap, lines)) = self.due(inner) {
            inner.next = at + 1;
            inner.notes.push(mishap.in_words());
            if let Err(error) = self.cause(inner, at, &mishap, lines).await {
                inner.trouble = Some(format!("{}: {error}", mishap.in_words()));
            }
        }
    }

    /// The next fault, if its turn has come: the run has written what the schedule has before it, in so many lines.
    fn due(&self, inner: &Inner) -> Option<(usize, Mishap, usize)> {
        if inner.dead || inner.armed.is_some() {
            return None;
        }
        let rest = inner.schedule.iter().enumerate().skip(inner.next);
        let mut rest = rest.take_while(|(_, happened)| **happened != Happened::Calm);
        let (at, mishap) = rest.find_map(|(at, happened)| match happened {
            Happened::Mishap(mishap) => Some((at, mishap.clone())),
            Happened::Record(_) | Happened::Calm => None,
        })?;
        let before = inner.schedule[..at].iter().filter_map(|happened| match happened {
            Happened::Record(record) => Some(Kind::of(record)),
            Happened::Mishap(_) | Happened::Calm => None,
        });
        let before: Vec<Kind> = before.collect();
        let last = before.last()?;
        let wanted = before.iter().filter(|kind| *kind == last).count();
        let records = self.records();
        let mut places = records.iter().enumerate().filter(|(_, record)| Kind::of(record) == *last);
        let (place, _) = places.nth(wanted - 1)?;
        Some((at, mishap, place + 1))
    }

    /// What the run has written so far.
    pub fn records(&self) -> Vec<Record> {
        let Some(journal) = self.journal() else { return Vec::new() };
        let lines = read_lines(&journal).map(|(lines, _, _)| lines).unwrap_or_default();
        lines.iter().filter_map(|line| read_record(line).ok()).collect()
    }

    fn journal(&self) -> Option<PathBuf> {
        let runs = std::fs::read_dir(self.lab.layout().runs().join("runs")).ok()?;
        runs.flatten().map(|entry| entry.path().join("journal.jsonl")).find(|path| path.exists())
    }

    async fn cause(&self, inner: &mut Inner, at: usize, mishap: &Mishap, lines: usize) -> Result<()> {
        let killed = |call| Some(Armed::new(call, Met::Killed));
        match mishap {
            Mishap::Killed => self.kill_after(inner, lines).await?,
            Mishap::KilledMidway(call) => inner.armed = killed(Some(*call)),
            Mishap::KilledBeforeReply => inner.armed = killed(None),
            Mishap::Silent(place) => drop(inner.silent.insert(place.clone())),
            Mishap::Call(call, fault) => self.arm(inner, at, *call, *fault),
            Mishap::AskedToStop => {
                if let Some(child) = &inner.child {
                    child.signal(Signal::TERM);
                }
                let heard = || self.records().iter().any(|record| matches!(record, Record::Signalled { .. }));
                crate::lab::wait::until_true("mrctl has heard that it is to stop", HEARD, heard).await?;
            }
            Mishap::Restarted(_)
            | Mishap::SourceDied(_)
            | Mishap::LagGrows(_)
            | Mishap::CutOff(_)
            | Mishap::PromotedByOthers(_)
            | Mishap::ThawedByOthers(_)
            | Mishap::SetByOthers(_)
            | Mishap::StartedByOthers(_)
            | Mishap::WroteThroughFreeze(_)
            | Mishap::LockTaken(_) => inner.causes.cause(&self.lab, mishap).await?,
            Mishap::RegionLost(_)
            | Mishap::InSightAgain(_)
            | Mishap::BadNumbers
            | Mishap::Unhealthy(_)
            | Mishap::OldAnswers(_)
            | Mishap::RecordByOthers(_)
            | Mishap::SecondOperator(_)
            | Mishap::NoNumbers
            | Mishap::No
            | Mishap::Absent
            | Mishap::Breached(_)
            | Mishap::NoData(_)
            | Mishap::GapExpired => return Err(LabError::Refused("model only".into())),
        }
        Ok(())
    }

    fn arm(&self, inner: &mut Inner, at: usize, call: usize, fault: CallFault) {
        let planned = intended(&inner.schedule[..at]).and_then(|(step, effect)| {
            let step = self.plan.steps.iter().find(|one| one.id == step)?;
            step.effects.iter().find(|one| one.name == effect)
        });
        let late = planned.map_or(Duration::ZERO, lateness);
        let met = match fault {
            CallFault::Refused => Met::Refused,
            CallFault::LostDone => Met::LostDone,
            // What a stage can make of a call is never half done, and never claimed: `cause` refuses such a schedule.
            CallFault::LostNotDone | CallFault::LostHalf | CallFault::Claimed => Met::LostNotDone,
            CallFault::Late => Met::Late(late),
        };
        inner.armed = Some(Armed::new(Some(call), met));
    }
}

/// The step and the effect of the last intent.
pub(super) fn intended(before: &[Happened]) -> Option<(&str, &str)> {
    before.iter().rev().find_map(|happened| match happened {
        Happened::Record(Record::Intent { step, effect, .. }) => Some((step.as_str(), effect.as_str())),
        Happened::Record(_) | Happened::Mishap(_) | Happened::Calm => None,
    })
}

fn kill(inner: &mut Inner) {
    inner.dead = true;
    if let Some(child) = inner.child.take() {
        child.signal(Signal::KILL);
    }
}

/// Looks at the journal also while nothing is said to anybody.
pub(super) fn attentive(director: &Arc<Director>) -> tokio::task::JoinHandle<()> {
    let director = Arc::clone(director);
    tokio::spawn(async move {
        let mut clock = tokio::time::interval(GLANCE);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let mut inner = director.inner.lock().await;
            director.act(&mut inner).await;
        }
    })
}
