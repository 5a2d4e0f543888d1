//! A plan from files, for tests of this room and of those below it.

use super::{Drill, Mode, Plan, Request, TableOfKinds, build};
use crate::error::{Problems, Sources};
use crate::runbook::{open_inventory, open_runbook};
use std::collections::BTreeMap;
use std::path::Path;

/// The plan of a real, planned run from `eu-west` to `us-east`, and what was found on the way to it.
pub fn planned(runbook: &Path, inventory: &Path) -> (Option<Plan>, Problems, Sources) {
    made(runbook, inventory, ["eu-west", "us-east"], Mode::Planned)
}

/// The plan of a real run in this direction and mode.
pub fn made(
    runbook: &Path,
    inventory: &Path,
    [from, to]: [&str; 2],
    mode: Mode,
) -> (Option<Plan>, Problems, Sources) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let inventory = open_inventory(inventory, None, &mut sources, &mut problems);
    let runbook = open_runbook(runbook, inventory.as_ref(), &TableOfKinds, &mut sources, &mut problems);
    let (Some(runbook), Some(inventory)) = (runbook, inventory) else { return (None, problems, sources) };
    let request = Request {
        runbook: &runbook,
        runbook_sha256: String::new(),
        inventory: &inventory,
        inventory_sha256: String::new(),
        from,
        to,
        mode,
        drill: Drill::Real,
        parameters: &BTreeMap::new(),
    };
    let plan = build(&request, &mut problems);
    (plan, problems, sources)
}
