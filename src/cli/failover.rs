//! `mrctl failover` and `mrctl drill`.

use super::drive::{Drive, opened};
use super::setup::{Files, Format, Setup, host, now, operator};
use super::{secrets, wire};
use crate::engine::record::{Choice, Record};
use crate::engine::survey::{self, Preview, obstacles};
use crate::error::{Problems, Severity};
use crate::exit_code::ExitCode;
use crate::journal::lock::{FileLock, LockError};
use crate::output::given::{Approvals, missing};
use crate::output::plan::{Seen, Sightings, render};
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::store::Store;
use crate::world::{Known, Member, World};
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

/// Executes a runbook: moves an application from one region to another.
#[derive(Debug, Args)]
pub struct FailoverArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// An approval given beforehand: role:NAME or step:ID. Consent to a promotion needs its step by name and --plan-digest.
    #[arg(long, value_name = "WHAT")]
    approve: Vec<String>,
    /// Answer checklists and confirmations with yes; never the consent to a promotion.
    #[arg(long)]
    yes: bool,
    /// Digest of the plan that was approved, from `mrctl drill --dry-run`.
    #[arg(long, value_name = "DIGEST")]
    plan_digest: Option<String>,
    /// Look at everything, change nothing: the same as `mrctl drill --dry-run`.
    #[arg(long)]
    dry_run: bool,
}

/// Practises a runbook.
#[derive(Debug, Args)]
pub struct DrillArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Look at every step read-only and say what it would change.
    #[arg(long, required = true)]
    dry_run: bool,
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
}

/// Makes the plan and looks at everything once.
pub async fn prepare(setup: &Setup, args: &PlanArgs, drill: Drill) -> Result<Prepared, ExitCode> {
    let files = setup.load(&args.runbook).ok_or(ExitCode::Invalid)?;
    if args.mode == ModeArg::Unplanned {
        setup.say("mrctl: refused: unplanned failover is not there yet. It will need evidence that the source is dead.");
        return Err(ExitCode::Refused);
    }
    let mut problems = Problems::new();
    let world = wire::world(&files.inventory, &setup.redactor, Severity::Error, &mut problems).await;
    setup.problems(&problems, &files.sources);
    let world = world.ok_or(ExitCode::Invalid)?;
    prepare_with(setup, args, drill, &files, world).await
}

async fn prepare_with(
    setup: &Setup,
    args: &PlanArgs,
    drill: Drill,
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
        mode: Mode::Planned,
        drill,
        parameters: &parameters,
    };
    let plan = build(&request, &mut problems);
    setup.problems(&problems, &files.sources);
    let mut plan = plan.ok_or(ExitCode::Invalid)?;
    let starts = survey::starts(&plan, &world).await;
    let seen = survey::preview(&plan, &world, &starts).await;
    plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
    if !secrets::none_in(setup, &plan, Severity::Error) {
        return Err(ExitCode::Invalid);
    }
    Ok(Prepared { plan, world, seen, starts })
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
    for given in [&args.from, &args.to].into_iter().flatten() {
        if !regions.contains(given) {
            let help = format!("the inventory has {}", regions.join(", "));
            return Err(setup.usage(format!("there is no region `{given}`"), help));
        }
    }
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
    let mut doubts = Vec::new();
    for (name, cluster) in &inventory.postgres {
        let regions: Vec<String> = cluster.members.keys().cloned().collect();
        let now = survey::cluster(world, name, &regions, "").await;
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
            setup.say("  if the source region is gone, that is an unplanned failover: mrctl failover --mode unplanned …");
            Err(ExitCode::Refused)
        }
        _ => {
            let regions: Vec<_> = found.into_iter().collect();
            setup.say(&format!("mrctl: refused: primaries in {}: decide with --from", regions.join(" and ")));
            Err(ExitCode::Refused)
        }
    }
}

/// Prints what a dry run saw.
fn show(setup: &Setup, prepared: &Prepared) -> ExitCode {
    let plan = &prepared.plan;
    let obstacles = obstacles(plan, &prepared.seen);
    let ready = obstacles.is_empty();
    let digest = plan.digest();
    match setup.format {
        Format::Json => {
            let steps: Vec<_> = prepared
                .seen
                .iter()
                .map(|((s, e), preview)| {
                    let step = &plan.steps[*s];
                    serde_json::json!({
                        "step": step.id, "effect": step.effects[*e].name, "standing": preview.judged.standing,
                        "evidence": preview.judged.evidence, "would": preview.would,
                    })
                })
                .collect();
            let document = serde_json::json!({
                "schema": 1, "event": "dry_run", "verdict": if ready { "completed" } else { "not_ready" },
                "digest": digest, "from": plan.from, "to": plan.to, "obstacles": obstacles, "steps": steps,
            });
            let mut document = document;
            setup.redactor.scrub_json(&mut document);
            setup.data(&document.to_string());
        }
        Format::Text => {
            let seen: Sightings = prepared
                .seen
                .iter()
                .map(|(at, preview)| {
                    let seen = Seen {
                        standing: preview.judged.standing,
                        evidence: preview.judged.evidence.clone(),
                        would: preview.would.clone(),
                    };
                    (*at, seen)
                })
                .collect();
            let style = setup.output.data_style();
            for line in render(plan, &seen, style, setup.output.width) {
                setup.data(setup.redactor.scrub(&line.paint(style)).as_ref());
            }
            setup.data("");
            if ready {
                setup.data("ready: nothing was changed");
            } else {
                setup.data("not ready:");
                obstacles.iter().for_each(|obstacle| setup.data(&format!("  {obstacle}")));
            }
        }
    }
    if ready { ExitCode::Completed } else { ExitCode::NotReady }
}

/// `mrctl drill`.
pub async fn drill(setup: &Setup, args: DrillArgs) -> ExitCode {
    match prepare(setup, &args.plan, Drill::Real).await {
        Ok(prepared) => show(setup, &prepared),
        Err(code) => code,
    }
}

/// `mrctl failover`.
pub async fn failover(setup: &Setup, args: FailoverArgs) -> ExitCode {
    let mut approvals = Approvals { yes: args.yes, digest: args.plan_digest.clone(), ..Approvals::default() };
    for text in &args.approve {
        if let Err(error) = approvals.add(text) {
            return setup
                .usage(error.to_string(), "write --approve role:commander or --approve step:promote");
        }
    }
    let prepared = match prepare(setup, &args.plan, Drill::Real).await {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    if args.dry_run {
        return show(setup, &prepared);
    }
    let plan = &prepared.plan;
    let strangers = approvals.strangers(plan);
    if !strangers.is_empty() {
        return setup
            .usage(format!("nothing in the plan is called {}", strangers.join(", ")), "check the --approve");
    }
    if !setup.output.interactive && setup.state.is_none() && wire::variable("MRCTL_STATE_DIR").is_none() {
        setup.say(
            "mrctl: refused: without a terminal the state folder must be given, and must outlive the job.",
        );
        setup.say("  give --state-dir or MRCTL_STATE_DIR");
        return ExitCode::Refused;
    }
    let store = match setup.store() {
        Ok(store) => store,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let _locks = match lock(setup, &store, plan, &prepared.world, None).await {
        Ok(locks) => locks,
        Err(code) => return code,
    };
    // After the locks: a plan that changed because another run is at work is better told as that.
    if let Some(digest) = &approvals.digest
        && !approvals.approves_plan(plan)
    {
        setup.say("mrctl: refused: the plan is not the one that was approved.");
        setup.say(&format!("  approved {digest}"));
        setup.say(&format!("  now      {}", plan.digest()));
        setup.say("  see what changed with `mrctl drill --dry-run`, and approve that");
        return ExitCode::Refused;
    }
    if !setup.output.interactive {
        let missing = missing(plan, &approvals);
        if !missing.is_empty() {
            setup.say("mrctl: refused: nobody is at a terminal, and these approvals are missing:");
            missing.iter().for_each(|line| setup.say(&format!("  {line}")));
            return ExitCode::Refused;
        }
    }
    begin(setup, &store, prepared, approvals).await
}

/// Makes the run and drives it.
async fn begin(setup: &Setup, store: &Store, prepared: Prepared, approvals: Approvals) -> ExitCode {
    let id = uuid::Uuid::now_v7().to_string();
    let Prepared { plan, world, starts, .. } = prepared;
    let (_, journal) = match store.create(&id, &plan, now) {
        Ok(made) => made,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let created = Record::Created {
        run: id.clone(),
        plan: plan.digest(),
        format: plan.format,
        starts: survey::starts_in_words(&starts),
    };
    let drive = Drive {
        setup,
        world,
        journal,
        past: Vec::new(),
        starts,
        approvals,
        short: store.short(&id),
        opening: vec![created, opened(setup, Choice::Continue, "", 0)],
        plan,
    };
    drive.run().await
}

/// Takes every lock: files on this host, open runs, advisory locks on each reachable member. `own`: the run that goes on.
pub async fn lock(
    setup: &Setup,
    store: &Store,
    plan: &Plan,
    world: &World,
    own: Option<&str>,
) -> Result<Vec<FileLock>, ExitCode> {
    let holder = format!("{} on {}, process {}", operator(), host(), std::process::id());
    let locks = match store.lock(&plan.resources, &holder) {
        Ok(locks) => locks,
        Err(error @ LockError::Held { .. }) => {
            setup.say(&format!("mrctl: locked: {error}"));
            return Err(ExitCode::Locked);
        }
        Err(error) => return Err(setup.fail(&error.to_string())),
    };
    let (runs, broken) = store.runs().map_err(|error| setup.fail(&error.to_string()))?;
    // A run that cannot be read may be open and hold these resources: unknown is not "no".
    if let Some((path, error)) = broken.iter().find(|(path, _)| !store.surely_closed(path)) {
        setup
            .say(&format!("mrctl: locked: a run here cannot be read, and may hold these resources: {error}"));
        let short = store.short(&path.file_name().unwrap_or_default().to_string_lossy());
        setup.say(&format!(
            "  once you know that it is over, close it as it is: mrctl abandon {short} --reason …"
        ));
        return Err(ExitCode::Locked);
    }
    for run in runs.iter().filter(|run| run.open() && own != Some(run.id.as_str())) {
        let shared: Vec<&String> = run.plan.resources.iter().filter(|r| plan.resources.contains(r)).collect();
        if let Some(resource) = shared.first() {
            let short = store.short(&run.id);
            setup.say(&format!(
                "mrctl: locked: run {short} ({}, {} → {}) is {} and holds {resource}",
                run.plan.runbook,
                run.plan.from,
                run.plan.to,
                run.word()
            ));
            setup.say(&format!("  end it first: mrctl resume {short}, mrctl rollback {short} or mrctl abandon {short} --reason …"));
            return Err(ExitCode::Locked);
        }
    }
    for (cluster, regions) in &plan.clusters {
        for region in regions {
            let member = Member::new(cluster, region);
            match world.postgres.lock(&member, own.unwrap_or("")).await {
                Known::Known(true) => {}
                Known::Known(false) => {
                    setup.say(&format!("mrctl: locked: another mrctl holds the advisory lock of {member}"));
                    return Err(ExitCode::Locked);
                }
                Known::Unknown(why) => {
                    setup.say(&format!("warning: the advisory lock of {member} was not taken: {why}"))
                }
            }
        }
    }
    Ok(locks)
}

/// The demonstration in the lab: the plan is made once to learn its digest, then run with every approval given by name, as a CI
/// job would.
pub async fn demonstrate(setup: &Setup, runbook: PathBuf) -> ExitCode {
    let plan = || PlanArgs {
        runbook: runbook.clone(),
        from: Some("eu-west".into()),
        to: Some("us-east".into()),
        set: Vec::new(),
        mode: ModeArg::Planned,
    };
    let digest = match prepare(setup, &plan(), Drill::Real).await {
        Ok(prepared) => prepared.plan.digest(),
        Err(code) => return code,
    };
    let args = FailoverArgs {
        plan: plan(),
        approve: vec!["step:promote".into()],
        yes: true,
        plan_digest: Some(digest),
        dry_run: false,
    };
    failover(setup, args).await
}
