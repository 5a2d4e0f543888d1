//! What holds up a move although its plan is sound: nobody could take over after it, or it goes back to where the last one left. A
//! person may go on with a reason, which is recorded; not to where no standby is.

use super::certificate::quoted;
use super::setup::{Setup, now};
use crate::engine::survey::{self, ClusterNow};
use crate::error::escape::outside;
use crate::error::{Code, Problem, Problems, Sources};
use crate::exit_code::ExitCode;
use crate::output::words::{age, allowance};
use crate::plan::{Drill, Mode, Plan};
use crate::step::Class;
use crate::store::{Run, Store};
use crate::world::{Known, World};
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;

/// One thing that holds it up.
#[derive(Debug)]
pub struct Hold {
    code: Code,
    /// By which it is named on the command line.
    name: String,
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

    /// As it is named on the command line.
    pub fn named(&self) -> String {
        format!("--in-spite-of {}", self.name)
    }
}

/// What a person gives to go on in spite of a hold.
#[derive(Debug, Default, Args)]
pub struct InSpiteOf {
    /// Go on, with a --reason, in spite of what holds the move up, by its name as the refusal prints it, such as unprotected:orders.
    #[arg(long, value_name = "HOLD")]
    in_spite_of: Vec<String>,
}

impl InSpiteOf {
    /// Whether nothing was named.
    pub fn is_empty(&self) -> bool {
        self.in_spite_of.is_empty()
    }
}

/// The data sets that a plan promotes.
fn moved(plan: &Plan) -> BTreeSet<&str> {
    let pivots = plan
        .effects()
        .filter(|(s, _, planned)| planned.effect.class == Class::Pivot && plan.steps[*s].skipped.is_none());
    pivots.filter_map(|(_, _, planned)| planned.effect.needs.as_deref()).collect()
}

/// Runs of this host, newest first. Nothing is made where there are none; what cannot be read is not none.
fn runs(root: Option<&Path>) -> Result<Vec<Run>, String> {
    let Some(root) = root else { return Ok(Vec::new()) };
    let folder = root.join("runs");
    match folder.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    }
    let store = Store::at(root).map_err(|error| error.to_string())?;
    let (runs, broken) = store.runs().map_err(|error| error.to_string())?;
    match broken.into_iter().find(|(path, _)| !store.surely_closed(path)) {
        Some((_, error)) => Err(error.to_string()),
        None => Ok(runs),
    }
}

/// Everything that holds up this plan, seen now.
pub async fn holds(setup: &Setup, plan: &Plan, cool_down_ms: u64, world: &World) -> Vec<Hold> {
    let sets = moved(plan);
    if sets.is_empty() {
        return Vec::new();
    }
    let mut holds = Vec::new();
    let runs = runs(setup.state_folder().as_deref()).unwrap_or_else(|why| {
        holds.push(Hold {
            code: Code::TurningAround,
            name: "unread-runs".into(),
            what: format!(
                "whether this goes back to where the last one left cannot be told: the runs of this host cannot be read: {why}"
            ),
            help: "mend the state folder, or give the right one with --state-dir".into(),
            for_good: false,
        });
        Vec::new()
    });
    for set in sets {
        let regions = plan.clusters.get(set).cloned().unwrap_or_default();
        let seen = survey::cluster(world, set, &regions, "").await;
        if let Known::Known(Some(why)) = seen.exposed() {
            holds.push(Hold {
                code: Code::Unprotected,
                name: format!("unprotected:{set}"),
                what: format!("{set} is UNPROTECTED: {why}"),
                help: format!("make the old primary a standby first (`postgres.reprotect: {set}`)"),
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
            name: format!("turning-around:{set}"),
            what: format!(
                "{set} was moved {} → {} {} ago, and this goes back within {}",
                last.plan.from,
                last.plan.to,
                age(ago),
                allowance(cool_down_ms)
            ),
            help: "wait".into(),
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
            name: format!("no-way-back:{set}"),
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

/// Holds that what was given does not outweigh: each needs a reason, and to be named, so that a reason for one is none for another.
fn unmet<'h>(holds: &'h [Hold], reason: &str, named: &[String]) -> Vec<&'h Hold> {
    holds.iter().filter(|hold| hold.for_good || reason.is_empty() || !named.contains(&hold.name)).collect()
}

/// Goes on with a reason, or is refused. What the reason outweighs becomes part of it, for the journal.
pub fn weigh(setup: &Setup, holds: &[Hold], reason: &str, given: &InSpiteOf) -> Result<String, ExitCode> {
    let unmet = unmet(holds, reason, &given.in_spite_of);
    let mut problems = Problems::new();
    for hold in &unmet {
        problems.push(Problem::error(hold.code, format!("refused: {}", hold.what)).help(hold.help.clone()));
    }
    if !problems.is_empty() {
        setup.problems(&problems, &Sources::new());
        // All of them, also those that were named already. What else was given stays as it was: it is for the person to repeat.
        if !unmet.iter().any(|hold| hold.for_good) {
            let names: Vec<String> = holds.iter().map(Hold::named).collect();
            let reason = if reason.is_empty() { "why it cannot wait" } else { reason };
            setup.say("if it cannot wait, each has to be named, with a reason. Add to your command:");
            setup.say(&format!("  --reason {} {}", quoted(reason), names.join(" ")));
        }
        return Err(ExitCode::Refused);
    }
    let needless = given.in_spite_of.iter().filter(|name| !holds.iter().any(|hold| hold.name == **name));
    for name in needless {
        setup.say(&format!(
            "warning: --in-spite-of {} was not needed: nothing of that name holds it up",
            outside(name, 80)
        ));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(name: &str, for_good: bool) -> Hold {
        let (what, help) = ("it is so".to_string(), String::new());
        Hold { code: Code::Unprotected, name: name.into(), what, help, for_good }
    }

    #[test]
    fn a_reason_outweighs_what_is_named_and_nothing_else() {
        let holds = [hold("unprotected:orders", false), hold("turning-around:orders", false)];
        let left = |reason: &str, named: &[&str]| {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            unmet(&holds, reason, &named).iter().map(|hold| hold.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(left("in a hurry", &[]).len(), 2);
        assert_eq!(left("in a hurry", &["turning-around:orders"]), ["unprotected:orders"]);
        assert_eq!(left("in a hurry", &["turning-around:billing", "unprotected"]).len(), 2);
        assert_eq!(left("", &["turning-around:orders", "unprotected:orders"]).len(), 2);
        assert_eq!(left("in a hurry", &["turning-around:orders", "unprotected:orders"]).len(), 0);
        let never = [hold("no-way-back:orders", true)];
        assert_eq!(unmet(&never, "in a hurry", &["no-way-back:orders".into()]).len(), 1);
    }

    #[test]
    fn runs_that_cannot_be_read_are_not_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(runs(None).unwrap().len(), 0);
        assert_eq!(runs(Some(root.path())).unwrap().len(), 0);
        // A journal that is none.
        let run = root.path().join("runs/01900000-0000-7000-8000-00000000beef");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("journal.jsonl"), "{}\n").unwrap();
        assert!(runs(Some(root.path())).is_err());
        std::fs::remove_dir_all(root.path().join("runs")).unwrap();
        std::fs::write(root.path().join("runs"), "").unwrap();
        assert!(runs(Some(root.path())).is_err());
        // What should be a folder is a file.
        assert!(runs(Some(&root.path().join("runs"))).is_err());
    }
}
