//! Whether a certificate covers what would run, and what stands against it.

use super::{Certificates, Kept, Parameters};
use crate::plan::{Mode, Plan};
use crate::runbook::inventory::Rehearsal;
use std::cmp::Reverse;
use std::path::PathBuf;

/// How far a certificate may lie in the future before it counts for nothing: clocks are put right. Milliseconds.
const AHEAD: i64 = 3_600_000;

/// What is demanded of a certificate besides that it is of the same plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whether there must be one.
    pub required: bool,
    /// Longest age, if there is one. Milliseconds.
    pub max_age_ms: Option<u64>,
    /// Fewest faults.
    pub faults: u32,
}

impl Demand {
    /// Of an inventory; nothing where it says nothing.
    pub fn of(rehearsal: Option<&Rehearsal>) -> Self {
        rehearsal.map_or_else(Self::default, |rehearsal| Self {
            required: rehearsal.required,
            max_age_ms: rehearsal.max_age.map(|age| age.millis()),
            faults: rehearsal.faults,
        })
    }
}

/// What stands against a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differs {
    /// The runbook's text is another one.
    Runbook,
    /// The inventory's text is another one.
    Inventory,
    /// The parameters have other values: their names. What each was and is stays out of it.
    Parameters(Vec<String>),
    /// A kind of step has another version.
    Kind(String),
    /// It is the same text, and another plan.
    Plan,
    /// mrctl has another version: then.
    Version(String),
    /// It was with another build of this version.
    Program,
    /// The file of this program cannot be read: nobody knows whether it is the same.
    ProgramUnknown,
    /// Other faults are tried, or other invariants checked.
    Tables,
    /// Fewer faults were tried than are demanded: how many are.
    Faults(u32),
    /// It is too old: what is allowed, in milliseconds.
    Old(u64),
    /// It is dated in the future.
    Future,
}

/// What there is of a plan's rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The certificate that covers it, or else the one that comes nearest; none if it was never rehearsed in this direction.
    pub best: Option<Kept>,
    /// How old that is. Milliseconds.
    pub age_ms: u64,
    /// What stands against it; empty if it covers the plan.
    pub differs: Vec<Differs>,
    /// Certificates that could not be read, with why. One of them may have been the one.
    pub refused: Vec<(PathBuf, String)>,
    /// What is demanded.
    pub demand: Demand,
}

impl Judged {
    /// The certificate that covers the plan.
    pub fn covers(&self) -> Option<&Kept> {
        self.best.as_ref().filter(|_| self.differs.is_empty())
    }

    /// Whether one is demanded, and there is none.
    pub fn unmet(&self) -> bool {
        self.demand.required && self.covers().is_none()
    }
}

/// The program that asks for a certificate.
#[derive(Clone, Copy)]
pub struct Mrctl<'a> {
    /// Its version.
    pub version: &'a str,
    /// Digest of its tables of faults and invariants.
    pub tables: &'a str,
    /// SHA-256 of its file; none if that cannot be read. Asked only where a certificate is to be compared, for the file is large.
    pub program: &'a dyn Fn() -> Option<String>,
}

/// What a certificate is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Environment, runbook, source and target region.
    pub about: [&'a str; 4],
    /// SHA-256 of the runbook's text.
    pub runbook_sha256: &'a str,
    /// SHA-256 of the inventory's texts.
    pub inventory_sha256: &'a str,
    /// The plan; none where a parameter has no value yet. Then the texts alone are compared, and whatever values there were count.
    pub plan: Option<&'a Plan>,
}

impl<'a> Wanted<'a> {
    /// For a plan.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            about: [&plan.environment, &plan.runbook, &plan.from, &plan.to].map(String::as_str),
            runbook_sha256: &plan.runbook_sha256,
            inventory_sha256: &plan.inventory_sha256,
            plan: Some(plan),
        }
    }
}

/// Looks for the certificate of what is wanted. `now`: milliseconds since the epoch.
pub fn judge(all: &Certificates, wanted: Wanted<'_>, demand: Demand, mrctl: Mrctl<'_>, now: i64) -> Judged {
    let mode = wanted.plan.map_or(Mode::Planned, |plan| plan.mode);
    let same = all.kept.iter().filter(|kept| kept.says.about() == wanted.about && kept.says.mode == mode);
    let judged = same.map(|kept| (kept, differs(kept, wanted, demand, mrctl, now)));
    let best = judged.min_by_key(|(kept, differs)| (differs.len(), Reverse(kept.says.at)));
    let (best, differs) = best.map_or((None, Vec::new()), |(kept, differs)| (Some(kept.clone()), differs));
    let age_ms = best.as_ref().map_or(0, |kept| age(kept, now));
    Judged { best, age_ms, differs, refused: all.refused.clone(), demand }
}

fn age(kept: &Kept, now: i64) -> u64 {
    u64::try_from(now.saturating_sub(kept.says.at)).unwrap_or(0)
}

fn differs(kept: &Kept, wanted: Wanted<'_>, demand: Demand, mrctl: Mrctl<'_>, now: i64) -> Vec<Differs> {
    let says = &kept.says;
    let mut differs = what_differs(kept, wanted);
    if differs.is_empty() && wanted.plan.is_some_and(|plan| says.plan != plan.rehearsal_digest()) {
        differs.push(Differs::Plan);
    }
    // Another version is another program, and other tables are, too: that is no news.
    if says.version != mrctl.version {
        differs.push(Differs::Version(says.version.clone()));
    } else if says.tables == mrctl.tables {
        match (mrctl.program)() {
            Some(program) if program == says.program => {}
            Some(_) => differs.push(Differs::Program),
            None => differs.push(Differs::ProgramUnknown),
        }
    }
    if says.tables != mrctl.tables {
        differs.push(Differs::Tables);
    }
    if says.faults < demand.faults {
        differs.push(Differs::Faults(demand.faults));
    }
    differs.extend(demand.max_age_ms.filter(|allowed| age(kept, now) > *allowed).map(Differs::Old));
    if says.at.saturating_sub(now) > AHEAD {
        differs.push(Differs::Future);
    }
    differs
}

/// What a plan was made from, and what makes it another one.
fn what_differs(kept: &Kept, wanted: Wanted<'_>) -> Vec<Differs> {
    let says = &kept.says;
    let mut differs = Vec::new();
    if says.runbook_sha256 != wanted.runbook_sha256 {
        differs.push(Differs::Runbook);
    }
    if says.inventory_sha256 != wanted.inventory_sha256 {
        differs.push(Differs::Inventory);
    }
    let Some(plan) = wanted.plan else { return differs };
    // Their digest is salted with the runbook's: of another text it cannot be compared.
    let now = Parameters::of(plan);
    if differs.iter().all(|one| *one != Differs::Runbook) && says.parameters != now {
        let names: std::collections::BTreeSet<String> =
            says.parameters.names.iter().chain(&now.names).cloned().collect();
        differs.push(Differs::Parameters(names.into_iter().collect()));
    }
    // A changed runbook has other kinds, too: that is no news.
    if differs.is_empty() {
        let other = plan.kinds.iter().filter(|(kind, version)| says.kinds.get(*kind) != Some(version));
        differs.extend(other.map(|(kind, _)| Differs::Kind(kind.clone())));
    }
    differs
}
