//! `mrctl rehearse`: every way that a runbook can go wrong, in the simulated world. Connects to nothing.

use super::directions;
use super::replay::{self, Asked};
use super::setup::{Format, Setup};
use crate::error::Problems;
use crate::exit_code::ExitCode;
use crate::output::rehearsal::{Detail, render};
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::rehearse::report::{Report, rehearse as search};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Tries every way in which a runbook can go wrong, in a simulated world: no system is touched.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// Runbooks.
    #[arg(required = true, value_name = "RUNBOOK")]
    files: Vec<PathBuf>,
    /// Region to leave; every direction that the inventory can serve if not given.
    #[arg(long, value_name = "REGION")]
    from: Option<String>,
    /// Region to move to.
    #[arg(long, value_name = "REGION")]
    to: Option<String>,
    /// A parameter of the runbook.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Faults in one schedule up to which everything is tried.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=4), conflicts_with = "deep")]
    faults: u32,
    /// Up to three faults: takes longer.
    #[arg(long)]
    deep: bool,
    /// Show all counterexamples.
    #[arg(long, conflicts_with = "replay")]
    all: bool,
    /// Show one counterexample with everything that happens in it, and what is true after each happening; step by step at a terminal.
    #[arg(long, value_name = "ID")]
    replay: Option<String>,
    /// Cause the counterexample for real, on a lab of its own with real servers. Never touches what the inventory names.
    #[arg(long, requires = "replay")]
    real: bool,
    /// A step whose effect the model cannot know, and with which that is accepted.
    #[arg(long = "accept-not-covered", value_name = "STEP")]
    accept: Vec<String>,
}

/// `mrctl rehearse`.
pub fn rehearse(setup: &Setup, args: &RehearseArgs) -> ExitCode {
    let mut parameters = BTreeMap::new();
    for text in &args.set {
        match text.split_once('=') {
            Some((name, value)) => drop(parameters.insert(name.to_string(), value.to_string())),
            None => return setup.usage(format!("`--set {text}` has no `=`"), "write --set NAME=VALUE"),
        }
    }
    let mut worst = ExitCode::Completed;
    for file in &args.files {
        match one(setup, args, file, &parameters) {
            ExitCode::Completed => {}
            code @ (ExitCode::Invalid | ExitCode::Failed) => worst = code,
            code => worst = if worst == ExitCode::Completed { code } else { worst },
        }
    }
    worst
}

fn one(
    setup: &Setup,
    args: &RehearseArgs,
    file: &std::path::Path,
    parameters: &BTreeMap<String, String>,
) -> ExitCode {
    let Some(files) = setup.load(file) else { return ExitCode::Invalid };
    let inventory = &files.inventory.inventory;
    for given in [&args.from, &args.to].into_iter().flatten() {
        if !inventory.regions.contains_key(given) {
            let known: Vec<&str> = inventory.regions.keys().map(String::as_str).collect();
            return setup.usage(
                format!("there is no region `{given}`"),
                format!("the inventory has {}", known.join(", ")),
            );
        }
    }
    let serving = directions::serving(&files.runbook, &files.inventory);
    let fits = |given: &Option<String>, region: &String| given.as_ref().is_none_or(|given| given == region);
    let pairs: Vec<(&String, &String)> = serving
        .iter()
        .flat_map(|from| serving.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to && fits(&args.from, from) && fits(&args.to, to))
        .collect();
    if pairs.is_empty() {
        return setup.usage(
            "there is no direction to rehearse",
            "give --from and --to that the resources of the runbook serve",
        );
    }
    let mut plans: Vec<Plan> = Vec::new();
    for (from, to) in pairs {
        let mut problems = Problems::new();
        let request = Request {
            runbook: &files.runbook,
            runbook_sha256: files.runbook_sha256.clone(),
            inventory: &files.inventory,
            inventory_sha256: files.inventory_sha256.clone(),
            from,
            to,
            mode: Mode::Planned,
            drill: Drill::Real,
            parameters,
        };
        let plan = build(&request, &mut problems);
        setup.problems(&problems, &files.sources);
        match plan {
            Some(plan) => plans.push(plan),
            None => return ExitCode::Invalid,
        }
    }
    let faults = if args.deep { 3 } else { args.faults };
    let mut reports: Vec<Report> = Vec::new();
    // Two at a time: there and back, each as long as the other.
    for pair in plans.chunks(2) {
        let both = std::thread::scope(|scope| {
            let other = pair.get(1).map(|plan| scope.spawn(|| search(plan, inventory, faults)));
            let mut both = vec![search(&pair[0], inventory, faults)];
            match other.map(std::thread::ScopedJoinHandle::join) {
                Some(Ok(also)) => both.push(also),
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None => {}
            }
            both
        });
        reports.extend(both);
    }
    match &args.replay {
        Some(id) => {
            let asked = Asked { id, real: args.real, runbook: file, parameters, faults };
            replay::replay(setup, &asked, &plans, &reports, inventory)
        }
        None => tell(setup, args, &reports),
    }
}

fn tell(setup: &Setup, args: &RehearseArgs, reports: &[Report]) -> ExitCode {
    let detail = if args.all { Detail::All } else { Detail::Short };
    for report in reports {
        match setup.format {
            Format::Json => {
                let mut document = serde_json::json!({ "schema": 1, "event": "rehearsal", "report": report });
                setup.redactor.scrub_json(&mut document);
                setup.data(&document.to_string());
            }
            Format::Text => {
                let style = setup.output.data_style();
                for line in render(report, &detail, style, setup.output.width) {
                    setup.data(setup.redactor.scrub(&line.paint(style)).as_ref());
                }
            }
        }
    }
    let accepted: BTreeSet<&str> = args.accept.iter().map(String::as_str).collect();
    let open = |report: &Report| report.not_covered.iter().any(|one| !accepted.contains(one.step.as_str()));
    if reports.iter().any(|report| !report.clean()) {
        ExitCode::Failed
    } else if reports.iter().any(open) {
        setup.say("mrctl: not everything is covered: mend the steps that are named, or accept each with --accept-not-covered STEP");
        ExitCode::NotReady
    } else {
        ExitCode::Completed
    }
}
