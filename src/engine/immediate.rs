//! Tasks that need no waiting: turns, intents, endings, and looks that were just made. Each is decided on what was recorded before
//! it, so there is one at a time.

use super::decide::{Task, Turning};
use super::record::{Purpose, Record};
use super::state::RunState;
use crate::journal::IntentKey;
use crate::plan::Plan;
use crate::step::{Class, Found, Standing};
use std::collections::BTreeSet;

/// A record that can be written at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Immediate {
    /// A turn or an ending.
    Plain(Record),
    /// An intent: its permit belongs to this step, effect and direction.
    Intent {
        /// What is permitted.
        key: IntentKey,
        /// The record.
        record: Record,
        /// Step, effect, whether it is an undo.
        of: (usize, usize, bool),
    },
}

/// The first of the wanted tasks that needs no waiting, as its record.
pub fn immediate(plan: &Plan, state: &RunState, wanted: &BTreeSet<Task>) -> Option<Immediate> {
    wanted.iter().find_map(|task| match task {
        Task::Turn(Turning { to, step, unknown, why }) => Some(Immediate::Plain(Record::Turned {
            to: *to,
            step: step.clone(),
            unknown: *unknown,
            why: why.clone(),
        })),
        Task::End(verdict, why) => Some(Immediate::Plain(Record::Ended {
            verdict: *verdict,
            why: why.clone(),
            world: state.survey.as_ref().map_or_else(String::new, |survey| survey.world.clone()),
        })),
        Task::Intend(s, e, undo) => intent(plan, state, *s, *e, *undo),
        Task::Look(s, e, Purpose::Before) => just_seen(plan, state, *s, *e).map(Immediate::Plain),
        Task::Require(_)
        | Task::Look(_, _, Purpose::After | Purpose::Undo | Purpose::Undone)
        | Task::Ask(_)
        | Task::Apply(..)
        | Task::Backoff(_)
        | Task::Gap
        | Task::Watch(_)
        | Task::Survey => None,
    })
}

/// A look at an effect, out of the one that was just made at the effect before it, where that saw all that a look of its own would.
///
/// Within a write gap each look costs a round trip to both databases. Only what settles a look at once is taken from it, and never
/// what asks a person; everything else gets a look of its own.
fn just_seen(plan: &Plan, state: &RunState, s: usize, e: usize) -> Option<Record> {
    let (last_s, last_e) = state.fresh?;
    let next = |(s, e): (usize, usize)| match plan.steps.get(s)?.effects.get(e + 1) {
        Some(_) => Some((s, e + 1)),
        None => (s + 1..plan.steps.len()).find(|s| plan.steps[*s].skipped.is_none()).map(|s| (s, 0)),
    };
    if next((last_s, last_e)) != Some((s, e)) || plan.steps[last_s].parallel.is_some() {
        return None;
    }
    let (step, last, planned) =
        (&plan.steps[s], &plan.steps[last_s].effects[last_e], plan.steps[s].effects.get(e)?);
    let effect = &state.steps[s].effects[e];
    if step.parallel.is_some() || effect.intent.is_some() || effect.found {
        return None;
    }
    let seen = &state.steps[last_s].effects[last_e].seen.as_ref()?.facts;
    let facts = planned.action.seen_with(&planned.effect, &last.action, seen)?;
    let handover = planned.effect.needs.as_ref().and_then(|set| state.handovers.get(set));
    let judged = planned.action.judge_found(&planned.effect.id, &facts, handover);
    let settled = match judged.standing {
        Standing::Reached => planned.effect.found == Found::Accept,
        // What makes a handover is often only a moment away: looked at again, it may need no change of ours.
        Standing::NotReached => planned.effect.class != Class::Looks && planned.effect.makes.is_none(),
        Standing::Moving | Standing::Blocked | Standing::Unknown => false,
    };
    settled.then(|| Record::Looked {
        step: step.id.clone(),
        effect: planned.name.clone(),
        purpose: Purpose::Before,
        standing: judged.standing,
        evidence: judged.evidence,
        facts,
        handover: judged.handover,
        remark: judged.remark,
    })
}

/// The intent for an effect: prior are the facts of the last look; an undo's are those of the intent that it takes back.
fn intent(plan: &Plan, state: &RunState, s: usize, e: usize, undo: bool) -> Option<Immediate> {
    let effect = state.steps.get(s)?.effects.get(e)?;
    // What is harmless is done again without a look: then the prior of the attempt before is as good.
    let before = || effect.intent.as_ref().map(|intent| &intent.prior);
    let prior =
        if undo { before()? } else { effect.seen.as_ref().map(|seen| &seen.facts).or_else(before)? };
    let key = IntentKey {
        run: state.run.clone(),
        step: plan.steps.get(s)?.id.clone(),
        effect: plan.steps[s].effects.get(e)?.name.clone(),
        attempt: effect.attempts + 1,
        undo,
    };
    let record = Record::Intent {
        step: key.step.clone(),
        effect: key.effect.clone(),
        attempt: key.attempt,
        undo,
        prior: (**prior).clone(),
    };
    Some(Immediate::Intent { key, record, of: (s, e, undo) })
}
