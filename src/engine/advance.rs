//! What one step wants now: the next thing of its next effect, or the trouble that it is in.

use super::decide::{Question, Task, handover_stands, one};
use super::identity;
use super::policy::Trouble;
use super::record::Purpose;
use super::state::{EffectState, Flight, RunState};
use crate::plan::{Ask, AskKind, Plan, Step};
use crate::step::{Class, Effect, Found, Proof, Standing};
use std::collections::BTreeSet;

/// What a step wants, or its trouble.
pub(super) fn step(plan: &Plan, state: &RunState, index: usize) -> Result<BTreeSet<Task>, Trouble> {
    let step = &plan.steps[index];
    let progress = &state.steps[index];
    let trouble = |unknown: bool, proven: bool, why: String| Trouble { step: index, unknown, why, proven };
    if step.require.is_some() && !state.by_hand.did(&step.id) {
        match progress.required {
            None => return Ok(one(Task::Require(index))),
            Some(Some(true)) => {}
            Some(Some(false)) => return Err(trouble(false, true, "its `require` does not hold".into())),
            Some(None) => return Err(trouble(true, true, "its `require` cannot be told".into())),
        }
    }
    if step.effects.is_empty() {
        return question(state, index, step, "")
            .unwrap_or_else(|| Ok(BTreeSet::new()))
            .map_err(|why| trouble(false, false, why));
    }
    for (e, planned) in step.effects.iter().enumerate() {
        let effect = &progress.effects[e];
        if effect.done(planned) && handover_stands(plan, state, planned)
            || state.by_hand.vouches(&step.id, planned)
        {
            continue;
        }
        return match &effect.intent {
            Some(intent) => intended(index, e, effect, &intent.flight, &planned.effect),
            None => fresh(plan, state, index, e),
        }
        .map_err(|(unknown, proven, why)| trouble(unknown, proven, why));
    }
    // All effects are there; a looking step may still have open questions (its facts are shown with them).
    question(state, index, step, "")
        .unwrap_or_else(|| Ok(BTreeSet::new()))
        .map_err(|why| trouble(false, false, why))
}

type Wanted = Result<BTreeSet<Task>, (bool, bool, String)>;

/// The first open question of a step, or a no.
fn question(
    state: &RunState,
    index: usize,
    step: &Step,
    substance: &str,
) -> Option<Result<BTreeSet<Task>, String>> {
    let did = state.by_hand.rests_on_a_word(step);
    for (q, ask) in step.questions.iter().enumerate().filter(|(_, ask)| !did || ask.kind != AskKind::Item) {
        match state.answers.get(&ask.id) {
            Some(answer) if answer.yes && covers(ask, &answer.substance, substance) => {}
            Some(answer) if !answer.yes && answer.absent => {
                return Some(Err(format!("nobody answered: {}", ask.text)));
            }
            Some(answer) if !answer.yes => return Some(Err(format!("the answer was no: {}", ask.text))),
            _ => return Some(Ok(one(Task::Ask(Question::Planned(index, q))))),
        }
    }
    None
}

/// A typed consent that is still missing when a pivot comes up: the step that asks for it was found done, or it died meanwhile.
fn consent(plan: &Plan, state: &RunState) -> Option<Task> {
    plan.steps.iter().enumerate().filter(|(_, step)| step.skipped.is_none()).find_map(|(s, step)| {
        step.questions.iter().enumerate().find_map(|(q, ask)| {
            let missing =
                matches!(ask.kind, AskKind::Typed(_)) && !state.answers.get(&ask.id).is_some_and(|a| a.yes);
            missing.then_some(Task::Ask(Question::Planned(s, q)))
        })
    })
}

/// A section's confirmation that is still missing when something in there, or behind it, would be changed: its first step was found done, or
/// left out.
fn section(plan: &Plan, state: &RunState, s: usize) -> Option<Result<Task, String>> {
    let within = plan.steps.iter().enumerate().filter(|(_, step)| step.section <= plan.steps[s].section);
    within.filter(|(_, step)| step.skipped.is_none()).find_map(|(index, step)| {
        step.questions.iter().enumerate().filter(|(_, ask)| ask.section).find_map(|(q, ask)| {
            match state.answers.get(&ask.id) {
                Some(answer) if answer.yes => None,
                Some(answer) if answer.absent => Some(Err(format!("nobody answered: {}", ask.text))),
                Some(_) => Some(Err(format!("the answer was no: {}", ask.text))),
                None => Some(Ok(Task::Ask(Question::Planned(index, q)))),
            }
        })
    })
}

/// Whether a section's confirmation was not given: that is no failure of a step that may be left out.
pub(super) fn section_closed(plan: &Plan, state: &RunState, s: usize) -> bool {
    section(plan, state, s).is_some_and(|asked| asked.is_err())
}

/// A consent covers the facts that were shown with it.
fn covers(ask: &Ask, given: &str, now: &str) -> bool {
    match ask.kind {
        AskKind::Item => true,
        AskKind::Confirm | AskKind::Typed(_) => now.is_empty() || given.is_empty() || given == now,
    }
}

/// An effect without an intent of ours.
fn fresh(plan: &Plan, state: &RunState, s: usize, e: usize) -> Wanted {
    let step = &plan.steps[s];
    let planned = &step.effects[e];
    let Some(seen) = &state.steps[s].effects[e].seen else {
        return Ok(one(Task::Look(s, e, Purpose::Before)));
    };
    let changes = planned.effect.class != Class::Looks;
    match seen.standing {
        Standing::Reached if changes && planned.effect.found == Found::Ask => {
            match state.answers.get(&format!("adopt:{}/{}", step.id, planned.name)) {
                None => Ok(one(Task::Ask(Question::Adopt(s, e)))),
                Some(answer) if answer.yes => Ok(BTreeSet::new()),
                Some(_) => Err((
                    false,
                    false,
                    format!("already so, not by this run, and not adopted: {}", seen.evidence),
                )),
            }
        }
        // Reached without `done` can only be a handover that died: look again.
        Standing::Reached => Ok(one(Task::Look(s, e, Purpose::Before))),
        Standing::NotReached if changes => {
            if let Some(asked) = section(plan, state, s) {
                return asked.map(one).map_err(|why| (false, false, why));
            }
            if let Some(wanted) = question(state, s, step, &substance(plan, state, s)) {
                return wanted.map_err(|why| (false, false, why));
            }
            if planned.effect.class == Class::Pivot
                && let Some(task) = consent(plan, state)
            {
                return Ok(one(task));
            }
            if let Some(set) = &planned.effect.needs
                && !state.handovers.contains_key(set)
            {
                return Err((false, false, format!("there is no handover for {set}")));
            }
            if let Some(why) = identity::changed(plan, state, s, e, &seen.facts) {
                return Err((false, false, why));
            }
            Ok(one(Task::Intend(s, e, false)))
        }
        Standing::NotReached | Standing::Blocked => Err((false, true, seen.evidence.clone())),
        Standing::Moving | Standing::Unknown => Err((true, true, seen.evidence.clone())),
    }
}

/// What a consent to this step covers now: the substance of its first effect's facts.
pub fn substance(plan: &Plan, state: &RunState, s: usize) -> String {
    let step = &plan.steps[s];
    step.effects
        .iter()
        .zip(&state.steps[s].effects)
        .find_map(|(planned, effect)| {
            effect.seen.as_ref().map(|seen| planned.action.substance(&planned.effect.id, &seen.facts))
        })
        .unwrap_or_default()
}

/// An effect with an intent of ours that is not proved yet.
fn intended(s: usize, e: usize, effect: &EffectState, flight: &Flight, planned: &Effect) -> Wanted {
    let proof = planned.proof;
    // What a look says of a pivot that was asked for reads like success: a standby that has everything.
    let seen_as = |evidence: &String| match planned.class {
        Class::Pivot => format!("asked for, and not seen; it may still come about. What is seen: {evidence}"),
        Class::Looks | Class::Undoable | Class::ForwardOnly => evidence.clone(),
    };
    match flight {
        Flight::InFlight { cursor } => Ok(one(Task::Apply(s, e, false, cursor.clone()))),
        Flight::InDoubt { orphaned: true } if proof == Proof::Again => Ok(one(Task::Intend(s, e, false))),
        Flight::InDoubt { .. } if proof == Proof::Again => {
            Err((true, true, "the answer was lost, and there is nothing to look at".into()))
        }
        Flight::InDoubt { .. } if proof == Proof::Reply => {
            Err((true, false, "the answer was lost, and there is nothing to look at".into()))
        }
        Flight::InDoubt { .. }
            if effect.may_run(planned)
                && effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached) =>
        {
            let evidence = effect.seen.as_ref().map_or("", |seen| seen.evidence.as_str());
            Err((
                true,
                false,
                format!(
                    "its answer was lost, and what it started may still run: it is not started a second time beside it. Make sure on the \
                     host that it has ended, then say so with `mrctl step RUN STEP --retry`. What is seen: {evidence}"
                ),
            ))
        }
        Flight::InDoubt { orphaned: true }
            if effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached) =>
        {
            Ok(one(Task::Intend(s, e, false)))
        }
        // A second mark harms nothing, and writes are stopped meanwhile.
        Flight::InDoubt { .. }
            if effect.may_be_made_again(planned)
                && effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached) =>
        {
            Ok(one(Task::Intend(s, e, false)))
        }
        Flight::InDoubt { .. } | Flight::Acknowledged | Flight::Landed => match &effect.seen {
            None => Ok(one(Task::Look(s, e, Purpose::After))),
            Some(seen) => match seen.standing {
                Standing::Reached => Ok(one(Task::Look(s, e, Purpose::After))),
                // Seen as absent with nothing in flight: that is the proof which a retry needs.
                Standing::NotReached => Err((false, true, seen_as(&seen.evidence))),
                Standing::Blocked => Err((false, false, seen_as(&seen.evidence))),
                Standing::Moving | Standing::Unknown => Err((true, false, seen_as(&seen.evidence))),
            },
        },
        Flight::Refused { why } => match &effect.seen {
            // A refusal proves that this attempt did nothing; a look tells whether somebody else did.
            None => Ok(one(Task::Look(s, e, Purpose::Before))),
            Some(seen) => match seen.standing {
                Standing::Unknown | Standing::Moving => {
                    Err((true, true, format!("refused: {why}; {}", seen.evidence)))
                }
                Standing::Reached | Standing::NotReached | Standing::Blocked => {
                    Err((false, true, format!("refused: {why}; {}", seen.evidence)))
                }
            },
        },
    }
}
