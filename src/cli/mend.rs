//! Looks for changes of a runbook that remove what its rehearsal found.

use super::setup::Files;
use crate::plan::{Plan, Request};
use crate::rehearse::remedy::{Again, Mender};
use crate::rehearse::report::Report;
use std::collections::BTreeMap;

/// What a plan was made from.
pub fn request<'a>(
    files: &'a Files,
    parameters: &'a BTreeMap<String, String>,
    plan: &'a Plan,
) -> Request<'a> {
    Request {
        runbook: &files.runbook,
        runbook_sha256: files.runbook_sha256.clone(),
        inventory: &files.inventory,
        inventory_sha256: files.inventory_sha256.clone(),
        from: &plan.from,
        to: &plan.to,
        mode: plan.mode,
        drill: plan.drill,
        parameters,
    }
}

/// Says in the report where what was found stands, and what removes it. `again` rehearses a changed plan.
pub fn mend(
    files: &Files,
    parameters: &BTreeMap<String, String>,
    plan: &Plan,
    report: &mut Report,
    again: &Again<'_>,
) {
    let request = request(files, parameters, plan);
    let mender = Mender { request: &request, sources: &files.sources, faults: report.bound, again };
    mender.mend(plan, report, None);
}
