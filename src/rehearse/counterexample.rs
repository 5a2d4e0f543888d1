//! A counterexample as a value that outlives the search: what went wrong, as a story, and what is to be said of it.

use super::alphabet::Mishap;
use super::cause;
use super::node::{Ground, Happening};
use super::precedent::{Precedent, precedent};
use super::remedy::Remedy;
use super::search::{Finding, Search};
use super::story;
use crate::engine::record::{Purpose, Record};
use crate::step::Standing;
use crate::world::Reply;
use serde::Serialize;

/// A way in which a runbook goes wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Counterexample {
    /// Stable for the same cause in the same runbook.
    pub id: String,
    /// The invariant that does not hold.
    pub invariant: String,
    /// What must not be.
    pub title: String,
    /// What is wrong.
    pub what: String,
    /// The step on which it turns; empty if there is none.
    pub step: String,
    /// That step's line in the runbook, if it is known. From 1.
    pub line: Option<usize>,
    /// What made the difference, where the runbook says so.
    pub why: Option<String>,
    /// Faults in it, in words.
    pub faults: Vec<String>,
    /// The same faults by their names in the alphabet.
    pub kinds: Vec<&'static str>,
    /// Schedules with the same cause that were seen.
    pub schedules: u64,
    /// What happened, in order.
    pub story: Vec<StoryLine>,
    /// What is true in the end.
    pub truth: String,
    /// What the run believes then.
    pub belief: String,
    /// Everything that happens in it, to be replayed.
    #[serde(skip)]
    pub schedule: Vec<super::replay::Happened>,
    /// Where the same has happened, if that is known.
    pub precedent: Option<Precedent>,
    /// A change that removes it, which was rehearsed.
    pub remedy: Option<Remedy>,
    /// Whether one was looked for.
    pub sought: bool,
    /// An earlier counterexample with the same cause: what removes that one removes this one.
    pub same_as: Option<String>,
}

/// One line of a story.
#[derive(Clone, Debug, Serialize)]
pub struct StoryLine {
    /// The text.
    pub text: String,
    /// Whether it is a fault.
    pub fault: bool,
    /// Whether it belongs to a part in which everything goes as planned.
    pub usual: bool,
    /// The step that it is about; empty if none.
    pub step: String,
    /// Whether that step is being taken back.
    pub back: bool,
}

/// Everything that was found, that with the fewest faults first, then the shortest.
pub(super) fn counterexamples(ground: &Ground, search: &Search<'_>) -> Vec<Counterexample> {
    let mut found: Vec<(&String, &(Finding, u64))> = search.findings.iter().collect();
    found.sort_by_key(|(cause, (finding, _))| (finding.mishaps, finding.length, (*cause).clone()));
    let mut told: Vec<Counterexample> = found
        .into_iter()
        .map(|(cause, (finding, schedules))| counterexample(ground, cause, finding, *schedules))
        .collect();
    group(&mut told);
    told
}

/// Those that break the same invariant because of the same step, for the same reason, have one cause.
fn group(told: &mut [Counterexample]) {
    for later in 1..told.len() {
        let (before, rest) = told.split_at_mut(later);
        let Some(one) = rest.first_mut().filter(|one| one.why.is_some()) else { continue };
        let same = |other: &&Counterexample| {
            other.same_as.is_none()
                && (&other.invariant, &other.step, &other.why) == (&one.invariant, &one.step, &one.why)
        };
        one.same_as = before.iter().find(same).map(|other| other.id.clone());
    }
}

fn counterexample(ground: &Ground, cause: &str, finding: &Finding, schedules: u64) -> Counterexample {
    use sha2::{Digest, Sha256};
    let happenings = story::happenings(finding.trail.as_ref());
    let mishaps: Vec<Mishap> = story::mishaps(finding.trail.as_ref());
    let turns = cause::turns(ground, &happenings, finding.invariant, &finding.what);
    Counterexample {
        id: hex::encode(&Sha256::digest(cause.as_bytes())[..3]),
        invariant: finding.invariant.into(),
        title: finding.title.into(),
        what: finding.what.clone(),
        step: turns.step,
        line: None,
        why: turns.why,
        faults: mishaps.iter().map(Mishap::in_words).collect(),
        kinds: mishaps.iter().map(Mishap::name).collect(),
        schedules,
        story: lines(&happenings),
        truth: finding.truth.clone(),
        belief: finding.belief.clone(),
        schedule: super::replay::schedule(finding.trail.as_ref()),
        precedent: precedent(finding.invariant, &met(ground, &happenings)),
        remedy: None,
        sought: false,
        same_as: None,
    }
}

/// Each fault with the kind of the step that it met; of a fault before the first step the kind is empty.
fn met<'g>(ground: &'g Ground, happenings: &[Happening]) -> Vec<(&'static str, &'g str)> {
    let mut kind = "";
    let mut met = Vec::new();
    for happening in happenings {
        match happening {
            Happening::Record(record) => {
                let step = story::of(record).and_then(|id| ground.plan.steps.iter().find(|one| one.id == id));
                kind = step.map_or(kind, |step| step.kind.as_str());
            }
            Happening::Mishap(mishap) => met.push((mishap.name(), kind)),
            Happening::Calm => {}
        }
    }
    met
}

/// What happened to one step without a break.
struct Stretch {
    lines: Vec<StoryLine>,
    /// Whether it ended as it should, without a word of trouble.
    fine: bool,
    reached: bool,
}

fn lines(happenings: &[Happening]) -> Vec<StoryLine> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut met = false;
    for happening in happenings {
        met |= matches!(happening, Happening::Mishap(_));
        let (step, back) = match happening {
            Happening::Record(record) => (story::of(record).unwrap_or_default(), taken_back(record)),
            Happening::Mishap(_) | Happening::Calm => ("", false),
        };
        let Some((text, fault)) = story::line(happening) else { continue };
        let line = StoryLine { text, fault, usual: !met, step: step.to_owned(), back };
        let same = |stretch: &&mut Stretch| {
            let first = stretch.lines.first();
            !step.is_empty() && first.is_some_and(|first| first.step == step && first.back == back)
        };
        let (fine, reached) = match happening {
            Happening::Record(record) => state_of(record),
            Happening::Mishap(_) | Happening::Calm => (false, false),
        };
        match stretches.last_mut().filter(same) {
            Some(stretch) => {
                stretch.lines.push(line);
                stretch.fine &= fine;
                stretch.reached = reached;
            }
            None => stretches.push(Stretch { lines: vec![line], fine, reached }),
        }
    }
    let fault = stretches.iter().position(|stretch| stretch.lines.iter().any(|line| line.fault));
    let mut told = Vec::new();
    for (at, mut stretch) in stretches.into_iter().enumerate() {
        let well = stretch.fine && stretch.reached;
        // What the first fault met is told, so that one reads of which step the fault is.
        let meets = fault == Some(at + 1) && stretch.lines.iter().any(|line| !line.step.is_empty());
        if well || meets {
            stretch.lines.iter_mut().for_each(|line| line.usual = well);
        }
        told.append(&mut stretch.lines);
    }
    told
}

/// Whether a record belongs to a step that is taken back.
fn taken_back(record: &Record) -> bool {
    if let Record::Looked { purpose, .. } = record {
        return matches!(purpose, Purpose::Undo | Purpose::Undone);
    }
    matches!(record, Record::Intent { undo: true, .. } | Record::Replied { undo: true, .. })
}

/// Whether a record is without trouble, and whether it says that something is as it should be.
fn state_of(record: &Record) -> (bool, bool) {
    if let Record::Looked { standing, .. } = record {
        return match standing {
            Standing::Reached => (true, true),
            Standing::NotReached | Standing::Moving => (true, false),
            Standing::Blocked | Standing::Unknown => (false, false),
        };
    }
    if let Record::Replied { reply, .. } = record {
        return match reply {
            Reply::Acknowledged { .. } | Reply::More { .. } => (true, false),
            Reply::Refused { .. } | Reply::Lost { .. } => (false, false),
        };
    }
    (matches!(record, Record::Intent { .. }), false)
}
