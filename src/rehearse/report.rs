//! What a rehearsal found, as values that outlive it.

use super::alphabet::ALPHABET;
use super::counterexample::counterexamples;
use super::live::{Snapshot, Staged, stage};
use super::node::{Ground, Happening, Node};
use super::remedy::Remedy;
use super::search::{Bound, Counts, Covered, Search, Worker};
use super::seen::Seen;
use super::source::Source;
use super::start::Start;
use super::story;
use crate::engine::record::{Record, Verdict};
use crate::plan::{Mode, Plan};
use crate::runbook::inventory::Inventory;
use crate::step::{Class, Proof};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

pub use super::counterexample::{Counterexample, StoryLine};
pub use super::how::How;

/// States after which a search gives up: some hundred megabytes.
const STATES: u64 = 4_000_000;

/// A rehearsal of one runbook in one direction.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The runbook's name.
    pub runbook: String,
    /// Source region.
    pub from: String,
    /// Target region.
    pub to: String,
    /// Its mode.
    pub mode: Mode,
    /// The plan's digest.
    pub plan: String,
    /// The world that it starts from.
    pub start: Start,
    /// Faults in one schedule up to which everything was tried.
    pub complete_for: Option<u32>,
    /// Faults in one schedule up to which everything was to be tried.
    pub bound: u32,
    /// Kinds of faults in the alphabet.
    pub alphabet: usize,
    /// What was done, of the widest search.
    pub counts: Counts,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Why the run does not even complete when nothing goes wrong; nothing if it does.
    pub fails_alone: Option<String>,
    /// Effects that are there at the start, and not by the run, which asks a person at a terminal to adopt them.
    pub adopted: Vec<String>,
    /// Line of the step at which it does not, if it is known. From 1.
    pub fails_line: Option<usize>,
    /// What makes it complete then, if a single change does.
    pub remedy: Option<Remedy>,
    /// Counterexamples, those with the fewest faults first, then the shortest.
    pub counterexamples: Vec<Counterexample>,
    /// Steps whose effect the model cannot know.
    pub not_covered: Vec<NotCovered>,
    /// Changes that no schedule made.
    pub never_made: Vec<String>,
    /// Changes that can be taken back, and that no schedule took back.
    pub never_taken_back: Vec<String>,
    /// Digest of the certificate that was kept of it; none was if nothing is here.
    pub certificate: Option<String>,
    /// Lines of steps in the runbook, as far as they are known. From 1.
    #[serde(skip)]
    pub lines: BTreeMap<String, usize>,
}

/// A step that the model knows nothing of.
#[derive(Clone, Debug, Serialize)]
pub struct NotCovered {
    /// The step.
    pub step: String,
    /// Its line in the runbook, if it is known. From 1.
    pub line: Option<usize>,
    /// Why.
    pub why: String,
}

impl Report {
    /// Steps of which something was not tried: nobody can tell what they do, or no schedule made or took back a change of theirs.
    pub fn open_steps(&self) -> BTreeSet<&str> {
        let step = |name: &'_ String| name.split_once('/').map_or(name.len(), |(step, _)| step.len());
        let changes = self.never_made.iter().chain(&self.never_taken_back).map(|name| &name[..step(name)]);
        self.not_covered.iter().map(|one| one.step.as_str()).chain(changes).collect()
    }

    /// Whether nothing was found, apart from what is not covered.
    pub fn clean(&self) -> bool {
        self.fails_alone.is_none() && self.counterexamples.is_empty() && !self.counts.cut
    }
}

/// As [`rehearse`], of a plan whose source has become like this.
pub fn rehearse_with(
    plan: &Plan,
    inventory: &Inventory,
    source: Source,
    mishaps: u32,
    workers: usize,
) -> Report {
    rehearse_in(plan, &How::with(plan, inventory, source, mishaps, workers))
}

/// Rehearses a plan with every schedule of at most so many faults, in the world that its inventory describes. A wider search is not begun
/// once a narrower one has found something: its shortest stories are the ones to mend first.
pub fn rehearse(plan: &Plan, inventory: &Inventory, mishaps: u32, workers: usize) -> Report {
    rehearse_in(plan, &How::of(plan, inventory, mishaps, workers))
}

/// As [`rehearse_in`], starting from what a look at the real systems saw: [`How::live`].
pub fn rehearse_live(plan: &Plan, inventory: &Inventory, snapshot: &Snapshot, how: &How<'_>) -> Report {
    let Staged { start, .. } = stage(plan, inventory, snapshot);
    let start = Start { source: how.source.in_words().map(str::to_owned), ..start };
    let mut report = Report { start, ..rehearse_in(plan, how) };
    if report.fails_alone.is_none() && !report.adopted.is_empty() {
        // The person of a rehearsal says yes to everything. Where nobody is at a terminal, nobody says so.
        let what = report.adopted.join(", ");
        report.fails_alone = Some(format!("a person at a terminal has to adopt what is so already: {what}"));
    }
    report
}

/// As [`rehearse`], in a world, and with an engine, of the caller's choice.
pub fn rehearse_in(plan: &Plan, how: &How<'_>) -> Report {
    let begun = Instant::now();
    let mut report = Report {
        runbook: plan.runbook.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        plan: plan.digest(),
        mode: plan.mode,
        start: Start { source: how.source.in_words().map(str::to_owned), ..Start::default() },
        complete_for: None,
        bound: *how.widths.end(),
        alphabet: ALPHABET.len(),
        counts: Counts::default(),
        elapsed_ms: 0,
        fails_alone: None,
        adopted: Vec::new(),
        fails_line: None,
        remedy: None,
        counterexamples: Vec::new(),
        not_covered: not_covered(plan),
        never_made: Vec::new(),
        never_taken_back: Vec::new(),
        certificate: None,
        lines: BTreeMap::new(),
    };
    let mut covered = Covered::new();
    for mishaps in how.widths.clone() {
        // What is found has to be the same each time: then one worker does it again alone.
        let mut width = width(plan, how, mishaps, if mishaps < 2 { 1 } else { how.workers });
        let found = !width.clean() || super::loops::any(&width.moves);
        if found && how.workers > 1 && mishaps >= 2 {
            width = self::width(plan, how, mishaps, 1);
        }
        for (effect, (made, back)) in width.covered {
            let sofar = covered.entry(effect).or_default();
            *sofar = (sofar.0 || made, sofar.1 || back);
        }
        if mishaps == 0 {
            report.adopted = width.adopted;
        }
        report.counts = width.counts;
        report.fails_alone = width.fails_alone;
        report.counterexamples = width.counterexamples;
        // A run that is to be refused makes no change at all.
        if how.source.expects() == Verdict::Completed {
            coverage(plan, &covered, &mut report);
        }
        if !report.clean() {
            break;
        }
        report.complete_for = Some(mishaps);
    }
    report.elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// What came of all schedules with so many faults.
#[derive(Default)]
struct Width {
    counts: Counts,
    fails_alone: Option<String>,
    adopted: Vec<String>,
    counterexamples: Vec<Counterexample>,
    covered: Covered,
    moves: Vec<super::loops::Move>,
}

impl Width {
    fn clean(&self) -> bool {
        self.fails_alone.is_none() && self.counterexamples.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.fails_alone = self.fails_alone.take().or(other.fails_alone);
        self.adopted.extend(other.adopted);
        self.counterexamples.extend(other.counterexamples);
        self.moves.extend(other.moves);
        for (effect, (made, back)) in other.covered {
            let sofar = self.covered.entry(effect).or_default();
            *sofar = (sofar.0 || made, sofar.1 || back);
        }
    }
}

/// Tries all schedules with so many faults.
fn width(plan: &Plan, how: &How<'_>, mishaps: u32, workers: usize) -> Width {
    let seen = Seen::default();
    let mut all = Width::default();
    std::thread::scope(|scope| {
        let rest: Vec<_> = (1..workers)
            .map(|index| {
                let seen = &seen;
                scope.spawn(move || part(plan, how, mishaps, seen, Worker { index, of: workers }))
            })
            .collect();
        all.add(part(plan, how, mishaps, &seen, Worker { index: 0, of: workers }));
        for worker in rest {
            match worker.join() {
                Ok(width) => all.add(width),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all.counts.states = seen.len();
    all
}

/// One worker's part of it.
fn part(plan: &Plan, how: &How<'_>, mishaps: u32, seen: &Seen, worker: Worker) -> Width {
    let mut width = Width::default();
    let (local, places) = (how.local.clone(), how.places.clone());
    let begun = Ground::begin(plan.clone(), (how.world)(), how.source, local, places, how.bend);
    let Some((mut ground, node)) = begun else {
        width.fails_alone = Some("a step waits for ever in the simulated world".into());
        return width;
    };
    ground.unplanned.clone_from(&how.unplanned);
    let bound = Bound { mishaps, states: STATES, first: how.first };
    let mut search = Search::new(&ground, bound, seen, worker);
    search.run(node);
    if mishaps == 0 {
        // A loop comes back to a state that was seen, and ends nowhere.
        let endless = search.counts.ends.is_empty() && search.findings.is_empty();
        width.adopted.clone_from(&search.adopted);
        width.fails_alone = search.alone.clone().or_else(|| endless.then(|| "it has no end".into()));
    }
    width.counterexamples = counterexamples(&ground, &search);
    (width.counts, width.covered, width.moves) = (search.counts, search.covered, search.moves);
    width
}

fn not_covered(plan: &Plan) -> Vec<NotCovered> {
    let opaque = plan.effects().filter(|(s, _, planned)| {
        plan.steps[*s].skipped.is_none()
            && planned.effect.proof == Proof::Reply
            && planned.effect.class != Class::Looks
    });
    let why = "nothing can be looked at, so nobody can tell what it did: give it a `look`";
    opaque
        .map(|(s, _, _)| NotCovered { step: plan.steps[s].id.clone(), line: None, why: why.into() })
        .collect()
}

fn coverage(plan: &Plan, covered: &Covered, report: &mut Report) {
    let changes = plan.effects().filter(|(s, _, planned)| {
        let step = &plan.steps[*s];
        planned.effect.class != Class::Looks && (step.skipped.is_none() || step.takes_back.is_some())
    });
    (report.never_made, report.never_taken_back) = (Vec::new(), Vec::new());
    // Behind a promotion a run goes forward only.
    let pivot = plan.effects().find(|(_, _, planned)| planned.effect.class == Class::Pivot);
    let behind = |s: usize| pivot.is_some_and(|(pivot, _, _)| s > pivot);
    for (s, e, planned) in changes {
        let step = &plan.steps[s];
        let (made, back) = covered.get(&(s, e)).copied().unwrap_or_default();
        let name = format!("{}/{}", step.id, planned.name);
        // What another effect makes along with it is never made alone.
        if !made && planned.effect.class == Class::Undoable {
            report.never_made.push(name.clone());
        }
        if made
            && !back
            && !behind(s)
            && planned.effect.class == Class::Undoable
            && step.keep_because.is_none()
        {
            report.never_taken_back.push(name);
        }
    }
}

/// What is true, in the words of the world line.
pub(super) fn truth(ground: &Ground, node: &Node) -> String {
    let mut parts = Vec::new();
    for cluster in ground.plan.clusters.keys() {
        let writable = node.sim.postgres.writable(cluster);
        let writes = if writable.is_empty() { "nowhere".to_owned() } else { writable.join(" and ") };
        parts.push(format!("writes to {cluster}: {writes}"));
    }
    for (at, shares) in node.sim.dns.shares() {
        let shares = match shares.get() {
            Some(shares) => crate::engine::survey::shares_in_words(shares),
            None => "not understood".to_owned(),
        };
        parts.push(format!("{} at {}: {shares}", at.record, at.server));
    }
    parts.join(" · ")
}

/// What the run believes.
pub(super) fn belief(node: &Node) -> String {
    let mut link = node.trail.as_ref();
    while let Some(one) = link {
        if let Happening::Record(record) = &one.what {
            match &**record {
                Record::Ended { verdict, why, world } => {
                    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                    return format!("{}{why}; {world}", verdict.word());
                }
                Record::Surveyed { world, .. } => return world.clone(),
                Record::Looked { step, effect, evidence, .. } => {
                    return format!("of {step}/{effect}: {evidence}");
                }
                _ => {}
            }
        }
        link = one.before.as_ref();
    }
    "nothing yet".into()
}

/// Effects that a run was told to take as they are.
pub(super) fn adopted(node: &Node) -> Vec<String> {
    let happenings = story::happenings(node.trail.as_ref()).into_iter();
    let adopted = happenings.filter_map(|happening| match happening {
        Happening::Record(record) => match &*record {
            Record::Answered { question, yes: true, .. } => {
                question.strip_prefix("adopt:").map(str::to_owned)
            }
            _ => None,
        },
        Happening::Mishap(_) | Happening::Calm => None,
    });
    adopted.collect()
}

/// Why a run that met nothing did not complete.
pub(super) fn alone(ground: &Ground, node: &Node, verdict: Verdict) -> Option<String> {
    let expected = ground.source.expects();
    if verdict == expected {
        return None;
    }
    let why = node.trail.as_ref().and_then(|link| match &link.what {
        Happening::Record(record) => match &**record {
            Record::Ended { why, .. } => Some(why.clone()),
            _ => None,
        },
        Happening::Mishap(_) | Happening::Calm => None,
    });
    let why = why.unwrap_or_default();
    Some(match expected {
        Verdict::Refused => format!("it ends as {}, and not as refused: {why}", verdict.word()),
        _ => format!("it ends as {}: {why}", verdict.word()),
    })
}
