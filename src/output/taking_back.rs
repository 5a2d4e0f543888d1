//! How what a run leaves is taken back by hand: the same for a reader and for a program.

use super::model::Model;
use super::summary::{ByHand, Rest, standing};
use crate::engine::record::Verdict;
use crate::step::Class;
use serde_json::{Value, json};

/// The commands that take a change that stands back by hand; none where they would do harm.
pub(super) fn commands(model: &Model, by_hand: &ByHand, rest: Rest, (s, e): (usize, usize)) -> Vec<String> {
    let effect = &model.plan.steps[s].effects[e].effect;
    let promoted = model.state.survey.as_ref().is_some_and(|survey| !survey.promoted.is_empty());
    let pivots = model.state.armed(&model.plan)
        || promoted
        || rest == Rest::Partial
        || model.state.passed(&model.plan);
    // Whoever let the old primary take writes beside a promotion that happened, or still may, would make two primaries.
    if effect.class != Class::Undoable || (effect.freezes.is_some() && pivots) {
        return Vec::new();
    }
    let intent = model.state.steps[s].effects[e].intent.as_ref();
    intent.map_or_else(Vec::new, |intent| by_hand(s, e, &intent.prior))
}

/// Changes that stand, each with the commands that take it back by hand. A program takes them as they are, so a freeze has some only where
/// the target was seen, and not as a primary: a person is told what to make sure of first.
pub(super) fn changes(model: &Model, by_hand: &ByHand, verdict: Verdict) -> Value {
    let rest = if verdict.closes() { Rest::Closed } else { Rest::Open };
    let seen =
        model.state.survey.as_ref().is_some_and(|survey| !survey.unknown && survey.promoted.is_empty());
    let changes = standing(model)
        .into_iter()
        .filter(|(s, e, _)| seen || model.plan.steps[*s].effects[*e].effect.freezes.is_none());
    let changes = changes.filter_map(|(s, e, _)| {
        let commands = commands(model, by_hand, rest, (s, e));
        let change = format!("{}/{}", model.plan.steps[s].id, model.plan.steps[s].effects[e].name);
        (!commands.is_empty()).then(|| json!({ "change": change, "commands": commands }))
    });
    changes.collect()
}
