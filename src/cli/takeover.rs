//! `mrctl resume --mode unplanned`: a planned run whose source has died goes on as an unplanned one.

use super::certificate;
use super::hold::{self, InSpiteOf};
use super::prepare::{Gate, ModeArg, PlanArgs, prepare};
use super::setup::{Setup, operator};
use crate::engine::record::Record;
use crate::engine::state::RunState;
use crate::engine::switch::{Hindrance, answering, keep_approved};
use crate::exit_code::ExitCode;
use crate::output::given::{Approvals, missing};
use crate::plan::{Drill, Plan};
use crate::store::Run;
use crate::world::World;
use clap::Args;
use std::path::{Path, PathBuf};

/// As what a run goes on.
#[derive(Debug, Default, Args)]
pub struct TakeoverArgs {
    /// Take a planned run over as an unplanned one, from where it stands: its source is gone.
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// The runbook, with --mode unplanned: the plan is made anew from it.
    #[arg(long, value_name = "FILE")]
    runbook: Option<PathBuf>,
    #[command(flatten)]
    in_spite_of: InSpiteOf,
}

/// What a run goes on with after it was taken over.
pub struct Takeover {
    /// The plan that counts from now.
    pub plan: Plan,
    /// Ports.
    pub world: World,
    /// What the journal keeps of it.
    pub record: Record,
    /// Whether the plan that counts from now was rehearsed.
    pub rehearsed: Record,
}

impl TakeoverArgs {
    /// The runbook to take over with, and in spite of what, if that is asked for.
    pub fn runbook(&self, setup: &Setup, reason: &str) -> Result<Option<(&Path, &InSpiteOf)>, ExitCode> {
        match (self.mode, &self.runbook) {
            (None, None) if !self.in_spite_of.is_empty() => Err(setup.usage(
                "nothing holds up a run that only goes on",
                "leave --in-spite-of out; it is for --mode unplanned",
            )),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(setup.usage(
                "a run goes on with the plan that it was begun with: --runbook is for --mode unplanned",
                "leave --runbook out, or take the run over with --mode unplanned --reason …",
            )),
            (Some(ModeArg::Planned), _) => Err(setup.usage(
                "no run becomes a planned one",
                "leave --mode out to go on with it as it is; --mode unplanned takes it over",
            )),
            (Some(ModeArg::Unplanned), None) => Err(setup.usage(
                "the unplanned plan is made anew, and from what is not said",
                "give the runbook that the run was begun with: --runbook FILE",
            )),
            (Some(ModeArg::Unplanned), Some(_)) if reason.is_empty() => Err(setup.usage(
                "taking a run over as unplanned has no reason",
                "say why in a few words with --reason: it is recorded",
            )),
            (Some(ModeArg::Unplanned), Some(runbook)) => Ok(Some((runbook, &self.in_spite_of))),
        }
    }
}

/// Says what stands against it. `plan`: the new one; none while there is none yet.
fn hindered(setup: &Setup, run: &Run, short: &str, plan: Option<&Plan>) -> Result<(), ExitCode> {
    let mut against = run.state.against_switching(&run.plan, plan.unwrap_or(&run.plan));
    // What becomes of an undo in doubt is for the new plan to say: it may leave that step out.
    against.retain(|one| plan.is_some() || !matches!(one, Hindrance::UndoInDoubt(_)));
    for one in &against {
        setup.say(&format!("mrctl: refused: run {short} cannot be taken over: {}", one.line()));
        setup.say(&format!("  {}", one.help(short)));
    }
    if against.is_empty() { Ok(()) } else { Err(ExitCode::Refused) }
}

/// Makes the unplanned plan for a run, and looks whether it may be taken over. Nothing is changed or written.
pub async fn take_over(
    setup: &Setup,
    run: &Run,
    short: &str,
    (runbook, in_spite_of): (&Path, &InSpiteOf),
    reason: &str,
) -> Result<Takeover, ExitCode> {
    // What no plan helps against is said before one is made.
    hindered(setup, run, short, None)?;
    let args = PlanArgs {
        runbook: runbook.to_path_buf(),
        from: Some(run.plan.from.clone()),
        to: Some(run.plan.to.clone()),
        set: run.plan.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        mode: ModeArg::Unplanned,
    };
    let prepared = prepare(setup, &args, Drill::Real, Gate::Tell).await?;
    let (mut plan, world) = (prepared.plan, prepared.world);
    keep_approved(&run.plan, &mut plan);
    hindered(setup, run, short, Some(&plan))?;
    for (what, before, now) in [
        ("runbook", &run.plan.runbook_sha256, &plan.runbook_sha256),
        ("inventory", &run.plan.inventory_sha256, &plan.inventory_sha256),
    ] {
        if before != now {
            setup.say(&format!("warning: the {what} is not the one with which run {short} was planned"));
        }
    }
    unless_answering(setup, &world, &plan, short).await?;
    let reason = hold::weigh(setup, &prepared.holds, reason, in_spite_of)?;
    let record = Record::Switched {
        from: run.plan.digest(),
        plan: plan.digest(),
        to: Box::new(plan.clone()),
        by: operator(),
        reason,
    };
    // What was rehearsed of the planned one says nothing about this one.
    let rehearsed = certificate::record(&prepared.rehearsal, "");
    Ok(Takeover { plan, world, record, rehearsed })
}

/// Refuses where every old primary answers: then nobody has to lose anything.
async fn unless_answering(setup: &Setup, world: &World, plan: &Plan, short: &str) -> Result<(), ExitCode> {
    let Some(alive) = answering(world, plan).await else { return Ok(()) };
    setup.say(&format!("mrctl: refused: run {short} is not taken over: {}.", alive.join(", and ")));
    setup.say(&format!("  go on with it, losing nothing: mrctl resume {short}"));
    setup.say(&format!("  or take it back: mrctl rollback {short}"));
    Err(ExitCode::Refused)
}

/// Refuses approvals of another plan, and a run without a terminal of which it is known that an approval is missing.
pub fn approved(setup: &Setup, plan: &Plan, approvals: &Approvals) -> Result<(), ExitCode> {
    if let Some(digest) = &approvals.digest
        && !approvals.approves_plan(plan)
    {
        setup.say("mrctl: refused: the plan is not the one that was approved.");
        setup.say(&format!("  approved {digest}"));
        setup.say(&format!("  now      {}", plan.digest()));
        setup.say("  see it with `mrctl drill --dry-run --mode unplanned`, and approve that");
        return Err(ExitCode::Refused);
    }
    let missing = if setup.output.interactive { Vec::new() } else { missing(plan, approvals) };
    if missing.is_empty() {
        return Ok(());
    }
    setup.say("mrctl: refused: nobody is at a terminal, and these approvals are missing:");
    missing.iter().for_each(|line| setup.say(&format!("  {line}")));
    Err(ExitCode::Refused)
}

/// The run as it will be: what is decided about it depends on the plan that counts then.
pub fn taken_over(run: Run, takeover: &Takeover) -> Run {
    let records = run.lines.iter().map(|(_, record)| record).chain([&takeover.record]);
    let state = RunState::of(&takeover.plan, records);
    Run { plan: takeover.plan.clone(), state, ..run }
}
