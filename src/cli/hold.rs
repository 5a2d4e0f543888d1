//! What holds up a move although its plan is sound: nobody could take over after it, or it goes back to where the last one left. A
//! person may go on with a reason, which is recorded; not to where no standby is.

use super::setup::{Setup, now};
use crate::engine::survey::{self, ClusterNow};
use crate::error::{Code, Problem, Problems, Sources};
use crate::exit_code::ExitCode;
use crate::output::words::{age, allowance};
use crate::plan::{Drill, Mode, Plan};
use crate::step::Class;
use crate::store::{Run, Store};
use crate::world::{Known, World};
use std::collections::BTreeSet;

/// One thing that holds it up.
pub struct Hold {
    code: Code,
    what: String,
    help: String,
    /// Whether no reason is good enough.
    pub for_good: bool,
}

impl Hold {
    /// In one line.
    pub fn line(&self) -> String {
        format!("{}: {}", self.code, self.what)
    }
}

/// The data sets that a plan promotes.
fn moved(plan: &Plan) -> BTreeSet<&str> {
    let pivots = plan
        .effects()
        .filter(|(s, _, planned)| planned.effect.class == Class::Pivot && plan.steps[*s].skipped.is_none());
    pivots.filter_map(|(_, _, planned)| planned.effect.needs.as_deref()).collect()
}

/// Runs of this host, newest first. Nothing is made where there are none.
fn runs(setup: &Setup) -> Vec<Run> {
    let root = setup.state_folder().filter(|root| root.join("runs").is_dir());
    let store = root.and_then(|root| Store::at(&root).ok());
    // Those that cannot be read hold up every run that shares a resource with them: that is the locks' to tell.
    store.and_then(|store| store.runs().ok()).map(|(runs, _)| runs).unwrap_or_default()
}

/// Everything that holds up this plan, seen now.
pub async fn holds(setup: &Setup, plan: &Plan, cool_down_ms: u64, world: &World) -> Vec<Hold> {
    let sets = moved(plan);
    if sets.is_empty() {
        return Vec::new();
    }
    let runs = runs(setup);
    let mut holds = Vec::new();
    for set in sets {
        let regions = plan.clusters.get(set).cloned().unwrap_or_default();
        let seen = survey::cluster(world, set, &regions, "").await;
        if let Known::Known(Some(why)) = seen.exposed() {
            holds.push(Hold {
                code: Code::Unprotected,
                what: format!("{set} is UNPROTECTED: {why}"),
                help: format!(
                    "make the old primary a standby first (`postgres.reprotect: {set}`), or say with --reason why it cannot wait"
                ),
                for_good: false,
            });
        }
        let last = runs.iter().find(|run| {
            run.plan.drill == Drill::Real
                && run.plan.environment == plan.environment
                && run.state.passed_for(&run.plan, set)
        });
        let opposite = |run: &&Run| run.plan.from == plan.to && run.plan.to == plan.from;
        if let Some(last) = last.filter(opposite) {
            holds.extend(turning(set, plan, last, cool_down_ms, &seen));
        }
    }
    holds
}

/// The way back of a run.
fn turning(set: &str, plan: &Plan, last: &Run, cool_down_ms: u64, seen: &ClusterNow) -> Vec<Hold> {
    let mut holds = Vec::new();
    let ended = last.lines.last().map_or(0, |(line, _)| line.at);
    let ago = u64::try_from(now().saturating_sub(ended)).unwrap_or(0);
    if ago < cool_down_ms {
        holds.push(Hold {
            code: Code::TurningAround,
            what: format!(
                "{set} was moved {} → {} {} ago, and this goes back within {}",
                last.plan.from,
                last.plan.to,
                age(ago),
                allowance(cool_down_ms)
            ),
            help: "wait, or say with --reason why it has to go back now".into(),
            for_good: false,
        });
    }
    let why = match plan.mode {
        Mode::Planned => seen.cannot_take_over(&plan.to),
        // The primary is gone, so nobody follows it; but whoever was never made a standby again has only what it had when it was left.
        Mode::Unplanned => match seen.members.get(&plan.to) {
            Some(Known::Known(there)) if there.in_recovery() => None,
            Some(Known::Known(_)) => Some("it is a primary itself, from before it was left".into()),
            Some(Known::Unknown(why)) => Some(format!("it cannot be seen: {why}")),
            None => Some("it has no member".into()),
        },
    };
    if let Some(why) = why {
        holds.push(Hold {
            code: Code::NoWayBack,
            what: format!(
                "{set} in {} was left {} ago and is no standby of what is there now: {why}",
                plan.to,
                age(ago)
            ),
            help: format!(
                "make it a standby first: `postgres.reprotect: {set}` with --from {} --to {}",
                plan.to, plan.from
            ),
            for_good: true,
        });
    }
    holds
}

/// Goes on with a reason, or is refused. What the reason outweighs becomes part of it, for the journal.
pub fn weigh(setup: &Setup, holds: &[Hold], reason: &str) -> Result<String, ExitCode> {
    let refused = |hold: &&Hold| hold.for_good || reason.is_empty();
    let mut problems = Problems::new();
    for hold in holds.iter().filter(refused) {
        problems.push(Problem::error(hold.code, format!("refused: {}", hold.what)).help(hold.help.clone()));
    }
    if !problems.is_empty() {
        setup.problems(&problems, &Sources::new());
        return Err(ExitCode::Refused);
    }
    if holds.is_empty() {
        return Ok(reason.to_string());
    }
    for hold in holds {
        setup.say(&format!("warning: {}; gone on with for the reason given", hold.line()));
    }
    let lines: Vec<String> = holds.iter().map(Hold::line).collect();
    Ok(format!("{reason} (in spite of {})", lines.join("; ")))
}
