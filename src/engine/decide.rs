//! What should be in flight now. Pure and total: for every state it names a task or the run has ended.

use super::advance::step;
use super::policy::strictest;
use super::record::{Purpose, Turn, Verdict};
use super::rollback;
use super::state::{Flight, Process, RunState, Stage};
use super::surprise::Surprise;
use crate::plan::{AskKind, Mode, OnFailure, Plan, PlannedEffect, Step};
use crate::step::{Proof, Standing};
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

pub(super) fn one(task: Task) -> BTreeSet<Task> {
    BTreeSet::from([task])
}

/// An ending is preceded by a survey.
pub(super) fn surveyed(state: &RunState, end: Task) -> Task {
    if state.survey.is_some() { end } else { Task::Survey }
}

fn paused(plan: &Plan, state: &RunState, why: &str, unknown: bool, terminal: bool) -> BTreeSet<Task> {
    let frozen = state.gap_runs(plan) && !state.settled(plan, None);
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
        } else {
            let next = strictest(plan, state, &troubles);
            if !matches!(next, Task::Backoff(_)) {
                return one(next);
            }
            tasks = one(next);
        }
    }
    tasks.extend(clocks(plan, state, first));
    tasks
}

/// What runs beside the steps, also while one of them waits to be tried again: the clock of the write gap, and watches.
fn clocks(plan: &Plan, state: &RunState, first: usize) -> BTreeSet<Task> {
    let mut tasks = BTreeSet::new();
    if state.gap_runs(plan) && !state.armed(plan) && !state.gap_expired && !state.gap_told {
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
    if step.skipped.is_some() || progress.warned || state.by_hand.skips(&step.id) {
        return true;
    }
    accomplished(plan, state, index)
}

/// Whether everything of a step is there.
pub(super) fn accomplished(plan: &Plan, state: &RunState, index: usize) -> bool {
    let (Some(step), Some(progress)) = (plan.steps.get(index), state.steps.get(index)) else { return true };
    let by_hand = &state.by_hand;
    let there = step
        .effects
        .iter()
        .zip(&progress.effects)
        .all(|(planned, effect)| effect.done(planned) || by_hand.vouches(&step.id, planned));
    let required = step.require.is_none()
        || !step.effects.is_empty()
        || progress.required == Some(Some(true))
        || by_hand.did(&step.id);
    // A change that is there needs no answer any more; a check or a plain question does. Whoever did it has answered its items, and
    // has not given the approvals that it carries.
    let word = by_hand.rests_on_a_word(step);
    let answered = step.changes() && !word
        || step
            .questions
            .iter()
            .all(|q| word && q.kind == AskKind::Item || state.answers.get(&q.id).is_some_and(|a| a.yes));
    there && required && answered && step.effects.iter().all(|planned| handover_stands(plan, state, planned))
}

/// What makes a handover is done only while the handover lives, unless the pivot no longer needs it.
pub(super) fn handover_stands(plan: &Plan, state: &RunState, planned: &PlannedEffect) -> bool {
    let makes = planned.effect.makes.as_deref();
    makes.is_none_or(|set| state.handovers.contains_key(set) || state.settled(plan, Some(set)))
}

/// Something outside the steps that turns the run.
fn interruption(plan: &Plan, state: &RunState, terminal: bool) -> Option<Turning> {
    let turning =
        |to: Turn, unknown: bool, why: String| Some(Turning { to, step: String::new(), unknown, why });
    let armed = state.armed(plan);
    let passed = state.passed(plan);
    let back = |why: String, unknown: bool| {
        if armed || passed || state.changed() && plan.mode == Mode::Unplanned {
            // What was fenced is not given back by itself.
            turning(Turn::Pause, unknown, why)
        } else if state.changed() {
            turning(Turn::RollBack, unknown, why)
        } else {
            turning(Turn::Refuse, unknown, why)
        }
    };
    if let Some(what) = state.diverged()
        && (armed || passed)
    {
        return turning(
            Turn::Pause,
            false,
            format!("{what}: the old primary took commits after the promotion: divergence"),
        );
    }
    if let Some((number, surprise)) = state.surprised(plan) {
        // With writes stopped and nobody there to decide, a pause is a way back.
        let (line, rule, file) = (surprise.line(), &surprise.rule, Surprise::file(number));
        let why = format!(
            "{line}: no rehearsal can show this ({rule}), so none speaks for this run; kept as {file}"
        );
        return turning(Turn::Pause, true, why);
    }
    if state.gap_expired && !armed && !state.gap_told {
        // With another data set promoted already there is no way back for this one alone: a person decides.
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

/// A change of which a new process does not know whether it is still there: it is looked at before the run is called completed.
fn doubted(plan: &Plan, state: &RunState) -> Option<Result<Task, String>> {
    plan.effects().find_map(|(s, e, planned)| {
        let (step, progress) = (&plan.steps[s], state.steps.get(s)?);
        let effect = progress.effects.get(e)?;
        let doubt = effect.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { .. }));
        // Of a run that was taken over, what the new plan leaves out is at the source that has died.
        let left_out = step.skipped.is_some() && step.takes_back.is_none();
        if !doubt
            || left_out
            || state.by_hand.skips(&step.id)
            || step.temporary
            || progress.warned
            || planned.effect.proof != Proof::Look
            || !effect.stands()
        {
            return None;
        }
        Some(match &effect.seen {
            None => Ok(Task::Look(s, e, Purpose::After)),
            Some(seen) => {
                // What could not be seen is not said to be gone.
                let what = match seen.standing {
                    Standing::Unknown | Standing::Moving => "cannot be told to be so still",
                    Standing::Reached | Standing::NotReached | Standing::Blocked => "is not so any more",
                };
                Err(format!("all steps were done, and {} {what}: {}", step.id, seen.evidence))
            }
        })
    })
}

/// Puts temporary changes back, then ends.
fn finish(plan: &Plan, state: &RunState) -> BTreeSet<Task> {
    let diverged = || {
        let what = state.diverges()?;
        Some(format!(
            "{what}: both sides took commits; reconcile them, then close the run with `mrctl abandon`"
        ))
    };
    match rollback::next_undo(plan, state, |s, _| plan.steps[s].temporary) {
        Ok(Some(task)) => one(task),
        Ok(None) => {
            match doubted(plan, state) {
                Some(Ok(look)) => return one(look),
                Some(Err(why)) => return one(surveyed(state, Task::End(Verdict::Unknown, why))),
                None => {}
            }
            let Some(survey) = &state.survey else { return one(Task::Survey) };
            if let Some(why) = diverged() {
                return one(Task::End(Verdict::Unknown, why));
            }
            if survey.unknown {
                return one(Task::End(
                    Verdict::Unknown,
                    "all steps are done, but the end state could not be seen".into(),
                ));
            }
            one(Task::End(Verdict::Completed, state.by_hand.brief(plan)))
        }
        Err(why) => match diverged() {
            Some(also) if state.survey.is_some() => {
                one(Task::End(Verdict::Unknown, format!("{why}; and {also}")))
            }
            _ => one(surveyed(state, Task::End(Verdict::Failed, why))),
        },
    }
}
