//! Taking back what this run changed: newest first, only when nothing is in flight, each undo with an intent of its own.

use super::advance;
use super::decide::{Task, accomplished, surveyed};
use super::record::{Purpose, Verdict};
use super::state::{EffectState, Flight, RunState, Undone};
use crate::plan::Plan;
use crate::step::contract::Part;
use crate::step::{Class, Proof, Standing};
use std::collections::BTreeSet;

/// How often an undo is tried.
const UNDO_TRIES: u32 = 3;

/// Calls and their looks that are in flight and have to settle.
pub(super) fn flying(state: &RunState) -> BTreeSet<Task> {
    let mut tasks = BTreeSet::new();
    for (s, step) in state.steps.iter().enumerate() {
        for (e, effect) in step.effects.iter().enumerate() {
            for (intent, undo) in [(&effect.intent, false), (&effect.undo, true)] {
                if let Some(intent) = intent
                    && let Flight::InFlight { cursor } = &intent.flight
                    && cursor.is_empty()
                {
                    tasks.insert(Task::Apply(s, e, undo, cursor.clone()));
                }
            }
        }
    }
    tasks
}

/// What a rollback wants now.
pub(super) fn roll_back(plan: &Plan, state: &RunState, why: &str, _step: &str) -> BTreeSet<Task> {
    let flying = flying(state);
    if !flying.is_empty() {
        return flying;
    }
    let task = match next_undo(plan, state, |s, _| plan.steps[s].keep_because.is_none()) {
        Ok(Some(task)) => task,
        Ok(None) => match still_frozen(plan, state).as_slice() {
            _ if state.survey.is_none() => Task::Survey,
            [] => match not_as_before(plan, state) {
                Some(what) => Task::End(Verdict::Unknown, format!("{why}; then {what}")),
                None => Task::End(Verdict::RolledBack, why.to_string()),
            },
            // Everything of ours is taken back as far as it was to be, and still nobody can write: that is not as before.
            sets => {
                let why = format!("{why}; writes to {} are still stopped", sets.join(" and "));
                Task::End(Verdict::RollbackFailed, why)
            }
        },
        Err(what) => surveyed(state, Task::End(Verdict::RollbackFailed, format!("{why}; then {what}"))),
    };
    BTreeSet::from([task])
}

/// What the last look at everything saw that forbids to call the run rolled back, although everything of ours is taken back.
fn not_as_before(plan: &Plan, state: &RunState) -> Option<String> {
    if let Some(what) = state.diverges() {
        return Some(format!("{what}: both sides took commits"));
    }
    let fenced = |(s, e): &(usize, usize)| {
        plan.steps[*s].effects[*e].action.info().part == Part::Fence && state.steps[*s].effects[*e].stands()
    };
    if state.intents.iter().any(fenced) {
        return Some(format!("the old primary in {} is fenced, and stays so", plan.from));
    }
    // Proved or not: what it was before is gone.
    let rejoined = |(s, e): &(usize, usize)| {
        let planned = &plan.steps[*s].effects[*e];
        planned.action.info().part == Part::Rejoin
            && planned.effect.id == "rejoin"
            && state.steps[*s].effects[*e].stands()
    };
    if state.intents.iter().any(rejoined) {
        return Some(format!(
            "the old primary in {} was told to become a standby, and is not put back",
            plan.from
        ));
    }
    let survey = state.survey.as_ref()?;
    let froze = |(s, e): &(usize, usize)| plan.steps[*s].effects[*e].effect.freezes.is_some();
    if let Some(set) = survey.promoted.first() {
        return Some(format!("{set} in {} is a primary by now, and not by this run", plan.to));
    }
    if survey.unknown && state.intents.iter().any(froze) {
        return Some("whether writes are possible again could not be seen".to_string());
    }
    // One that is kept on purpose, and of which nobody knows whether it is there. A closed run would be silent about it.
    (!survey.waiting.is_empty()).then(|| {
        format!(
            "the freeze of {} is kept, and may be written and not loaded: take it back by hand, then close the run with `mrctl abandon`",
            survey.waiting.join(" and ")
        )
    })
}

/// Data sets that this run froze, or meant to, and to which nobody can write by the last look at everything. Those that others
/// froze are theirs.
fn still_frozen<'a>(plan: &Plan, state: &'a RunState) -> Vec<&'a str> {
    let ours = |set: &&str| {
        let freezes =
            |(s, e): &(usize, usize)| plan.steps[*s].effects[*e].effect.freezes.as_deref() == Some(*set);
        state.intents.iter().any(freezes)
    };
    let frozen = state.survey.as_ref().map_or(&[][..], |survey| &survey.frozen);
    frozen.iter().map(String::as_str).filter(ours).collect()
}

/// The next thing to take back among the effects that `wanted` names; nothing when all are; an error when one cannot be.
pub(super) fn next_undo(
    plan: &Plan,
    state: &RunState,
    wanted: impl Fn(usize, usize) -> bool,
) -> Result<Option<Task>, String> {
    let mut failed = Vec::new();
    for (s, e) in state.intents.iter().rev().copied() {
        let planned = &plan.steps[s].effects[e];
        let effect = &state.steps[s].effects[e];
        // What takes others back is itself the way back.
        if plan.steps[s].takes_back.is_some() || !effect.stands() || !wanted(s, e) {
            continue;
        }
        let ways: Vec<usize> = ways_back(plan, s).collect();
        if planned.effect.class == Class::Pivot
            || (planned.effect.class != Class::Undoable && ways.is_empty())
        {
            continue;
        }
        let task = match ways.as_slice() {
            [] => undo_one(s, e, effect),
            ways => settle(s, e, effect, planned.effect.proof).unwrap_or_else(|| by_steps(plan, state, ways)),
        };
        match task {
            Ok(task) => {
                // An older change is not taken back over the head of one that could not be.
                if failed.is_empty() {
                    return Ok(Some(task));
                }
            }
            Err(why) => {
                failed.push(format!("{}/{} could not be taken back: {why}", plan.steps[s].id, planned.name))
            }
        }
    }
    if failed.is_empty() { Ok(None) } else { Err(failed.join("; ")) }
}

/// The steps under a step's `rollback`, in their order.
fn ways_back(plan: &Plan, s: usize) -> impl Iterator<Item = usize> {
    let id = &plan.steps[s].id;
    plan.steps
        .iter()
        .enumerate()
        .filter(move |(_, way)| way.takes_back.as_ref() == Some(id))
        .map(|(way, _)| way)
}

/// What may still come about is looked at before steps of its own take it back: else it would come about behind them.
fn settle(s: usize, e: usize, effect: &EffectState, proof: Proof) -> Option<Result<Task, String>> {
    let flight = effect.intent.as_ref().map(|intent| &intent.flight)?;
    if proof != Proof::Look || !matches!(flight, Flight::InDoubt { .. } | Flight::Acknowledged) {
        return None;
    }
    match &effect.seen {
        Some(seen) if seen.purpose == Purpose::After => match seen.standing {
            Standing::Reached | Standing::NotReached | Standing::Blocked => None,
            Standing::Moving | Standing::Unknown => Some(Err(seen.evidence.clone())),
        },
        _ => Some(Ok(Task::Look(s, e, Purpose::After))),
    }
}

/// Takes a step back by steps of its own: each as on the way forward, with its look, its intent and its proof.
fn by_steps(plan: &Plan, state: &RunState, ways: &[usize]) -> Result<Task, String> {
    let open = ways.iter().find(|way| !accomplished(plan, state, **way));
    let Some(way) = open else { return Err("it was taken back, and stands again".into()) };
    let id = &plan.steps[*way].id;
    match advance::step(plan, state, *way) {
        Ok(wanted) => wanted.into_iter().next().ok_or_else(|| format!("{id} wants nothing")),
        Err(trouble) => Err(format!("{id}: {}", trouble.why)),
    }
}

impl RunState {
    /// A step whose way back is done to its last step is taken back.
    pub(super) fn taken_back_by_steps(&mut self, plan: &Plan) {
        for (s, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.takes_back.is_none()) {
            let mut ways = ways_back(plan, s).peekable();
            if ways.peek().is_none() || !ways.all(|way| accomplished(plan, self, way)) {
                continue;
            }
            for e in 0..step.effects.len() {
                let effect = &mut self.steps[s].effects[e];
                if effect.stands() && effect.intent.is_some() {
                    effect.undone = Some(Undone::Restored);
                }
            }
        }
    }
}

fn undo_one(s: usize, e: usize, effect: &EffectState) -> Result<Task, String> {
    let evidence = || {
        effect.seen.as_ref().map_or_else(|| "it could not be seen".to_string(), |seen| seen.evidence.clone())
    };
    match effect.undone {
        Some(Undone::Failed { .. }) => return Err(evidence()),
        Some(Undone::Restored | Undone::Foreign) | None => {}
    }
    let look = |purpose: Purpose| Ok(Task::Look(s, e, purpose));
    match &effect.undo {
        None => match &effect.seen {
            Some(seen) if seen.purpose == Purpose::Undo && seen.standing == Standing::NotReached => {
                Ok(Task::Intend(s, e, true))
            }
            _ => look(Purpose::Undo),
        },
        Some(undo) => match &undo.flight {
            Flight::InFlight { cursor } => Ok(Task::Apply(s, e, true, cursor.clone())),
            Flight::InDoubt { .. } | Flight::Acknowledged | Flight::Landed | Flight::Refused { .. } => {
                match &effect.seen {
                    None => look(Purpose::Undone),
                    Some(seen) if seen.purpose == Purpose::Undone && effect.attempts < undo_limit(effect) => {
                        Ok(Task::Intend(s, e, true))
                    }
                    Some(seen) if seen.purpose == Purpose::Undo && seen.standing == Standing::NotReached => {
                        Ok(Task::Intend(s, e, true))
                    }
                    Some(seen) if seen.purpose == Purpose::Undone => Err(match &undo.flight {
                        Flight::Refused { why } => format!("refused: {why}; {}", seen.evidence),
                        _ => seen.evidence.clone(),
                    }),
                    Some(_) => look(Purpose::Undone),
                }
            }
        },
    }
}

fn undo_limit(effect: &EffectState) -> u32 {
    effect.intent.as_ref().map_or(0, |intent| intent.attempt).max(effect.tried_before) + UNDO_TRIES
}

/// How often an undo may still be made by this process.
pub(super) fn undos_left(effect: &EffectState) -> u32 {
    undo_limit(effect).saturating_sub(effect.attempts)
}
