//! The plan was approved for certain servers in certain roles and for certain values to come back to. Right before an effect is
//! intended, what was seen of them is compared with the plan.

use super::state::RunState;
use crate::plan::Plan;
use crate::step::{Class, Facts};
use std::collections::BTreeSet;

/// What is no longer as it was when the plan was made, in words; nothing if all is. What this run changed itself is left out.
pub(super) fn changed(plan: &Plan, state: &RunState, s: usize, e: usize, facts: &Facts) -> Option<String> {
    let planned = &plan.steps[s].effects[e];
    let ours = ours(plan, state);
    let differences: Vec<String> = planned
        .action
        .identity(&planned.effect.id, facts)
        .into_iter()
        .filter(|(name, _)| !ours.contains(name))
        .filter_map(|(name, now)| match plan.identity.get(&name) {
            Some(before) if *before == now => None,
            Some(before) => Some(format!("{name} was {before}, is {now}")),
            // What could not be seen then was approved by nobody; where there is no way back, that is not enough.
            None if planned.effect.class == Class::Pivot => {
                Some(format!("{name} could not be seen then, is {now}"))
            }
            None => None,
        })
        .collect();
    (!differences.is_empty())
        .then(|| format!("changed since the plan was made: {}; plan again", differences.join("; ")))
}

/// Names of identity facts that effects of this run have changed, or may have.
pub(super) fn ours(plan: &Plan, state: &RunState) -> BTreeSet<String> {
    let effects = state.intents.iter().filter_map(|(s, e)| {
        let intent = state.steps.get(*s)?.effects.get(*e)?.intent.as_ref()?;
        Some((&plan.steps[*s].effects[*e], &intent.prior))
    });
    effects
        .flat_map(|(planned, prior)| planned.action.identity(&planned.effect.id, prior))
        .map(|(name, _)| name)
        // No change of ours makes another cluster of one.
        .filter(|name| !name.ends_with("/system"))
        .collect()
}
