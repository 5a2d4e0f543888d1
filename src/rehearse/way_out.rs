//! Whoever goes on comes to an end: a run that stands still has a way out, and one that was only killed ends well.

use super::invariants::word;
use super::node::{Ground, Node};
use crate::engine::state::Flight;
use crate::step::contract::Part;
use crate::step::{Class, Proof};

/// A run that was only killed, and resumed, ends as one to which nothing happened.
pub(super) fn killed(ground: &Ground, node: &Node) -> Option<String> {
    let verdict = node.state.verdict?;
    if opaque(ground, node) {
        return None;
    }
    (node.mishaps > 0 && node.only_killed && verdict != ground.source.expects())
        .then(|| format!("it was killed and resumed, and ended as {}", word(verdict)))
}

/// Of a command without a look nobody can tell whether it was run: that is told as not covered. One that may still run is for a person to
/// look after.
fn opaque(ground: &Ground, node: &Node) -> bool {
    ground.plan.effects().any(|(s, e, planned)| {
        let intent = node.state.steps[s].effects[e].intent.as_ref();
        (planned.effect.proof == Proof::Reply || planned.effect.once)
            && intent.is_some_and(|intent| matches!(intent.flight, Flight::InDoubt { .. }))
    })
}

/// A person goes on while everything is well, and nothing more goes wrong: then it comes to an end, unless others have made two truths of
/// which a person has to choose one, or a promotion may still come about, for which a person has to vouch (`--fenced`).
pub(super) fn stuck(ground: &Ground, node: &Node) -> Option<String> {
    let verdict = node.state.verdict?;
    let hoped = node.hoping == Some(node.mishaps);
    let torn = !node.foreign.is_empty()
        || !node.split.is_empty()
        || node.diverged
        || node.state.diverges().is_some()
        || super::left::lives(ground, node)
        || super::left::came_back(ground, node);
    // Where the promotion has come about, nobody has to vouch for anything.
    let still = |cluster: &String| {
        node.sim.postgres.read(cluster, &ground.plan.to, |server| server.recovery) != Some(false)
    };
    let armed = node.state.armed(&ground.plan) && ground.plan.clusters.keys().any(still);
    let too_late = node.back && (node.state.armed(&ground.plan) || node.state.passed(&ground.plan));
    // A server that was made a standby is not made a primary again by a rollback: it ends as unknown, and says so.
    let too_late = too_late || node.back && rejoined(ground, node);
    // What stays on purpose is a person's to take back; and what does not complete even alone is told as that.
    let stays = ground.plan.effects().any(|(s, e, planned)| {
        // A fence is never given back.
        let fenced = node.back && planned.action.info().part == Part::Fence;
        (fenced || ground.plan.steps[s].keep_because.is_some()) && node.state.steps[s].effects[e].stands()
    });
    let stands = hoped
        && node.mishaps > 0
        && !stays
        && !too_late
        && !opaque(ground, node)
        && !verdict.closes()
        && !torn
        && !armed;
    let orphan = if stands { orphan(ground, node) } else { None };
    let but = match orphan {
        Some(Ok(())) => return None,
        Some(Err(why)) => format!(", and cannot be taken over: {why}"),
        None => String::new(),
    };
    let ends = verdict.word();
    stands.then(|| format!("everything answers again, nothing more goes wrong, and it ends as {ends}{but}"))
}

/// A planned run whose source has died can be neither finished nor taken back, as far as it is about that source. It can be taken over; if it
/// cannot, that is what is wrong.
fn orphan(ground: &Ground, node: &Node) -> Option<Result<(), String>> {
    super::takeover::orphaned(ground, node).next()?;
    // Whoever took it over has had that way; and behind the promotion nobody can tell what the old primary took last.
    let had = node.taken.is_some() || node.state.armed(&ground.plan) || node.state.passed(&ground.plan);
    Some(if had || ground.unplanned.is_none() { Ok(()) } else { node.taken_over(ground).map(|_| ()) })
}

/// Whether an old primary was told to become a standby.
fn rejoined(ground: &Ground, node: &Node) -> bool {
    ground.plan.effects().any(|(s, e, planned)| {
        planned.action.info().part == Part::Rejoin
            && planned.effect.class != Class::Looks
            && node.state.steps[s].effects[e].stands()
    })
}
