//! Policy keys that do not suit the kind.

use super::{Context, KindFact, Part, lines};
use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems};
use crate::language::tree::{Node, Value};
use crate::runbook::fields::{NameForm, check_name};
use crate::runbook::model::{OnFailure, Rollback, Step, Where};

/// Every step whose kind is known.
fn known<'a>(context: &Context<'a>) -> Vec<(&'a Step, KindFact)> {
    let steps = context.draft.runbook.steps();
    steps.filter_map(|step| Some((step, context.kinds.facts(&step.kind.value)?))).collect()
}

pub(super) fn writer_steps_may_not_fail_quietly(context: &Context<'_>, problems: &mut Problems) {
    for (step, fact) in known(context) {
        let moves = matches!(fact.part, Part::Freeze | Part::CatchUp | Part::Pivot);
        // A stop behind the promotion is a fence: the freeze still holds if it fails.
        if !moves && (fact.part != Part::Stop || is_fence(context, step)) {
            continue;
        }
        let policy = &step.policy;
        let quiet =
            policy.best_effort.as_ref().filter(|flag| flag.value).map(|flag| ("best_effort", flag.span));
        let warns = |on: &'static str, value: &Option<crate::language::Spanned<OnFailure>>| {
            value.as_ref().filter(|v| v.value == OnFailure::Warn).map(|v| (on, v.span))
        };
        let keys = [
            quiet,
            warns("on_failure: warn", &policy.on_failure),
            warns("on_unknown: warn", &policy.on_unknown),
        ];
        for (key, span) in keys.into_iter().flatten() {
            problems.push(
                Problem::error(
                    Code::PolicyMisplaced,
                    format!("`{key}` is not possible for `{}`", step.kind.value),
                )
                .at(span)
                .help("going on after a failure here could lose writes; remove the key"),
            );
        }
    }
}

/// Whether every promotion of a planned run stands before the step.
fn is_fence(context: &Context<'_>, step: &Step) -> bool {
    let lines = lines(context);
    let own = lines.iter().position(|line| std::ptr::eq(line.step, step));
    own.is_some_and(|own| lines.iter().rposition(|line| line.is(Part::Pivot)).is_some_and(|last| last < own))
}

pub(super) fn a_fence_is_not_taken_back(context: &Context<'_>, problems: &mut Problems) {
    for (step, fact) in known(context) {
        let back = step.policy.on_failure.as_ref().filter(|on| on.value == OnFailure::RollBack);
        let Some(back) = back.filter(|_| fact.part == Part::Stop && is_fence(context, step)) else {
            continue;
        };
        let kind = &step.kind.value;
        let message = format!("`on_failure: roll_back`: behind the promotion `{kind}` is not taken back");
        problems.push(
            Problem::error(Code::PolicyMisplaced, message)
                .at(back.span)
                .help("remove the key, or write `best_effort: true` if the freeze is fence enough"),
        );
    }
}

pub(super) fn temporary_can_be_put_back(context: &Context<'_>, problems: &mut Problems) {
    for (step, fact) in known(context) {
        if !step.policy.is_temporary() {
            continue;
        }
        let span = step.policy.temporary.as_ref().map_or(step.span, |flag| flag.span);
        if matches!(fact.part, Part::Freeze | Part::Stop) {
            let kind = &step.kind.value;
            let message =
                format!("`temporary`: what `{kind}` stops is not started again beside the new primary");
            problems.push(
                Problem::error(Code::PolicyMisplaced, message)
                    .at(span)
                    .help("remove `temporary`; a run that fails before the promotion takes it back anyway"),
            );
            continue;
        }
        if fact.undoable {
            continue;
        }
        let why = if fact.changes { "cannot be put back" } else { "changes nothing that could be put back" };
        problems.push(
            Problem::error(Code::PolicyMisplaced, format!("`temporary`: `{}` {why}", step.kind.value))
                .at(span)
                .help("remove `temporary`"),
        );
    }
}

pub(super) fn rollback_steps_can_roll_back(context: &Context<'_>, problems: &mut Problems) {
    for (step, fact) in known(context) {
        let Rollback::Steps(steps) = &step.policy.rollback else { continue };
        if fact.part == Part::Pivot {
            problems.push(
                Problem::error(Code::RollbackForm, format!("`{}` cannot be taken back", step.kind.value))
                    .at(step.kind.span)
                    .help("remove `rollback`: there is no way back from a promotion, only another failover"),
            );
        }
        if fact.part == Part::Fence {
            problems.push(
                Problem::error(
                    Code::RollbackForm,
                    format!("`{}` is not taken back by a rollback", step.kind.value),
                )
                .at(step.kind.span)
                .help("remove `rollback`: what is fenced stays so until somebody has made it a standby"),
            );
        }
        for inner in steps {
            let fine =
                context.kinds.facts(&inner.kind.value).is_some_and(|fact| fact.undoable || !fact.changes);
            if !fine {
                problems.push(
                    Problem::error(
                        Code::RollbackForm,
                        format!("`{}` cannot be a step of a rollback", inner.kind.value),
                    )
                    .at(inner.kind.span)
                    .help("use kinds that can themselves be put back"),
                );
            }
        }
    }
}

pub(super) fn places_are_words(context: &Context<'_>, problems: &mut Problems) {
    const WORDS: [&str; 5] = ["from", "to", "both", "others", "all"];
    for step in context.draft.runbook.steps() {
        let Some(place) = &step.policy.place else { continue };
        let Where::Region(region) = &place.value else { continue };
        let known = context.inventory.map(|loaded| loaded.inventory.regions.contains_key(region));
        // Without an inventory nobody knows; what is like a word is a slip.
        let near_word = closest(region, WORDS);
        if known == Some(true) || (known.is_none() && near_word.is_none()) {
            problems.push(
                Problem::warning(
                    Code::LiteralRegion,
                    format!("the step acts in `{region}`, whatever the direction"),
                )
                .at(place.span),
            );
            continue;
        }
        let regions = context.inventory.into_iter().flat_map(|loaded| loaded.inventory.regions.keys());
        let near = closest(region, WORDS.into_iter().chain(regions.map(String::as_str)));
        let problem =
            Problem::error(Code::UnknownRegion, format!("there is no region `{region}`")).at(place.span);
        problems.push(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("write `from`, `to`, `both`, `others` or `all`"),
        });
    }
}

pub(super) fn no_literal_regions(context: &Context<'_>, problems: &mut Problems) {
    let Some(loaded) = context.inventory else { return };
    for step in context.draft.runbook.steps() {
        each_text(&step.body, &mut |text, node| {
            if loaded.inventory.regions.contains_key(text) {
                problems.push(
                    Problem::warning(Code::LiteralRegion, format!("`{text}` is a region's name"))
                        .at(node.span),
                );
            }
        });
    }
}

/// Every text in a tree.
pub(super) fn each_text(node: &Node, see: &mut dyn FnMut(&str, &Node)) {
    match &node.value {
        Value::Scalar { text, .. } => see(text, node),
        Value::List(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| each_text(value, see)),
        Value::Refused => {}
    }
}

pub(super) fn marks_are_names(context: &Context<'_>, problems: &mut Problems) {
    for marks in context.draft.runbook.steps().filter_map(|step| step.policy.marks.as_ref()) {
        check_name(&marks.value, NameForm::Word, "the name of a moment", marks.span, problems);
    }
}
