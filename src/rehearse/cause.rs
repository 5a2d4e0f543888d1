//! On which step a counterexample turns, and what of the runbook made the difference there.

use super::node::{Ground, Happening};
use super::story;
use crate::engine::record::{Record, Turn};
use crate::plan::{OnFailure, Step};

/// What a counterexample turns on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    /// The step; empty if there is none.
    pub(super) step: String,
    /// What of it made the difference; nothing where the runbook is not the reason.
    pub(super) why: Option<String>,
}

/// Finds it, as far as the invariant asks for it: the last failure that only warned, the change that was not taken back as its kind
/// would have done it, the temporary change that was; else the step that is named in what is wrong, or that the last fault met.
pub(super) fn turns(ground: &Ground, happenings: &[Happening], invariant: &str, what: &str) -> Turns {
    let records: Vec<&Record> = happenings
        .iter()
        .filter_map(|happening| match happening {
            Happening::Record(record) => Some(&**record),
            Happening::Mishap(_) | Happening::Calm => None,
        })
        .collect();
    let of_the_runbook = match invariant {
        "I2" | "I10" | "I13" => warned(ground, &records).or_else(|| put_back(ground, &records)),
        "I4" | "I5" => by_own_steps(ground, &records),
        _ => None,
    };
    of_the_runbook
        .or_else(|| named(ground, what))
        .unwrap_or_else(|| Turns { step: met(ground, happenings), why: None })
}

fn step<'g>(ground: &'g Ground, id: &str) -> Option<&'g Step> {
    ground.plan.steps.iter().find(|step| step.id == id)
}

fn warned(ground: &Ground, records: &[&Record]) -> Option<Turns> {
    let (id, unknown) = records.iter().rev().find_map(|record| match record {
        Record::Turned { to: Turn::Warn, step, unknown, .. } if !step.is_empty() => Some((step, *unknown)),
        _ => None,
    })?;
    let step = step(ground, id)?;
    let key = match (step.best_effort, unknown) {
        (true, _) => "best_effort",
        (false, true) if step.on_unknown == OnFailure::Warn => "on_unknown: warn",
        (false, _) => "on_failure: warn",
    };
    Some(Turns {
        step: id.clone(),
        why: Some(format!("step {id} has `{key}`, so mrctl warned and went on without it")),
    })
}

/// A rollback left a change to the runbook, to be taken back by steps of its own.
fn by_own_steps(ground: &Ground, records: &[&Record]) -> Option<Turns> {
    let rolled = |record: &&Record| matches!(record, Record::Turned { to: Turn::RollBack, .. });
    let back = records.iter().any(|record| rolled(record) || story::goes_back(record));
    let made = records.iter().rev().find_map(|record| match record {
        Record::Intent { step: id, undo: false, .. } if back => step(ground, id).filter(|step| {
            let own = ground.plan.steps.iter().any(|way| way.takes_back.as_deref() == Some(id));
            step.takes_back.is_none() && own
        }),
        _ => None,
    })?;
    let id = &made.id;
    let ways = ground.plan.steps.iter().filter(|way| way.takes_back.as_ref() == Some(id));
    let ways: Vec<&str> = ways.map(|way| way.id.as_str()).collect();
    let why =
        format!("step {id} is taken back by steps of its own ({}), not as its kind does it", ways.join(", "));
    Some(Turns { step: id.clone(), why: Some(why) })
}

/// A temporary change was put back, and nothing had gone wrong before.
fn put_back(ground: &Ground, records: &[&Record]) -> Option<Turns> {
    let rolled = records.iter().any(|record| {
        matches!(record, Record::Turned { to: Turn::RollBack | Turn::Pause, .. }) || story::goes_back(record)
    });
    let id = records.iter().rev().find_map(|record| match record {
        Record::Intent { step: id, undo: true, .. } if !rolled => {
            step(ground, id).filter(|step| step.temporary).map(|step| &step.id)
        }
        _ => None,
    })?;
    let why = format!("step {id} is `temporary`, so mrctl put it back at the end");
    Some(Turns { step: id.clone(), why: Some(why) })
}

/// What is wrong begins with the step's name.
fn named(ground: &Ground, what: &str) -> Option<Turns> {
    let id = what.split(['/', ':']).next()?;
    step(ground, id).map(|step| Turns { step: step.id.clone(), why: None })
}

/// The step that the last fault met, or the first one.
fn met(ground: &Ground, happenings: &[Happening]) -> String {
    let last = happenings.iter().rposition(|happening| matches!(happening, Happening::Mishap(_)));
    let before = happenings[..last.unwrap_or(happenings.len())].iter().rev();
    let after = happenings[last.unwrap_or(happenings.len())..].iter();
    let about = |happening: &Happening| match happening {
        Happening::Record(record) => story::of(record).map(str::to_owned),
        Happening::Mishap(_) | Happening::Calm => None,
    };
    let first = ground.plan.steps.first().map(|step| step.id.clone());
    before.chain(after).find_map(about).or(first).unwrap_or_default()
}
