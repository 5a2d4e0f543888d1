//! Changes of a runbook that remove a counterexample. Each is made to the runbook as it was read, checked and planned by the same code
//! as any other, and rehearsed again: a change that has not stood that is not suggested.

use super::changes::{Change, changes};
use super::counterexample::Counterexample;
use super::report::Report;
use crate::error::{Problems, Sources};
use crate::plan::{Mode, Plan, Request, TableOfKinds, build};
use crate::runbook::Draft;
use crate::runbook::check::{self, Context};
use crate::runbook::model::{Rollback, Runbook};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Counterexamples for which a remedy is looked for, unless one is asked for by name: as many as are shown.
pub const SHOWN: usize = 5;

/// A change that was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What to write.
    pub change: String,
    /// The step that it is about.
    pub step: String,
    /// Where. From 1.
    pub line: Option<usize>,
    /// What the rehearsal of the changed runbook said.
    pub rehearsed: String,
}

/// How a changed runbook did.
#[derive(Clone)]
struct Outcome {
    /// Counterexamples that are left with as many faults as the first ones of the original have.
    left: BTreeSet<String>,
    /// What is to be said of it.
    said: String,
}

/// A rehearsal of a plan, and of the one with which it may be taken over, with so many faults.
pub type Again<'a> = dyn Fn(&Plan, Option<Plan>, RangeInclusive<u32>) -> Report + 'a;

/// Rehearses changed runbooks.
pub struct Mender<'a> {
    /// What the plan was made from.
    pub request: &'a Request<'a>,
    /// The texts, for places.
    pub sources: &'a Sources,
    /// Faults in one schedule up to which everything is tried.
    pub faults: u32,
    /// A rehearsal in the same world.
    pub again: &'a Again<'a>,
}

impl Mender<'_> {
    /// Says of what was found where it stands, and what removes it. `only`: of the counterexample of this name alone.
    pub fn mend(&self, plan: &Plan, report: &mut Report, only: Option<&str>) {
        self.locate(report);
        let mut tried: BTreeMap<String, Option<Outcome>> = BTreeMap::new();
        if let Some(why) = report.fails_alone.clone() {
            let step = blamed(plan, &why).unwrap_or_default();
            report.fails_line = report.lines.get(&step).copied();
            let remedy = changes(self.request.runbook, plan, "", &step).into_iter().find_map(|change| {
                let outcome = self.outcome(plan, &change, report, &mut tried)?;
                Some(self.remedy(&change, &outcome))
            });
            report.remedy = remedy;
            return;
        }
        let mut looked = 0;
        for head in 0..report.counterexamples.len() {
            let one = &report.counterexamples[head];
            // What is grouped, or removed by the remedy of one before, needs none of its own.
            let wanted = only.map_or(one.same_as.is_none(), |id| one.id == id);
            if wanted && looked < SHOWN {
                looked += 1;
                self.mend_one(plan, report, head, &mut tried);
            }
        }
    }

    fn mend_one(
        &self,
        plan: &Plan,
        report: &mut Report,
        head: usize,
        tried: &mut BTreeMap<String, Option<Outcome>>,
    ) {
        report.counterexamples[head].sought = true;
        let Counterexample { id, invariant, step, .. } = report.counterexamples[head].clone();
        for change in changes(self.request.runbook, plan, &invariant, &step) {
            let Some(outcome) = self.outcome(plan, &change, report, tried) else { continue };
            if outcome.left.contains(&id) {
                continue;
            }
            report.counterexamples[head].remedy = Some(self.remedy(&change, &outcome));
            // What the change leaves has another cause after all.
            let mut apart: Option<String> = None;
            for other in report.counterexamples.iter_mut().skip(head + 1) {
                let left = outcome.left.contains(&other.id);
                if left && other.same_as.as_ref() == Some(&id) {
                    other.same_as = apart.clone();
                    apart = apart.or_else(|| Some(other.id.clone()));
                } else if !left && other.same_as.is_none() && other.invariant == invariant {
                    other.same_as = Some(id.clone());
                }
            }
            return;
        }
    }

    fn remedy(&self, change: &Change, outcome: &Outcome) -> Remedy {
        let line = self.sources.line_column(change.at).map(|place| place.line);
        let place = line.map_or_else(String::new, |line| format!(" (line {line})"));
        Remedy {
            change: format!("{}{place}{}", change.what, change.rest),
            step: change.step.clone(),
            line,
            rehearsed: outcome.said.clone(),
        }
    }

    /// How the changed runbook does, if it is no worse than the original.
    fn outcome(
        &self,
        plan: &Plan,
        change: &Change,
        report: &Report,
        tried: &mut BTreeMap<String, Option<Outcome>>,
    ) -> Option<Outcome> {
        let name = format!("{}{}", change.what, change.rest);
        if let Some(known) = tried.get(&name) {
            return known.clone();
        }
        let outcome = self.rehearsed(plan, change, report);
        tried.insert(name, outcome.clone());
        outcome
    }

    fn rehearsed(&self, plan: &Plan, change: &Change, report: &Report) -> Option<Outcome> {
        let changed = self.plan(&change.runbook)?;
        let (runbook_sha256, inventory_sha256) = (String::new(), String::new());
        let request = Request { runbook: &change.runbook, runbook_sha256, inventory_sha256, ..*self.request };
        let unplanned = || unplanned(&request);
        let width = report.complete_for.map_or(0, |faults| faults + 1);
        let narrow = (self.again)(&changed, unplanned(), 0..=width);
        let before = names(report);
        if !sound(&narrow, report) || !names(&narrow).is_subset(&before) {
            return None;
        }
        let left = names(&narrow);
        if !left.is_empty() {
            // With fewer faults than the original needs, nothing may be found at all.
            let same_width = narrow.complete_for.map_or(0, |faults| faults + 1) == width;
            let said = "this is gone, others are left".to_owned();
            return same_width.then_some(Outcome { left, said });
        }
        let clean =
            |faults: u32| format!("complete for up to {faults} fault{}", if faults == 1 { "" } else { "s" });
        if width >= self.faults {
            return Some(Outcome { left, said: clean(self.faults) });
        }
        let wide = (self.again)(&changed, unplanned(), width + 1..=self.faults);
        if wide.counts.cut || !covers(&wide, report) {
            return None;
        }
        if wide.counterexamples.is_empty() {
            return Some(Outcome { left, said: clean(self.faults) });
        }
        // With more faults than the original was tried with: what is found there must have been there before.
        let reached = wide.complete_for.unwrap_or(width) + 1;
        let original = (self.again)(plan, self::unplanned(self.request), reached..=reached);
        names(&wide).is_subset(&names(&original)).then(|| Outcome {
            left,
            said: format!("this is gone, others with {reached} faults were there before and are left"),
        })
    }

    /// The plan of a changed runbook, if `check` has nothing against it.
    fn plan(&self, runbook: &Runbook) -> Option<Plan> {
        let draft = Draft { runbook: runbook.clone(), whole: true };
        let mut problems = Problems::new();
        let context =
            Context { draft: &draft, kinds: &TableOfKinds, inventory: Some(self.request.inventory) };
        check::runbook(&context, &mut problems);
        if problems.has_errors() {
            return None;
        }
        let request = Request {
            runbook,
            runbook_sha256: String::new(),
            inventory: self.request.inventory,
            inventory_sha256: String::new(),
            from: self.request.from,
            to: self.request.to,
            mode: self.request.mode,
            drill: self.request.drill,
            parameters: self.request.parameters,
        };
        build(&request, &mut problems)
    }

    fn locate(&self, report: &mut Report) {
        for step in self.request.runbook.steps() {
            let ways = match &step.policy.rollback {
                Rollback::Steps(ways) => ways.as_slice(),
                Rollback::Auto | Rollback::None { .. } => &[],
            };
            for step in std::iter::once(step).chain(ways) {
                if let Some(place) = self.sources.line_column(step.id.span) {
                    report.lines.insert(step.id.value.clone(), place.line);
                }
            }
        }
        for one in &mut report.counterexamples {
            one.line = report.lines.get(&one.step).copied();
        }
        for one in &mut report.not_covered {
            one.line = report.lines.get(&one.step).copied();
        }
    }
}

fn names(report: &Report) -> BTreeSet<String> {
    report.counterexamples.iter().map(|one| one.id.clone()).collect()
}

fn sound(changed: &Report, original: &Report) -> bool {
    changed.fails_alone.is_none() && !changed.counts.cut && covers(changed, original)
}

/// Whether the rehearsal of the changed runbook has tried whatever that of the original had.
fn covers(changed: &Report, original: &Report) -> bool {
    let opaque = |report: &Report| -> BTreeSet<String> {
        report.not_covered.iter().map(|one| one.step.clone()).collect()
    };
    let made = |report: &Report| -> BTreeSet<String> { report.never_made.iter().cloned().collect() };
    opaque(changed).is_subset(&opaque(original)) && made(changed).is_subset(&made(original))
}

/// The plan with which a person may take a planned run over as unplanned, if there is one.
pub fn unplanned(request: &Request<'_>) -> Option<Plan> {
    let mut problems = Problems::new();
    let planned = request.mode == Mode::Planned;
    let request = Request {
        runbook_sha256: request.runbook_sha256.clone(),
        inventory_sha256: request.inventory_sha256.clone(),
        mode: Mode::Unplanned,
        ..*request
    };
    let plan = if planned { build(&request, &mut problems) } else { None };
    plan.filter(|plan| !problems.has_errors() && hands_over(plan))
}

/// Whether every promotion has a step that makes its handover. Where only a stopped source makes it (`postgres.stop`), nobody takes over with
/// this runbook: the run is abandoned, and another runbook moves it.
fn hands_over(plan: &Plan) -> bool {
    let done = || plan.effects().filter(|(s, _, _)| plan.steps[*s].skipped.is_none());
    let made = |set: &String| done().any(|(_, _, planned)| planned.effect.makes.as_ref() == Some(set));
    done().filter_map(|(_, _, planned)| planned.effect.needs.as_ref()).all(made)
}

/// The step that a reason names.
fn blamed(plan: &Plan, why: &str) -> Option<String> {
    let named = |id: &str| {
        why.match_indices(&format!("{id}: "))
            .any(|(at, _)| !why[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    };
    plan.steps.iter().find(|step| named(&step.id)).map(|step| step.id.clone())
}
