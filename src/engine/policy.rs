//! What a step's trouble means for the run: the defaults by phase, and what the step itself says.

use super::advance::section_closed;
use super::decide::{Task, Turning};
use super::record::Turn;
use super::state::RunState;
use crate::plan::{Mode, OnFailure, Plan};
use crate::step::Class;
use crate::step::contract::Part;

/// A step's trouble.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) step: usize,
    pub(super) unknown: bool,
    pub(super) why: String,
    /// Trying again can help: nothing of the failed try is in flight.
    pub(super) proven: bool,
}

/// How often a known failure after the pivot is tried again by default.
const TRIES_AFTER_PIVOT: u32 = 3;

/// Applies the strictest of the steps' policies.
pub(super) fn strictest(plan: &Plan, state: &RunState, troubles: &[Trouble]) -> Task {
    let mut tasks: Vec<Task> = troubles.iter().map(|trouble| policy(plan, state, trouble)).collect();
    // Turns sort by severity: RollBack, Pause, Finish, Refuse, Warn; a retry only when every trouble may be retried.
    tasks.sort_by_key(|task| match task {
        Task::Turn(turning) => match turning.to {
            Turn::Pause => 0,
            Turn::RollBack => 1,
            Turn::Refuse => 2,
            Turn::Finish => 3,
            Turn::Warn => 5,
        },
        _ => 4,
    });
    tasks.into_iter().next().unwrap_or(Task::Survey)
}

/// The table of defaults by phase, and what the step says.
fn policy(plan: &Plan, state: &RunState, trouble: &Trouble) -> Task {
    let step = &plan.steps[trouble.step];
    let progress = &state.steps[trouble.step];
    let armed = state.armed(plan);
    let passed = state.passed(plan);
    let waiver = state.by_hand.waiver(&step.id);
    // Who a server is, and that there are not two primaries, is passed by nobody's word.
    let beyond = waiver.and_then(|_| {
        step.effects.iter().zip(&progress.effects).find_map(|(planned, effect)| {
            effect.seen.as_ref().and_then(|seen| planned.action.beyond_waiver(&seen.facts))
        })
    });
    let uncovered = beyond.as_ref().map_or_else(String::new, |why| format!("; no waiver covers that {why}"));
    let turn = |to: Turn| {
        Task::Turn(Turning {
            to,
            step: step.id.clone(),
            unknown: trouble.unknown,
            why: format!("{}: {}{uncovered}", step.id, trouble.why),
        })
    };
    let tries = if step.retries > 0 {
        step.retries
    } else if passed && !armed && !trouble.unknown {
        TRIES_AFTER_PIVOT
    } else {
        0
    };
    // Only on proof that nothing happened; a no of a person is not tried again.
    if trouble.proven && progress.tries < tries + 1 && tries > 0 && progress.tries.max(1) <= tries {
        return Task::Backoff(trouble.step);
    }
    if let Some(waiver) = waiver.filter(|_| beyond.is_none()) {
        return Task::Turn(Turning {
            to: Turn::Warn,
            step: step.id.clone(),
            unknown: trouble.unknown,
            why: format!("{}: passed by {} ({}): {}", step.id, waiver.by, waiver.reason, trouble.why),
        });
    }
    // What nobody has agreed to is not left out for the next step to be made all the same.
    let closed = section_closed(plan, state, trouble.step);
    if step.best_effort && !closed {
        return turn(Turn::Warn);
    }
    let said = if trouble.unknown { step.on_unknown } else { step.on_failure };
    // An old primary that was told to become a standby stays that: there is no way back to go, and a person can go on from here.
    let rejoins = step.effects.iter().zip(&progress.effects).any(|(planned, effect)| {
        planned.action.info().part == Part::Rejoin && planned.effect.class != Class::Looks && effect.stands()
    });
    let back = || {
        if armed || passed || rejoins {
            turn(Turn::Pause)
        } else if state.changed() && plan.mode == Mode::Unplanned {
            // What was fenced is not given back by itself.
            turn(Turn::Pause)
        } else if state.changed() {
            turn(Turn::RollBack)
        } else {
            turn(Turn::Refuse)
        }
    };
    match said {
        OnFailure::Warn if !armed && !closed => turn(Turn::Warn),
        OnFailure::Pause if state.changed() => turn(Turn::Pause),
        OnFailure::Default | OnFailure::Stop | OnFailure::RollBack | OnFailure::Pause | OnFailure::Warn => {
            back()
        }
    }
}
