//! Ids are unique; what is referred to exists.

use super::{Context, Part, resources};
use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems, Span};
use crate::language::Spanned;
use crate::runbook::fields::meant;
use crate::runbook::model::{Rollback, Step};
use std::collections::BTreeMap;

pub(super) fn step_ids_are_unique(context: &Context<'_>, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for step in context.draft.runbook.steps() {
        unique(&step.id, "step", &mut seen, problems);
        if let Rollback::Steps(steps) = &step.policy.rollback {
            for step in steps {
                unique(&step.id, "step", &mut seen, problems);
            }
        }
    }
}

/// What people call a type of resource.
fn noun(kind: &str) -> &str {
    match kind {
        "postgres" => "PostgreSQL cluster",
        "dns_records" => "DNS record",
        "caches" => "cache",
        "endpoints" => "endpoint",
        other => other,
    }
}

/// The resources that a step names and the inventory does not have, with the type. Names with `${…}` are decided in the plan.
pub(super) fn missing(context: &Context<'_>, step: &Step) -> Vec<(Spanned<String>, &'static str)> {
    let Some(loaded) = context.inventory else { return Vec::new() };
    let inventory = &loaded.inventory;
    let Some(fact) = context.kinds.facts(&step.kind.value) else { return Vec::new() };
    let Some((_, kind)) = fact.resource else { return Vec::new() };
    let names = resources::named(step, &fact, Some(inventory)).into_iter();
    names
        .filter(|name| !name.value.contains("${") && !inventory.has(kind, &name.value))
        .map(|name| (name, kind))
        .collect()
}

pub(super) fn resources_exist(context: &Context<'_>, problems: &mut Problems) {
    let Some(loaded) = context.inventory else { return };
    for step in context.draft.runbook.steps() {
        for (name, kind) in missing(context, step) {
            let noun = noun(kind);
            let message = format!("there is no {noun} `{}` in the inventory", name.value);
            let problem = Problem::error(Code::UnknownReference, message).at(name.span);
            problems.push(match meant(&name.value, &loaded.inventory.names(kind)) {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    }
}

pub(super) fn watch_ids_are_unique(context: &Context<'_>, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for watch in &context.draft.runbook.watch {
        unique(&watch.id, "watch", &mut seen, problems);
    }
}

fn unique<'a>(
    id: &'a Spanned<String>,
    what: &str,
    seen: &mut BTreeMap<&'a str, Span>,
    problems: &mut Problems,
) {
    if let Some(first) = seen.insert(&id.value, id.span) {
        problems.push(
            Problem::error(Code::DuplicateId, format!("there are two of `{}`", id.value))
                .at(id.span)
                .label(format!("the same id as another {what}"))
                .related(first, "first here"),
        );
    }
}

pub(super) fn watches_name_steps_in_order(context: &Context<'_>, problems: &mut Problems) {
    let runbook = &context.draft.runbook;
    let ids: Vec<&str> = runbook.steps().map(|step| step.id.value.as_str()).collect();
    for watch in &runbook.watch {
        let mut position = |id: &Spanned<String>| {
            let found = ids.iter().position(|known| *known == id.value);
            if found.is_none() {
                let problem =
                    Problem::error(Code::UnknownStep, format!("there is no step `{}`", id.value)).at(id.span);
                problems.push(match closest(&id.value, ids.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("write `during: first..last` with ids of steps"),
                });
            }
            found
        };
        let first = position(&watch.during.first);
        let last = if watch.during.last == watch.during.first { first } else { position(&watch.during.last) };
        if let (Some(first), Some(last)) = (first, last)
            && first > last
        {
            problems.push(
                Problem::error(
                    Code::WatchRange,
                    format!("`{}` comes after `{}`", watch.during.first.value, watch.during.last.value),
                )
                .at(watch.during.first.span)
                .help(format!("write `{}..{}`", watch.during.last.value, watch.during.first.value)),
            );
        }
    }
}

pub(super) fn roles_are_declared(context: &Context<'_>, problems: &mut Problems) {
    let runbook = &context.draft.runbook;
    let sections = runbook.sections.iter().filter_map(|section| section.confirm.as_ref());
    let steps = runbook.steps().filter_map(|step| step.policy.confirm.as_ref());
    let confirmations = sections.chain(steps).filter_map(|confirm| confirm.role.clone());
    let bodies = runbook.steps().filter_map(|step| role_of_body(context, step));
    for role in confirmations.chain(bodies) {
        if role.value.contains("${") || runbook.roles.contains_key(&role.value) {
            continue;
        }
        let problem =
            Problem::error(Code::UnknownRole, format!("there is no role `{}`", role.value)).at(role.span);
        problems.push(match closest(&role.value, runbook.roles.keys().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("add `{}:` with what it is for under `roles`", role.value)),
        });
    }
}

/// The `role` that a step asks, if its kind asks people.
fn role_of_body(context: &Context<'_>, step: &Step) -> Option<Spanned<String>> {
    let asks = context.kinds.facts(&step.kind.value).is_some_and(|fact| fact.part == Part::Pause);
    let node = step.body.get("role").filter(|_| asks)?;
    Some(Spanned { value: node.as_text()?.to_owned(), span: node.span })
}
