//! Conditions: signals exist, units fit, and `when` asks nothing that only a run could answer.

use super::Context;
use super::names::{REGIONS, WORDS};
use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems};
use crate::language::expression::{Environment, Unit};
use crate::runbook::inventory::{Inventory, Unit as SignalUnit};
use crate::runbook::model::Condition;

/// What `mode` can be.
const MODES: [&str; 2] = ["planned", "unplanned"];

/// What `drill` can be: `real` if it is none.
const DRILLS: [&str; 5] = ["real", "dry-run", "read-only", "traffic", "full"];

/// What names mean, whatever the direction of the run.
struct Visible<'a> {
    context: &'a Context<'a>,
    inventory: &'a Inventory,
}

impl Environment for Visible<'_> {
    fn signal(&self, name: &str) -> Option<(Unit, usize)> {
        let unit = match self.inventory.signals.get(name)?.unit {
            SignalUnit::Ratio => Unit::Ratio,
            SignalUnit::Seconds => Unit::Seconds,
            SignalUnit::Bytes => Unit::Bytes,
            SignalUnit::Number => Unit::Number,
        };
        Some((unit, 1))
    }

    fn name(&self, name: &str) -> Option<Unit> {
        if WORDS.contains(&name) {
            return Some(Unit::Text);
        }
        let parameter = self.context.draft.runbook.parameters.get(name)?;
        Some(parameter.kind.unit())
    }

    fn choices(&self, name: &str) -> Vec<String> {
        match name {
            "mode" => MODES.map(str::to_owned).to_vec(),
            "drill" => DRILLS.map(str::to_owned).to_vec(),
            "from" | "to" | "region" => self.inventory.regions.keys().cloned().collect(),
            name => self
                .context
                .draft
                .runbook
                .parameters
                .get(name)
                .map(|parameter| parameter.choices.iter().map(|choice| choice.value.clone()).collect())
                .unwrap_or_default(),
        }
    }

    fn names(&self) -> Vec<String> {
        let parameters = self.context.draft.runbook.parameters.keys();
        let words = WORDS.iter().map(|word| (*word).to_owned());
        self.inventory.signals.keys().chain(parameters).cloned().chain(words).collect()
    }
}

pub(super) fn conditions_make_sense(context: &Context<'_>, problems: &mut Problems) {
    let Some(loaded) = context.inventory else { return };
    let visible = Visible { context, inventory: &loaded.inventory };
    let runbook = &context.draft.runbook;
    let steps = || runbook.steps().map(|step| &step.policy);
    let all = runbook
        .watch
        .iter()
        .map(|watch| &watch.ok)
        .chain(steps().filter_map(|policy| policy.require.as_ref()))
        .chain(steps().filter_map(|policy| policy.when.as_ref()));
    for condition in all {
        match condition.expression.check(&visible, condition.text.span) {
            Ok(()) => arguments(condition, &visible, problems),
            Err(problem) => problems.push(hyphenated(problem, &condition.text.value)),
        }
    }
}

/// `dry-run` without quotes is a subtraction of two names that nobody knows.
fn hyphenated(problem: Problem, text: &str) -> Problem {
    let word = DRILLS.iter().find(|word| word.contains('-') && text.contains(**word));
    match word {
        Some(word) if problem.code == Code::ConditionName => {
            // Its other half is no problem of its own.
            Problem { also: None, ..problem }.help(format!("for a text write `'{word}'`"))
        }
        _ => problem,
    }
}

/// A signal is asked for a region.
fn arguments(condition: &Condition, visible: &Visible<'_>, problems: &mut Problems) {
    let inventory = visible.inventory;
    for call in condition.expression.calls() {
        for argument in &call.arguments {
            let known = REGIONS.contains(&argument.as_str())
                || visible.context.draft.runbook.parameters.contains_key(argument);
            if known {
                continue;
            }
            if inventory.regions.contains_key(argument) {
                let message = format!("`{argument}` is a region's name");
                problems.push(Problem::warning(Code::LiteralRegion, message).at(condition.text.span));
                continue;
            }
            let message = format!("`{call}` asks for `{argument}`, which is no region");
            let problem = Problem::error(Code::ConditionArguments, message).at(condition.text.span);
            problems.push(match closest(argument, ["from", "to"]) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("write `from`, `to` or a parameter"),
            });
        }
    }
}

pub(super) fn when_is_decided_in_the_plan(context: &Context<'_>, problems: &mut Problems) {
    for when in context.draft.runbook.steps().filter_map(|step| step.policy.when.as_ref()) {
        if let Some(call) = when.expression.calls().first() {
            problems.push(
                Problem::error(
                    Code::PolicyMisplaced,
                    format!("`when` asks `{call}`, which only a run can answer"),
                )
                .at(when.text.span)
                .help("use `require`: the plan has to be readable before it runs"),
            );
        }
    }
}
