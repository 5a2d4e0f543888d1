//! A plan from what was given, with one look at everything: what `failover`, `drill` and the demonstration begin with.

use super::hold::{self, Hold};
use super::setup::{Files, Setup};
use super::{certificate, secrets, wire};
use crate::engine::preview::{self, Preview};
use crate::engine::survey;
use crate::error::{Problems, Severity};
use crate::exit_code::ExitCode;
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::store::certificate::{Judged, Wanted};
use crate::world::{Known, World};
use clap::{Args, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Whether the source is expected to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// The source answers; nothing is lost.
    Planned,
    /// The source is gone.
    Unplanned,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Planned => Self::Planned,
            ModeArg::Unplanned => Self::Unplanned,
        }
    }
}

/// What a run is made from.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The runbook.
    #[arg(long, value_name = "FILE")]
    pub runbook: PathBuf,
    /// Region to leave; found out if exactly one primary is seen.
    #[arg(long, value_name = "REGION")]
    pub from: Option<String>,
    /// Region to move to; needed with more than two regions, and without a terminal.
    #[arg(long, value_name = "REGION")]
    pub to: Option<String>,
    /// A parameter of the runbook.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Whether the source is expected to answer.
    #[arg(long, value_enum, default_value = "planned")]
    pub mode: ModeArg,
}

impl PlanArgs {
    /// The command that runs this, as it would be typed.
    pub fn invocation(&self, plan: &Plan) -> String {
        let mut words = vec!["mrctl failover".to_string()];
        if plan.mode == Mode::Unplanned {
            words.push("--mode unplanned".into());
        }
        words.push(format!("--runbook {}", certificate::quoted(&self.runbook.display().to_string())));
        words.push(format!(
            "--from {} --to {}",
            certificate::quoted(&plan.from),
            certificate::quoted(&plan.to)
        ));
        words.extend(self.set.iter().map(|pair| format!("--set {}", certificate::quoted(pair))));
        words.join(" ")
    }
}

/// What becomes of a plan that was not rehearsed as the inventory demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is refused before anything is looked at on its behalf.
    Refuse,
    /// It is only told.
    Tell,
}

/// A plan that is ready to run, with what was seen while it was made.
pub struct Prepared {
    /// The plan, with its identity facts.
    pub plan: Plan,
    /// Ports.
    pub world: World,
    /// What was seen.
    pub seen: BTreeMap<(usize, usize), Preview>,
    /// `at_start(…)`.
    pub starts: crate::step::condition::Starts,
    /// Whether it was rehearsed.
    pub rehearsal: Judged,
    /// What would rehearse it as it is demanded.
    pub rehearse: String,
    /// What holds it up unless there is a reason.
    pub holds: Vec<Hold>,
}

/// Makes the plan and looks at everything once.
pub async fn prepare(setup: &Setup, args: &PlanArgs, drill: Drill, gate: Gate) -> Result<Prepared, ExitCode> {
    let files = setup.load(&args.runbook).ok_or(ExitCode::Invalid)?;
    if args.mode == ModeArg::Unplanned && (args.from.is_none() || args.to.is_none()) {
        let help = "give both --from and --to: what is gone is never guessed";
        return Err(setup.usage("the direction of an unplanned failover is not decided by itself", help));
    }
    // What is plainly wrong is said before secrets are read, which may be missing where somebody only tries.
    known_regions(setup, args, &files)?;
    let mut problems = Problems::new();
    let world = wire::world(
        &files.inventory,
        &setup.redactor,
        Severity::Error,
        setup.state.as_deref(),
        &mut problems,
    )
    .await;
    setup.problems(&problems, &files.sources);
    let world = world.ok_or(ExitCode::Invalid)?;
    prepare_with(setup, args, drill, gate, &files, world).await
}

async fn prepare_with(
    setup: &Setup,
    args: &PlanArgs,
    drill: Drill,
    gate: Gate,
    files: &Files,
    world: World,
) -> Result<Prepared, ExitCode> {
    let mut parameters = BTreeMap::new();
    for text in &args.set {
        match text.split_once('=') {
            Some((name, value)) => {
                parameters.insert(name.to_string(), value.to_string());
            }
            None => return Err(setup.usage(format!("`--set {text}` has no `=`"), "write --set NAME=VALUE")),
        }
    }
    let (from, to) = direction(setup, args, files, &world).await?;
    let mut problems = Problems::new();
    let request = Request {
        runbook: &files.runbook,
        runbook_sha256: files.runbook_sha256.clone(),
        inventory: &files.inventory,
        inventory_sha256: files.inventory_sha256.clone(),
        from: &from,
        to: &to,
        mode: args.mode.into(),
        drill,
        parameters: &parameters,
    };
    let plan = build(&request, &mut problems);
    setup.problems(&problems, &files.sources);
    let mut plan = plan.ok_or(ExitCode::Invalid)?;
    let rehearsal = certificate::Here::read(setup).judge(&files.inventory.inventory, Wanted::of(&plan));
    let rehearse = {
        let direction = [plan.from.as_str(), plan.to.as_str()];
        let direction = (direction, plan.mode);
        certificate::command(setup, &args.runbook, direction, rehearsal.demand, &parameters)
    };
    // On the worst night nobody is sent away for a rehearsal.
    let planned = plan.mode == Mode::Planned;
    if gate == Gate::Refuse && planned && rehearsal.unmet() {
        certificate::refuse(setup, &files.inventory, &files.sources, &rehearsal, &rehearse);
        return Err(ExitCode::Refused);
    }
    let starts = preview::starts(&plan, &world).await;
    let seen = preview::preview(&plan, &world, &starts).await;
    plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
    if !secrets::none_in(setup, &plan, Severity::Error) {
        return Err(ExitCode::Invalid);
    }
    let cool_down = files.inventory.inventory.policy.clone().unwrap_or_default().cool_down;
    let holds = hold::holds(setup, &plan, cool_down.millis(), &world).await;
    Ok(Prepared { plan, world, seen, starts, rehearsal, rehearse, holds })
}

/// Refuses a direction that names no region of the inventory.
fn known_regions(setup: &Setup, args: &PlanArgs, files: &Files) -> Result<(), ExitCode> {
    let inventory = &files.inventory.inventory;
    let mut given = [&args.from, &args.to].into_iter().flatten();
    match given.find(|given| !inventory.regions.contains_key(*given)) {
        None => Ok(()),
        Some(given) => Err(setup.no_region(given, inventory)),
    }
}

/// Decides the direction: as given, or from exactly one observed primary with every other member observed in recovery.
async fn direction(
    setup: &Setup,
    args: &PlanArgs,
    files: &Files,
    world: &World,
) -> Result<(String, String), ExitCode> {
    let inventory = &files.inventory.inventory;
    let regions: Vec<String> = inventory.regions.keys().cloned().collect();
    if args.to.is_none() && (regions.len() > 2 || !setup.output.interactive) {
        let help = format!("give --to, one of {}", regions.join(", "));
        return Err(setup.usage("the target region is not decided by itself here", help));
    }
    let from = match &args.from {
        Some(from) => from.clone(),
        None => discover(setup, files, world).await?,
    };
    let to = match &args.to {
        Some(to) => to.clone(),
        None => match regions.iter().filter(|region| **region != from).collect::<Vec<_>>().as_slice() {
            [only] => (*only).clone(),
            _ => return Err(setup.usage("the target region is not decided", "give --to")),
        },
    };
    if from == to {
        return Err(setup.usage(format!("source and target are both {from}"), "give another --to"));
    }
    Ok((from, to))
}

async fn discover(setup: &Setup, files: &Files, world: &World) -> Result<String, ExitCode> {
    let inventory = &files.inventory.inventory;
    let mut found = BTreeSet::new();
    let (mut doubts, mut several) = (Vec::new(), Vec::new());
    for (name, cluster) in &inventory.postgres {
        let regions: Vec<String> = cluster.members.keys().cloned().collect();
        let now = survey::cluster(world, name, &regions, "").await;
        several.push(format!("{name}: {}", now.primaries_in_words()));
        for (region, facts) in &now.members {
            match facts {
                Known::Known(facts) if !facts.in_recovery() => {
                    found.insert(region.clone());
                }
                Known::Known(_) => {}
                Known::Unknown(why) => doubts.push(format!("{name} in {region}: {why}")),
            }
        }
    }
    let only = found.first().cloned();
    match (found.len(), only) {
        (1, Some(region)) if doubts.is_empty() => Ok(region),
        (1, Some(region)) => {
            setup.say(&format!(
                "mrctl: refused: {region} looks like the source, but not every member could be seen:"
            ));
            doubts.iter().for_each(|doubt| setup.say(&format!("  {doubt}")));
            setup.say("  if you know better, give --from and --to");
            Err(ExitCode::Refused)
        }
        (0, _) if inventory.postgres.is_empty() => {
            Err(setup.usage("the source region is not decided", "give --from"))
        }
        (0, _) => {
            setup.say("mrctl: refused: no primary was seen.");
            doubts.iter().for_each(|doubt| setup.say(&format!("  {doubt}")));
            setup.say("  if the source region is gone, that is an unplanned failover: mrctl failover --mode unplanned --from REGION --to REGION --reason …");
            Err(ExitCode::Refused)
        }
        _ => {
            setup.say("mrctl: refused: there are primaries in several regions:");
            several.iter().for_each(|cluster| setup.say(&format!("  {cluster}")));
            setup.say("  make the old primary a standby again, or decide with --from");
            Err(ExitCode::Refused)
        }
    }
}
