//! Secrets that cannot be kept out of what a run writes are refused before the first change.

use super::setup::Setup;
use crate::error::{Code, Problem, Problems, Severity, Sources};
use crate::plan::Plan;
use crate::redact::{Redactor, SHORTEST_KEPT};
use crate::runbook::inventory::Inventory;
use crate::step::KINDS;

/// Words of records and of servers that a resume compares. A secret that is one of them, or a part, could not be scrubbed without
/// rewriting the journal; words shorter than the shortest secret need not stand here.
const WORDS: &[&str] = &[
    "roll_back rolled_back rollback_failed completed journal_failed not_ready not_reached reached unknown abandoned answered",
    "surveyed surprised signalled retrying lock_lost breached required acknowledged foreign_change divergence terminal approve absent",
    "continue undoable forward_only loss_accepted streaming catchup startup replication in production shut down in recovery",
    "rehearsed in archive recovery shutting down starting up default configuration file command line database session override",
    "paused: adopt: undo/ step/ role: SIGINT SIGTERM SIGHUP snake_case evidence substance handover attempt operator",
    "try_number allowed_ms question standing purpose redacted [redacted] transaction_read_only pgbouncer PowerDNS mrctl:v1",
    "password authentication failed connection refused secret postgres powerdns webhook prometheus",
];

/// A secret that was just resolved, judged by itself and against the names of the inventory. `shown`: where it comes from.
pub fn judge(
    redactor: &Redactor,
    long: bool,
    reference: &str,
    shown: &str,
    inventory: &Inventory,
) -> Option<Problem> {
    let name = format!("{reference} ({shown})");
    if !long {
        return Some(Problem::error(
            Code::ShortSecret,
            format!("the secret {name} has fewer than {SHORTEST_KEPT} bytes"),
        ));
    }
    redactor
        .found_in(&names(inventory))
        .contains(&name)
        .then(|| Problem::error(Code::SecretIsName, format!("the secret {name} is a word that runs write")))
}

/// What no secret may be a part of, whatever the plan: a line each.
fn names(inventory: &Inventory) -> String {
    let kinds = KINDS.iter().map(|kind| kind.name.to_string());
    kinds
        .chain(WORDS.iter().map(ToString::to_string))
        .chain([inventory.name.clone()])
        .chain(inventory.regions.keys().cloned())
        .chain(inventory.postgres.keys().cloned())
        .chain(inventory.dns_servers.keys().cloned())
        .chain(inventory.dns_records.keys().cloned())
        .chain(inventory.endpoints.keys().cloned())
        .chain(inventory.caches.keys().cloned())
        .chain(inventory.channels.keys().cloned())
        .chain(inventory.signals.keys().cloned())
        .chain(inventory.metrics_servers.keys().cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Learns what commands are handed from the operator's environment: mostly tokens. What the plan or the inventory's words say themselves (a
/// region, a profile) is none, and is left readable.
pub fn learn_passed(redactor: &Redactor, plan: &Plan, variable: &dyn Fn(&str) -> Option<String>) {
    let (text, words) = (serde_json::to_string(plan).unwrap_or_default(), WORDS.join("\n"));
    let mut names = std::collections::BTreeSet::new();
    passed(&serde_json::to_value(plan).unwrap_or_default(), &mut names);
    for value in names.iter().filter_map(|name| variable(name)) {
        if value.len() >= SHORTEST_KEPT && !text.contains(&value) && !words.contains(&value) {
            redactor.add(&value.into());
        }
    }
}

/// The names in `pass` of every command in a plan.
fn passed(value: &serde_json::Value, names: &mut std::collections::BTreeSet<String>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            if let (Some(_), Some(Value::Array(pass))) = (map.get("argv"), map.get("pass")) {
                names.extend(pass.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            map.values().for_each(|item| passed(item, names));
        }
        Value::Array(items) => items.iter().for_each(|item| passed(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether no known secret occurs in the plan, which stands on disk as it was approved; prints what is wrong, as bad as said.
pub fn none_in(setup: &Setup, plan: &Plan, severity: Severity) -> bool {
    learn_passed(&setup.redactor, plan, &super::wire::variable);
    let text = serde_json::to_string(plan).unwrap_or_default();
    let mut problems = Problems::new();
    for reference in setup.redactor.found_in(&text) {
        let why = format!("the secret {reference} is, or is part of, something that the plan says");
        problems.push(Problem { severity, ..Problem::error(Code::SecretIsName, why) });
    }
    setup.problems(&problems, &Sources::new());
    problems.is_empty()
}
