//! Turns one task into one record. The only place that waits; `failover` and `rehearse` share it.

use super::ask::{Person, ask};
use super::decide::Task;
use super::locks;
use super::record::{Purpose, Record};
use super::rollback::undos_left;
use super::state::{Flight, RunState};
use super::surprise::surprise;
use super::survey;
use super::times::{Times, fill};
use crate::journal::Permit;
use crate::plan::Plan;
use crate::step::condition::Starts;
use crate::step::{Aim, Class, Facts, Judgement, Sight, Standing};
use crate::world::clock::Moment;
use crate::world::{Reply, World};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A notice for readers that is never journalled and may be dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Step.
    pub step: String,
    /// Effect.
    pub effect: String,
    /// What is seen now.
    pub evidence: String,
}

/// What a task needs besides itself.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The ports.
    pub world: &'a World,
    /// What `at_start(…)` refers to.
    pub starts: &'a Starts,
    /// Whoever answers.
    pub person: &'a dyn Person,
    /// Takes progress.
    pub progress: &'a dyn Fn(Progress),
    /// When things happened that clocks and messages refer to.
    pub times: &'a Times,
}

/// How long a change that nobody holds any more is looked for at least before it counts as absent.
const LOOKED_FOR: Duration = Duration::from_millis(1500);
/// How long what is taken back is looked for at least.
const UNDO: Duration = Duration::from_secs(60);
/// How long an undo that failed twice is looked for before it is made once more: whatever is in its way may pass.
const UNDO_AGAIN: Duration = Duration::from_secs(12);
/// How long after its intent a call is still made. Who was held up for longer (a laptop that slept) must not come with it: what may
/// still come about is reckoned from the intent.
const STALE: Duration = Duration::from_secs(10);
/// How long a look before a change may stay unknown.
const PATIENCE: Duration = Duration::from_secs(10);

/// Turns a task into its record. `state` is as it was when the task began. Tasks that the driver does itself (intents, turns,
/// endings) give none.
pub async fn perform(cx: &Cx<'_>, task: &Task, state: &RunState, permit: Option<&Permit>) -> Option<Record> {
    if !state.fenced.is_empty() && *cx.world.fenced != state.fenced {
        let world = World { fenced: Rc::new(state.fenced.clone()), ..cx.world.clone() };
        return Box::pin(perform(&Cx { world: &world, ..*cx }, task, state, permit)).await;
    }
    match task {
        Task::Require(s) => Some(require(cx, *s, state).await),
        Task::Look(s, e, purpose) => Some(look(cx, *s, *e, *purpose, state).await),
        Task::Ask(question) => Some(ask(cx, question, state).await),
        Task::Apply(s, e, undo, cursor) => Some(apply(cx, *s, *e, *undo, cursor, state, permit).await),
        Task::Backoff(s) => {
            let step = &cx.plan.steps[*s];
            cx.world.clock.sleep(Duration::from_millis(step.retry_every_ms)).await;
            Some(Record::Retrying { step: step.id.clone(), try_number: state.steps[*s].tries.max(1) + 1 })
        }
        Task::Gap => {
            let allowed = Duration::from_millis(cx.plan.objectives.write_gap_ms);
            let begun = cx.times.frozen.unwrap_or_else(|| cx.world.clock.now());
            let left = allowed.saturating_sub(cx.world.clock.now().since(begun));
            cx.world.clock.sleep(left).await;
            Some(Record::Expired { allowed_ms: cx.plan.objectives.write_gap_ms })
        }
        Task::Watch(index) => Some(watch(cx, *index, state).await),
        Task::Survey => Some(survey::survey(cx.plan, cx.world, state).await),
        Task::Intend(..) | Task::Turn(_) | Task::End(..) => None,
    }
}

fn sight<'a>(cx: &'a Cx<'_>, state: &'a RunState) -> Sight<'a> {
    Sight { world: cx.world, run: &state.run, starts: cx.starts }
}

async fn require(cx: &Cx<'_>, s: usize, state: &RunState) -> Record {
    let step = &cx.plan.steps[s];
    let (holds, evidence) = match &step.require {
        Some(condition) => {
            let seen = condition.observe(sight(cx, state)).await;
            (seen.truth, seen.evidence)
        }
        None => (Some(true), String::new()),
    };
    Record::Required { step: step.id.clone(), holds, evidence }
}

/// Looks until the standing settles: reached (and held), blocked, or the budget ends.
async fn look(cx: &Cx<'_>, s: usize, e: usize, purpose: Purpose, state: &RunState) -> Record {
    let step = &cx.plan.steps[s];
    let planned = &step.effects[e];
    let effect = &state.steps[s].effects[e];
    let handover = planned.effect.needs.as_ref().and_then(|set| state.handovers.get(set));
    let prior = match purpose {
        Purpose::Undo | Purpose::Undone => effect.intent.as_ref().map(|intent| intent.prior.clone()),
        Purpose::Before | Purpose::After => None,
    };
    let orphaned =
        effect.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { orphaned: true }));
    // Before our change, and after one of which nobody knows whether it was made, what is seen may be old.
    let unproved = match purpose {
        Purpose::Before => true,
        Purpose::After => effect.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { .. })),
        Purpose::Undo | Purpose::Undone => false,
    };
    // A change that nobody holds any more may still come about until then.
    let settles = Duration::from_millis(planned.effect.settles_ms);
    // Looked at for as long, that is certain whatever the clock did meanwhile.
    let over = effect.intent.as_ref().is_some_and(|intent| intent.over);
    let may_land = |now: Moment, spent: Duration| {
        !over && spent < settles && cx.times.intended.get(&(s, e)).is_some_and(|at| now.since(*at) < settles)
    };
    let doubted = effect.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { .. }));
    let again = unproved && purpose == Purpose::After && effect.may_be_made_again(&planned.effect);
    // While a freeze is taken back users wait: an undo of which nothing can come about any more is not waited for, it is made again.
    let undone = effect.undo.as_ref().filter(|_| purpose == Purpose::Undone).map(|undo| &undo.flight);
    let failed_undo = match undone {
        Some(Flight::Refused { .. }) => Some(Duration::ZERO),
        Some(Flight::InDoubt { .. }) => Some(settles),
        Some(Flight::InFlight { .. } | Flight::Acknowledged | Flight::Landed) | None => None,
    };
    let changes = planned.effect.class != Class::Looks;
    let pace = planned.effect.pace;
    let within = match purpose {
        // A step's own limit is for going forward; taking back is worth more patience.
        Purpose::Undo | Purpose::Undone => Duration::from_millis(pace.within_ms).max(UNDO),
        Purpose::Before | Purpose::After => Duration::from_millis(pace.within_ms),
    };
    let every = Duration::from_millis(pace.every_ms.max(1));
    let hold = Duration::from_millis(pace.hold_ms);
    let begun = cx.world.clock.now();
    let mut reached_since: Option<Moment> = None;
    let mut told = String::new();
    let mut traces = state.traces.clone();
    loop {
        let facts = planned.action.observe(&planned.effect.id, sight(cx, state)).await;
        if let Some(surprise) = surprise(cx.plan, state, &traces, (s, e), purpose, &facts) {
            return surprise;
        }
        let aim = prior.as_deref().map_or(Aim::Applied, Aim::Restored);
        let judged = match unproved {
            true => planned.action.judge_found(&planned.effect.id, &facts, handover),
            false => planned.action.judge(&planned.effect.id, &facts, aim, handover),
        };
        let now = cx.world.clock.now();
        if judged.evidence != told {
            told.clone_from(&judged.evidence);
            (cx.progress)(Progress {
                step: step.id.clone(),
                effect: planned.name.clone(),
                evidence: judged.evidence.clone(),
            });
        }
        let spent = now.since(begun);
        let settled = match judged.standing {
            Standing::Reached => {
                let since = *reached_since.get_or_insert(now);
                // What seems to need no undo may be on its way.
                now.since(since) >= hold && !(purpose == Purpose::Undo && doubted && may_land(now, spent))
            }
            Standing::Blocked => true,
            Standing::NotReached => {
                reached_since = None;
                match purpose {
                    // One of several servers may have it already, and another one not yet.
                    Purpose::Undo => !(doubted && may_land(now, spent)),
                    Purpose::Before if changes => true,
                    Purpose::After if orphaned || again => {
                        spent >= LOOKED_FOR.min(within) && (spent >= within || !may_land(now, spent))
                    }
                    Purpose::Undone => {
                        spent
                            >= failed_undo.map_or(within, |settles| {
                                let waits = match (undos_left(effect), undone) {
                                    (0, Some(Flight::InDoubt { .. })) => within,
                                    (1, _) => UNDO_AGAIN,
                                    _ => LOOKED_FOR,
                                };
                                waits.max(settles).min(within)
                            })
                    }
                    Purpose::Before | Purpose::After => spent >= within,
                }
            }
            Standing::Moving | Standing::Unknown => {
                reached_since = None;
                let patience =
                    if purpose == Purpose::Before && changes { PATIENCE.min(within) } else { within };
                spent >= patience
            }
        };
        if settled {
            return looked(cx, s, e, purpose, judged, facts);
        }
        traces.note(cx.plan, (s, e), &Arc::new(facts));
        cx.world.clock.sleep(every).await;
    }
}

fn looked(cx: &Cx<'_>, s: usize, e: usize, purpose: Purpose, judged: Judgement, facts: Facts) -> Record {
    let step = &cx.plan.steps[s];
    Record::Looked {
        step: step.id.clone(),
        effect: step.effects[e].name.clone(),
        purpose,
        standing: judged.standing,
        evidence: judged.evidence,
        facts,
        handover: judged.handover,
        remark: judged.remark,
    }
}

async fn apply(
    cx: &Cx<'_>,
    s: usize,
    e: usize,
    undo: bool,
    cursor: &str,
    state: &RunState,
    permit: Option<&Permit>,
) -> Record {
    let step = &cx.plan.steps[s];
    let planned = &step.effects[e];
    let effect = &state.steps[s].effects[e];
    let intent = if undo { effect.undo.as_ref() } else { effect.intent.as_ref() };
    let handover = planned.effect.needs.as_ref().and_then(|set| state.handovers.get(set));
    let id = planned.effect.id.as_str();
    let held_up = cx.times.intended.get(&(s, e)).map(|at| cx.world.clock.now().since(*at));
    let guarded = match (cursor.is_empty(), intent) {
        (true, Some(_)) if held_up.is_some_and(|time| time > STALE) => {
            let seconds = held_up.unwrap_or_default().as_secs();
            locks::Guard::Changed(format!("held up for {seconds} s between the intent and the call"))
        }
        // Before each slice: between two of them another run may have taken a lock over.
        (_, Some(intent)) => {
            let aim = if undo { Aim::Restored(&*intent.prior) } else { Aim::Applied };
            locks::guard(cx, state, planned, aim, handover).await
        }
        _ => locks::Guard::Held,
    };
    let refused = match guarded {
        locks::Guard::Held => None,
        locks::Guard::Changed(why) if cursor.is_empty() => Some(Reply::refused(why)),
        locks::Guard::Changed(why) => Some(Reply::lost(why)),
        locks::Guard::Lost(what) => {
            let (step, effect) = (step.id.clone(), planned.name.clone());
            return Record::LockLost { what, step, effect, undo };
        }
    };
    let reply = match (permit, intent) {
        _ if refused.is_some() => refused.unwrap_or_else(|| Reply::refused("")),
        (Some(permit), Some(intent)) if undo => {
            planned.action.undo(id, permit, &intent.prior, cx.world).await
        }
        (Some(permit), Some(intent)) => {
            let action =
                planned.action.filled(&|text| fill(text, cx.times, &state.run, cx.world.clock.now()));
            action.apply(id, permit, &intent.prior, handover, cursor, cx.world).await
        }
        _ => Reply::lost("this process does not hold the permit"),
    };
    if let Reply::More { progress, .. } = &reply {
        (cx.progress)(Progress {
            step: step.id.clone(),
            effect: planned.name.clone(),
            evidence: progress.clone(),
        });
    }
    Record::Replied {
        step: step.id.clone(),
        effect: planned.name.clone(),
        attempt: intent.map_or(0, |intent| intent.attempt),
        undo,
        reply,
    }
}

/// How often a watched condition is sampled.
const SAMPLE: Duration = Duration::from_secs(2);

async fn watch(cx: &Cx<'_>, index: usize, state: &RunState) -> Record {
    let watch = &cx.plan.watches[index];
    let allowed = Duration::from_millis(watch.for_ms);
    let (mut untrue_since, mut silent_since) = (None, None);
    loop {
        let seen = watch.ok.observe(sight(cx, state)).await;
        let now = cx.world.clock.now();
        match seen.truth {
            Some(true) => (untrue_since, silent_since) = (None, None),
            Some(false) => {
                silent_since = None;
                untrue_since.get_or_insert(now);
            }
            None => {
                untrue_since = None;
                silent_since.get_or_insert(now);
            }
        }
        for (since, silent) in [(untrue_since, false), (silent_since, true)] {
            if since.is_some_and(|since| now.since(since) >= allowed) {
                return Record::Breached { watch: watch.id.clone(), silent, evidence: seen.evidence };
            }
        }
        cx.world.clock.sleep(SAMPLE.min(allowed.max(Duration::from_millis(100)))).await;
    }
}
