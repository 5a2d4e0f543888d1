//! `mrctl rehearse --from-live`: one read-only look at the real systems, and a rehearsal of pressing the button now.

use super::mend::{mend, request};
use super::rehearsal_reports::Collected;
use super::rehearse::{RehearseArgs, load, tell, workers, worse};
use super::setup::{Files, Setup};
use super::wire;
use crate::engine::survey::{self, ClusterNow};
use crate::error::{Problems, Severity};
use crate::exit_code::ExitCode;
use crate::plan::Plan;
use crate::redact::Redactor;
use crate::rehearse::live::{Snapshot, look};
use crate::rehearse::remedy::unplanned;
use crate::rehearse::report::{How, Report, rehearse_in, rehearse_live};
use crate::rehearse::source::Source;
use crate::world::{Known, World};
use std::collections::BTreeMap;
use std::path::Path;

/// `mrctl rehearse --from-live`.
pub async fn rehearse(setup: &Setup, args: &RehearseArgs) -> ExitCode {
    let mut worst = ExitCode::Completed;
    let mut collected = Collected::default();
    for file in &args.files {
        worst = worse(worst, one(setup, args, file, &mut collected).await);
    }
    collected.write(setup, &args.reports, &args.accept).unwrap_or(worst)
}

async fn one(setup: &Setup, args: &RehearseArgs, file: &Path, collected: &mut Collected) -> ExitCode {
    let (files, plans) = match load(setup, args, file, collected) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let mut problems = Problems::new();
    let world = wire::world(
        &files.inventory,
        &setup.redactor,
        Severity::Warning,
        setup.state.as_deref(),
        &mut problems,
    )
    .await;
    setup.problems(&problems, &files.sources);
    let Some(world) = world else {
        collected.invalid(file);
        return ExitCode::Invalid;
    };
    let staged = match seen(setup, args, &files, &world, plans).await {
        Ok(staged) => staged,
        Err(code) => {
            collected.invalid(file);
            return code;
        }
    };
    let (inventory, faults) = (&files.inventory.inventory, args.faults());
    // "If the source died now": each with everything that it may then be like.
    let sources = |(plan, _): &(Plan, Snapshot)| Source::of(plan.mode).to_vec();
    let each: Vec<(&Plan, &Snapshot, Source)> = staged
        .iter()
        .flat_map(|one| sources(one).into_iter().map(move |source| (&one.0, &one.1, source)))
        .collect();
    let parameters = args.parameters();
    let unplanned = |plan: &Plan| unplanned(&request(&files, &parameters, plan));
    let mut reports: Vec<Report> = Vec::new();
    for &(plan, snapshot, source) in &each {
        let how = How::live(plan, inventory, snapshot, source, faults, workers()).or(unplanned(plan));
        reports.push(rehearse_live(plan, inventory, snapshot, &how));
    }
    if let Some(asked) = args.asked(file) {
        let plans: Vec<Plan> = each.iter().map(|(plan, ..)| (*plan).clone()).collect();
        let mut hows: Vec<How<'_>> = Vec::new();
        for &(plan, snapshot, source) in &each {
            hows.push(How::live(plan, inventory, snapshot, source, faults, 1).or(unplanned(plan)));
        }
        return super::replay::replay(setup, &asked, &plans, &reports, &hows);
    }
    for (&(plan, snapshot, source), report) in each.iter().zip(&mut reports) {
        let again = |plan: &Plan, unplanned, widths| {
            let how = How::live(plan, inventory, snapshot, source, 0, workers()).or(unplanned);
            rehearse_in(plan, &How { widths, ..how })
        };
        mend(&files, &parameters, plan, report, &again);
    }
    collected.add(file, &reports);
    let found = |report: &Report| !report.counterexamples.is_empty() || report.counts.cut;
    match tell(setup, args, file, &reports) {
        // The runbook is not wrong: the button would not work now.
        ExitCode::Failed if !reports.iter().any(found) => ExitCode::NotReady,
        code => code,
    }
}

/// What was seen for each direction that can be rehearsed from it.
async fn seen(
    setup: &Setup,
    args: &RehearseArgs,
    files: &Files,
    world: &World,
    plans: Vec<Plan>,
) -> Result<Vec<(Plan, Snapshot)>, ExitCode> {
    let inventory = &files.inventory.inventory;
    let now = Now::of(world, plans.first()).await;
    if let Some(why) = now.split() {
        setup.say(&format!("mrctl: not rehearsed: {why}"));
        setup.say(
            "  no run may begin like this: find out which of them has the data, and stop the other by hand",
        );
        return Err(ExitCode::NotReady);
    }
    let mut staged = Vec::new();
    let mut skipped = Vec::new();
    for plan in plans {
        match now.not_the_source(&plan.from) {
            // Whoever names the source knows better.
            Some(why) if args.from.is_none() => {
                skipped.push(format!("skipped {} → {}: {why}", plan.from, plan.to));
            }
            Some(_) | None => {
                // What its commands are handed has to be known before they are run.
                if !super::secrets::none_in(setup, &plan, Severity::Error) {
                    return Err(ExitCode::Invalid);
                }
                let snapshot = look(world, &plan, inventory).await;
                let Some(snapshot) = clean(snapshot, &setup.redactor) else {
                    return Err(setup.fail("what was seen cannot be told without a secret"));
                };
                staged.push((plan, snapshot));
            }
        }
    }
    skipped.iter().for_each(|line| setup.say(&format!("mrctl: {line}")));
    if staged.is_empty() {
        setup.say("mrctl: not rehearsed: the source region is not decided; if you know better, give --from");
        return Err(ExitCode::NotReady);
    }
    for (plan, snapshot) in staged.iter().filter(|(_, snapshot)| snapshot.silent()) {
        setup.say(&format!(
            "mrctl: not rehearsed {} → {}: nothing that the runbook touches could be reached from here",
            plan.from, plan.to
        ));
        for (what, why) in snapshot.reasons() {
            setup.say(&format!("  {what}: {why}"));
        }
    }
    if staged.iter().any(|(_, snapshot)| snapshot.silent()) {
        setup.say("  start where failovers start from, or rehearse without --from-live");
        return Err(ExitCode::NotReady);
    }
    Ok(staged)
}

/// What servers say goes into stories and documents: secrets are taken out before it gets anywhere.
fn clean(snapshot: Snapshot, redactor: &Redactor) -> Option<Snapshot> {
    let mut value = serde_json::to_value(snapshot).ok()?;
    redactor.scrub_json(&mut value);
    serde_json::from_value(value).ok()
}

/// What decides the direction.
struct Now {
    clusters: BTreeMap<String, ClusterNow>,
    /// Regions that get users by records that were understood, each record by itself; only where there is no cluster.
    users: BTreeMap<String, Vec<String>>,
}

impl Now {
    /// All directions have the same clusters and records.
    async fn of(world: &World, plan: Option<&Plan>) -> Self {
        let (mut clusters, mut users) = (BTreeMap::new(), BTreeMap::new());
        let Some(plan) = plan else { return Self { clusters, users } };
        for (name, regions) in &plan.clusters {
            clusters.insert(name.clone(), survey::cluster(world, name, regions, "").await);
        }
        let records = plan.records.iter().filter(|_| plan.clusters.is_empty());
        for (name, servers) in records {
            let shares = survey::record(world, name, servers).await;
            if shares.values().all(|shares| shares.get().is_some()) {
                let some = shares.values().filter_map(Known::get).flatten().filter(|(_, share)| **share > 0);
                users.insert(name.clone(), some.map(|(region, _)| region.clone()).collect());
            }
        }
        Self { clusters, users }
    }

    /// A cluster that is written in two regions.
    fn split(&self) -> Option<String> {
        let mut split = self.clusters.iter().filter(|(_, now)| now.writable().len() > 1);
        split.next().map(|(name, now)| {
            format!("SPLIT BRAIN: {name} can be written in {}", now.writable().join(" and in "))
        })
    }

    /// Why a region is not what a planned run would leave.
    fn not_the_source(&self, from: &str) -> Option<String> {
        self.clusters.iter().find_map(|(name, now)| not_primary(name, now, from)).or_else(|| {
            let none = |regions: &Vec<String>| !regions.iter().any(|region| region == from);
            let record = self.users.iter().find(|(_, regions)| none(regions));
            record.map(|(record, _)| format!("{record} sends no user to {from}"))
        })
    }
}

fn not_primary(name: &str, now: &ClusterNow, from: &str) -> Option<String> {
    match now.primaries().as_slice() {
        [only] if *only == from => None,
        [only] => Some(format!("the primary of {name} is in {only}")),
        [] => {
            let unseen = now.members.iter().filter_map(|(region, facts)| Some((region, facts.why()?)));
            let unseen: Vec<String> = unseen.map(|(region, why)| format!("{region}: {why}")).collect();
            let unseen = if unseen.is_empty() { String::new() } else { format!(" ({})", unseen.join("; ")) };
            Some(format!("no primary of {name} was seen{unseen}"))
        }
        _ => Some(format!("{name} has several primaries: {}", now.primaries_in_words())),
    }
}
