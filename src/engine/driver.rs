//! The loop around the core: starts what should be in flight and is not, drops what should not be and is, and turns every
//! completion into a record that is on disk before it is believed.

use super::ask::{Asked, Person};
use super::decide::{Task, decide};
use super::immediate::{Immediate, immediate};
use super::perform::{Cx, Progress, perform};
use super::record::{Record, Verdict};
use super::redaction;
use super::state::RunState;
use super::times::Times;
use crate::journal::chain::Line;
use crate::journal::{AppendError, IntentKey, Permit, Storage};
use crate::plan::Plan;
use crate::redact::Redactor;
use crate::step::condition::Starts;
use crate::world::clock::Moment;
use crate::world::{Answer, World};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Why driving stopped without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal could not be written: nothing may be changed any more.
    #[error(transparent)]
    Journal(#[from] AppendError),
    /// A line of the journal is of a type or form that this version does not know.
    #[error("line {seq} of the journal cannot be understood: {why}")]
    Record {
        /// Sequence number.
        seq: u64,
        /// The reader's reason.
        why: String,
    },
    /// The core wanted nothing although the run has not ended: a bug of ours, reported and never guessed around.
    #[error("nothing is left to do, but the run has not ended; this is a bug in mrctl: {state}")]
    Stuck {
        /// Where it stood.
        state: String,
    },
}

/// Readers of a run: terminal, NDJSON, samples.
pub trait Reader {
    /// A record was made durable and folded.
    fn record(&self, line: &Line, record: &Record, state: &RunState);
    /// Something moved that is not journalled.
    fn progress(&self, progress: &Progress);
    /// A question is open now, and nobody has answered it. Its answer is a record.
    fn waiting(&self, asked: &Asked);
}

/// Requests to stop, one at a time.
pub trait Signals {
    /// The next one, by name.
    fn next(&self) -> Answer<'_, String>;
}

/// No signals: rehearsal and tests.
pub struct NoSignals;

impl Signals for NoSignals {
    fn next(&self) -> Answer<'_, String> {
        Box::pin(future::pending())
    }
}

/// Compares the live state with what a reader of the journal would fold.
pub type Audit = Box<dyn Fn(&RunState)>;

/// Permits that a process holds, by step, effect and direction.
type Permits = RefCell<BTreeMap<(usize, usize, bool), Rc<Permit>>>;

/// Drives one run.
pub struct Driver<S: Storage> {
    /// The plan.
    pub plan: Rc<Plan>,
    /// The ports.
    pub world: World,
    /// Where records go.
    pub journal: S,
    /// What was folded so far. Shared with the tasks in flight, each of which sees it as it was when the task began.
    pub state: Rc<RunState>,
    /// What `at_start(…)` refers to.
    pub starts: Rc<Starts>,
    /// Whoever answers.
    pub person: Rc<dyn Person>,
    /// Whoever listens.
    pub reader: Rc<dyn Reader>,
    /// Scrubs secrets from everything that is written.
    pub redactor: Redactor,
    /// Called after each append, to compare with what a reader of the file would fold. Only tests and debug builds set it.
    pub audit: Option<Audit>,
    times: Times,
}

impl<S: Storage> Driver<S> {
    /// A driver over a journal whose lines so far are given.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a collaborator of its own; a builder would only rename them"
    )]
    pub fn new(
        plan: Rc<Plan>,
        world: World,
        journal: S,
        lines: &[Line],
        starts: Rc<Starts>,
        person: Rc<dyn Person>,
        reader: Rc<dyn Reader>,
        redactor: Redactor,
    ) -> Result<Self, DriveError> {
        let mut driver = Self {
            state: Rc::new(RunState::new(&plan)),
            plan,
            world,
            journal,
            starts,
            person,
            reader,
            redactor,
            audit: None,
            times: Times::default(),
        };
        for line in lines {
            let record = read_record(line)?;
            driver.fold(line, &record);
        }
        Ok(driver)
    }

    fn fold(&mut self, line: &Line, record: &Record) {
        self.times.note(&self.plan, Moment(line.at), record);
        Rc::make_mut(&mut self.state).fold(&self.plan, record);
    }

    /// Makes a record durable, reads it back, folds it.
    pub fn append(&mut self, record: &Record) -> Result<(), DriveError> {
        let body = self.body(record)?;
        let line = self.journal.append(body, record.durable())?;
        self.take(&line)
    }

    fn append_intent(&mut self, key: IntentKey, record: &Record) -> Result<Permit, DriveError> {
        let body = self.body(record)?;
        let (line, permit) = self.journal.append_intent(key, body)?;
        self.take(&line)?;
        Ok(permit)
    }

    fn body(&self, record: &Record) -> Result<serde_json::Map<String, serde_json::Value>, DriveError> {
        redaction::body(&self.redactor, record).map_err(|why| {
            // Only its type: the rest may be what must not be shown.
            let line = serde_json::to_value(record).unwrap_or_default();
            let line = line.get("type").and_then(serde_json::Value::as_str).unwrap_or_default().to_string();
            DriveError::Journal(AppendError { why, line })
        })
    }

    fn take(&mut self, line: &Line) -> Result<(), DriveError> {
        let record = read_record(line)?;
        tracing::debug!(
            seq = line.seq,
            record = line.body.get("type").and_then(|word| word.as_str()),
            "written"
        );
        self.fold(line, &record);
        self.reader.record(line, &record, &self.state);
        if let Some(audit) = &self.audit {
            audit(&self.state);
        }
        Ok(())
    }

    /// Runs until a verdict.
    pub async fn drive(&mut self, signals: &dyn Signals) -> Result<Verdict, DriveError> {
        type Flight<'f> = future::LocalBoxFuture<'f, (Task, Option<Record>)>;
        let plan = Rc::clone(&self.plan);
        let world = self.world.clone();
        let starts = Rc::clone(&self.starts);
        let person = Rc::clone(&self.person);
        let reader = Rc::clone(&self.reader);
        let progress = move |progress: Progress| reader.progress(&progress);
        // Permits that this process holds. An orphaned intent has none here, which is why it is looked at and never re-sent.
        let permits = Permits::default();
        let mut flights: FuturesUnordered<Flight<'_>> = FuturesUnordered::new();
        let mut flying: BTreeMap<Task, future::AbortHandle> = BTreeMap::new();
        loop {
            if let Some(verdict) = self.state.verdict {
                return Ok(verdict);
            }
            let wanted = decide(&plan, &self.state);
            if wanted.is_empty() {
                return Err(DriveError::Stuck { state: format!("{:?}", self.state.stage) });
            }
            flying.retain(|task, handle| {
                let keep = wanted.contains(task);
                if !keep {
                    tracing::debug!(?task, "dropped: no longer wanted");
                    handle.abort();
                }
                keep
            });
            if self.at_once(&plan, &wanted, &permits)? {
                continue;
            }
            for task in wanted {
                if flying.contains_key(&task) {
                    continue;
                }
                tracing::debug!(?task, "begun");
                let permit = match &task {
                    Task::Apply(s, e, undo, _) => permits.borrow().get(&(*s, *e, *undo)).map(Rc::clone),
                    _ => None,
                };
                let (handle, registration) = future::AbortHandle::new_pair();
                let (plan, world, starts) = (&plan, &world, &starts);
                let (person, progress) = (&person, &progress);
                let (state, times, own) = (Rc::clone(&self.state), self.times.clone(), task.clone());
                let future = async move {
                    let cx = Cx { plan, world, starts, person: &**person, progress, times: &times };
                    let record = perform(&cx, &own, &state, permit.as_deref()).await;
                    (own, record)
                };
                let aborted = task.clone();
                let future = future::Abortable::new(future, registration)
                    .map(move |done| done.unwrap_or((aborted, None)))
                    .boxed_local();
                flights.push(future);
                flying.insert(task, handle);
            }
            // Asked first, then the last reply is made durable, while the question is on its way.
            let early = futures_util::poll!(flights.next());
            self.journal.settle()?;
            let flown = async {
                match early {
                    std::task::Poll::Ready(done) => done,
                    std::task::Poll::Pending => flights.next().await,
                }
            };
            match future::select(std::pin::pin!(flown), signals.next()).await {
                future::Either::Left((Some((task, record)), _)) => {
                    // An aborted flight also ends here, with nothing; its task may be wanted again, so only what is current counts.
                    if let Some(record) = record
                        && flying.remove(&task).is_some()
                    {
                        self.append(&record)?;
                    }
                }
                future::Either::Left((None, _)) => {}
                future::Either::Right((signal, _)) => self.append(&Record::Signalled { signal })?,
            }
        }
    }

    /// Writes what needs no waiting. Whether there was something.
    fn at_once(
        &mut self,
        plan: &Plan,
        wanted: &BTreeSet<Task>,
        permits: &Permits,
    ) -> Result<bool, DriveError> {
        match immediate(plan, &self.state, wanted) {
            None => return Ok(false),
            Some(Immediate::Plain(record)) => self.append(&record)?,
            Some(Immediate::Intent { key, record, of }) => {
                let permit = self.append_intent(key, &record)?;
                permits.borrow_mut().insert(of, Rc::new(permit));
            }
        }
        Ok(true)
    }
}

/// A line's record.
pub fn read_record(line: &Line) -> Result<Record, DriveError> {
    serde_json::from_value(serde_json::Value::Object(line.body.clone()))
        .map_err(|error| DriveError::Record { seq: line.seq, why: error.to_string() })
}
