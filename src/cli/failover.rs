//! `mrctl failover`.

use super::certificate;
use super::drive::{Drive, opened};
use super::dry_run::show;
use super::hold::{self, InSpiteOf};
use super::lock::lock;
use super::prepare::{Gate, ModeArg, PlanArgs, Prepared, prepare};
use super::setup::{Setup, now};
use super::since;
use super::vouch::{self, VouchArgs, Vouched};
use super::waive::{self, WaiveArgs, Waived};
use super::wire;
use crate::engine::record::{Choice, Record};
use crate::engine::{preview, survey};
use crate::exit_code::ExitCode;
use crate::output::given::{Approvals, missing};
use crate::plan::{Drill, Mode, Plan};
use crate::store::Store;
use crate::world::World;
use clap::Args;
use std::path::{Path, PathBuf};

/// Executes a runbook: moves an application from one region to another.
#[derive(Debug, Args)]
pub struct FailoverArgs {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    approved: Approved,
    /// Look at everything, change nothing: the same as `mrctl drill --dry-run`.
    #[arg(long)]
    dry_run: bool,
    /// Why, for the journal: needed where it is unplanned, goes back soon after the last one, or leaves a data set that is unprotected.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When the incident was declared: a time such as 2026-11-28T21:14:00Z, or how long ago, such as 12m. The recovery time counts from it.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    #[command(flatten)]
    in_spite_of: InSpiteOf,
    #[command(flatten)]
    vouch: VouchArgs,
    #[command(flatten)]
    waive: WaiveArgs,
}

/// What is approved beforehand.
#[derive(Debug, Default, Args)]
pub struct Approved {
    /// An approval given beforehand: role:NAME or step:ID. Consent to a promotion needs its step by name and --plan-digest; what an
    /// unplanned one loses needs loss:ID, too.
    #[arg(long, value_name = "WHAT")]
    approve: Vec<String>,
    /// Answer checklists and confirmations with yes; never the consent to a promotion.
    #[arg(long)]
    yes: bool,
    /// Digest of the plan that was approved, from `mrctl drill --dry-run`.
    #[arg(long, value_name = "DIGEST")]
    plan_digest: Option<String>,
    /// Go on without the rehearsal that the inventory demands; why is recorded.
    #[arg(long, value_name = "REASON")]
    rehearsal_waived: Option<String>,
}

impl FailoverArgs {
    /// As another command gives them.
    pub(super) fn of(
        plan: PlanArgs,
        approved: Approved,
        dry_run: bool,
        (reason, in_spite_of): (Option<String>, InSpiteOf),
    ) -> Self {
        let (vouch, waive) = (VouchArgs::default(), WaiveArgs::default());
        Self { plan, approved, dry_run, reason, in_spite_of, since: None, vouch, waive }
    }
}

/// `mrctl failover`.
pub async fn failover(setup: &Setup, args: FailoverArgs) -> ExitCode {
    let mut approvals = Approvals {
        yes: args.approved.yes,
        digest: args.approved.plan_digest.clone(),
        ..Approvals::default()
    };
    for text in &args.approved.approve {
        if let Err(error) = approvals.add(text) {
            return setup.usage(
                error.to_string(),
                "write --approve role:commander, --approve step:promote or --approve loss:promote",
            );
        }
    }
    if args.approved.rehearsal_waived.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return setup.usage("--rehearsal-waived has no reason", "say why in a few words: it is recorded");
    }
    let reason = args.reason.as_deref().unwrap_or_default().trim().to_string();
    if args.plan.mode == ModeArg::Unplanned && !args.dry_run && reason.is_empty() {
        return setup.usage(
            "an unplanned failover has no reason",
            "say why in a few words with --reason: it is recorded",
        );
    }
    let since = match args.since.as_deref().map(|text| since::declared(text, now())).transpose() {
        Ok(since) => since,
        Err(why) => {
            return setup.usage(
                format!("--since: {why}"),
                "write when the incident was declared: 2026-11-28T21:14:00Z, or 12m for twelve minutes ago",
            );
        }
    };
    let vouched = match args.vouch.members(setup, &reason) {
        Ok(vouched) => vouched,
        Err(code) => return code,
    };
    let passed = match args.waive.checks(setup) {
        Ok(passed) => passed,
        Err(code) => return code,
    };
    let gate =
        if args.dry_run || args.approved.rehearsal_waived.is_some() { Gate::Tell } else { Gate::Refuse };
    let prepared = match prepare(setup, &args.plan, Drill::Real, gate).await {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    if let Err(code) = vouch::only_sources(setup, &prepared.plan, &vouched)
        .and_then(|()| waive::possible(setup, &prepared.plan, &passed))
    {
        return code;
    }
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
    let id = store.new_id(now());
    let _locks = match lock(setup, &store, plan, &prepared.world, None, &id).await {
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
    let reason = match hold::weigh(setup, &prepared.holds, &reason, &args.in_spite_of) {
        Ok(reason) => reason,
        Err(code) => return code,
    };
    if !setup.output.interactive {
        let missing = missing(plan, &approvals);
        if !missing.is_empty() {
            setup.say("mrctl: refused: nobody is at a terminal, and these approvals are missing:");
            missing.iter().for_each(|line| setup.say(&format!("  {line}")));
            return ExitCode::Refused;
        }
    }
    let waived = args.approved.rehearsal_waived.unwrap_or_default();
    let (world, refused) = (prepared.world.clone(), prepared.plan.clone());
    let code = begin(
        setup,
        &store,
        (id, prepared),
        approvals,
        Said { waived: &waived, reason: &reason, vouched: &vouched, passed: &passed, since },
    )
    .await;
    if code == ExitCode::Refused {
        silent_source(setup, &world, &refused, &args.plan.runbook).await;
    }
    code
}

/// A planned run whose source is silent was refused, and rightly; whoever knows that it is gone is told what there is for that.
async fn silent_source(setup: &Setup, world: &World, plan: &Plan, runbook: &Path) {
    if plan.mode != Mode::Planned {
        return;
    }
    let from = std::slice::from_ref(&plan.from);
    let mut silent = false;
    for (cluster, _) in plan.clusters.iter().filter(|(_, regions)| regions.contains(&plan.from)) {
        silent = !survey::cluster(world, cluster, from, "").await.unseen().is_empty();
        if !silent {
            return;
        }
    }
    if !silent {
        return;
    }
    setup.say(&format!(
        "  if {} is gone, and not only out of reach from here, that is an unplanned failover:",
        plan.from
    ));
    setup.say(&format!(
        "  mrctl failover --mode unplanned --from {} --to {} --runbook {} --reason …",
        plan.from,
        plan.to,
        runbook.display()
    ));
}

/// What its operator says with it.
struct Said<'a> {
    waived: &'a str,
    reason: &'a str,
    vouched: &'a [Vouched],
    since: Option<i64>,
    passed: &'a [Waived],
}

/// Makes the run and drives it.
async fn begin(
    setup: &Setup,
    store: &Store,
    (id, prepared): (String, Prepared),
    approvals: Approvals,
    said: Said<'_>,
) -> ExitCode {
    let Prepared { plan, world, starts, rehearsal, .. } = prepared;
    let (_, journal) = match store.create(&id, &plan, now) {
        Ok(made) => made,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let created = Record::Created {
        run: id.clone(),
        plan: plan.digest(),
        format: plan.format,
        since: said.since,
        starts: preview::starts_in_words(&starts),
    };
    let mut opening = vec![created, certificate::record(&rehearsal, said.waived)];
    // Vouched for before the process begins: what it decides depends on it.
    opening.extend(vouch::records(said.vouched, said.reason));
    opening.extend(waive::records(said.passed));
    opening.push(opened(setup, Choice::Continue, said.reason, 0));
    let drive = Drive {
        setup,
        world,
        journal,
        past: Vec::new(),
        starts,
        approvals,
        short: store.short(&id),
        opening,
        plan,
    };
    drive.run().await
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
    let digest = match prepare(setup, &plan(), Drill::Real, Gate::Refuse).await {
        Ok(prepared) => prepared.plan.digest(),
        Err(code) => return code,
    };
    let approved = Approved {
        approve: vec!["step:promote".into()],
        yes: true,
        plan_digest: Some(digest),
        rehearsal_waived: None,
    };
    let args = FailoverArgs::of(plan(), approved, false, (None, InSpiteOf::default()));
    failover(setup, args).await
}
