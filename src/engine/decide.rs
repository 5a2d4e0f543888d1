//! What should be in flight now. Pure and total: for every state it names a task or the run has ended.

use super::identity;
use super::record::{Purpose, Turn, Verdict};
use super::rollback;
use super::state::{EffectState, Flight, Process, RunState, Stage};
use crate::plan::{Ask, AskKind, OnFailure, Plan, Step};
use crate::step::{Class, Found, Proof, Remark, Standing};
use std::collections::BTreeSet;

/// Something that should be in flight. Steps and effects are indices into the plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Evaluate the step's `require`.
    Require(usize),
    /// Look until the standing settles or the budget ends.
    Look(usize, usize, Purpose),
    /// Ask a person.
    Ask(Question),
    /// Write the intent: effect, whether it is an undo.
    Intend(usize, usize, bool),
    /// Make the call for an intent, from a cursor.
    Apply(usize, usize, bool, String),
    /// Wait before the next try of a step.
    Backoff(usize),
    /// Run the gap clock.
    Gap,
    /// Watch a condition.
    Watch(usize),
    /// Turn.
    Turn(Turning),
    /// Look at everything before a verdict.
    Survey,
    /// End.
    End(Verdict, String),
}

/// A question that should be open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// One of the plan's: step and index.
    Planned(usize, usize),
    /// Adopt what was found: step and effect.
    Adopt(usize, usize),
    /// What to do with a paused run.
    Paused,
}

/// Where to turn, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Turning {
    /// Where to.
    pub to: Turn,
    /// Step that causes it; empty if none does.
    pub step: String,
    /// Whether something could not be established.
    pub unknown: bool,
    /// Why.
    pub why: String,
}

/// A step's trouble.
#[derive(Clone, Debug)]
struct Trouble {
    step: usize,
    unknown: bool,
    why: String,
    /// Trying again can help: nothing of the failed try is in flight.
    proven: bool,
}

/// What should be in flight now.
pub fn decide(plan: &Plan, state: &RunState) -> BTreeSet<Task> {
    let Process::Driving { terminal } = state.process else { return BTreeSet::new() };
    if state.verdict.is_some() {
        return BTreeSet::new();
    }
    match &state.stage {
        Stage::Forward => forward(plan, state, terminal),
        Stage::Finishing => finish(plan, state),
        Stage::RollingBack { why, step } => rollback::roll_back(plan, state, why, step),
        Stage::Paused { why, unknown, .. } => paused(plan, state, why, *unknown, terminal),
        Stage::Refusing { why, .. } => one(surveyed(state, Task::End(Verdict::Refused, why.clone()))),
    }
}

fn one(task: Task) -> BTreeSet<Task> {
    BTreeSet::from([task])
}

/// An ending is preceded by a survey.
pub(super) fn surveyed(state: &RunState, end: Task) -> Task {
    if state.survey.is_some() { end } else { Task::Survey }
}

fn paused(plan: &Plan, state: &RunState, why: &str, unknown: bool, terminal: bool) -> BTreeSet<Task> {
    let frozen = state.gap_runs(plan) && !state.armed(plan);
    let answer = state.answers.iter().find(|(id, _)| id.starts_with("paused:")).map(|(_, answer)| answer);
    // A freeze is bounded also while nobody decides: nobody at all, nobody any more, or nobody in time. Only a person who is there may
    // leave it.
    let left = answer.is_some_and(|answer| !answer.absent);
    if frozen && !left && (state.gap_expired || !terminal || answer.is_some()) {
        let why = format!("{why}; writes are stopped, and nobody decides");
        return one(Task::Turn(Turning { to: Turn::RollBack, step: String::new(), unknown, why }));
    }
    if terminal && answer.is_none() {
        let mut tasks = one(Task::Ask(Question::Paused));
        if frozen {
            tasks.insert(Task::Gap);
        }
        return tasks;
    }
    let verdict = if unknown { Verdict::Unknown } else { Verdict::Paused };
    one(surveyed(state, Task::End(verdict, why.to_string())))
}

fn forward(plan: &Plan, state: &RunState, terminal: bool) -> BTreeSet<Task> {
    let flying = rollback::flying(state);
    if let Some(turning) = interruption(plan, state, terminal) {
        // Asked once: the effect in flight is finished first. Asked twice: the fold has put it in doubt already.
        return if flying.is_empty() { one(Task::Turn(turning)) } else { flying };
    }
    let Some(first) =
        plan.steps.iter().enumerate().position(|(index, step)| !step_done(plan, state, index, step))
    else {
        return one(Task::Turn(Turning {
            to: Turn::Finish,
            step: String::new(),
            unknown: false,
            why: "all steps are done".into(),
        }));
    };
    if state.signals > 0 && plan.steps[first].best_effort {
        // Asked to stop without a person, after arming: only what is essential is still done.
        let step = plan.steps[first].id.clone();
        return one(Task::Turn(Turning {
            to: Turn::Warn,
            step,
            unknown: false,
            why: "left out: asked to stop".into(),
        }));
    }
    let mut tasks = BTreeSet::new();
    let mut troubles = Vec::new();
    let mut settling = false;
    for index in group(plan, first) {
        if step_done(plan, state, index, &plan.steps[index]) {
            continue;
        }
        match step(plan, state, index) {
            Ok(wanted) => {
                settling |= wanted.iter().any(is_in_flight);
                tasks.extend(wanted);
            }
            Err(trouble) => troubles.push(trouble),
        }
    }
    if !troubles.is_empty() {
        // A failure starts nothing new: what flies settles, then the strictest policy is applied once.
        if settling {
            tasks.retain(is_in_flight);
            return tasks;
        }
        return one(strictest(plan, state, &troubles));
    }
    if state.gap_runs(plan) && !state.armed(plan) && !state.gap_expired {
        tasks.insert(Task::Gap);
    }
    for (index, watch) in plan.watches.iter().enumerate() {
        let breached = state.breaches.iter().any(|breach| breach.watch == watch.id);
        if (watch.first..=watch.last).contains(&first) && !breached {
            tasks.insert(Task::Watch(index));
        }
    }
    tasks
}

fn is_in_flight(task: &Task) -> bool {
    matches!(task, Task::Apply(..) | Task::Look(_, _, Purpose::After))
}

/// Steps that a run is at: the first that is not done and those that run together with it. Empty when all are done.
pub fn current(plan: &Plan, state: &RunState) -> Vec<usize> {
    let first = plan.steps.iter().enumerate().position(|(index, step)| !step_done(plan, state, index, step));
    first.map_or_else(Vec::new, |first| group(plan, first))
}

/// Steps that run together with this one.
fn group(plan: &Plan, first: usize) -> Vec<usize> {
    match plan.steps[first].parallel {
        None => vec![first],
        Some(number) => {
            (first..plan.steps.len()).take_while(|i| plan.steps[*i].parallel == Some(number)).collect()
        }
    }
}

/// Whether a step needs nothing more: there, adopted, skipped, or left out with a warning.
pub fn step_done(plan: &Plan, state: &RunState, index: usize, step: &Step) -> bool {
    let Some(progress) = state.steps.get(index) else { return true };
    if step.skipped.is_some() || progress.warned {
        return true;
    }
    let there = step.effects.iter().zip(&progress.effects).all(|(planned, effect)| effect.done(planned));
    let required =
        step.require.is_none() || !step.effects.is_empty() || progress.required == Some(Some(true));
    // A change that is there needs no answer any more; a check or a plain question does.
    let answered =
        step.changes() || step.questions.iter().all(|q| state.answers.get(&q.id).is_some_and(|a| a.yes));
    there && required && answered && handovers_stand(plan, state, index)
}

/// A step that makes a handover is done only while the handover lives, unless the pivot no longer needs it.
fn handovers_stand(plan: &Plan, state: &RunState, index: usize) -> bool {
    // The cheap question first: most steps make none.
    plan.steps[index]
        .effects
        .iter()
        .all(|planned| planned.effect.makes.as_ref().is_none_or(|set| state.handovers.contains_key(set)))
        || state.armed(plan)
        || state.passed(plan)
}

/// Something outside the steps that turns the run.
fn interruption(plan: &Plan, state: &RunState, terminal: bool) -> Option<Turning> {
    let turning =
        |to: Turn, unknown: bool, why: String| Some(Turning { to, step: String::new(), unknown, why });
    let armed = state.armed(plan);
    let passed = state.passed(plan);
    let back = |why: String, unknown: bool| {
        if armed || passed {
            turning(Turn::Pause, unknown, why)
        } else if state.changed() {
            turning(Turn::RollBack, unknown, why)
        } else {
            turning(Turn::Refuse, unknown, why)
        }
    };
    if state.remarks.iter().any(|(_, remark)| *remark == Remark::Divergence) && (armed || passed) {
        return turning(
            Turn::Pause,
            false,
            "the old primary took commits after the promotion: divergence".into(),
        );
    }
    if state.gap_expired && !armed && !passed {
        return back(
            format!("writes were stopped for longer than {} ms", plan.objectives.write_gap_ms),
            false,
        );
    }
    if let Some(what) = &state.lock_lost {
        return turning(Turn::Pause, false, format!("the lock on {what} was lost"));
    }
    if state.signals > 0 {
        let why = "the operator asked to stop".to_string();
        if terminal {
            return if state.changed() || state.steps.iter().any(|s| s.tries > 0) {
                turning(Turn::Pause, false, why)
            } else {
                turning(Turn::Refuse, false, why)
            };
        }
        // Without a person: before arming it rolls back by itself, after arming it goes forward to the end.
        if !armed && !passed {
            return back(why, false);
        }
    }
    for breach in &state.breaches {
        let Some(watch) = plan.watches.iter().find(|watch| watch.id == breach.watch) else { continue };
        let policy = if breach.silent { watch.on_no_data } else { watch.on_breach };
        let why = format!("watch {}: {}", breach.watch, breach.evidence);
        match policy {
            OnFailure::Warn => {}
            OnFailure::RollBack => return back(why, breach.silent),
            OnFailure::Default | OnFailure::Stop | OnFailure::Pause => {
                return turning(Turn::Pause, breach.silent, why);
            }
        }
    }
    None
}

/// What a step wants, or its trouble.
fn step(plan: &Plan, state: &RunState, index: usize) -> Result<BTreeSet<Task>, Trouble> {
    let step = &plan.steps[index];
    let progress = &state.steps[index];
    let trouble = |unknown: bool, proven: bool, why: String| Trouble { step: index, unknown, why, proven };
    if step.require.is_some() {
        match progress.required {
            None => return Ok(one(Task::Require(index))),
            Some(Some(true)) => {}
            Some(Some(false)) => return Err(trouble(false, true, "its `require` does not hold".into())),
            Some(None) => return Err(trouble(true, true, "its `require` cannot be told".into())),
        }
    }
    if step.effects.is_empty() {
        return question(state, index, step, "")
            .unwrap_or_else(|| Ok(BTreeSet::new()))
            .map_err(|why| trouble(false, false, why));
    }
    for (e, planned) in step.effects.iter().enumerate() {
        let effect = &progress.effects[e];
        if effect.done(planned) && (planned.effect.makes.is_none() || handovers_stand(plan, state, index)) {
            continue;
        }
        return match &effect.intent {
            Some(intent) => intended(index, e, effect, &intent.flight, planned.effect.proof),
            None => fresh(plan, state, index, e),
        }
        .map_err(|(unknown, proven, why)| trouble(unknown, proven, why));
    }
    // All effects are there; a looking step may still have open questions (its facts are shown with them).
    question(state, index, step, "")
        .unwrap_or_else(|| Ok(BTreeSet::new()))
        .map_err(|why| trouble(false, false, why))
}

type Wanted = Result<BTreeSet<Task>, (bool, bool, String)>;

/// The first open question of a step, or a no.
fn question(
    state: &RunState,
    index: usize,
    step: &Step,
    substance: &str,
) -> Option<Result<BTreeSet<Task>, String>> {
    for (q, ask) in step.questions.iter().enumerate() {
        match state.answers.get(&ask.id) {
            Some(answer) if answer.yes && covers(ask, &answer.substance, substance) => {}
            Some(answer) if !answer.yes && answer.absent => {
                return Some(Err(format!("nobody answered: {}", ask.text)));
            }
            Some(answer) if !answer.yes => return Some(Err(format!("the answer was no: {}", ask.text))),
            _ => return Some(Ok(one(Task::Ask(Question::Planned(index, q))))),
        }
    }
    None
}

/// A typed consent that is still missing when a pivot comes up: the step that asks for it was found done, or it died meanwhile.
fn consent(plan: &Plan, state: &RunState) -> Option<Task> {
    plan.steps.iter().enumerate().filter(|(_, step)| step.skipped.is_none()).find_map(|(s, step)| {
        step.questions.iter().enumerate().find_map(|(q, ask)| {
            let missing =
                matches!(ask.kind, AskKind::Typed(_)) && !state.answers.get(&ask.id).is_some_and(|a| a.yes);
            missing.then_some(Task::Ask(Question::Planned(s, q)))
        })
    })
}

/// A consent covers the facts that were shown with it.
fn covers(ask: &Ask, given: &str, now: &str) -> bool {
    match ask.kind {
        AskKind::Item => true,
        AskKind::Confirm | AskKind::Typed(_) => now.is_empty() || given.is_empty() || given == now,
    }
}

/// An effect without an intent of ours.
fn fresh(plan: &Plan, state: &RunState, s: usize, e: usize) -> Wanted {
    let step = &plan.steps[s];
    let planned = &step.effects[e];
    let Some(seen) = &state.steps[s].effects[e].seen else {
        return Ok(one(Task::Look(s, e, Purpose::Before)));
    };
    let changes = planned.effect.class != Class::Looks;
    match seen.standing {
        Standing::Reached if changes && planned.effect.found == Found::Ask => {
            match state.answers.get(&format!("adopt:{}/{}", step.id, planned.name)) {
                None => Ok(one(Task::Ask(Question::Adopt(s, e)))),
                Some(answer) if answer.yes => Ok(BTreeSet::new()),
                Some(_) => Err((
                    false,
                    false,
                    format!("already so, not by this run, and not adopted: {}", seen.evidence),
                )),
            }
        }
        // Reached without `done` can only be a handover that died: look again.
        Standing::Reached => Ok(one(Task::Look(s, e, Purpose::Before))),
        Standing::NotReached if changes => {
            if let Some(wanted) = question(state, s, step, &substance(plan, state, s)) {
                return wanted.map_err(|why| (false, false, why));
            }
            if planned.effect.class == Class::Pivot
                && let Some(task) = consent(plan, state)
            {
                return Ok(one(task));
            }
            if let Some(set) = &planned.effect.needs
                && !state.handovers.contains_key(set)
            {
                return Err((false, false, format!("there is no handover for {set}")));
            }
            if let Some(why) = identity::changed(plan, state, s, e, &seen.facts) {
                return Err((false, false, why));
            }
            Ok(one(Task::Intend(s, e, false)))
        }
        Standing::NotReached | Standing::Blocked => Err((false, true, seen.evidence.clone())),
        Standing::Moving | Standing::Unknown => Err((true, true, seen.evidence.clone())),
    }
}

/// What a consent to this step covers now: the substance of its first effect's facts.
pub fn substance(plan: &Plan, state: &RunState, s: usize) -> String {
    let step = &plan.steps[s];
    step.effects
        .iter()
        .zip(&state.steps[s].effects)
        .find_map(|(planned, effect)| {
            effect.seen.as_ref().map(|seen| planned.action.substance(&planned.effect.id, &seen.facts))
        })
        .unwrap_or_default()
}

/// An effect with an intent of ours that is not proved yet.
fn intended(s: usize, e: usize, effect: &EffectState, flight: &Flight, proof: Proof) -> Wanted {
    match flight {
        Flight::InFlight { cursor } => Ok(one(Task::Apply(s, e, false, cursor.clone()))),
        Flight::InDoubt { orphaned: true } if proof == Proof::Again => Ok(one(Task::Intend(s, e, false))),
        Flight::InDoubt { .. } if proof == Proof::Again => {
            Err((true, true, "the answer was lost, and there is nothing to look at".into()))
        }
        Flight::InDoubt { .. } if proof == Proof::Reply => {
            Err((true, false, "the answer was lost, and there is nothing to look at".into()))
        }
        Flight::InDoubt { orphaned: true }
            if effect.seen.as_ref().is_some_and(|seen| seen.standing == Standing::NotReached) =>
        {
            Ok(one(Task::Intend(s, e, false)))
        }
        Flight::InDoubt { .. } | Flight::Acknowledged | Flight::Landed => match &effect.seen {
            None => Ok(one(Task::Look(s, e, Purpose::After))),
            Some(seen) => match seen.standing {
                Standing::Reached => Ok(one(Task::Look(s, e, Purpose::After))),
                // Seen as absent with nothing in flight: that is the proof which a retry needs.
                Standing::NotReached => Err((false, true, seen.evidence.clone())),
                Standing::Blocked => Err((false, false, seen.evidence.clone())),
                Standing::Moving | Standing::Unknown => Err((true, false, seen.evidence.clone())),
            },
        },
        Flight::Refused { why } => match &effect.seen {
            // A refusal proves that this attempt did nothing; a look tells whether somebody else did.
            None => Ok(one(Task::Look(s, e, Purpose::Before))),
            Some(seen) => match seen.standing {
                Standing::Unknown | Standing::Moving => {
                    Err((true, true, format!("refused: {why}; {}", seen.evidence)))
                }
                Standing::Reached | Standing::NotReached | Standing::Blocked => {
                    Err((false, true, format!("refused: {why}; {}", seen.evidence)))
                }
            },
        },
    }
}

/// How often a known failure after the pivot is tried again by default.
const TRIES_AFTER_PIVOT: u32 = 3;

/// Applies the strictest of the steps' policies.
fn strictest(plan: &Plan, state: &RunState, troubles: &[Trouble]) -> Task {
    let mut tasks: Vec<Task> = troubles.iter().map(|trouble| policy(plan, state, trouble)).collect();
    // Turns sort by severity: RollBack, Pause, Finish, Refuse, Warn; a retry only when every trouble may be retried.
    tasks.sort_by_key(|task| match task {
        Task::Turn(turning) => match turning.to {
            Turn::Pause => 0,
            Turn::RollBack => 1,
            Turn::Refuse => 2,
            Turn::Finish => 3,
            Turn::Warn => 5,
        },
        _ => 4,
    });
    tasks.into_iter().next().unwrap_or(Task::Survey)
}

/// The table of defaults by phase, and what the step says.
fn policy(plan: &Plan, state: &RunState, trouble: &Trouble) -> Task {
    let step = &plan.steps[trouble.step];
    let progress = &state.steps[trouble.step];
    let armed = state.armed(plan);
    let passed = state.passed(plan);
    let turn = |to: Turn| {
        Task::Turn(Turning {
            to,
            step: step.id.clone(),
            unknown: trouble.unknown,
            why: format!("{}: {}", step.id, trouble.why),
        })
    };
    let tries = if step.retries > 0 {
        step.retries
    } else if passed && !armed && !trouble.unknown {
        TRIES_AFTER_PIVOT
    } else {
        0
    };
    // Only on proof that nothing happened; a no of a person is not tried again.
    if trouble.proven && progress.tries < tries + 1 && tries > 0 && progress.tries.max(1) <= tries {
        return Task::Backoff(trouble.step);
    }
    if step.best_effort {
        return turn(Turn::Warn);
    }
    let said = if trouble.unknown { step.on_unknown } else { step.on_failure };
    let back = || {
        if armed || passed {
            turn(Turn::Pause)
        } else if state.changed() {
            turn(Turn::RollBack)
        } else {
            turn(Turn::Refuse)
        }
    };
    match said {
        OnFailure::Warn if !armed => turn(Turn::Warn),
        OnFailure::Pause if state.changed() => turn(Turn::Pause),
        OnFailure::Default | OnFailure::Stop | OnFailure::RollBack | OnFailure::Pause | OnFailure::Warn => {
            back()
        }
    }
}

/// Puts temporary changes back, then ends.
fn finish(plan: &Plan, state: &RunState) -> BTreeSet<Task> {
    match rollback::next_undo(plan, state, |s, _| plan.steps[s].temporary) {
        Ok(Some(task)) => one(task),
        Ok(None) => {
            let Some(survey) = &state.survey else { return one(Task::Survey) };
            if let Some((what, _)) = state.remarks.iter().find(|(_, remark)| *remark == Remark::Divergence) {
                return one(Task::End(Verdict::Unknown, format!("{what}: both sides took commits")));
            }
            if survey.unknown {
                return one(Task::End(
                    Verdict::Unknown,
                    "all steps are done, but the end state could not be seen".into(),
                ));
            }
            one(Task::End(Verdict::Completed, String::new()))
        }
        Err(why) => one(surveyed(state, Task::End(Verdict::Failed, why))),
    }
}
