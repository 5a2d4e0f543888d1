//! How each record changes the state of a run.

use super::effect_state::{Flight, Intent, Seen, Undone};
use super::record::{Choice, Purpose, Record, Turn, Verdict};
use super::state::{AnswerState, Breach, Process, RunState, Stage, StepState, Survey, find};
use crate::plan::Plan;
use crate::step::contract::Part;
use crate::step::{Class, Proof, Remark, Standing};
use crate::world::Reply;
use crate::world::postgres::Handover;
use std::sync::Arc;

impl RunState {
    /// Folds one record.
    pub fn fold(&mut self, plan: &Plan, record: &Record) {
        self.fresh = None;
        self.change(plan, record);
        // Only the way back has steps of its own, and only there are they taken.
        if plan.ways_back() && !matches!(self.stage, Stage::Forward) {
            self.taken_back_by_steps(plan);
        }
    }

    fn change(&mut self, plan: &Plan, record: &Record) {
        match record {
            Record::Created { run, .. } => self.run.clone_from(run),
            Record::Opened { terminal, choice, .. } => {
                self.process = Process::Driving { terminal: *terminal };
                self.verdict = None;
                self.doubt_everything(plan);
                self.choose(plan, *choice);
            }
            Record::Rehearsed { covered: _, why: _, required: _, waived: _ } => {}
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
                    facts: Arc::new(facts.clone()),
                };
                self.note_sightings(plan, step, effect, &seen.facts);
                self.looked(plan, step, effect, seen, handover.as_ref(), *remark);
            }
            Record::Surprised { case, .. } => self.note_surprise(case),
            Record::Answered { question, yes, how, substance, .. } => {
                self.answered(plan, question, *yes, how, substance)
            }
            Record::Intent { step, effect, attempt, undo, prior } => {
                let Some((s, e)) = find(plan, step, effect) else { return };
                let state = &mut self.steps[s].effects[e];
                let intent = Intent {
                    attempt: *attempt,
                    prior: Arc::new(prior.clone()),
                    flight: Flight::InFlight { cursor: String::new() },
                    over: false,
                };
                state.attempts = state.attempts.max(*attempt);
                state.seen = None;
                if *undo {
                    state.undo = Some(intent);
                } else {
                    (state.undone, state.ended) = (None, false);
                    // The first intent's prior is what undo restores: a second attempt must not record our own value as prior.
                    let first =
                        state.intent.take().filter(|old| !matches!(old.flight, Flight::Refused { .. }));
                    state.unproven |= first.is_some();
                    let prior = first.map_or_else(|| Arc::clone(&intent.prior), |old| old.prior);
                    state.intent = Some(Intent { prior, ..intent });
                    self.intents.retain(|pair| *pair != (s, e));
                    self.intents.push((s, e));
                }
            }
            Record::Replied { step, effect, undo, reply, .. } => {
                let Some((s, e)) = find(plan, step, effect) else { return };
                let proof = plan.steps[s].effects[e].effect.proof;
                let state = &mut self.steps[s].effects[e];
                state.ended |= !undo && matches!(reply, Reply::Acknowledged { .. });
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
                    self.steps[s].effects[e].not_sent(*undo, why);
                }
            }
            Record::Attested { member, how, by, .. } => self.attested(plan, member, how, by),
            Record::Switched { .. } => self.switch(plan),
            Record::Handled { step, how, by, reason, looked, evidence: _ } => {
                self.handled(plan, step, *how, by, reason, *looked);
            }
            Record::Waived { step, by, reason } => self.by_hand.waive(step, by, reason),
            Record::Turned { to, step, unknown, why } => self.turn(plan, *to, step, *unknown, why),
            Record::Surveyed { world, frozen, unknown, diverged, promoted, waiting, notes: _ } => {
                for set in diverged {
                    self.remarks.push((set.clone(), Remark::Divergence));
                }
                let (world, frozen, promoted) = (world.clone(), frozen.clone(), promoted.clone());
                let (unknown, waiting) = (*unknown, waiting.clone());
                self.survey = Some(Survey { world, frozen, unknown, promoted, waiting });
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
        plan.step_index(id).and_then(|index| self.steps.get_mut(index)).map(|step| &mut **step)
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
        // What is there and proves nothing: looked at again it would be the same, for ever.
        let proofless = handover.is_none()
            && planned.effect.makes.as_ref().is_some_and(|set| !self.settled(plan, Some(set)));
        let state = &mut self.steps[s].effects[e];
        let standing = seen.standing;
        match seen.purpose {
            Purpose::Before | Purpose::After => {
                if standing == Standing::Reached
                    && let Some(intent) = &mut state.intent
                    && !matches!(intent.flight, Flight::Refused { .. })
                {
                    (intent.flight, intent.over) = (Flight::Landed, !state.unproven);
                }
                if let (Some(set), Some(handover), Standing::Reached) =
                    (&planned.effect.makes, handover, standing)
                {
                    self.handovers.insert(set.clone(), handover.clone());
                }
                let handover = planned.effect.needs.as_ref().and_then(|set| self.handovers.get(set));
                if planned.effect.class == Class::Pivot
                    && state.armed()
                    && let Some(why) = planned.action.disarmed(&planned.effect.id, &seen.facts, handover)
                {
                    // Not an attempt of ours, this one or one before it, can come about any more.
                    state.disarm(why);
                    self.proof_again(plan, s, e);
                    return;
                }
                let seen = match standing {
                    Standing::Reached if proofless => Seen {
                        standing: Standing::Blocked,
                        evidence: format!("{}; but it is no proof for a promotion", seen.evidence),
                        ..seen
                    },
                    _ => seen,
                };
                // A person did it, and says so: what is found is adopted.
                state.found |= standing == Standing::Reached
                    && !proofless
                    && state.intent.is_none()
                    && planned.effect.class != Class::Looks
                    && self.by_hand.did(step);
                state.seen = Some(Arc::new(seen));
                self.fresh = (standing == Standing::Reached && !proofless).then_some((s, e));
            }
            // Unless it was proved, a look that shows the prior value is not enough: half of the change may be written and not yet
            // seen (a setting that waits for a reload), and also what was acknowledged may come late. So the undo is made.
            Purpose::Undo
                if standing == Standing::Reached
                    && remark.is_none()
                    && state.intent.as_ref().is_some_and(|i| {
                        matches!(i.flight, Flight::InDoubt { .. } | Flight::Acknowledged)
                    }) =>
            {
                state.seen = Some(Arc::new(Seen { standing: Standing::NotReached, ..seen }));
            }
            // As before, as far as it can be seen. But no look shows a setting that is written and not loaded: only an undo that was
            // acknowledged has put right what half of a freeze may have left.
            Purpose::Undone
                if standing == Standing::Reached
                    && remark.is_none()
                    && planned.action.info().part == Part::Freeze
                    && state.half_may_stand() =>
            {
                let evidence = format!(
                    "{}; but the undo was not acknowledged, and the freeze may be written and not loaded",
                    seen.evidence
                );
                state.seen = Some(Arc::new(Seen { standing: Standing::NotReached, evidence, ..seen }));
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
                        state.seen = Some(Arc::new(seen));
                    }
                    Standing::Moving | Standing::Unknown => {
                        state.undone = Some(Undone::Failed { unknown: true });
                        state.seen = Some(Arc::new(seen));
                    }
                    Standing::Blocked => {
                        state.undone = Some(Undone::Failed { unknown: false });
                        state.seen = Some(Arc::new(seen));
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
            // A promotion that was sent, and a setting that was written and not loaded, are waited for and not sent again.
            let hidden = planned.effect.class == Class::Pivot || planned.effect.freezes.is_some();
            if planned.effect.proof == Proof::Again {
                effect.intent = None;
            } else if absent && let Some(Intent { flight, .. }) = &mut effect.intent {
                // Tried again beside what may still come about late: the first attempt's prior is kept, and so is the doubt.
                match flight {
                    Flight::InDoubt { orphaned } => *orphaned = true,
                    Flight::Acknowledged if !hidden => *flight = Flight::InDoubt { orphaned: true },
                    Flight::Acknowledged
                    | Flight::InFlight { .. }
                    | Flight::Refused { .. }
                    | Flight::Landed => {}
                }
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
            // Facts may have changed while the person was thinking: look again before acting on the answer. A typed consent may
            // stand at another step than the change that it is for.
            // What a change of ours came after is not looked at again: a stopped server has no sessions to be seen.
            let last = self.last_standing(plan);
            for (s, step) in self.steps.iter_mut().enumerate() {
                for (e, effect) in step.effects.iter_mut().enumerate() {
                    let to_be_made =
                        effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached);
                    let own = s == index && last.is_none_or(|last| (s, e) > last);
                    if effect.intent.is_none() && !effect.found && (own || to_be_made) {
                        effect.seen = None;
                    }
                }
            }
        }
        let answer = AnswerState { yes, substance: substance.to_string(), absent: how == "absent" };
        self.answers.insert(question.to_string(), answer);
    }

    fn choose(&mut self, plan: &Plan, choice: Choice) {
        if choice == Choice::Continue {
            let diverged = self.remarks.iter().filter(|(_, remark)| *remark == Remark::Divergence);
            self.acknowledged.extend(diverged.map(|(what, _)| what.clone()));
            self.accept_surprises();
        }
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
                self.handovers_die(plan);
                self.gap_told |= self.gap_expired && self.settled(plan, None);
                Stage::Paused { why, step, unknown, from_rollback }
            }
            Turn::Finish => Stage::Finishing,
            Turn::Warn => {
                if let Some(state) = self.step_mut(plan, &step) {
                    state.warned = true;
                }
                self.by_hand.warned(&step);
                return;
            }
            Turn::Refuse => Stage::Refusing { why, step },
        };
    }
}
