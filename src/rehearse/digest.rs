//! What tells two states apart. Not: moments that are long past, how many processes there were, and words for people. Two states that
//! are equal here have the same future.

use super::node::{Ground, Node};
use crate::engine::state::{AnswerState, EffectState, Flight, Intent, RunState, Stage, Undone};
use crate::plan::PlannedEffect;
use crate::step::{Class, Standing};
use crate::world::clock::Clock as _;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{Hash, Hasher};

/// 128 bits over a state.
pub fn digest(ground: &Ground, node: &Node, decisions: u32) -> u128 {
    let mut hasher = SipHasher13::new();
    node.sim.digest(&node.told, &mut hasher);
    // What was seen of the servers is compared with what comes.
    if node.state.fresh.is_some() || handovers_count(ground, &node.state) {
        node.sim.postgres.digest_places(&mut hasher);
    }
    run(ground, node, &mut hasher);
    times(ground, node, &mut hasher);
    // Whoever rolls back goes forward no more, whatever was answered and asked before.
    let rolling = node.rolls_back();
    (
        node.alive,
        &*node.accepted,
        &*node.foreign,
        &*node.split,
        (&*node.died, node.taken.as_ref().map(|taken| &taken.plan.identity)),
        node.diverged,
        node.denied && (!rolling || ground.plan.ways_back()),
        node.back || rolling,
        node.only_killed,
        node.hoping == Some(node.mishaps),
        decisions,
    )
        .hash(&mut hasher);
    if ground.bend.apart {
        (&node.state, &node.told, node.sim.postgres.servers()).hash(&mut hasher);
    }
    hasher.finish128().as_u128()
}

fn times(ground: &Ground, node: &Node, hasher: &mut impl Hasher) {
    let now = node.sim.clock.now();
    node.times.saved.hash(hasher);
    (node.times.frozen.is_some(), node.times.promoted.is_some()).hash(hasher);
    for ((s, e), at) in &node.times.intended {
        // Only whether, and for how long, the call may still come about.
        let effect = &node.state.steps[*s].effects[*e];
        let open = |intent: &Option<Intent>| {
            intent.as_ref().is_some_and(|intent| !intent.over && !matches!(intent.flight, Flight::Landed))
        };
        if open(&effect.intent) || open(&effect.undo) {
            let settles = ground.plan.steps[*s].effects[*e].effect.settles_ms;
            let since = u64::try_from(now.since(*at).as_millis()).unwrap_or(u64::MAX);
            (s, e, settles.saturating_sub(since), since.min(10_001)).hash(hasher);
        }
    }
}

fn run(ground: &Ground, node: &Node, hasher: &mut impl Hasher) {
    let state = &node.state;
    state.process.hash(hasher);
    match &state.stage {
        Stage::Forward => 0_u8.hash(hasher),
        Stage::Finishing => 1_u8.hash(hasher),
        Stage::RollingBack { .. } => 2_u8.hash(hasher),
        Stage::Paused { unknown, from_rollback, .. } => (3_u8, unknown, from_rollback).hash(hasher),
        Stage::Refusing { .. } => 4_u8.hash(hasher),
    }
    for (s, kept) in node.hashes.iter().enumerate() {
        let fresh = || {
            let mut hasher = crate::world::sim::shared::part_hasher();
            step(ground, node, s, &mut hasher);
            hasher.finish()
        };
        let hash = kept.get().unwrap_or_else(fresh);
        debug_assert_eq!(hash, fresh(), "a record has changed step {s} unnoticed");
        kept.set(Some(hash));
        hasher.write_u64(hash);
    }
    if rolling(state) {
        // Only what still stands is taken back; a handover serves only the promotion.
        for (s, e) in state.intents.iter().filter(|(s, e)| matters(ground, node, *s, *e)) {
            (s, e).hash(hasher);
        }
        for (s, e) in &state.intents {
            if let Some(set) = &ground.plan.steps[*s].effects[*e].effect.freezes {
                set.hash(hasher);
            }
        }
        if handovers_count(ground, state) {
            state.handovers.hash(hasher);
        }
    } else {
        (&state.handovers, &state.intents).hash(hasher);
    }
    (state.gap_told, &state.fenced, &state.acknowledged).hash(hasher);
    if !rolling(state) {
        (&state.answers, state.gap_expired, state.signals, state.breaches.len(), &state.lock_lost)
            .hash(hasher);
        for breach in &state.breaches {
            (&breach.watch, breach.silent).hash(hasher);
        }
    } else {
        // A no dies with the decision that comes after; a yes to a line of the checklist does not.
        // A way back may ask, too: then every answer counts.
        let counts = |answer: &AnswerState| answer.yes || ground.plan.ways_back();
        for (id, answer) in state.answers.iter().filter(|(_, answer)| counts(answer)) {
            (id, answer).hash(hasher);
        }
    }
    if let Some(survey) = &state.survey {
        (&survey.frozen, survey.unknown, &survey.promoted, &survey.waiting).hash(hasher);
    }
    state.survey.is_some().hash(hasher);
    (state.fresh, &state.remarks, state.verdict).hash(hasher);
    if ground.bend.remembers {
        state.traces.hash(hasher);
    }
}

/// A rollback asks neither what turned the run nor what was seen of steps that it does not take back: whoever decides after it begins
/// anew with all of that.
fn rolling(state: &RunState) -> bool {
    matches!(state.stage, Stage::RollingBack { .. })
}

/// Whether a handover may be used yet, or be compared with what came after it.
fn handovers_count(ground: &Ground, state: &RunState) -> bool {
    let plan = &ground.plan;
    !state.handovers.is_empty()
        && (!rolling(state) || plan.ways_back() || state.armed(plan) || state.passed(plan))
}

/// Whether what became of an effect matters to a rollback: what does not stand, and what is taken back already, is as if it had never
/// been. Where a search shows what is taken back, it has to be told apart.
fn matters(ground: &Ground, node: &Node, s: usize, e: usize) -> bool {
    let (planned, effect) = (&ground.plan.steps[s].effects[e].effect, &node.state.steps[s].effects[e]);
    let told = node.exact || ground.plan.steps[s].temporary || planned.class == Class::Pivot;
    let any = effect.intent.is_some() || effect.found;
    any && (told || effect.stands() || ground.plan.steps[s].takes_back.is_some())
        || planned.class == Class::Pivot && effect.passed()
}

/// One step: hashed once, until a record changes it.
fn step(ground: &Ground, node: &Node, s: usize, hasher: &mut impl Hasher) {
    let state = &node.state;
    let (planned, step) = (&ground.plan.steps[s], &state.steps[s]);
    let back = rolling(state) && planned.takes_back.is_none();
    if !back {
        (step.required, step.tries, step.warned).hash(hasher);
        // What a consent covers.
        if !planned.questions.is_empty() {
            crate::engine::advance::substance(&ground.plan, state, s).hash(hasher);
        }
    }
    for (e, (one, planned)) in step.effects.iter().zip(&planned.effects).enumerate() {
        if back && !matters(ground, node, s, e) {
            continue;
        }
        e.hash(hasher);
        effect(one, planned, hasher);
        if let Some(seen) = &one.seen {
            // The next effect may be judged by it.
            if state.fresh == Some((s, e)) {
                seen.facts.hash(hasher);
            } else if becomes_prior(one, planned.effect.class) {
                planned.action.hash_prior(&planned.effect.id, &seen.facts, hasher);
                planned.action.identity(&planned.effect.id, &seen.facts).hash(hasher);
            }
        }
    }
}

/// Whether what was seen last may become the prior of an intent, and is compared with the plan before. The prior of a second attempt is
/// that of the first.
fn becomes_prior(state: &EffectState, class: Class) -> bool {
    let absent = state.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached);
    let first = state.intent.as_ref().is_none_or(|intent| matches!(intent.flight, Flight::Refused { .. }));
    class != Class::Looks && absent && first
}

/// Of what was seen only its meaning counts.
fn effect(state: &EffectState, planned: &PlannedEffect, hasher: &mut impl Hasher) {
    state.seen.as_ref().map(|seen| (seen.purpose, seen.standing)).hash(hasher);
    for intent in [&state.intent, &state.undo] {
        let flight = intent.as_ref().map(|intent| {
            planned.action.hash_prior(&planned.effect.id, &intent.prior, hasher);
            flight(intent)
        });
        flight.hash(hasher);
    }
    // All that is done with the numbers of attempts: how many are left, and whether there was any. What makes a handover may be made
    // three times.
    let first = state.intent.as_ref().map_or(0, |intent| intent.attempt).max(state.tried_before);
    let told_apart = if planned.effect.makes.is_some() { 3 } else { 1 };
    state.attempts.saturating_sub(first).hash(hasher);
    (state.attempts.min(told_apart), state.unproven, state.found, state.ended && planned.effect.once)
        .hash(hasher);
    match state.undone {
        None => 0_u8,
        Some(Undone::Restored) => 1,
        Some(Undone::Foreign) => 2,
        Some(Undone::Failed { unknown: false }) => 3,
        Some(Undone::Failed { unknown: true }) => 4,
    }
    .hash(hasher);
}

fn flight(intent: &Intent) -> (u8, &str, bool) {
    let (number, cursor) = match &intent.flight {
        // A kind may ask whether an attempt is the first.
        Flight::InFlight { cursor } => (if intent.attempt == 1 { 6 } else { 0 }, cursor.as_str()),
        Flight::InDoubt { orphaned: false } => (1, ""),
        Flight::InDoubt { orphaned: true } => (2, ""),
        Flight::Acknowledged => (3, ""),
        Flight::Refused { .. } => (4, ""),
        Flight::Landed => (5, ""),
    };
    (number, cursor, intent.over)
}
