//! One step: policy keys, and the one key that says what it does.

use super::KindNames;
use super::policy::{self, POLICY_KEYS, PolicyText};
use super::top::list;
use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems};
use crate::language::tree::{Key, Node, Value};
use crate::language::{Spanned, from_node};
use crate::runbook::fields::{Fields, NameForm, check_name, missing, text, there_are, unknown_key};
use crate::runbook::model::{Rollback, Step};

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// In the checklist.
    Checklist,
    /// Among steps that run together.
    Parallel,
    /// Among the steps that take another one back.
    Rollback,
}

/// Keys that are read here and not with the policy.
const OWN_KEYS: &[&str] = &["id", "title", "rollback"];

/// Reads a step. `None` means that it would not be that step without what is wrong (no id, no kind).
pub(super) fn step(
    node: &Node,
    kinds: &dyn KindNames,
    inside: Inside,
    problems: &mut Problems,
) -> Option<Step> {
    let fields = Fields::open(node, "a step", problems)?;
    if let (Some((key, _)), Inside::Parallel | Inside::Rollback) = (node.entry("parallel"), inside) {
        problems.push(
            Problem::error(Code::ParallelContent, "`parallel` cannot stand here")
                .at(key.span)
                .help("steps run together only as a line of the checklist, one level deep"),
        );
        return None;
    }
    let action = action(&fields, kinds, problems);
    let id: Option<Spanned<String>> = match fields.node("id") {
        Some(node) => text(node, problems),
        None => {
            problems.push(missing("id", "the step", fields.head()).help("add an `id:` such as `promote`"));
            None
        }
    };
    if let Some(id) = &id {
        check_name(&id.value, NameForm::Word, "the id of a step", id.span, problems);
    }
    let title = fields.read("title", problems);
    let mut policy = policy(node, &fields, problems);
    if let Some(node) = fields.node("rollback") {
        policy.rollback = rollback(node, kinds, inside, problems).unwrap_or_default();
    }
    let (key, body) = action?;
    Some(Step {
        id: id?,
        title,
        kind: Spanned { value: key.name.clone(), span: key.span },
        body: body.clone(),
        policy,
        span: fields.head(),
    })
}

/// The typed policy keys, read together.
fn policy(node: &Node, fields: &Fields<'_>, problems: &mut Problems) -> crate::runbook::model::Policy {
    let entries: Vec<(Key, Node)> = fields
        .entries()
        .iter()
        .filter(|(key, _)| POLICY_KEYS.contains(&key.name.as_str()) && !OWN_KEYS.contains(&key.name.as_str()))
        .cloned()
        .collect();
    if entries.is_empty() {
        return crate::runbook::model::Policy::default();
    }
    let part = Node { span: node.span, value: Value::Map(entries) };
    from_node::<PolicyText>(&part, problems).map(|text| policy::policy(text, problems)).unwrap_or_default()
}

/// The one key that is not a policy key.
fn action<'a>(
    fields: &Fields<'a>,
    kinds: &dyn KindNames,
    problems: &mut Problems,
) -> Option<(&'a Key, &'a Node)> {
    let names = kinds.names();
    let (known, unknown): (Vec<_>, Vec<_>) = fields
        .entries()
        .iter()
        .filter(|(key, _)| !POLICY_KEYS.contains(&key.name.as_str()))
        .partition(|(key, _)| names.contains(&key.name.as_str()));
    match known.as_slice() {
        [(key, body)] => {
            for (key, _) in unknown {
                let candidates = POLICY_KEYS.iter().copied();
                problems.push(unknown_key(key, candidates, "a step"));
            }
            Some((key, body))
        }
        [(first, _), others @ ..] => {
            let mut problem =
                Problem::error(Code::SeveralActions, "the step does several things").at(first.span);
            for (other, _) in others {
                problem = problem.related(other.span, format!("and `{}`", other.name));
            }
            problems.push(problem);
            None
        }
        [] => {
            none(fields, &unknown, &names, problems);
            None
        }
    }
}

/// No known kind: the unknown keys are kinds or policy keys with a slip.
fn none(fields: &Fields<'_>, unknown: &[&(Key, Node)], names: &[&str], problems: &mut Problems) {
    if unknown.is_empty() {
        problems.push(Problem::error(Code::NoAction, "the step does nothing").at(fields.head()));
    }
    for (key, _) in unknown {
        if !key.name.contains('.')
            && let Some(near) = closest(&key.name, POLICY_KEYS.iter().copied())
            && closest(&key.name, names.iter().copied()).is_none()
        {
            problems.push(
                Problem::error(Code::UnknownKey, format!("`{}` is not a key of a step", key.name))
                    .at(key.span)
                    .help(format!("did you mean `{near}`?")),
            );
            continue;
        }
        let problem = Problem::error(Code::UnknownKind, format!("there is no kind of step `{}`", key.name))
            .at(key.span);
        problems.push(match suggestion(&key.name, names) {
            Some(help) => problem.help(help),
            None => problem,
        });
    }
}

/// The nearest kind; else the kinds of the same system; else the system that has this verb.
fn suggestion(name: &str, names: &[&str]) -> Option<String> {
    if let Some(near) = closest(name, names.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let (system, verb) = name.split_once('.').unwrap_or((name, name));
    let alike: Vec<_> = names
        .iter()
        .filter(|known| known.split_once('.').is_some_and(|(s, v)| s == system || v == verb))
        .copied()
        .collect();
    there_are(&alike)
}

/// `auto`, `{ none: { because: … } }` or a list of steps; also `none` with `because` beside it is understood.
fn rollback(node: &Node, kinds: &dyn KindNames, inside: Inside, problems: &mut Problems) -> Option<Rollback> {
    if inside == Inside::Rollback {
        problems.push(
            Problem::error(Code::RollbackForm, "a step of a rollback has a rollback of its own")
                .at(node.head())
                .help("remove the inner `rollback`"),
        );
        return None;
    }
    match &node.value {
        Value::Refused => None,
        Value::Scalar { text, .. } => match text.as_str() {
            "auto" => Some(Rollback::Auto),
            "none" => {
                problems.push(
                    Problem::error(Code::RollbackForm, "the rollback is left out without a reason")
                        .at(node.span)
                        .help("write `rollback: { none: { because: why that is fine } }`"),
                );
                None
            }
            other => {
                let problem = Problem::error(Code::RollbackForm, format!("`{other}` is not a rollback"));
                problems.push(problem.at(node.span));
                None
            }
        },
        Value::List(_) => {
            let steps = list(node, "`rollback`", problems)?;
            Some(Rollback::Steps(
                steps.iter().filter_map(|node| step(node, kinds, Inside::Rollback, problems)).collect(),
            ))
        }
        Value::Map(_) => {
            let fields = Fields::open(node, "`rollback`", problems)?;
            fields.only(&["none"], "`rollback`", problems);
            let inner = Fields::open(fields.node("none")?, "`none`", problems)?;
            inner.only(&["because"], "`none`", problems);
            let because: Spanned<String> = inner.need("because", "`none`", problems)?;
            if because.value.trim().is_empty() {
                problems.push(
                    Problem::error(Code::RollbackForm, "the reason is empty")
                        .at(because.span)
                        .help("say why it is fine not to take this back"),
                );
            }
            Some(Rollback::None { because })
        }
    }
}
