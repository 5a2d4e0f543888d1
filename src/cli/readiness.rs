//! Whether each runbook beside the inventory could be executed now: what a dry run of it would say, in one word.

use super::certificate::{self, Here};
use super::setup::Setup;
use super::wire;
use crate::engine::preview::{self, Obstacles, obstacles};
use crate::engine::survey::ClusterNow;
use crate::error::{Problems, Sources};
use crate::plan::{Drill, Mode, Request, build};
use crate::runbook::{Loaded, Runbook, open_runbook};
use crate::store::certificate::{Judged, Wanted};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One runbook.
pub struct Readiness {
    /// Its file, relative to the inventory's folder.
    pub file: String,
    /// `eu-west → us-east`; empty when it is not decided.
    pub direction: String,
    /// `ready`, `not_ready`, `invalid` or `unknown`.
    pub word: &'static str,
    /// Why it is not ready, or what cannot be told yet.
    pub reasons: Vec<String>,
    /// What there is of its rehearsal; nothing for what is no runbook that can be executed.
    pub rehearsal: Option<Judged>,
}

/// Runbooks in the inventory's folder and in `runbooks/` below it.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = [folder.to_path_buf(), folder.join("runbooks")]
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()));
    let yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    // An inventory has neither.
    let has_steps = |path: &PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|text| {
            text.lines().any(|line| line.starts_with("sections:") || line.starts_with("steps:"))
        })
    };
    let found: BTreeSet<PathBuf> = entries.filter(|path| yaml(path) && has_steps(path)).collect();
    found.into_iter().collect()
}

/// The direction in which a planned run would go now: from the one region with primaries to the only other one.
pub fn direction(
    loaded: &Loaded,
    clusters: &BTreeMap<String, ClusterNow>,
) -> Result<(String, String), String> {
    let primaries: BTreeSet<&str> = clusters.values().flat_map(ClusterNow::primaries).collect();
    let unseen: BTreeSet<&str> = clusters.values().flat_map(ClusterNow::unseen).collect();
    let from = match primaries.iter().collect::<Vec<_>>().as_slice() {
        [only] if unseen.is_empty() => (**only).to_string(),
        [_] | [] if !unseen.is_empty() => {
            let unseen: Vec<_> = unseen.into_iter().collect();
            return Err(format!("not every member could be seen: {}", unseen.join(", ")));
        }
        [] => return Err("no primary was seen: give --from and --to".into()),
        _ => {
            let several: Vec<_> = clusters
                .iter()
                .filter(|(_, now)| !now.primaries().is_empty())
                .map(|(name, now)| format!("{name}: {}", now.primaries_in_words()))
                .collect();
            return Err(format!(
                "there are primaries in several regions ({}): make the old one a standby again, or ask with --from and --to",
                several.join("; ")
            ));
        }
    };
    let regions = &loaded.inventory.regions;
    let others: Vec<&String> = regions.keys().filter(|region| **region != from).collect();
    match others.as_slice() {
        [only] => Ok((from, (*only).clone())),
        _ => Err("there are several regions to move to: give --to".into()),
    }
}

/// Looks at every runbook as a dry run would.
pub async fn all(
    setup: &Setup,
    loaded: &Loaded,
    world: &World,
    clusters: &BTreeMap<String, ClusterNow>,
    sources: &mut Sources,
) -> Vec<Readiness> {
    let direction = direction(loaded, clusters);
    let here = Here::read(setup);
    let mut all = Vec::new();
    for path in files(&loaded.folder) {
        let file = path.strip_prefix(&loaded.folder).unwrap_or(&path).display().to_string();
        let mut problems = Problems::new();
        let read = open_runbook(&path, Some(loaded), &wire::KINDS, sources, &mut problems);
        let judged = match (&read, &direction) {
            (Some(runbook), Ok((from, to))) if !problems.has_errors() => {
                judge(loaded, world, runbook, from, to, &mut problems).await
            }
            (None, _) | (_, Ok(_)) => Err("invalid"),
            (Some(_), Err(why)) => Ok(("unknown", vec![why.clone()])),
        };
        let (mut word, mut reasons) = judged.unwrap_or_else(|word| (word, first_errors(&problems)));
        let mut rehearsal = None;
        if let Some(runbook) = read.as_ref().filter(|_| word != "invalid") {
            let rehearsed = rehearsed(&here, loaded, runbook, direction.as_ref().ok(), sources);
            if let (Some(judged), Ok((from, to))) = (&rehearsed, &direction)
                && judged.unmet()
            {
                let command = certificate::command(
                    setup,
                    &path,
                    ([from, to], Mode::Planned),
                    judged.demand,
                    &BTreeMap::new(),
                );
                reasons.push(certificate::obstacle(&command));
                word = if word == "ready" { "not_ready" } else { word };
            }
            rehearsal = rehearsed;
        }
        let direction =
            direction.as_ref().map_or_else(|_| String::new(), |(from, to)| format!("{from} → {to}"));
        all.push(Readiness { file, direction, word, reasons, rehearsal });
    }
    all
}

/// What there is of a runbook's rehearsal: in the direction in which it would go now, else in that of the newest one. Where a parameter has
/// no default, whatever values were rehearsed count: nobody was asked for others.
fn rehearsed(
    here: &Here,
    loaded: &Loaded,
    runbook: &Runbook,
    direction: Option<&(String, String)>,
    sources: &Sources,
) -> Option<Judged> {
    let newest = here.newest(&loaded.inventory, &runbook.name.value);
    let regions = || {
        let mut regions = loaded.inventory.regions.keys();
        Some((regions.next()?.clone(), regions.next()?.clone()))
    };
    let then = newest.map(|newest| (newest.from.clone(), newest.to.clone()));
    let (from, to) = direction.cloned().or(then).or_else(regions)?;
    let runbook_sha256 = wire::sha256([sources.text(runbook.name.span.file)]);
    let inventory_sha256 = wire::sha256(loaded.files.iter().map(|file| sources.text(*file)));
    if runbook.parameters.values().any(|parameter| parameter.default.is_none()) {
        let about = [&loaded.inventory.name, &runbook.name.value, &from, &to].map(String::as_str);
        let (runbook_sha256, inventory_sha256) = (runbook_sha256.as_str(), inventory_sha256.as_str());
        let wanted = Wanted { about, runbook_sha256, inventory_sha256, plan: None };
        return Some(here.judge(&loaded.inventory, wanted));
    }
    let request = Request {
        runbook,
        runbook_sha256,
        inventory: loaded,
        inventory_sha256,
        from: &from,
        to: &to,
        mode: Mode::Planned,
        drill: Drill::Real,
        parameters: &BTreeMap::new(),
    };
    // What is wrong with it was told by whoever judged it.
    let plan = build(&request, &mut Problems::new())?;
    Some(here.judge(&loaded.inventory, Wanted::of(&plan)))
}

async fn judge(
    loaded: &Loaded,
    world: &World,
    runbook: &Runbook,
    from: &str,
    to: &str,
    problems: &mut Problems,
) -> Result<(&'static str, Vec<String>), &'static str> {
    let missing: Vec<String> = runbook
        .parameters
        .iter()
        .filter(|(_, parameter)| parameter.default.is_none())
        .map(|(name, _)| {
            format!("parameter {name} has no default: ask with `mrctl drill --dry-run --set {name}=…`")
        })
        .collect();
    if !missing.is_empty() {
        return Ok(("unknown", missing));
    }
    let request = Request {
        runbook,
        runbook_sha256: String::new(),
        inventory: loaded,
        inventory_sha256: String::new(),
        from,
        to,
        mode: Mode::Planned,
        drill: Drill::Real,
        parameters: &BTreeMap::new(),
    };
    let plan = build(&request, problems).ok_or("invalid")?;
    let starts = preview::starts(&plan, world).await;
    let seen = preview::preview(&plan, world, &starts).await;
    let Obstacles { now, later } = obstacles(&plan, &seen);
    match now.is_empty() {
        true => {
            let later = later.iter().map(|one| format!("cannot be told before its turn comes: {one}"));
            Ok(("ready", later.collect()))
        }
        false => Ok(("not_ready", now)),
    }
}

/// The first errors, without their places: `mrctl check` tells all of them.
fn first_errors(problems: &Problems) -> Vec<String> {
    let errors = problems.iter().filter(|problem| problem.severity == crate::error::Severity::Error);
    errors.take(3).map(|problem| format!("{} {}", problem.code, problem.message)).collect()
}
