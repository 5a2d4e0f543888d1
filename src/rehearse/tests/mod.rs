//! What a rehearsal finds, and what it does not.

mod mutants;

use super::report::{Report, rehearse};
use crate::error::{Problems, Sources};
use crate::plan::Plan;
use crate::plan::testing::planned;
use crate::runbook::inventory::Inventory;
use crate::runbook::open_inventory;
use std::path::Path;

/// The plan for a runbook of this project.
fn plan(runbook: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (plan, problems, sources) = planned(&folder.join(runbook), &folder.join("runbooks/mrctl.yaml"));
    plan.unwrap_or_else(|| panic!("{}", crate::error::render::text(&problems, &sources, false, 100)))
}

/// The shipped inventory.
fn inventory() -> Inventory {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/mrctl.yaml");
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    open_inventory(&path, None, &mut sources, &mut problems).unwrap().inventory
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
    for runbook in ["postgres-planned-failover", "postgres-shutdown-failover", "dns-drain", "template"] {
        let report = rehearse(&plan(&format!("runbooks/{runbook}.yaml")), &inventory(), 1);
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
fn two_rehearsals_of_one_runbook_are_the_same() {
    let again = || {
        let report = rehearse(&plan("runbooks/postgres-planned-failover.yaml"), &inventory(), 1);
        (report.counts, report.plan)
    };
    assert_eq!(again(), again());
}
