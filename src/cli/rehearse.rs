//! `mrctl rehearse`: every way that a runbook can go wrong, in the simulated world. Connects to nothing, unless asked to start from
//! what is true now (`rehearse_live`).

use super::setup::{Files, Format, Setup};
use super::{certificate, directions};
use crate::error::Problems;
use crate::exit_code::ExitCode;
use crate::output::rehearsal::{Detail, render};
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::rehearse::report::{Report, rehearse as search};
use crate::store::certificate::Start;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Tries every way in which a runbook can go wrong, in a simulated world: no system is touched.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// Runbooks.
    #[arg(required = true, value_name = "RUNBOOK")]
    pub(super) files: Vec<PathBuf>,
    /// Region to leave; every direction that the inventory can serve if not given.
    #[arg(long, value_name = "REGION")]
    pub(super) from: Option<String>,
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
    /// Show one counterexample with everything that happens in it.
    #[arg(long, value_name = "ID")]
    replay: Option<String>,
    /// Start from what is true now: look at the real systems once, read-only, and rehearse pressing the button at this moment.
    #[arg(long)]
    pub(super) from_live: bool,
    /// A step whose effect the model cannot know, and with which that is accepted.
    #[arg(long = "accept-not-covered", value_name = "STEP")]
    accept: Vec<String>,
    /// Keep no certificate of a rehearsal that finds nothing.
    #[arg(long)]
    no_certificate: bool,
}

/// `mrctl rehearse`.
pub fn rehearse(setup: &Setup, args: &RehearseArgs) -> ExitCode {
    let mut worst = ExitCode::Completed;
    for file in &args.files {
        worst = worse(worst, one(setup, args, file));
    }
    worst
}

/// What two rehearsals together end with.
pub(super) fn worse(worst: ExitCode, code: ExitCode) -> ExitCode {
    match code {
        ExitCode::Completed => worst,
        ExitCode::Invalid | ExitCode::Failed => code,
        code => {
            if worst == ExitCode::Completed {
                code
            } else {
                worst
            }
        }
    }
}

fn one(setup: &Setup, args: &RehearseArgs, file: &std::path::Path) -> ExitCode {
    let Some(files) = setup.load(file) else { return ExitCode::Invalid };
    let plans = match plans(setup, args, &files) {
        Ok(plans) => plans,
        Err(code) => return code,
    };
    let (inventory, faults) = (&files.inventory.inventory, args.faults());
    let mut reports: Vec<Report> =
        plans.iter().map(|plan| search(plan, inventory, faults, workers())).collect();
    let start = |plan: &Plan| certificate::from_inventory(plan, inventory);
    let made: Vec<_> = plans.iter().map(|plan| (plan, start(plan))).collect();
    certify(setup, args, &made, &mut reports);
    tell(setup, args, &reports)
}

/// Threads that share a search.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Keeps certificates of what found nothing. Where one of the counterexamples is asked for, that is no rehearsal to be certified.
pub(super) fn certify(setup: &Setup, args: &RehearseArgs, made: &[(&Plan, Start)], reports: &mut [Report]) {
    if !args.no_certificate && args.replay.is_none() && ending(args, reports) == ExitCode::Completed {
        certificate::keep(setup, made, reports);
    }
}

impl RehearseArgs {
    /// Faults in one schedule up to which everything is tried.
    pub(super) fn faults(&self) -> u32 {
        if self.deep { 3 } else { self.faults }
    }
}

/// A plan for each direction that was asked for.
pub(super) fn plans(setup: &Setup, args: &RehearseArgs, files: &Files) -> Result<Vec<Plan>, ExitCode> {
    let mut parameters = BTreeMap::new();
    for text in &args.set {
        match text.split_once('=') {
            Some((name, value)) => drop(parameters.insert(name.to_string(), value.to_string())),
            None => return Err(setup.usage(format!("`--set {text}` has no `=`"), "write --set NAME=VALUE")),
        }
    }
    let inventory = &files.inventory.inventory;
    for given in [&args.from, &args.to].into_iter().flatten() {
        if !inventory.regions.contains_key(given) {
            let known: Vec<&str> = inventory.regions.keys().map(String::as_str).collect();
            return Err(setup.usage(
                format!("there is no region `{given}`"),
                format!("the inventory has {}", known.join(", ")),
            ));
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
        return Err(setup.usage(
            "there is no direction to rehearse",
            "give --from and --to that the resources of the runbook serve",
        ));
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
            parameters: &parameters,
        };
        let plan = build(&request, &mut problems);
        setup.problems(&problems, &files.sources);
        match plan {
            Some(plan) => plans.push(plan),
            None => return Err(ExitCode::Invalid),
        }
    }
    Ok(plans)
}

/// Shows them; the code that they end with.
pub(super) fn tell(setup: &Setup, args: &RehearseArgs, reports: &[Report]) -> ExitCode {
    let detail = match &args.replay {
        Some(id) if !reports.iter().any(|report| report.counterexamples.iter().any(|one| one.id == *id)) => {
            return setup
                .usage(format!("no counterexample `{id}` was found"), "see the list without --replay");
        }
        Some(id) => Detail::One(id.clone()),
        None if args.all => Detail::All,
        None => Detail::Short,
    };
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
    let ending = ending(args, reports);
    if ending == ExitCode::NotReady {
        setup.say("mrctl: not everything is covered: mend the steps that are named, or accept each with --accept-not-covered STEP");
    }
    ending
}

/// How a rehearsal ends; only a completed one is certified.
fn ending(args: &RehearseArgs, reports: &[Report]) -> ExitCode {
    let accepted: BTreeSet<&str> = args.accept.iter().map(String::as_str).collect();
    let open = |report: &Report| report.open_steps().into_iter().any(|step| !accepted.contains(step));
    if reports.iter().any(|report| !report.clean()) {
        ExitCode::Failed
    } else if reports.iter().any(open) {
        ExitCode::NotReady
    } else {
        ExitCode::Completed
    }
}
