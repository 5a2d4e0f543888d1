//! Tasks that need no waiting: turns, intents, endings. Each is decided on what was recorded before it, so there is one at a time.

use super::decide::{Task, Turning};
use super::record::Record;
use super::state::RunState;
use crate::journal::IntentKey;
use crate::plan::Plan;
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
        Task::Require(_)
        | Task::Look(..)
        | Task::Ask(_)
        | Task::Apply(..)
        | Task::Backoff(_)
        | Task::Gap
        | Task::Watch(_)
        | Task::Survey => None,
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
        prior: prior.clone(),
    };
    Some(Immediate::Intent { key, record, of: (s, e, undo) })
}
