//! What a rehearsal found, as values that outlive it.

use super::alphabet::ALPHABET;
use super::node::{Bend, Ground, Happening, Node};
use super::scene::{local_writers, scene};
use super::search::{Bound, Counts, Finding, Search};
use super::story;
use crate::engine::record::{Record, Verdict};
use crate::plan::Plan;
use crate::runbook::inventory::Inventory;
use crate::step::{Class, Proof};
use crate::world::sim::Sim;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Instant;

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
    /// The plan's digest.
    pub plan: String,
    /// Faults in one schedule up to which everything was tried.
    pub complete_for: Option<u32>,
    /// Kinds of faults in the alphabet.
    pub alphabet: usize,
    /// What was done, of the widest search.
    pub counts: Counts,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Why the run does not even complete when nothing goes wrong; nothing if it does.
    pub fails_alone: Option<String>,
    /// Counterexamples, those with the fewest faults first, then the shortest.
    pub counterexamples: Vec<Counterexample>,
    /// Steps whose effect the model cannot know.
    pub not_covered: Vec<NotCovered>,
    /// Changes that no schedule made.
    pub never_made: Vec<String>,
    /// Changes that can be taken back, and that no schedule took back.
    pub never_taken_back: Vec<String>,
}

/// A step that the model knows nothing of.
#[derive(Clone, Debug, Serialize)]
pub struct NotCovered {
    /// The step.
    pub step: String,
    /// Why.
    pub why: String,
}

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
    /// Faults in it, in words.
    pub faults: Vec<String>,
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
}

/// One line of a story.
#[derive(Clone, Debug, Serialize)]
pub struct StoryLine {
    /// The text.
    pub text: String,
    /// Whether it is a fault.
    pub fault: bool,
    /// Whether it belongs to the part before the first fault, in which everything goes as planned.
    pub usual: bool,
    /// The step that it is about; empty if none.
    pub step: String,
}

impl Report {
    /// Whether nothing was found, apart from what is not covered.
    pub fn clean(&self) -> bool {
        self.fails_alone.is_none() && self.counterexamples.is_empty() && !self.counts.cut
    }
}

/// Rehearses a plan with every schedule of at most so many faults. A wider search is not begun once a narrower one has found
/// something: its shortest stories are the ones to mend first.
pub fn rehearse(plan: &Plan, inventory: &Inventory, mishaps: u32) -> Report {
    let local = local_writers(plan, inventory);
    rehearse_in(plan, &scene(plan, inventory), &local, Bend::default(), mishaps, false)
}

/// As [`rehearse`], in a world, and with an engine, of the caller's choice; `first`: the first finding is enough.
pub(super) fn rehearse_in(
    plan: &Plan,
    sim: &Sim,
    local: &BTreeSet<String>,
    bend: Bend,
    mishaps: u32,
    first: bool,
) -> Report {
    let begun = Instant::now();
    let mut report = Report {
        runbook: plan.runbook.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        plan: plan.digest(),
        complete_for: None,
        alphabet: ALPHABET.len(),
        counts: Counts::default(),
        elapsed_ms: 0,
        fails_alone: None,
        counterexamples: Vec::new(),
        not_covered: not_covered(plan),
        never_made: Vec::new(),
        never_taken_back: Vec::new(),
    };
    for mishaps in 0..=mishaps {
        let Some((ground, node)) = Ground::begin(plan.clone(), sim.fork(), local.clone(), bend) else {
            report.fails_alone = Some("a step waits for ever in the simulated world".into());
            break;
        };
        let mut search = Search::new(&ground, Bound { mishaps, states: STATES, first });
        search.run(node);
        report.counts = search.counts.clone();
        if mishaps == 0 {
            // A loop comes back to a state that was seen, and ends nowhere.
            let endless = search.counts.ends.is_empty() && search.findings.is_empty();
            report.fails_alone = search.alone.clone().or_else(|| endless.then(|| "it has no end".into()));
        }
        report.counterexamples = counterexamples(&search);
        coverage(&ground, &search, &mut report);
        if !report.clean() {
            break;
        }
        report.complete_for = Some(mishaps);
    }
    report.elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

fn not_covered(plan: &Plan) -> Vec<NotCovered> {
    let opaque = plan.effects().filter(|(s, _, planned)| {
        plan.steps[*s].skipped.is_none()
            && planned.effect.proof == Proof::Reply
            && planned.effect.class != Class::Looks
    });
    let why = "nothing can be looked at, so nobody can tell what it did: give it a `look`";
    opaque.map(|(s, _, _)| NotCovered { step: plan.steps[s].id.clone(), why: why.into() }).collect()
}

fn coverage(ground: &Ground, search: &Search<'_>, report: &mut Report) {
    let changes = ground.plan.effects().filter(|(s, _, planned)| {
        let step = &ground.plan.steps[*s];
        planned.effect.class != Class::Looks && (step.skipped.is_none() || step.takes_back.is_some())
    });
    (report.never_made, report.never_taken_back) = (Vec::new(), Vec::new());
    // Behind a promotion a run goes forward only.
    let pivot = ground.plan.effects().find(|(_, _, planned)| planned.effect.class == Class::Pivot);
    let behind = |s: usize| pivot.is_some_and(|(pivot, _, _)| s > pivot);
    for (s, e, planned) in changes {
        let step = &ground.plan.steps[s];
        let (made, back) = search.covered.get(&(s, e)).copied().unwrap_or_default();
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

fn counterexamples(search: &Search<'_>) -> Vec<Counterexample> {
    let mut found: Vec<(&String, &(Finding, u64))> = search.findings.iter().collect();
    found.sort_by_key(|(cause, (finding, _))| (finding.mishaps, finding.length, (*cause).clone()));
    found
        .into_iter()
        .map(|(cause, (finding, schedules))| counterexample(cause, finding, *schedules))
        .collect()
}

fn counterexample(cause: &str, finding: &Finding, schedules: u64) -> Counterexample {
    use sha2::{Digest, Sha256};
    let mut lines = Vec::new();
    let (mut usual, mut step) = (true, String::new());
    for happening in story::happenings(finding.trail.as_ref()) {
        usual &= !matches!(happening, Happening::Mishap(_));
        if let Happening::Record(record) = &happening
            && let Some(now) = story::of(record)
        {
            step = now.to_owned();
        }
        if let Some((text, fault)) = story::line(&happening) {
            lines.push(StoryLine { text, fault, usual, step: step.clone() });
        }
    }
    Counterexample {
        id: hex::encode(&Sha256::digest(cause.as_bytes())[..3]),
        invariant: finding.invariant.into(),
        title: finding.title.into(),
        what: finding.what.clone(),
        faults: story::mishaps(finding.trail.as_ref()).iter().map(|mishap| mishap.in_words()).collect(),
        schedules,
        story: lines,
        truth: finding.truth.clone(),
        belief: finding.belief.clone(),
        schedule: super::replay::schedule(finding.trail.as_ref()),
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

/// Why a run that met nothing did not complete.
pub(super) fn alone(node: &Node, verdict: Verdict) -> Option<String> {
    if verdict == Verdict::Completed {
        return None;
    }
    let why = node.trail.as_ref().and_then(|link| match &link.what {
        Happening::Record(record) => match &**record {
            Record::Ended { why, .. } => Some(why.clone()),
            _ => None,
        },
        Happening::Mishap(_) | Happening::Calm => None,
    });
    Some(format!("it ends as {}: {}", verdict.word(), why.unwrap_or_default()))
}
