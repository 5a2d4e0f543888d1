//! What a rehearsal finds, and what it does not.

mod halves;
mod live;
mod merged;
mod mutants;
mod own;
mod precedents;
mod regressions;
mod remedies;
mod reprotect;
mod taken_over;
mod truths;
mod unplanned;
mod unwritten;

use super::node::Bend;
use super::report::{How, Report, rehearse, rehearse_in};
use crate::error::{Problems, Sources};
use crate::plan::Plan;
use crate::plan::testing::planned;
use crate::runbook::inventory::Inventory;
use crate::runbook::open_inventory;
use std::path::Path;

/// The shipped runbooks.
const SHIPPED: [&str; 5] =
    ["postgres-planned-failover", "postgres-shutdown-failover", "postgres-failover", "dns-drain", "template"];

/// The plan for a runbook of this project.
fn plan_in(runbook: &str, inventory: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (plan, problems, sources) = planned(&folder.join(runbook), &folder.join(inventory));
    plan.unwrap_or_else(|| panic!("{}", crate::error::render::text(&problems, &sources, false, 100)))
}

fn plan(runbook: &str) -> Plan {
    plan_in(runbook, "runbooks/mrctl.yaml")
}

/// An inventory of this project.
fn inventory_of(inventory: &str) -> Inventory {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(inventory);
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    open_inventory(&path, None, &mut sources, &mut problems).unwrap().inventory
}

/// The shipped one.
fn inventory() -> Inventory {
    inventory_of("runbooks/mrctl.yaml")
}

fn told(report: &Report) -> String {
    let stories = report.counterexamples.iter().map(|one| {
        let lines: Vec<_> = one.story.iter().map(|line| line.text.as_str()).collect();
        format!("{} {}: {}\n{}", one.invariant, one.title, one.what, lines.join("\n"))
    });
    format!("{:?}\n{}", report.fails_alone, stories.collect::<Vec<_>>().join("\n\n"))
}

#[test]
fn a_shipped_runbook_survives_every_single_fault() {
    for runbook in SHIPPED {
        let report = rehearse(&plan(&format!("runbooks/{runbook}.yaml")), &inventory(), 1, 1);
        assert!(report.clean(), "{runbook}: {}", told(&report));
        assert_eq!(report.complete_for, Some(1), "{runbook}");
        assert!(report.never_made.is_empty(), "{runbook}: {:?}", report.never_made);
        assert!(report.never_taken_back.is_empty(), "{runbook}: {:?}", report.never_taken_back);
        for end in ["completed", "rolled_back"] {
            assert!(report.counts.ends.contains_key(end), "{runbook}: {:?}", report.counts.ends);
        }
    }
}

#[test]
fn a_shipped_runbook_survives_every_two_faults() {
    // The others take longer in a debug build; `.ci/run` rehearses them all with a release build.
    let report = rehearse(&plan("runbooks/postgres-shutdown-failover.yaml"), &inventory(), 2, 2);
    assert!(report.clean(), "{}", told(&report));
    assert_eq!(report.complete_for, Some(2));
}

#[test]
fn the_model_never_shows_what_would_stop_a_real_run() {
    // Every look of every schedule is held against the rules, and what was seen before tells states apart here, so that none is left out.
    for runbook in SHIPPED {
        let (plan, inventory) = (plan(&format!("runbooks/{runbook}.yaml")), inventory());
        let bend = Bend { remembers: true, ..Bend::default() };
        let report = rehearse_in(&plan, &How { bend, ..How::of(&plan, &inventory, 1, 1) });
        assert!(report.clean(), "{runbook}: {}", told(&report));
        assert_eq!(report.complete_for, Some(1), "{runbook}");
    }
}

#[test]
fn no_alarm_is_raised_on_the_runbooks_of_the_other_tests() {
    for (runbook, with) in [
        ("trial", "production"),
        ("again", "production"),
        ("short-ttl", "two-name-servers"),
        ("two-data-sets", "two-data-sets-inventory"),
        ("ways-back", "production"),
    ] {
        let inventory = format!("tests/fixtures/{with}.yaml");
        let plan = plan_in(&format!("tests/fixtures/{runbook}.yaml"), &inventory);
        let report = rehearse(&plan, &inventory_of(&inventory), 1, 1);
        assert!(report.clean(), "{runbook}: {}", told(&report));
        assert_eq!(report.complete_for, Some(1), "{runbook}");
    }
}

#[test]
fn two_rehearsals_of_one_runbook_are_the_same() {
    let again = || {
        let report = rehearse(&plan("runbooks/postgres-planned-failover.yaml"), &inventory(), 1, 1);
        (report.counts, report.plan)
    };
    assert_eq!(again(), again());
}
