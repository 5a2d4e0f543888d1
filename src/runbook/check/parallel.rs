//! What may run together.

use super::{Context, Part, resources};
use crate::error::{Code, Problem, Problems, Span};
use crate::runbook::model::{Item, Step};
use std::collections::BTreeMap;

/// Every group of steps that run together.
fn groups<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a [Step]> {
    let items = context.draft.runbook.sections.iter().flat_map(|section| &section.items);
    items.filter_map(|item| match item {
        Item::Parallel { steps, .. } => Some(steps.as_slice()),
        Item::Step(_) => None,
    })
}

pub(super) fn nothing_dangerous_runs_together(context: &Context<'_>, problems: &mut Problems) {
    for step in groups(context).flatten() {
        let mut refuse = |what: &str, span: Span| {
            problems.push(
                Problem::error(Code::ParallelContent, format!("{what} cannot stand inside `parallel`"))
                    .at(span)
                    .help("make it a line of its own"),
            );
        };
        match context.kinds.facts(&step.kind.value).map(|fact| fact.part) {
            Some(Part::Pivot) => refuse("a promotion", step.kind.span),
            Some(Part::Freeze) => refuse("a freeze", step.kind.span),
            Some(Part::Stop) => refuse("a stop of the source", step.kind.span),
            Some(Part::Fence) => refuse("a fence", step.kind.span),
            Some(Part::Rejoin) => refuse("a rejoin", step.kind.span),
            Some(Part::Pause | Part::CatchUp | Part::Traffic | Part::Other) | None => {}
        }
        if let Some(confirm) = &step.policy.confirm {
            refuse("a confirmation", confirm.span);
        }
    }
}

pub(super) fn one_change_a_resource(context: &Context<'_>, problems: &mut Problems) {
    let inventory = context.inventory.map(|loaded| &loaded.inventory);
    for steps in groups(context) {
        let mut seen: BTreeMap<(String, String), (Span, &str)> = BTreeMap::new();
        for step in steps {
            let Some(fact) = context.kinds.facts(&step.kind.value).filter(|fact| fact.changes) else {
                continue;
            };
            let Some((_, kind)) = fact.resource else { continue };
            for name in resources::named(step, &fact, inventory) {
                let key = (kind.to_owned(), name.value.clone());
                match seen.get(&key) {
                    Some((first, other)) => problems.push(
                        Problem::error(
                            Code::ParallelResource,
                            format!(
                                "`{}` and `{other}` change `{}` at the same time",
                                step.id.value, name.value
                            ),
                        )
                        .at(name.span)
                        .related(*first, "also here"),
                    ),
                    None => {
                        seen.insert(key, (name.span, &step.id.value));
                    }
                }
            }
        }
    }
}
