//! `mrctl rehearse`: every way that a runbook can go wrong, in the simulated world. Connects to nothing, unless asked to start from
//! what is true now (`rehearse_live`).

use super::certificate::quoted;
use super::mend::{mend, request};
use super::prepare::ModeArg;
use super::rehearsal_reports::{Collected, Wanted, wanted};
use super::replay::{self, Asked};
use super::setup::{Files, Format, Setup};
use super::{certificate, directions};
use crate::error::Problems;
use crate::exit_code::ExitCode;
use crate::output::rehearsal::{Detail, render};
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::rehearse::remedy::unplanned;
use crate::rehearse::report::{How, Report, rehearse_in};
use crate::rehearse::source::Source;
use crate::store::certificate::Start;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// Whether the source answers: an unplanned run is rehearsed with one that is dead, that hangs, and that only some can reach.
    #[arg(long, value_enum, default_value = "planned")]
    pub(super) mode: ModeArg,
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
    pub(super) replay: Option<String>,
    /// Start from what is true now: look at the real systems once, read-only, and rehearse pressing the button at this moment.
    #[arg(long)]
    pub(super) from_live: bool,
    /// Also write what was found for other programs: sarif=FILE or junit=FILE.
    #[arg(long = "report", value_name = "FORM=FILE", value_parser = wanted)]
    pub(super) reports: Vec<Wanted>,
    /// Cause the counterexample for real, on a lab of its own with real servers. Never touches what the inventory names.
    #[arg(long, requires = "replay", conflicts_with = "from_live")]
    real: bool,
    /// A step whose effect the model cannot know, and with which that is accepted.
    #[arg(long = "accept-not-covered", value_name = "STEP")]
    pub(super) accept: Vec<String>,
    /// Keep no certificate of a rehearsal that finds nothing.
    #[arg(long)]
    no_certificate: bool,
}

/// `mrctl rehearse`.
pub fn rehearse(setup: &Setup, args: &RehearseArgs) -> ExitCode {
    let mut worst = ExitCode::Completed;
    let mut collected = Collected::default();
    for file in &args.files {
        worst = worse(worst, one(setup, args, file, &mut collected));
    }
    collected.write(setup, &args.reports, &args.accept).unwrap_or(worst)
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

fn one(setup: &Setup, args: &RehearseArgs, file: &Path, collected: &mut Collected) -> ExitCode {
    let (files, plans) = match load(setup, args, file, collected) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if args.real && Mode::from(args.mode) == Mode::Unplanned {
        let help = "replay it without --real, or try the unplanned failover itself: `mrctl lab --help`";
        return setup.usage("an unplanned run is not caused on a lab", help);
    }
    let (inventory, faults) = (&files.inventory.inventory, args.faults());
    // Each direction with everything that its source may be like.
    let plans =
        plans.into_iter().flat_map(|plan| Source::of(plan.mode).iter().map(move |one| (plan.clone(), *one)));
    let (plans, sources): (Vec<Plan>, Vec<Source>) = plans.unzip();
    let parameters = args.parameters();
    let unplanned = |plan: &Plan| unplanned(&request(&files, &parameters, plan));
    let rehearsed = |(plan, source): (&Plan, &Source)| {
        let how = How::with(plan, inventory, *source, faults, workers());
        rehearse_in(plan, &how.or(unplanned(plan)))
    };
    let mut reports: Vec<Report> = plans.iter().zip(&sources).map(rehearsed).collect();
    let start = |plan: &Plan| certificate::from_inventory(plan, inventory);
    let made: Vec<_> = plans.iter().map(|plan| (plan, start(plan))).collect();
    certify(setup, args, &made, &mut reports);
    if let Some(asked) = args.asked(file) {
        let how = |(plan, source)| How::with(plan, inventory, source, faults, 1).or(unplanned(plan));
        let hows: Vec<_> = plans.iter().zip(sources).map(how).collect();
        return replay::replay(setup, &asked, &plans, &reports, &hows);
    }
    for ((plan, source), report) in plans.iter().zip(sources).zip(&mut reports) {
        let again = |plan: &Plan, unplanned, widths| {
            let how = How::with(plan, inventory, source, 0, workers()).or(unplanned);
            rehearse_in(plan, &How { widths, ..how })
        };
        mend(&files, &parameters, plan, report, &again);
    }
    collected.add(file, &reports);
    tell(setup, args, file, &reports)
}

/// A runbook as it was read, and its plan for each direction that was asked for. What cannot be rehearsed is collected as that.
pub(super) fn load(
    setup: &Setup,
    args: &RehearseArgs,
    file: &Path,
    collected: &mut Collected,
) -> Result<(Files, Vec<Plan>), ExitCode> {
    let loaded = setup.load(file).ok_or(ExitCode::Invalid);
    let loaded = loaded.and_then(|files| plans(setup, args, &files).map(|plans| (files, plans)));
    if loaded.is_err() {
        collected.invalid(file);
    }
    loaded
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
    /// The counterexample that is to be replayed, if one is.
    pub(super) fn asked<'a>(&'a self, runbook: &'a Path) -> Option<Asked<'a>> {
        let id = self.replay.as_deref()?;
        Some(Asked { id, real: self.real, runbook, parameters: self.parameters(), faults: self.faults() })
    }

    /// Parameters as they were given.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        let pairs = self.set.iter().filter_map(|text| text.split_once('='));
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    /// Faults in one schedule up to which everything is tried.
    pub(super) fn faults(&self) -> u32 {
        if self.deep { 3 } else { self.faults }
    }
}

/// A plan for each direction that was asked for.
fn plans(setup: &Setup, args: &RehearseArgs, files: &Files) -> Result<Vec<Plan>, ExitCode> {
    if let Some(text) = args.set.iter().find(|text| !text.contains('=')) {
        return Err(setup.usage(format!("`--set {text}` has no `=`"), "write --set NAME=VALUE"));
    }
    let parameters = args.parameters();
    let inventory = &files.inventory.inventory;
    for given in [&args.from, &args.to].into_iter().flatten() {
        if !inventory.regions.contains_key(given) {
            return Err(setup.no_region(given, inventory));
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
            mode: args.mode.into(),
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
pub(super) fn tell(setup: &Setup, args: &RehearseArgs, file: &Path, reports: &[Report]) -> ExitCode {
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
                for line in
                    render(report, &again(setup, args, file, report), &detail, style, setup.output.width)
                {
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

/// The command that rehearses one direction as this invocation did, ready for a shell.
fn again(setup: &Setup, args: &RehearseArgs, file: &Path, report: &Report) -> String {
    let mut words = vec!["mrctl".to_owned(), "rehearse".to_owned(), file.display().to_string()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    if let Some(inventory) = &setup.inventory {
        option("--inventory", &inventory.display().to_string());
    }
    option("--from", &report.from);
    option("--to", &report.to);
    if report.mode == Mode::Unplanned {
        option("--mode", &report.mode.to_string());
    }
    for set in &args.set {
        option("--set", set);
    }
    match (args.deep, args.faults) {
        (true, _) => words.push("--deep".to_owned()),
        (false, 2) => {}
        (false, faults) => option("--faults", &faults.to_string()),
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}
