//! The state of a run: a fold of its records, and nothing else. Holds no time.

use super::record::{Choice, Purpose, Record, Turn, Verdict};
use crate::plan::{AskKind, Plan, PlannedEffect};
use crate::step::{Class, Facts, Found, Proof, Remark, Standing};
use crate::world::Reply;
use crate::world::postgres::Handover;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RunState {
    /// Identity of the run.
    pub run: String,
    /// Whether a process drives it, and whether a person can be asked.
    pub process: Process,
    /// Where the run is going.
    pub stage: Stage,
    /// One for each step of the plan.
    pub steps: Vec<StepState>,
    /// Answers by question; consent dies with a pause or a resume.
    pub answers: BTreeMap<String, AnswerState>,
    /// Handovers by data set; they die with a pause or a resume.
    pub handovers: BTreeMap<String, Handover>,
    /// Effects with an intent of ours, in the order of their first intents: step and effect index.
    pub intents: Vec<(usize, usize)>,
    /// Whether the gap clock has run out.
    pub gap_expired: bool,
    /// Watches that were breached since the last pause.
    pub breaches: Vec<Breach>,
    /// How often the process was asked to stop.
    pub signals: u32,
    /// Locks that were lost.
    pub lock_lost: Option<String>,
    /// The last look at everything.
    pub survey: Option<Survey>,
    /// What endings must mention.
    pub remarks: Vec<(String, Remark)>,
    /// The verdict that ended the last process, if it ended.
    pub verdict: Option<Verdict>,
}

/// The process that drives the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Process {
    /// None yet.
    #[default]
    None,
    /// One, with or without a person at a terminal.
    Driving {
        /// Whether a person can be asked.
        terminal: bool,
    },
}

/// Where the run is going.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Through the checklist.
    #[default]
    Forward,
    /// All steps are done; temporary changes are put back.
    Finishing,
    /// Undoing everything, newest first.
    RollingBack {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
    },
    /// Waiting for a person.
    Paused {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
        /// Whether something could not be established.
        unknown: bool,
        /// Whether it was rolling back when it paused.
        from_rollback: bool,
    },
    /// Ending as refused.
    Refusing {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
    },
}

/// A breach of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Breach {
    /// Watch.
    pub watch: String,
    /// Whether it was silence.
    pub silent: bool,
    /// What was seen.
    pub evidence: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnswerState {
    /// Whether it is a yes.
    pub yes: bool,
    /// What it covers.
    pub substance: String,
    /// Whether nobody answered.
    pub absent: bool,
}

/// The last look at everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Survey {
    /// The world line.
    pub world: String,
    /// Data sets that are frozen.
    pub frozen: Vec<String>,
    /// Whether anything could not be seen.
    pub unknown: bool,
}

/// State of one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct StepState {
    /// Outcome of `require`: outer none means not asked yet, inner none means unknown.
    pub required: Option<Option<bool>>,
    /// One for each effect.
    pub effects: Vec<EffectState>,
    /// Which try this is, from 1; 0 before the first.
    pub tries: u32,
    /// Its failure was turned into a warning: the run goes on without it.
    pub warned: bool,
}

/// State of one effect: its last standing, and our last intent. Two separate facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct EffectState {
    /// The last judged look since the last change of ours.
    pub seen: Option<Seen>,
    /// Our last intent to apply it.
    pub intent: Option<Intent>,
    /// Our last intent to take it back.
    pub undo: Option<Intent>,
    /// How it was taken back.
    pub undone: Option<Undone>,
    /// It was there already, and a person adopted it or it is harmless.
    pub found: bool,
    /// An attempt before the last one was never proved absent: it may still come about, whatever becomes of the last one.
    pub unproven: bool,
    /// Attempts so far over the whole life of the run, of both directions: session names at the target must never repeat.
    pub attempts: u32,
}

/// A judged look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Why it was made.
    pub purpose: Purpose,
    /// What it means.
    pub standing: Standing,
    /// What a consent to it covers, and what was seen in one line.
    pub evidence: String,
    /// The facts, kept while they may become the prior of an intent.
    pub facts: Facts,
}

/// An intent of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Counts from 1.
    pub attempt: u32,
    /// Facts before it.
    pub prior: Facts,
    /// What became of it.
    pub flight: Flight,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// This process holds the permit, and the call has not been answered.
    InFlight {
        /// Where the next slice begins.
        cursor: String,
    },
    /// Only a look can tell.
    InDoubt {
        /// The process that held it ended (as opposed to: the answer was lost while it ran). Then the same person resumed, and
        /// an effect that is proved absent is simply tried again.
        orphaned: bool,
    },
    /// The other side said that it did it; a look has not proved it yet.
    Acknowledged,
    /// Refused by the guard: proof that this attempt changed nothing.
    Refused {
        /// The guard's reason.
        why: String,
    },
    /// A look proved it.
    Landed,
}

/// How an effect was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Undone {
    /// The prior value is there, as seen.
    Restored,
    /// Somebody else changed it since; left alone and reported.
    Foreign,
    /// It could not be taken back.
    Failed {
        /// Whether it could not even be seen.
        unknown: bool,
    },
}

impl EffectState {
    /// Whether it may have changed something that was not taken back.
    pub fn stands(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| !matches!(intent.flight, Flight::Refused { .. }))
            && !matches!(self.undone, Some(Undone::Restored | Undone::Foreign))
    }

    /// The last attempt was refused, which proves that it did nothing; of an attempt before it, it proves nothing.
    fn refuse(&mut self, undo: bool, why: String) {
        let doubt = self.unproven && !undo;
        let intent = if undo { &mut self.undo } else { &mut self.intent };
        if let Some(intent) = intent {
            intent.flight = if doubt { Flight::InDoubt { orphaned: false } } else { Flight::Refused { why } };
        }
    }

    /// A refused attempt changed nothing: the effect is as if it had never been intended, except that its number is used.
    fn forget_if_refused(&mut self) {
        if self.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::Refused { .. })) {
            self.intent = None;
            self.seen = None;
        }
    }

    /// Whether our intent is proved.
    pub fn landed(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::Landed))
    }

    /// Whether the effect is there as the plan wants it, and may count: proved as ours, adopted, harmless, or only looked at.
    pub fn done(&self, planned: &PlannedEffect) -> bool {
        let seen = self.seen.as_ref().is_some_and(|seen| {
            seen.standing == Standing::Reached && matches!(seen.purpose, Purpose::Before | Purpose::After)
        });
        match planned.effect.class {
            Class::Looks => seen,
            Class::Undoable | Class::Pivot | Class::ForwardOnly => {
                self.landed()
                    || self.found
                    || (seen && planned.effect.found == Found::Accept && !self.stands())
            }
        }
    }
}

impl RunState {
    /// The state before the first record.
    pub fn new(plan: &Plan) -> Self {
        let steps = plan
            .steps
            .iter()
            .map(|step| StepState {
                effects: vec![EffectState::default(); step.effects.len()],
                ..StepState::default()
            })
            .collect();
        Self { steps, ..Self::default() }
    }

    /// Folds records into a state.
    pub fn of<'a>(plan: &Plan, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::new(plan);
        for record in records {
            state.fold(plan, record);
        }
        state
    }

    /// Whether a pivot is armed: intended, neither refused nor proved.
    pub fn armed(&self, plan: &Plan) -> bool {
        self.pivots(plan).any(|effect| {
            effect
                .intent
                .as_ref()
                .is_some_and(|intent| !matches!(intent.flight, Flight::Refused { .. } | Flight::Landed))
        })
    }

    /// Whether a pivot is passed: proved, whoever did it.
    pub fn passed(&self, plan: &Plan) -> bool {
        self.pivots(plan).any(|effect| {
            effect.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::Landed))
                || effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::Reached)
        })
    }

    /// Whether this run may have changed anything that still stands.
    pub fn changed(&self) -> bool {
        self.steps.iter().flat_map(|step| &step.effects).any(EffectState::stands)
    }

    /// Whether a freeze of ours stands and its data set's pivot is not yet proved: the gap clock runs.
    pub fn gap_runs(&self, plan: &Plan) -> bool {
        self.freeze_stands(plan, |_| true) && !self.passed(plan)
    }

    /// Whether a freeze of ours stands on this data set.
    pub fn frozen_by_us(&self, plan: &Plan, set: &str) -> bool {
        self.freeze_stands(plan, |frozen| frozen == set)
    }

    fn freeze_stands(&self, plan: &Plan, of: impl Fn(&str) -> bool) -> bool {
        plan.effects().any(|(s, e, planned)| {
            planned.effect.freezes.as_deref().is_some_and(&of)
                && self.steps.get(s).and_then(|step| step.effects.get(e)).is_some_and(EffectState::stands)
        })
    }

    fn pivots<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a EffectState> {
        plan.effects()
            .filter(|(_, _, planned)| planned.effect.class == Class::Pivot)
            .filter_map(|(s, e, _)| self.steps.get(s).and_then(|step| step.effects.get(e)))
    }

    /// Folds one record.
    pub fn fold(&mut self, plan: &Plan, record: &Record) {
        match record {
            Record::Created { run, .. } => self.run.clone_from(run),
            Record::Opened { terminal, choice, .. } => {
                self.process = Process::Driving { terminal: *terminal };
                self.verdict = None;
                self.doubt_everything(plan);
                self.choose(plan, *choice);
            }
            Record::Required { step, holds, .. } => {
                if let Some(step) = self.step_mut(plan, step) {
                    step.required = Some(*holds);
                }
            }
            Record::Looked { step, effect, purpose, standing, evidence, facts, handover, remark } => {
                if let Some(remark) = remark {
                    self.remarks.push((format!("{step}/{effect}"), *remark));
                }
                let seen = Seen {
                    purpose: *purpose,
                    standing: *standing,
                    evidence: evidence.clone(),
                    facts: facts.clone(),
                };
                self.looked(plan, step, effect, seen, handover.as_ref(), *remark);
            }
            Record::Answered { question, yes, how, substance, .. } => {
                self.answered(plan, question, *yes, how, substance)
            }
            Record::Intent { step, effect, attempt, undo, prior } => {
                let Some((s, e)) = find(plan, step, effect) else { return };
                let state = &mut self.steps[s].effects[e];
                let intent = Intent {
                    attempt: *attempt,
                    prior: prior.clone(),
                    flight: Flight::InFlight { cursor: String::new() },
                };
                state.attempts = state.attempts.max(*attempt);
                state.seen = None;
                if *undo {
                    state.undo = Some(intent);
                } else {
                    state.undone = None;
                    // The first intent's prior is what undo restores: a second attempt must not record our own value as prior.
                    let first =
                        state.intent.take().filter(|old| !matches!(old.flight, Flight::Refused { .. }));
                    state.unproven |= first.is_some();
                    let prior = first.map_or_else(|| prior.clone(), |old| old.prior);
                    state.intent = Some(Intent { prior, ..intent });
                    self.intents.retain(|pair| *pair != (s, e));
                    self.intents.push((s, e));
                }
            }
            Record::Replied { step, effect, undo, reply, .. } => {
                let Some((s, e)) = find(plan, step, effect) else { return };
                let proof = plan.steps[s].effects[e].effect.proof;
                let state = &mut self.steps[s].effects[e];
                if let Reply::Refused { why } = reply {
                    state.refuse(*undo, why.clone());
                    return;
                }
                let intent = if *undo { &mut state.undo } else { &mut state.intent };
                if let Some(intent) = intent {
                    intent.flight = match reply {
                        Reply::Acknowledged { .. } if proof != Proof::Look => Flight::Landed,
                        Reply::Acknowledged { .. } => Flight::Acknowledged,
                        Reply::More { cursor, .. } => Flight::InFlight { cursor: cursor.clone() },
                        Reply::Refused { why } => Flight::Refused { why: why.clone() },
                        Reply::Lost { .. } => Flight::InDoubt { orphaned: false },
                    };
                }
            }
            Record::Retrying { step, try_number } => self.retrying(plan, step, *try_number),
            Record::Expired { .. } => self.gap_expired = true,
            Record::Breached { watch, silent, evidence } => self.breaches.push(Breach {
                watch: watch.clone(),
                silent: *silent,
                evidence: evidence.clone(),
            }),
            Record::Signalled { signal } => self.asked_to_stop(signal == "SIGINT"),
            Record::LockLost { what, step, effect, undo } => {
                self.lock_lost = Some(what.clone());
                if let Some((s, e)) = find(plan, step, effect) {
                    let why = format!("the lock on {what} was lost");
                    self.steps[s].effects[e].refuse(*undo, why);
                }
            }
            Record::Turned { to, step, unknown, why } => self.turn(plan, *to, step, *unknown, why),
            Record::Surveyed { world, frozen, unknown, diverged, .. } => {
                for set in diverged {
                    self.remarks.push((set.clone(), Remark::Divergence));
                }
                self.survey =
                    Some(Survey { world: world.clone(), frozen: frozen.clone(), unknown: *unknown });
            }
            Record::Ended { verdict, .. } => {
                self.verdict = Some(*verdict);
                self.process = Process::None;
            }
            Record::Abandoned { .. } => {
                self.verdict = Some(Verdict::Failed);
                self.process = Process::None;
            }
        }
    }

    fn step_mut(&mut self, plan: &Plan, id: &str) -> Option<&mut StepState> {
        plan.step_index(id).and_then(|index| self.steps.get_mut(index))
    }

    fn looked(
        &mut self,
        plan: &Plan,
        step: &str,
        effect: &str,
        seen: Seen,
        handover: Option<&Handover>,
        remark: Option<Remark>,
    ) {
        let Some((s, e)) = find(plan, step, effect) else { return };
        let planned = &plan.steps[s].effects[e];
        let state = &mut self.steps[s].effects[e];
        let standing = seen.standing;
        match seen.purpose {
            Purpose::Before | Purpose::After => {
                if standing == Standing::Reached
                    && let Some(intent) = &mut state.intent
                    && !matches!(intent.flight, Flight::Refused { .. })
                {
                    intent.flight = Flight::Landed;
                }
                if let (Some(set), Some(handover), Standing::Reached) =
                    (&planned.effect.makes, handover, standing)
                {
                    self.handovers.insert(set.clone(), handover.clone());
                }
                state.seen = Some(seen);
            }
            // In doubt, a look that shows the prior value is not enough: half of the change may be written and not yet seen (a
            // setting that waits for a reload). Undo is compared and harmless, so it is made.
            Purpose::Undo
                if standing == Standing::Reached
                    && remark.is_none()
                    && state.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { .. })) =>
            {
                state.seen = Some(Seen { standing: Standing::NotReached, ..seen });
            }
            Purpose::Undo | Purpose::Undone => {
                match standing {
                    Standing::Reached => {
                        let foreign = remark == Some(Remark::ForeignChange);
                        state.undone = Some(if foreign { Undone::Foreign } else { Undone::Restored });
                        if let Some(undo) = &mut state.undo {
                            undo.flight = Flight::Landed;
                        }
                        state.seen = None;
                    }
                    Standing::NotReached => {
                        // Before the undo: there is something to take back. After it: this attempt did not work.
                        state.seen = Some(seen);
                    }
                    Standing::Moving | Standing::Unknown => {
                        state.undone = Some(Undone::Failed { unknown: true });
                        state.seen = Some(seen);
                    }
                    Standing::Blocked => {
                        state.undone = Some(Undone::Failed { unknown: false });
                        state.seen = Some(seen);
                    }
                }
            }
        }
    }

    /// What is not there yet is forgotten, so that it is looked at and tried again.
    fn retrying(&mut self, plan: &Plan, step: &str, try_number: u32) {
        let Some(index) = plan.step_index(step) else { return };
        let Some(state) = self.steps.get_mut(index) else { return };
        state.tries = try_number;
        state.required = None;
        for (effect, planned) in state.effects.iter_mut().zip(&plan.steps[index].effects) {
            effect.forget_if_refused();
            if effect.landed() {
                continue;
            }
            // Seen as absent with nothing in flight: the proof that a retry needs. What is harmless needs none.
            let absent = effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached);
            // A promotion that was sent, and a setting that was written and not loaded, are not seen and may still come about.
            let hidden = planned.effect.class == Class::Pivot || planned.effect.freezes.is_some();
            if (absent && !hidden) || planned.effect.proof == Proof::Again {
                effect.intent = None;
            } else if absent
                && let Some(Intent { flight: flight @ Flight::InDoubt { .. }, .. }) = &mut effect.intent
            {
                // Tried again beside what may still come: the first attempt's prior is kept, and so is the doubt.
                *flight = Flight::InDoubt { orphaned: true };
            }
            effect.seen = None;
        }
    }

    /// `again`: asking a second time cancels what is in flight. Only Ctrl-C does; a closing terminal may send more than one SIGHUP.
    fn asked_to_stop(&mut self, again: bool) {
        if matches!(self.stage, Stage::Paused { .. }) {
            // The question what to do is open: whoever presses Ctrl-C now wants to leave; a closing terminal wants nothing.
            let leave = AnswerState { yes: false, substance: "leave".into(), absent: !again };
            self.answers.insert("paused:stop".into(), leave);
        }
        self.signals = if again { self.signals + 1 } else { self.signals.max(1) };
        if again && self.signals > 1 {
            self.doubt_flights(false);
        }
    }

    fn answered(&mut self, plan: &Plan, question: &str, yes: bool, how: &str, substance: &str) {
        if how == "gone" {
            // The terminal was closed while the question was open: that is no answer to it.
            self.asked_to_stop(false);
            return;
        }
        if let Some(rest) = question.strip_prefix("adopt:") {
            if let Some((step, effect)) = rest.split_once('/')
                && let Some((s, e)) = find(plan, step, effect)
                && yes
            {
                self.steps[s].effects[e].found = true;
            }
        } else if question.starts_with("paused:") {
            let choice = match substance {
                "continue" => Choice::Continue,
                "roll_back" => Choice::RollBack,
                _ => Choice::Leave,
            };
            if choice != Choice::Leave {
                self.doubt_everything(plan);
                self.choose(plan, choice);
                return;
            }
        } else if yes
            && let Some(index) = plan.steps.iter().position(|s| s.questions.iter().any(|q| q.id == question))
        {
            // Facts may have changed while the person was thinking: look again before acting on the answer.
            for effect in &mut self.steps[index].effects {
                if effect.intent.is_none() && !effect.found {
                    effect.seen = None;
                }
            }
        }
        let answer = AnswerState { yes, substance: substance.to_string(), absent: how == "absent" };
        self.answers.insert(question.to_string(), answer);
    }

    /// A process begins, or a person decided after a pause: nothing that was seen before counts any more.
    fn doubt_everything(&mut self, plan: &Plan) {
        self.doubt_flights(true);
        self.breaches.clear();
        // Whoever goes on is not stopped again by what was asked before.
        self.signals = 0;
        self.lock_lost = None;
        self.survey = None;
        self.gap_expired = false;
        let settled = self.armed(plan) || self.passed(plan);
        if !settled {
            // The handover dies, and with it what was seen on the way to it.
            self.handovers.clear();
        }
        self.answers.retain(|id, _| !id.starts_with("adopt:") && !id.starts_with("paused:"));
        let covered = self.stopped_over(plan);
        for (s, (step, planned)) in self.steps.iter_mut().zip(&plan.steps).enumerate() {
            let pivots = planned.effects.iter().any(|effect| effect.effect.class == Class::Pivot);
            let mut open = false;
            for (e, (effect, planned)) in step.effects.iter_mut().zip(&planned.effects).enumerate() {
                let landed = effect.landed();
                if landed
                    && !settled
                    && !covered.contains(&(s, e))
                    && planned.effect.class == Class::Undoable
                    && planned.effect.proof == Proof::Look
                {
                    // What we did may have been changed by others while nobody drove: it is looked at again.
                    if let Some(intent) = &mut effect.intent {
                        intent.flight = Flight::InDoubt { orphaned: true };
                    }
                    effect.seen = None;
                }
                if matches!(effect.undone, Some(Undone::Failed { .. })) {
                    effect.undone = None;
                }
                let makes = planned.effect.makes.is_some() && !settled;
                if makes {
                    effect.seen = None;
                    effect.found = false;
                    // What can be taken back is still ours to take back: a stopped source.
                    if landed && planned.effect.class != Class::Undoable {
                        effect.intent = None;
                    }
                }
                if !effect.done(planned) {
                    open = true;
                    effect.seen = None;
                }
            }
            step.warned = false;
            if open {
                step.tries = 0;
                step.required = None;
            }
            if !settled && (pivots || open) {
                for question in &planned.questions {
                    if question.kind != AskKind::Item {
                        self.answers.remove(&question.id);
                    }
                }
            }
        }
        if !settled {
            for question in plan.steps.iter().flat_map(|step| &step.questions) {
                if matches!(question.kind, AskKind::Typed(_)) {
                    self.answers.remove(&question.id);
                }
            }
        }
        // A no is an answer to that day's question.
        self.answers.retain(|_, answer| answer.yes);
    }

    /// Freezes of ours whose server a later effect of ours has stopped: it cannot be asked, and cannot write.
    fn stopped_over(&self, plan: &Plan) -> Vec<(usize, usize)> {
        let standing = |s: usize, e: usize| self.steps[s].effects[e].stands();
        let freezing = |(s, e, planned): (usize, usize, &'_ PlannedEffect)| {
            planned.effect.freezes.clone().filter(|_| standing(s, e)).map(|set| (s, e, set))
        };
        let all: Vec<_> = plan.effects().filter_map(freezing).collect();
        all.iter()
            .filter(|(s, e, set)| all.iter().any(|(s2, e2, other)| other == set && (s2, e2) > (s, e)))
            .map(|(s, e, _)| (*s, *e))
            .collect()
    }

    /// `orphaned`: the process that held the permits is gone, or a person decided to go on after a pause.
    fn doubt_flights(&mut self, orphaned: bool) {
        for effect in self.steps.iter_mut().flat_map(|step| &mut step.effects) {
            if orphaned {
                effect.forget_if_refused();
            }
            for intent in [&mut effect.intent, &mut effect.undo].into_iter().flatten() {
                match &mut intent.flight {
                    Flight::InFlight { .. } | Flight::Acknowledged => {
                        intent.flight = Flight::InDoubt { orphaned }
                    }
                    Flight::InDoubt { orphaned: already } => *already |= orphaned,
                    Flight::Refused { .. } | Flight::Landed => {}
                }
            }
        }
    }

    fn choose(&mut self, plan: &Plan, choice: Choice) {
        let rolling =
            matches!(self.stage, Stage::RollingBack { .. } | Stage::Paused { from_rollback: true, .. });
        self.stage = match choice {
            Choice::RollBack if !self.armed(plan) && !self.passed(plan) => {
                Stage::RollingBack { why: "a person asked for it".into(), step: String::new() }
            }
            // Asked to go back where there is no way back: never forward instead.
            Choice::RollBack => Stage::Paused {
                why: "a rollback was asked for, and the promotion is armed or passed: there is no way back"
                    .into(),
                step: String::new(),
                unknown: false,
                from_rollback: false,
            },
            _ if rolling => Stage::RollingBack { why: "the rollback goes on".into(), step: String::new() },
            _ if matches!(self.stage, Stage::Finishing) => Stage::Finishing,
            _ => Stage::Forward,
        };
    }

    fn turn(&mut self, plan: &Plan, to: Turn, step: &str, unknown: bool, why: &str) {
        let from_rollback = matches!(self.stage, Stage::RollingBack { .. });
        let (step, why) = (step.to_string(), why.to_string());
        self.stage = match to {
            Turn::RollBack => Stage::RollingBack { why, step },
            Turn::Pause => {
                if !self.armed(plan) {
                    self.handovers.clear();
                }
                Stage::Paused { why, step, unknown, from_rollback }
            }
            Turn::Finish => Stage::Finishing,
            Turn::Warn => {
                if let Some(state) = self.step_mut(plan, &step) {
                    state.warned = true;
                }
                return;
            }
            Turn::Refuse => Stage::Refusing { why, step },
        };
    }
}

/// Indices of an effect by names.
pub fn find(plan: &Plan, step: &str, effect: &str) -> Option<(usize, usize)> {
    let s = plan.step_index(step)?;
    let e = plan.steps[s].effects.iter().position(|planned| planned.name == effect)?;
    Some((s, e))
}
