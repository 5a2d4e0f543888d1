//! What there is to see of a run: a fold of its records and their times. Knows no terminal; the live checklist, log files,
//! `audit show` and pages draw the same model.

mod rehearsed;
mod settle;
mod undo;

use super::measure::Measures;
pub use super::rows::{Change, Ending, Phase, Row, UndoRow};
use crate::engine::Progress;
use crate::engine::by_hand::in_words;
use crate::engine::record::{Purpose, Record, Turn};
use crate::engine::state::{Flight, RunState, Stage, find};
use crate::plan::{AskKind, Plan};
pub use rehearsed::Rehearsed;
use rehearsed::rehearsed;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The model.
#[derive(Clone, Debug)]
pub struct Model {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The state that decisions depend on.
    pub state: RunState,
    /// One for each step.
    pub rows: Vec<Row>,
    /// The rollback.
    pub undo: Vec<UndoRow>,
    /// Clocks.
    pub measures: Measures,
    /// What endings must mention.
    pub notes: Vec<String>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Whether it was rehearsed, if it was asked.
    pub rehearsed: Option<Rehearsed>,
    /// When the last record was written.
    pub at: i64,
    opened: bool,
    undoing: Option<bool>,
    sections: Vec<bool>,
    faults: BTreeMap<usize, (bool, String)>,
}

impl Model {
    /// Before the first record.
    pub fn new(plan: Arc<Plan>) -> Self {
        let rows = plan
            .steps
            .iter()
            .map(|step| Row {
                phase: if step.skipped.is_some() { Phase::Skipped } else { Phase::Waiting },
                began: None,
                ended: None,
                evidence: step.skipped.clone().unwrap_or_default(),
                moving: String::new(),
                tries: 0,
                answered: (0, step.questions.len()),
                effects: (0, step.effects.len()),
            })
            .collect();
        Self {
            state: RunState::new(&plan),
            rows,
            undo: Vec::new(),
            measures: Measures::default(),
            notes: Vec::new(),
            ending: None,
            rehearsed: None,
            at: 0,
            opened: false,
            undoing: None,
            sections: vec![false; plan.sections.len().max(1)],
            faults: BTreeMap::new(),
            plan,
        }
    }

    /// Over all records of a journal.
    pub fn of<'a>(plan: Arc<Plan>, records: impl IntoIterator<Item = (i64, &'a Record)>) -> Self {
        let mut model = Self::new(plan);
        for (at, record) in records {
            model.record(at, record);
        }
        model
    }

    /// Whether a process has driven the run.
    pub fn opened(&self) -> bool {
        self.opened
    }

    /// Steps that are at work now.
    pub fn current(&self) -> Vec<usize> {
        self.rows.iter().enumerate().filter(|(_, row)| row.phase == Phase::Running).map(|(s, _)| s).collect()
    }

    /// The first step that has not begun.
    pub fn next(&self) -> Option<usize> {
        let after = self.current().last().map_or(0, |s| s + 1);
        (after..self.rows.len()).find(|s| self.rows[*s].phase == Phase::Waiting)
    }

    /// Steps that need nothing more, and steps in all. What is skipped does not count.
    pub fn counters(&self) -> (usize, usize) {
        let planned = self.rows.iter().filter(|row| row.phase != Phase::Skipped);
        let done =
            planned.clone().filter(|row| matches!(row.phase, Phase::Done | Phase::Found | Phase::Warned));
        (done.count(), planned.count())
    }

    /// Takes a notice that is not journalled.
    pub fn progress(&mut self, progress: &Progress) {
        let Some((s, e)) = find(&self.plan, &progress.step, &progress.effect) else { return };
        if let Some(row) = self.undo.iter_mut().rev().find(|row| (row.step, row.effect) == (s, e))
            && row.ended.is_none()
        {
            row.evidence.clone_from(&progress.evidence);
        } else if let Some(row) = self.rows.get_mut(s) {
            row.moving.clone_from(&progress.evidence);
        }
    }

    /// Folds one record, and says what changed.
    pub fn record(&mut self, at: i64, record: &Record) -> Vec<Change> {
        let plan = Arc::clone(&self.plan);
        self.at = at;
        self.state.fold(&plan, record);
        self.measures.record(&plan, &self.state, at, record);
        let mut changes = Vec::new();
        // Told after the step that is the reason.
        let mut late = Vec::new();
        let tell = |text: String, bad: bool| Change::Told(text, bad);
        match record {
            Record::Created { .. } | Record::Required { holds: Some(true), .. } => {}
            // Told below the heading, which comes with the process.
            Record::Rehearsed { covered, why, waived, .. } => {
                self.rehearsed = Some(rehearsed(covered.as_ref(), why, waived))
            }
            Record::Opened { torn, .. } => {
                changes.push(Change::Opened { resumed: self.opened });
                if !self.opened
                    && let Some(rehearsed) = &self.rehearsed
                {
                    changes.push(tell(rehearsed.text.clone(), rehearsed.waived));
                }
                if *torn > 0 {
                    let text = format!(
                        "{torn} bytes of an unfinished last line of the journal were cut; what it may have begun is looked at"
                    );
                    changes.push(tell(text, true));
                }
                self.opened = true;
                self.fresh_start();
            }
            Record::Required { step, evidence, .. } => {
                if let Some(row) = self.row(step) {
                    row.evidence.clone_from(evidence);
                }
            }
            Record::Looked { step, effect, purpose, evidence, .. } => {
                let undo = matches!(purpose, Purpose::Undo | Purpose::Undone);
                if undo {
                    self.looked_back(step, effect, evidence, at, &mut changes);
                } else if let Some(row) = self.row(step) {
                    row.evidence.clone_from(evidence);
                    row.moving.clear();
                }
            }
            Record::Surprised { case, .. } => {
                changes
                    .push(tell(format!("{}: {}: no rehearsal can show this", case.place, case.what), true));
            }
            Record::Answered { question, yes, by, how, substance, reason } => {
                let text = self.question(question);
                let answer = match (yes, how.as_str()) {
                    _ if question.starts_with("paused:") => substance.replace('_', " "),
                    (_, "gone") => "the terminal was closed".to_string(),
                    (_, "absent") => "nobody answered".to_string(),
                    // What was typed is the consent, and whoever reads wants to see it.
                    (true, "terminal") => self.typed(question).unwrap_or_else(|| "yes".to_string()),
                    (true, _) => "yes".to_string(),
                    (false, _) => "no".to_string(),
                };
                let by = if by.is_empty() { String::new() } else { format!(" ({by}, {how})") };
                let colon = if text.ends_with(['?', ':']) { "" } else { ":" };
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                changes.push(tell(format!("{text}{colon} {answer}{by}{why}"), !yes));
                self.consented(question, at);
                if question.starts_with("paused:") && substance != "leave" {
                    self.fresh_start();
                }
            }
            Record::Intent { step, effect, undo, .. } => {
                if let Some((s, e)) = find(&plan, step, effect) {
                    if *undo {
                        self.undo_row(s, e, at, &mut changes);
                    } else if let Some(set) = &plan.steps[s].effects[e].effect.freezes
                        && !self.state.passed_for(&plan, set)
                    {
                        // Behind its promotion it is a fence: nobody is to let the old primary write again.
                        changes.push(Change::Freezing(s, e));
                    }
                }
            }
            Record::Replied { step, effect, undo, reply, .. } => {
                use crate::world::Reply;
                let said = match reply {
                    Reply::Acknowledged { note } => note.clone(),
                    Reply::More { progress, .. } => progress.clone(),
                    Reply::Refused { why } => format!("refused: {why}"),
                    Reply::Lost { why } => format!("no answer: {why}; looking"),
                };
                self.progress(&Progress {
                    step: step.clone(),
                    effect: effect.clone(),
                    evidence: said.clone(),
                });
                let proves = |(s, e): (usize, usize)| {
                    plan.steps[s].effects[e].effect.proof != crate::step::Proof::Look
                };
                if !undo
                    && matches!(reply, Reply::Acknowledged { .. })
                    && find(&plan, step, effect).is_some_and(proves)
                    && let Some(row) = self.row(step)
                {
                    // Nothing can be looked at afterwards: what the call said is all that there is.
                    row.evidence.clone_from(&said);
                }
                match reply {
                    Reply::Refused { .. } | Reply::Lost { .. } => {
                        let what = if *undo { "taking back " } else { "" };
                        changes.push(tell(format!("{what}{step}/{effect}: {said}"), true));
                    }
                    Reply::Acknowledged { .. } | Reply::More { .. } => {}
                }
            }
            Record::Retrying { step, try_number } => {
                if let Some(s) = plan.step_index(step) {
                    self.faults.remove(&s);
                    self.rows[s].tries = *try_number;
                }
                changes.push(tell(format!("{step}: try {try_number}"), false));
            }
            Record::Expired { allowed_ms } => {
                let allowed = super::words::allowance(*allowed_ms);
                changes.push(tell(format!("writes have been stopped for longer than {allowed}"), true));
            }
            Record::Breached { watch, silent, evidence } => {
                let what = if *silent { "has no data" } else { "does not hold" };
                changes.push(tell(format!("watch {watch} {what}: {evidence}"), true));
            }
            Record::Signalled { signal } => {
                let what = if matches!(self.state.stage, Stage::Paused { .. }) {
                    "left as it is"
                } else if matches!(self.state.stage, Stage::RollingBack { .. }) {
                    "a rollback that was begun is brought to its end"
                } else if !self.in_flight() {
                    "stopping here"
                } else if self.state.signals > 1 {
                    "cancelling what is in flight, then looking"
                } else {
                    "finishing what is in flight first; once more cancels it"
                };
                changes.push(tell(format!("{signal}: {what}"), true));
            }
            Record::Attested { member, how, by, reason } => {
                changes.push(tell(format!("{by} vouches that {member} is {how}: {reason}"), true));
            }
            Record::Switched { by, reason, .. } => {
                changes.push(tell(format!("{by} takes the run over as unplanned: {reason}"), true));
            }
            Record::Handled { step, how, by, reason, looked, .. } => {
                let line = format!("{}: {reason}", in_words(step, *how, by, *looked));
                if let Some(s) = plan.step_index(step) {
                    self.faults.remove(&s);
                    self.rows[s].evidence.clone_from(&line);
                }
                changes.push(tell(line, true));
            }
            Record::Waived { step, by, reason } => {
                changes.push(tell(format!("{by} passes {step}, should it be red: {reason}"), true));
            }
            Record::LockLost { what, .. } => changes.push(tell(format!("the lock on {what} was lost"), true)),
            Record::Turned { to, step, unknown, why } => {
                if let Some(s) = plan.step_index(step) {
                    // Under its own line a step need not name itself.
                    let own = why.strip_prefix(&format!("{step}: ")).unwrap_or(why);
                    self.faults.insert(s, (*unknown, own.to_string()));
                    if *to == Turn::Warn {
                        self.notes.push(why.clone());
                    }
                }
                let explained = plan.step_index(step).is_some();
                match to {
                    Turn::Finish | Turn::Warn | Turn::Refuse => {}
                    Turn::RollBack if explained => {}
                    Turn::RollBack => late.push(tell(format!("rolling back: {why}"), true)),
                    Turn::Pause if explained => late.push(tell("paused".to_string(), true)),
                    Turn::Pause => late.push(tell(format!("paused: {why}"), true)),
                }
            }
            Record::Surveyed { notes, .. } => {
                for note in notes {
                    if !self.notes.contains(note) {
                        self.notes.push(note.clone());
                    }
                }
            }
            Record::Ended { verdict, why, world } => {
                self.ending =
                    Some(Ending { verdict: Some(*verdict), why: why.clone(), world: world.clone() });
                changes.push(Change::Ended);
            }
            Record::Abandoned { reason, world, .. } => {
                self.ending = Some(Ending { verdict: None, why: reason.clone(), world: world.clone() });
                changes.push(Change::Ended);
            }
        }
        self.settle(at, changes, late)
    }

    /// A process begins, or a person decided after a pause: what went wrong before is looked at again.
    fn fresh_start(&mut self) {
        self.faults.clear();
        self.ending = None;
        self.notes.clear();
        self.undoing = None;
    }

    /// Whether a call is under way, or may be.
    fn in_flight(&self) -> bool {
        let effects = self.state.steps.iter().flat_map(|step| &step.effects);
        effects.flat_map(|effect| [&effect.intent, &effect.undo]).flatten().any(|intent| {
            matches!(intent.flight, Flight::InFlight { .. } | Flight::InDoubt { .. } | Flight::Acknowledged)
        })
    }

    fn row(&mut self, step: &str) -> Option<&mut Row> {
        let s = self.plan.step_index(step)?;
        self.rows.get_mut(s)
    }

    /// The text of a question.
    fn question(&self, id: &str) -> String {
        let asks = self.plan.steps.iter().flat_map(|step| &step.questions);
        if let Some(ask) = asks.into_iter().find(|ask| ask.id == id) {
            return ask.text.clone();
        }
        match id.split_once(':') {
            Some(("adopt", what)) => format!("adopt {what}, which was so already?"),
            _ => "after the pause:".to_string(),
        }
    }

    /// The word that a consent is typed with.
    fn typed(&self, id: &str) -> Option<String> {
        let asks = self.plan.steps.iter().flat_map(|step| &step.questions);
        asks.into_iter().find(|ask| ask.id == id).and_then(|ask| match &ask.kind {
            AskKind::Typed(word) => Some(word.clone()),
            AskKind::Item | AskKind::Confirm => None,
        })
    }

    /// A change takes the time from consent to proof; how long a person thought is not part of it.
    fn consented(&mut self, question: &str, at: i64) {
        let asks = |step: &&crate::plan::Step| step.questions.iter().any(|ask| ask.id == question);
        let Some(step) = self.plan.steps.iter().find(asks).filter(|step| step.changes()) else { return };
        let id = step.id.clone();
        if let Some(row) = self.row(&id)
            && row.phase == Phase::Running
        {
            row.began = Some(at);
        }
    }
}
