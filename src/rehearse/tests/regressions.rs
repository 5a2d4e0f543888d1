//! Faults of mrctl that rehearsals have found: each with the runbook in which it was found, at the number of faults that it takes. Every one
//! of these failed before it was mended.

use super::{inventory, told};
use crate::error::{Problems, Sources};
use crate::plan::{Drill, Mode, Plan, Request, TableOfKinds, build};
use crate::rehearse::report::rehearse;
use crate::runbook::{open_inventory, open_runbook};
use std::collections::BTreeMap;
use std::path::Path;

/// The plan for a runbook with these steps.
fn with(steps: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.yaml");
    std::fs::write(&path, format!("mrctl: 1\nname: own\ntitle: Own\nsteps:\n{steps}")).unwrap();
    let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/mrctl.yaml");
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = open_inventory(&inventory, None, &mut sources, &mut problems).unwrap();
    let runbook = open_runbook(&path, Some(&loaded), &TableOfKinds, &mut sources, &mut problems);
    let runbook = runbook.unwrap_or_else(|| panic!("{problems:?}"));
    let parameters = BTreeMap::new();
    let request = Request {
        runbook: &runbook,
        runbook_sha256: String::new(),
        inventory: &loaded,
        inventory_sha256: String::new(),
        from: "eu-west",
        to: "us-east",
        mode: Mode::Planned,
        drill: Drill::Real,
        parameters: &parameters,
    };
    build(&request, &mut problems).unwrap_or_else(|| panic!("{problems:?}"))
}

/// What it was, the steps, and the faults that it takes.
const FOUND: &[(&str, &str, u32)] = &[
    (
        "a time to live that was put back already made the undo of the shift leave it as somebody else's",
        "  - { id: short_ttl, dns.ttl: { record: www, ttl: 1s }, temporary: true }\n  - { id: shift, dns.shift: www }\n",
        1,
    ),
    (
        "a stop that proves nothing, since the target is a primary by now, was looked at for ever",
        "  - { id: freeze, postgres.freeze: orders }\n  - { id: stop, postgres.stop: orders }\n  \
         - { id: promote, postgres.promote: orders }\n",
        1,
    ),
    (
        "what was left out with a warning was forgotten by a process that found all steps done",
        "  - { id: banner, exec: { command: [banner, show], look: [banner, look], undo: [banner, hide], effect: it is shown }, \
         best_effort: true }\n",
        2,
    ),
    (
        "a freeze that was written and not loaded was taken for taken back because it was not in force, although its undo was not done",
        "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
         - { id: promote, postgres.promote: orders }\n",
        2,
    ),
];

#[test]
fn what_rehearsals_have_found_is_mended() {
    for (what, steps, faults) in FOUND {
        let report = rehearse(&with(steps), &inventory(), *faults, 1);
        assert!(report.clean(), "{what}: {}", told(&report));
        assert_eq!(report.complete_for, Some(*faults), "{what}");
    }
}
