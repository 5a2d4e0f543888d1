//! A counterexample, told so that an operator understands it.

use super::alphabet::Mishap;
use super::node::{Happening, Link};
use crate::engine::record::{Choice, Purpose, Record, Turn};
use crate::step::Standing;
use crate::world::Reply;
use std::rc::Rc;

/// Happenings in order.
pub fn happenings(trail: Option<&Rc<Link>>) -> Vec<Happening> {
    let mut all = Vec::new();
    let mut link = trail;
    while let Some(one) = link {
        all.push(one.what.clone());
        link = one.before.as_ref();
    }
    all.reverse();
    all
}

/// What tells causes apart: which faults there were, each with the step that it met.
pub fn cause(trail: Option<&Rc<Link>>) -> String {
    let mut step = String::new();
    let mut parts: Vec<String> = Vec::new();
    for happening in happenings(trail) {
        match &happening {
            Happening::Record(record) => {
                if let Some(now) = of(record) {
                    step = now.to_owned();
                }
            }
            Happening::Mishap(mishap) => parts.push(format!("{}@{step}", mishap.name())),
            Happening::Calm => {}
        }
    }
    parts.join(", ")
}

/// The step that a record is about.
pub fn of(record: &Record) -> Option<&str> {
    match record {
        Record::Looked { step, .. }
        | Record::Surprised { step, .. }
        | Record::Intent { step, .. }
        | Record::Replied { step, .. }
        | Record::Required { step, .. } => Some(step),
        _ => None,
    }
}

/// Whether a person begins to roll back here.
pub(super) fn goes_back(record: &Record) -> bool {
    matches!(record, Record::Opened { choice: Choice::RollBack, .. })
}

/// One line of a story, and whether it is a fault; nothing for what an operator need not read.
pub fn line(happening: &Happening) -> Option<(String, bool)> {
    match happening {
        Happening::Mishap(mishap) => Some((mishap.in_words(), true)),
        Happening::Calm => Some(("an hour later everything answers again".into(), false)),
        Happening::Record(record) => record_line(record).map(|line| (line, false)),
    }
}

fn record_line(record: &Record) -> Option<String> {
    Some(match record {
        Record::Opened { choice, .. } => match choice {
            Choice::RollBack => "a person rolls back".into(),
            _ => "mrctl starts, and goes on".into(),
        },
        Record::Switched { .. } => "a person takes the run over as unplanned".into(),
        Record::Intent { step, effect, undo, .. } => match undo {
            true => format!("{step}/{effect}: take back"),
            false => format!("{step}/{effect}: make"),
        },
        Record::Replied { step, effect, reply, .. } => match reply {
            Reply::Acknowledged { note } => format!("{step}/{effect}: answered: {note}"),
            Reply::Refused { why } => format!("{step}/{effect}: refused: {why}"),
            Reply::Lost { why } => format!("{step}/{effect}: no answer: {why}"),
            Reply::More { .. } => return None,
        },
        Record::Looked { step, effect, purpose, standing, evidence, .. } => {
            format!("{step}/{effect}: {}: {evidence}", seen(*purpose, *standing))
        }
        Record::Surprised { step, effect, case, .. } => {
            format!("{step}/{effect}: seen, and it cannot be: {}: {}", case.place, case.what)
        }
        Record::Turned { to, why, .. } => match to {
            Turn::RollBack => format!("mrctl takes back what it changed: {why}"),
            Turn::Pause => format!("mrctl stops and waits for a person: {why}"),
            Turn::Refuse => format!("mrctl refuses: {why}"),
            Turn::Warn => format!("mrctl warns, and goes on: {why}"),
            // The end itself follows.
            Turn::Finish => return None,
        },
        Record::Surveyed { world, .. } => format!("last look: {world}"),
        Record::Ended { verdict, why, .. } if why.is_empty() => format!("ended: {}", verdict.word()),
        Record::Ended { verdict, why, .. } => format!("ended: {}: {why}", verdict.word()),
        Record::Retrying { step, try_number, .. } => format!("{step}: try {try_number}"),
        _ => return None,
    })
}

/// What a look has seen, in words: of a step that is taken back, whether it is as before.
fn seen(purpose: Purpose, standing: Standing) -> &'static str {
    match (standing, purpose) {
        (Standing::Reached, Purpose::Before | Purpose::After) => "reached",
        (Standing::NotReached, Purpose::Before | Purpose::After) => "not reached",
        (Standing::Reached, Purpose::Undo | Purpose::Undone) => "as before",
        (Standing::NotReached, Purpose::Undo | Purpose::Undone) => "not as before",
        (Standing::Moving, _) => "under way",
        (Standing::Blocked, _) => "blocked",
        (Standing::Unknown, _) => "unknown",
    }
}

/// All mishaps of a story.
pub fn mishaps(trail: Option<&Rc<Link>>) -> Vec<Mishap> {
    happenings(trail)
        .into_iter()
        .filter_map(|happening| match happening {
            Happening::Mishap(mishap) => Some(mishap),
            Happening::Record(_) | Happening::Calm => None,
        })
        .collect()
}
