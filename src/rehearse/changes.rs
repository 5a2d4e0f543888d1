//! The table of changes that may remove a counterexample. Whether one does is for a rehearsal to say.

use crate::error::Span;
use crate::language::Spanned;
use crate::plan::{Plan, PlannedEffect, TableOfKinds};
use crate::runbook::KindFacts as _;
use crate::runbook::check::Part;
use crate::runbook::model::{Item, OnFailure, Rollback, Runbook, Step};
use crate::step::Class;

/// A change that may help.
pub(super) struct Change {
    /// What to do with the step, ending with its name: its line comes behind it.
    pub(super) what: String,
    /// What comes behind the line.
    pub(super) rest: String,
    /// The step that it is about.
    pub(super) step: String,
    /// Where.
    pub(super) at: Span,
    /// The runbook with it.
    pub(super) runbook: Runbook,
}

/// A row of the table of changes.
struct Row {
    /// Invariants that it can mend; none: a run that does not complete even alone.
    invariants: &'static [&'static str],
    /// The change, if it can be made at this step.
    change: fn(&Runbook, &Plan, &str) -> Option<Change>,
}

/// All of them, the smaller ones first. A row that would only stop the rehearsal from looking is none: to take `temporary` from what
/// was forgotten, or a rollback from what nothing else takes back, mends nothing.
const ROWS: &[Row] = &[
    Row { invariants: &["I2", "I10", "I13"], change: without_best_effort },
    Row { invariants: &["I2", "I10", "I13"], change: without_on_unknown },
    Row { invariants: &["I2", "I10", "I13"], change: without_on_failure },
    Row { invariants: &["I2", "I10", "I13"], change: without_temporary },
    Row { invariants: &["I4", "I5"], change: with_its_own_undo },
    Row { invariants: &[], change: behind_the_promotion },
    Row { invariants: &[], change: before_the_freeze },
];

/// The changes that may help at a step against an invariant; without one, against not completing alone.
pub(super) fn changes(runbook: &Runbook, plan: &Plan, invariant: &str, step: &str) -> Vec<Change> {
    let fits = |row: &&Row| match invariant {
        "" => row.invariants.is_empty(),
        _ => row.invariants.contains(&invariant),
    };
    ROWS.iter().filter(fits).filter_map(|row| (row.change)(runbook, plan, step)).collect()
}

fn edited(runbook: &Runbook, id: &str, edit: impl FnOnce(&mut Step)) -> Runbook {
    let mut runbook = runbook.clone();
    let items = runbook.sections.iter_mut().flat_map(|section| &mut section.items);
    let mut steps = items.flat_map(|item| match item {
        Item::Step(step) => std::slice::from_mut(step.as_mut()),
        Item::Parallel { steps, .. } => steps.as_mut_slice(),
    });
    if let Some(step) = steps.find(|step| step.id.value == id) {
        edit(step);
    }
    runbook
}

/// A key of a step's policy is left out.
fn without<T>(
    runbook: &Runbook,
    id: &str,
    word: &str,
    key: Option<&Spanned<T>>,
    edit: fn(&mut Step),
) -> Option<Change> {
    Some(Change {
        what: format!("take `{word}` from step {id}"),
        rest: String::new(),
        step: id.to_owned(),
        at: key?.span,
        runbook: edited(runbook, id, edit),
    })
}

fn without_best_effort(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    let key = runbook.step(id)?.policy.best_effort.as_ref().filter(|flag| flag.value);
    without(runbook, id, "best_effort", key, |step| step.policy.best_effort = None)
}

fn warns(key: &Option<Spanned<OnFailure>>) -> Option<&Spanned<OnFailure>> {
    key.as_ref().filter(|on| on.value == OnFailure::Warn)
}

fn without_on_unknown(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    let key = warns(&runbook.step(id)?.policy.on_unknown);
    without(runbook, id, "on_unknown: warn", key, |step| step.policy.on_unknown = None)
}

fn without_on_failure(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    let key = warns(&runbook.step(id)?.policy.on_failure);
    without(runbook, id, "on_failure: warn", key, |step| step.policy.on_failure = None)
}

fn without_temporary(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    let key = runbook.step(id)?.policy.temporary.as_ref().filter(|flag| flag.value);
    without(runbook, id, "temporary", key, |step| step.policy.temporary = None)
}

/// The kind's own way back, where it has one, instead of steps that do it otherwise. What is kept on purpose (`rollback: none`) breaks
/// nothing: a run that keeps a freeze, or may keep one, is not called rolled back.
fn with_its_own_undo(runbook: &Runbook, plan: &Plan, id: &str) -> Option<Change> {
    let step = runbook.step(id)?;
    match &step.policy.rollback {
        Rollback::Auto | Rollback::None { .. } => return None,
        Rollback::Steps(_) => {}
    }
    let planned = plan.steps.iter().find(|one| one.id == id)?;
    let undoable = |effect: &PlannedEffect| effect.effect.class == Class::Undoable;
    planned.effects.iter().any(undoable).then(|| Change {
        what: format!("take the steps under `rollback` from step {id}"),
        rest: ": its kind takes it back by itself".to_owned(),
        step: id.to_owned(),
        at: step.id.span,
        runbook: edited(runbook, id, |step| step.policy.rollback = Rollback::Auto),
    })
}

/// Where the first or last step with a part in the move of a writer stands: section and item.
fn place_of(runbook: &Runbook, part: Part, last: bool) -> Option<(usize, usize, String)> {
    let mut places = runbook.sections.iter().enumerate().flat_map(|(s, section)| {
        section
            .items
            .iter()
            .enumerate()
            .flat_map(move |(i, item)| item.steps().iter().map(move |step| (s, i, step)))
    });
    let is = |(_, _, step): &(usize, usize, &Step)| {
        TableOfKinds.facts(&step.kind.value).is_some_and(|fact| fact.part == part)
    };
    let found = if last { places.rfind(is) } else { places.find(is) };
    found.map(|(s, i, step)| (s, i, step.id.value.clone()))
}

/// A step that only looks stands elsewhere.
fn moved(runbook: &Runbook, id: &str, part: Part, behind: bool) -> Option<Change> {
    let step = runbook.step(id)?;
    if TableOfKinds.facts(&step.kind.value).is_none_or(|fact| fact.part != Part::Other) {
        return None;
    }
    let alone = |item: &Item| matches!(item, Item::Step(step) if step.id.value == id);
    let mut changed = runbook.clone();
    let section = changed.sections.iter_mut().find(|section| section.items.iter().any(alone))?;
    let at = section.items.iter().position(alone)?;
    let item = section.items.remove(at);
    let (s, i, other) = place_of(&changed, part, behind)?;
    changed.sections[s].items.insert(i + usize::from(behind), item);
    changed.sections.retain(|section| !section.items.is_empty());
    let word = if behind { "behind" } else { "before" };
    Some(Change {
        what: format!("put step {id}"),
        rest: format!(" {word} {other}"),
        step: id.to_owned(),
        at: step.id.span,
        runbook: changed,
    })
}

fn behind_the_promotion(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    moved(runbook, id, Part::Pivot, true)
}

fn before_the_freeze(runbook: &Runbook, _: &Plan, id: &str) -> Option<Change> {
    moved(runbook, id, Part::Freeze, false)
}
