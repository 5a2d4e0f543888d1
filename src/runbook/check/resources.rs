//! Which resources a step names.

use super::KindFact;
use crate::language::Spanned;
use crate::language::tree::{Node, Value};
use crate::runbook::inventory::Inventory;
use crate::runbook::model::Step;

/// The resources that a step names, groups resolved where the inventory has them. Names with `${…}` stay as they are.
pub fn named(step: &Step, fact: &KindFact, inventory: Option<&Inventory>) -> Vec<Spanned<String>> {
    let Some((field, kind)) = fact.resource else { return Vec::new() };
    let node = match &step.body.value {
        Value::Map(_) => step.body.get(field),
        Value::Scalar { .. } | Value::List(_) => Some(&step.body),
        Value::Refused => None,
    };
    let items: Vec<&Node> = match node.map(|node| (&node.value, node)) {
        Some((Value::List(items), _)) => items.iter().collect(),
        Some((Value::Scalar { .. }, node)) => vec![node],
        Some((Value::Map(_) | Value::Refused, _)) | None => Vec::new(),
    };
    let mut names = Vec::new();
    for item in items {
        let Some(text) = item.as_text() else { continue };
        match inventory.and_then(|inventory| resolve_group(inventory, kind, text)) {
            Some(members) => {
                names.extend(members.iter().map(|name| Spanned { value: name.clone(), span: item.span }))
            }
            None => names.push(Spanned { value: text.to_owned(), span: item.span }),
        }
    }
    names
}

/// The members of a group, if it is one of this type of resource.
pub fn resolve_group<'a>(inventory: &'a Inventory, kind: &str, name: &str) -> Option<&'a [String]> {
    let members = inventory.groups.get(name)?;
    members.iter().all(|member| inventory.has(kind, member)).then_some(members.as_slice())
}
