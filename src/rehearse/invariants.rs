//! What must hold in the simulated world, whatever goes wrong: checked on the truth, not on what the run believes.

use super::as_before::not_as_before;
use super::node::{Ground, Node};
use crate::engine::record::{Record, Verdict};
use crate::engine::state::RunState;
use crate::plan::{Mode, PlannedEffect};
use crate::step::{Action, Aim, Class, Proof, Sight, Standing};
use crate::world::sim::Sim;
use std::collections::BTreeSet;
use std::rc::Rc;

/// One invariant.
pub struct Invariant {
    /// Short name, stable: part of the identity of counterexamples.
    pub id: &'static str,
    /// What must not be.
    pub title: &'static str,
    /// When it is checked.
    pub when: When,
    /// What is wrong; nothing if it holds.
    pub check: fn(&Ground, &Node) -> Option<String>,
}

/// When an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After every move.
    Always,
    /// When a run has a verdict, and later, when everything that was on its way has arrived.
    Ended,
    /// When a run has a verdict: what it says is of that moment.
    Told,
}

const fn row(
    id: &'static str,
    title: &'static str,
    when: When,
    check: fn(&Ground, &Node) -> Option<String>,
) -> Invariant {
    Invariant { id, title, when, check }
}

/// All of them, in the order of the docs.
pub const INVARIANTS: &[Invariant] = &[
    row("I1", "two writable primaries", When::Always, two_primaries),
    row("I2", "users are sent nowhere", When::Always, nowhere),
    row("I3", "an acknowledged write is lost", When::Always, super::accepted::lost),
    row("I4", "writes are stopped, and the run does not say so", When::Told, frozen),
    row("I18", "writes will stop, and the run does not say so", When::Told, super::waiting::unsaid),
    row("I5", "rolled back, and not as before", When::Ended, not_as_before),
    row("I6", "both sides took commits, and the run does not say so", When::Ended, divergence),
    row(
        "I7",
        "a run that was only killed and resumed does not end well",
        When::Ended,
        super::way_out::killed,
    ),
    row("I8", "the run says what is not true", When::Told, untrue),
    row("I9", "a temporary change was forgotten", When::Ended, forgotten),
    row("I10", "completed, and users are sent where they cannot write", When::Told, stranded),
    row("I12", "a reader of the journal folds another state", When::Told, journal),
    row("I14", "a change that nobody permitted", When::Always, |_, node| node.trespass.clone()),
    row("I17", "what others have set is overwritten unseen", When::Always, |_, node| node.seized.clone()),
    row("I15", "the model shows what its own rules exclude", When::Always, implausible),
    row(
        "I16",
        "everything is well, and it can be neither finished nor taken back",
        When::Told,
        super::way_out::stuck,
    ),
    row("I13", "completed, and a step's effect is not there", When::Ended, incomplete),
];

/// The first invariant that does not hold, with what is wrong. `later`: the run has ended a while ago.
pub fn broken(ground: &Ground, node: &Node, later: bool) -> Option<(&'static Invariant, String)> {
    let ended = node.alive && node.state.verdict.is_some();
    let truths = node.sim.truths();
    let told = node.trespass.is_some() || node.seized.is_some() || !node.state.surprises.is_empty();
    let moved = told || !node.sound.as_ref().is_some_and(|before| before.same(&truths));
    if !moved && !ended {
        return None;
    }
    INVARIANTS
        .iter()
        .filter(|invariant| match invariant.when {
            When::Always => true,
            When::Ended => ended,
            When::Told => ended && !later,
        })
        .find_map(|invariant| (invariant.check)(ground, node).map(|what| (invariant, what)))
}

fn two_primaries(ground: &Ground, node: &Node) -> Option<String> {
    ground.plan.clusters.keys().find_map(|cluster| {
        let writable = node.sim.postgres.writable(cluster);
        (writable.len() > 1 && !node.split.contains(cluster))
            .then(|| format!("{cluster} accepts commits in {}", writable.join(" and in ")))
    })
}

fn nowhere(ground: &Ground, node: &Node) -> Option<String> {
    // Asked after every move, and seldom anything has changed since it was asked last.
    let asked = node.sound.as_ref().is_some_and(|before| before.same_records(&node.sim.truths()));
    if asked || node.sim.dns.same(&ground.start.dns) {
        return None;
    }
    let start = ground.start.dns.shares();
    node.sim.dns.shares().into_iter().find_map(|(at, shares)| {
        let some = |shares: &crate::world::Known<crate::world::dns::Shares>| {
            shares.is(|shares| shares.values().any(|share| *share > 0))
        };
        let began = start.get(&at).is_some_and(some);
        // What is not understood sends users somewhere, as long as it answers anything.
        let answers = || node.sim.dns.sets(&at.record, &at.server).iter().any(|set| !set.contents.is_empty());
        let somewhere = some(&shares) || (shares.get().is_none() && answers());
        (began && !somewhere).then(|| format!("{} at {} names no region", at.record, at.server))
    })
}

/// Clusters that took writes at the start and take none now.
fn stopped(ground: &Ground, node: &Node) -> BTreeSet<String> {
    let clusters = ground.plan.clusters.keys();
    clusters
        .filter(|cluster| {
            !ground.start.postgres.writable(cluster).is_empty()
                && node.sim.postgres.writable(cluster).is_empty()
        })
        .cloned()
        .collect()
}

fn frozen(ground: &Ground, node: &Node) -> Option<String> {
    let verdict = node.state.verdict?;
    let stopped = stopped(ground, node);
    let cluster = stopped.first()?;
    // It is not by the run that one takes none whose primary has died, as long as it does not say that it is well.
    let unseen = node.state.survey.as_ref().is_some_and(|survey| survey.unknown);
    let died = verdict == Verdict::RolledBack && unseen && stopped.iter().all(|one| node.died.contains(one));
    if matches!(verdict, Verdict::Completed | Verdict::RolledBack) && !died {
        return Some(format!("{cluster} takes no writes, and the run ended as {}", word(verdict)));
    }
    let said = node.state.survey.as_ref().is_some_and(|survey| {
        survey.unknown || stopped.iter().all(|cluster| survey.frozen.contains(cluster))
    });
    // Others do not excuse it: a promotion, a thaw or a start of theirs only ever opens a server.
    (!said).then(|| format!("{cluster} takes no writes, and the last look does not say so"))
}

pub(super) fn word(verdict: Verdict) -> String {
    serde_json::to_value(verdict).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

fn divergence(_: &Ground, node: &Node) -> Option<String> {
    (node.diverged && node.state.verdict == Some(Verdict::Completed) && node.state.diverges().is_none())
        .then(|| "the old primary took a commit after the promotion, and the run ended as completed".into())
}

fn untrue(_: &Ground, node: &Node) -> Option<String> {
    let survey = node.state.survey.as_ref()?;
    if survey.unknown {
        return None;
    }
    // One that was frozen at the start is told as frozen, and rightly.
    let takes =
        |cluster: &&String| !node.sim.postgres.writable(cluster).is_empty() && !node.foreign_to(cluster);
    let wrong = survey.frozen.iter().find(takes)?;
    Some(format!("{wrong} takes writes, and the last look says that it is frozen"))
}

/// Users of a record that the runbook moves are sent to a region from which a cluster that it moved cannot be written.
fn stranded(ground: &Ground, node: &Node) -> Option<String> {
    if node.state.verdict != Some(Verdict::Completed) {
        return None;
    }
    let steers = |record: &str| {
        ground.plan.effects().any(|(s, _, planned)| {
            let here = planned.action.resources().iter().any(|one| one.ends_with(&format!("/{record}")));
            here && !planned.action.sends().is_empty() && ground.plan.steps[s].skipped.is_none()
        })
    };
    let moved = |cluster: &&String| {
        node.state.passed_for(&ground.plan, cluster.as_str()) && !node.foreign_to(cluster)
    };
    // An unplanned run leaves a name server that may be lost with its region, and says so: whoever does not answer sends nobody.
    let left = |server: &str| ground.plan.mode == Mode::Unplanned && node.sim.dns.faults.is_silent(server);
    let moved: Vec<&String> = ground.local.iter().filter(moved).collect();
    node.sim
        .dns
        .shares()
        .into_iter()
        .filter(|(at, _)| steers(&at.record) && !left(&at.server))
        .filter(|(at, _)| !node.foreign_to(&format!("{} at {}", at.record, at.server)))
        .find_map(|(at, shares)| {
            let shares = shares.get()?.clone();
            let regions = shares.iter().filter(|(_, share)| **share > 0).map(|(region, _)| region);
            regions.into_iter().find_map(|region| {
                let cluster = moved.iter().find(|cluster| {
                    let writable = node.sim.postgres.writable(cluster);
                    ground.plan.clusters[**cluster].contains(region) && !writable.contains(region)
                })?;
                Some(format!(
                    "{} at {} sends users to {region}, where {cluster} cannot be written",
                    at.record, at.server
                ))
            })
        })
}

fn forgotten(ground: &Ground, node: &Node) -> Option<String> {
    if !matches!(node.state.verdict, Some(Verdict::Completed | Verdict::RolledBack)) {
        return None;
    }
    let ours = |(s, _, planned): &(usize, usize, &PlannedEffect)| {
        ground.plan.steps[*s].temporary && !others_changed(node, &planned.action)
    };
    ground.plan.effects().filter(ours).find_map(|(s, e, planned)| {
        let effect = node.state.steps.get(s)?.effects.get(e)?;
        let prior = &effect.intent.as_ref()?.prior;
        let world = well(node).world();
        let sight = Sight { world: &world, run: &node.state.run, starts: &ground.starts };
        let facts = super::node::once(planned.action.observe(&planned.effect.id, sight))?;
        let judged = planned.action.judge(&planned.effect.id, &facts, Aim::Restored(prior), None);
        (judged.standing != Standing::Reached)
            .then(|| format!("{}/{}: {}", ground.plan.steps[s].id, planned.name, judged.evidence))
    })
}

/// Whether others changed what an action is about.
fn others_changed(node: &Node, action: &Action) -> bool {
    let named = |resource: &String| {
        let Some((_, name)) = resource.split_once('/') else { return false };
        node.foreign.iter().any(|one| one == name || one.starts_with(&format!("{name} at ")))
    };
    action.resources().iter().any(named)
}

/// The same world, in which everything answers.
fn well(node: &Node) -> Sim {
    let sim = node.sim.fork();
    sim.postgres.faults.unsilence_all();
    sim.dns.faults.unsilence_all();
    sim.exec.faults.unsilence_all();
    sim.http.unsilence_all();
    sim.http.heal();
    sim.dns.forget_old();
    sim
}

fn journal(ground: &Ground, node: &Node) -> Option<String> {
    // An engine that is broken in its fold would be caught by this alone.
    // With more faults the same records come again; once is enough.
    if !node.exact || ground.bend.state.is_some() {
        return None;
    }
    let records = super::takeover::records(node);
    // As a reader has them: written down, and read again.
    let read = |record: &Rc<Record>| {
        let line = serde_json::to_string(&**record).ok()?;
        serde_json::from_str::<Record>(&line).ok()
    };
    let Some(read) = records.iter().map(read).collect::<Option<Vec<Record>>>() else {
        return Some("a record cannot be read again".into());
    };
    let folded = RunState::of(&ground.plan, &read);
    (folded != node.state).then(|| "the live state and the folded state differ".into())
}

/// What would stop a real run must not be what the model itself does: one of the two is wrong, the model or the rule.
fn implausible(_: &Ground, node: &Node) -> Option<String> {
    let surprise = node.state.surprises.first()?;
    Some(format!("{} ({})", surprise.line(), surprise.rule))
}

fn incomplete(ground: &Ground, node: &Node) -> Option<String> {
    if node.state.verdict != Some(Verdict::Completed) {
        return None;
    }
    let well = well(node);
    // Name servers that it has left out, and says so, are left out here, too.
    for (_, server) in super::left::untouched(ground, node) {
        if node.sim.dns.faults.is_silent(server) {
            well.dns.faults.silence(server);
        }
    }
    let ports = well.world();
    let done: Vec<_> = ground
        .plan
        .effects()
        .filter(|(s, _, planned)| {
            let step = &ground.plan.steps[*s];
            let warned = node.state.steps.get(*s).is_some_and(|step| step.warned);
            step.skipped.is_none()
                && !others_changed(node, &planned.action)
                && !step.temporary
                && !warned
                && planned.effect.proof == Proof::Look
                && matches!(planned.effect.class, Class::Undoable | Class::Pivot)
        })
        .collect();
    // Only the last change of a thing is to be there.
    let later = |s: usize, e: usize, action: &Action| {
        done.iter().any(|(s2, e2, other)| {
            (*s2, *e2) > (s, e)
                && action.resources().iter().any(|resource| other.action.resources().contains(resource))
        })
    };
    let marks = node.sim.exec.marks();
    // A later step may run the very command that takes it back.
    let hidden = |s: usize, action: &Action| {
        let Action::Exec(exec) = action else { return false };
        let Some(undo) = exec.commands().2 else { return false };
        let runs = |(s2, _, other): (usize, usize, &PlannedEffect)| match &other.action {
            Action::Exec(exec) => s2 > s && exec.commands().0.argv == undo.argv,
            _ => false,
        };
        ground.plan.effects().any(runs)
    };
    let standing: Vec<_> = done
        .iter()
        .filter(|(s, e, planned)| !later(*s, *e, &planned.action) && !hidden(*s, &planned.action))
        .collect();
    let lied = standing.iter().find_map(|(s, _, planned)| {
        let Action::Exec(exec) = &planned.action else { return None };
        let (_, Some(look), _) = exec.commands() else { return None };
        let mark = look.argv.join(" ");
        (!marks.contains(&mark)).then(|| format!("{}: the command did nothing", ground.plan.steps[*s].id))
    });
    lied.or_else(|| {
        standing.iter().find_map(|(s, _, planned)| {
            let sight = Sight { world: &ports, run: &node.state.run, starts: &ground.starts };
            let facts = super::node::once(planned.action.observe(&planned.effect.id, sight))?;
            let handover = planned.effect.needs.as_ref().and_then(|set| node.state.handovers.get(set));
            let judged = planned.action.judge(&planned.effect.id, &facts, Aim::Applied, handover);
            let there = judged.standing == Standing::Reached
                || planned.effect.class == Class::Pivot && handover.is_none();
            (!there).then(|| format!("{}/{}: {}", ground.plan.steps[*s].id, planned.name, judged.evidence))
        })
    })
}
