//! Plans a runbook in every direction that the inventory can serve, so that what is wrong in only one of them shows in `check`, and
//! not on the night.

use crate::error::{Problem, Problems};
use crate::language::tree::Value;
use crate::plan::{Drill, Mode, Request, build};
use crate::runbook::{Loaded, Runbook};
use std::collections::{BTreeMap, BTreeSet};

/// Adds what is wrong beyond what was found already; gives a line for each region that cannot take part.
pub(super) fn plan_each(runbook: &Runbook, loaded: &Loaded, problems: &mut Problems) -> Vec<String> {
    let parameters: BTreeMap<String, String> = runbook
        .parameters
        .iter()
        .filter(|(_, parameter)| parameter.is_required())
        .filter_map(|(name, parameter)| Some((name.clone(), parameter.choices.first()?.value.clone())))
        .collect();
    // A value that only the operator knows: nothing can be planned without it.
    if runbook.parameters.iter().any(|(name, p)| p.is_required() && !parameters.contains_key(name)) {
        return Vec::new();
    }
    let missing = missing(runbook, loaded);
    let serving = serving(runbook, loaded);
    let left_out = serving.iter().all(|region| !missing.contains_key(region.as_str()));
    let directions: Vec<(&String, &String)> = serving
        .iter()
        .flat_map(|from| serving.iter().filter(move |to| *to != from).map(move |to| (*from, *to)))
        .collect();
    let plan = |(from, to): &(&String, &String)| {
        let mut found = Problems::new();
        let request = Request {
            runbook,
            runbook_sha256: String::new(),
            inventory: loaded,
            inventory_sha256: String::new(),
            from,
            to,
            mode: Mode::Planned,
            drill: Drill::Real,
            parameters: &parameters,
        };
        build(&request, &mut found);
        found
    };
    let mut found = Problems::new();
    // Two at a time: there and back, each as long as the other.
    for pair in directions.chunks(2) {
        std::thread::scope(|scope| {
            let other = pair.get(1).map(|other| scope.spawn(|| plan(other)));
            found.append(plan(&pair[0]));
            match other.map(std::thread::ScopedJoinHandle::join) {
                Some(Ok(also)) => found.append(also),
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None => {}
            }
        });
    }
    // What a rule has said of a place is not said again by the kind that stumbles over it.
    let said: Vec<_> = problems.iter().filter_map(|problem| problem.span).collect();
    let new = |problem: &&Problem| match problem.span {
        Some(span) => !said.iter().any(|other| {
            other.file == span.file
                && other.start < span.end.max(span.start + 1)
                && span.start < other.end.max(other.start + 1)
        }),
        None => said.is_empty(),
    };
    found.iter().filter(new).cloned().for_each(|problem| problems.push(problem));
    if !left_out {
        return Vec::new();
    }
    let note = |(region, cluster): (&String, &String)| {
        format!("not checked: runs from or to {region}, because {cluster} has no member there")
    };
    missing.iter().map(note).collect()
}

/// Regions that a run of this runbook can leave or move to; all, where no direction is left: then the errors of all say why.
pub(super) fn serving<'a>(runbook: &Runbook, loaded: &'a Loaded) -> Vec<&'a String> {
    let missing = missing(runbook, loaded);
    let all = || loaded.inventory.regions.keys();
    let serving: Vec<&String> = all().filter(|region| !missing.contains_key(region.as_str())).collect();
    if serving.len() < 2 { all().collect() } else { serving }
}

/// Regions in which a cluster that the runbook moves has no member, each with the first such cluster.
fn missing(runbook: &Runbook, loaded: &Loaded) -> BTreeMap<String, String> {
    let inventory = &loaded.inventory;
    let mut clusters = BTreeSet::new();
    for step in runbook.steps().filter(|step| step.kind.value.starts_with("postgres.")) {
        let named = step.body.get("cluster").unwrap_or(&step.body);
        let names: Vec<&str> = match &named.value {
            Value::List(items) => items.iter().filter_map(|item| item.as_text()).collect(),
            Value::Scalar { text, .. } => vec![text],
            Value::Map(_) | Value::Refused => Vec::new(),
        };
        for name in names {
            match inventory.groups.get(name) {
                Some(group) => clusters.extend(group.iter().map(String::as_str)),
                None => {
                    clusters.insert(name);
                }
            }
        }
    }
    let mut missing = BTreeMap::new();
    for name in clusters {
        let Some(cluster) = inventory.postgres.get(name) else { continue };
        for region in inventory.regions.keys().filter(|region| !cluster.members.contains_key(*region)) {
            missing.entry(region.clone()).or_insert_with(|| name.to_string());
        }
    }
    missing
}
