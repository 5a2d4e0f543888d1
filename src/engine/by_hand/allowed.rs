//! What a person may decide about a step, by what is known without looking: pure, and each no says why and what there is instead.

use super::Handling;
use crate::engine::decide::step_done;
use crate::engine::state::{Flight, RunState, Stage};
use crate::plan::{AskKind, Plan, PlannedEffect, Step};
use crate::step::contract::Part;
use crate::step::{Class, Proof};

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: String,
    /// What there is instead; `RUN` stands for the run.
    pub instead: String,
}

/// A no with its reason and its remedy.
pub fn no(why: impl Into<String>, instead: impl Into<String>) -> Refusal {
    Refusal { why: why.into(), instead: instead.into() }
}

/// Whether it may be decided, as far as that is known without looking.
pub fn allowed(plan: &Plan, state: &RunState, s: usize, how: Handling) -> Result<(), Refusal> {
    let step = &plan.steps[s];
    let id = &step.id;
    if let Some(of) = &step.takes_back {
        return Err(no(
            format!("{id} takes {of} back, and is no part of the way forward"),
            "`mrctl rollback RUN` goes on with it; it sees what was taken back by hand",
        ));
    }
    if let Some(why) = &step.skipped {
        return Err(no(
            format!("{id} is not part of this run: {why}"),
            "`mrctl audit show RUN --checklist` lists its steps",
        ));
    }
    match &state.stage {
        Stage::RollingBack { .. } | Stage::Paused { from_rollback: true, .. } => {
            return Err(no(
                "this run is being taken back, and its steps are not gone on with",
                "`mrctl rollback RUN` goes on; it looks first, and sees what was taken back by hand",
            ));
        }
        Stage::Finishing => {
            return Err(no(
                "all steps of this run are done; only what is temporary is put back",
                "`mrctl resume RUN` goes on with that",
            ));
        }
        Stage::Forward | Stage::Paused { from_rollback: false, .. } | Stage::Refusing { .. } => {}
    }
    let decided = state.by_hand.of(id).is_some();
    let done = step_done(plan, state, s, step);
    match how {
        Handling::Retry if decided || state.steps[s].warned => Ok(()),
        Handling::Retry if done => {
            Err(no(format!("{id} is done: there is nothing to try again"), "`mrctl resume RUN` goes on"))
        }
        Handling::Retry => retried(plan, state, s),
        Handling::Done | Handling::Skip if done && !decided && !state.steps[s].warned => {
            Err(no(format!("{id} is done by this run already"), "`mrctl resume RUN` goes on"))
        }
        Handling::Done => done_by_hand(state, s, step),
        Handling::Skip => left_out(plan, state, s),
    }
}

/// Whether this run has tried it.
fn tried(plan: &Plan, state: &RunState, s: usize) -> bool {
    let step = &plan.steps[s];
    let stands = matches!(&state.stage, Stage::Paused { step: at, .. } | Stage::Refusing { step: at, .. } if *at == step.id);
    let asked = step.questions.iter().any(|ask| state.answers.contains_key(&ask.id));
    stands || asked || state.steps[s].touched()
}

fn retried(plan: &Plan, state: &RunState, s: usize) -> Result<(), Refusal> {
    let step = &plan.steps[s];
    if !tried(plan, state, s) {
        return Err(no(format!("{} has not been tried yet", step.id), "`mrctl resume RUN` comes to it"));
    }
    // A word that nothing came about is no proof, and doing it twice may harm.
    match blind(state, s, step, Proof::Reply) {
        None => Ok(()),
        Some(effect) => Err(no(
            format!(
                "the answer to {}/{effect} was lost, and there is nothing to look at: it may have come about, and is never sent again blindly",
                step.id
            ),
            "find out; then make sure that it is so, and say `--done`",
        )),
    }
}

fn done_by_hand(state: &RunState, s: usize, step: &Step) -> Result<(), Refusal> {
    let pivot = |planned: &PlannedEffect| planned.effect.class == Class::Pivot;
    let armed = state.steps[s].effects.iter().any(|effect| effect.intent.is_some());
    if step.effects.iter().any(pivot) && !armed {
        return Err(no(
            format!(
                "{} has no way back: what was promoted by hand has no handover that it could be held against",
                step.id
            ),
            "look what is so with `mrctl status`; then close the run with `mrctl abandon RUN --reason …`",
        ));
    }
    let mut effects = step.effects.iter().zip(&state.steps[s].effects);
    if let Some((planned, _)) =
        effects.find(|(p, effect)| p.effect.freezes.is_some() && effect.intent.is_none())
    {
        return Err(no(
            format!(
                "{}/{} stops writes: a freeze that this run has not made is bounded by no clock, and taken back by nobody",
                step.id, planned.name
            ),
            "take it back by hand, and let `mrctl resume RUN` make it",
        ));
    }
    if let Some(planned) = step.effects.iter().find(|planned| planned.effect.makes.is_some()) {
        return Err(no(
            format!("{}/{} is a proof that mrctl makes itself, and each process anew", step.id, planned.name),
            "`mrctl resume RUN` makes it",
        ));
    }
    Ok(())
}

fn left_out(plan: &Plan, state: &RunState, s: usize) -> Result<(), Refusal> {
    let step = &plan.steps[s];
    let id = &step.id;
    if step.effects.iter().any(|planned| planned.effect.class == Class::Pivot) {
        return Err(no(
            format!("{id} is what this run is for, and everything behind it rests on it"),
            "go back with `mrctl rollback RUN`, or close the run with `mrctl abandon RUN --reason …`",
        ));
    }
    if let Some((what, who)) = needed(plan, state, s) {
        return Err(no(
            format!("{id} proves {what}, which {who} demands"),
            "mend the cause and say `--retry`, or go back with `mrctl rollback RUN`",
        ));
    }
    let open = |ask: &&crate::plan::Ask| {
        ask.kind != AskKind::Item && !state.answers.get(&ask.id).is_some_and(|answer| answer.yes)
    };
    if let Some(ask) = step.questions.iter().find(open) {
        return Err(no(
            format!("{id} carries an approval that also stands for what comes after it: {}", ask.text),
            "`mrctl resume RUN` asks for it; a no ends the run there",
        ));
    }
    match blind(state, s, step, Proof::Reply).or_else(|| blind(state, s, step, Proof::Again)) {
        None => Ok(()),
        Some(effect) => Err(no(
            format!("whether {id}/{effect} came about is not known, and there is nothing to look at"),
            "find out; then make sure that it is so, and say `--done`",
        )),
    }
}

/// What this step proves, and which later step demands it.
fn needed<'a>(plan: &'a Plan, state: &RunState, s: usize) -> Option<(&'static str, &'a str)> {
    let step = &plan.steps[s];
    let (action, what) = step.effects.iter().find_map(|p| p.action.proves().map(|what| (&p.action, what)))?;
    let part = action.info().part;
    let to_come = |step: &Step, index: usize| step.skipped.is_none() && !step_done(plan, state, index, step);
    let later = |wanted: &dyn Fn(&PlannedEffect) -> bool| {
        let mut later = plan.steps.iter().enumerate().skip(s + 1);
        later
            .find(|(index, step)| to_come(step, *index) && step.effects.iter().any(wanted))
            .map(|(_, step)| step.id.as_str())
    };
    let by = match part {
        // The last look asks it again.
        Part::Fence => {
            later(&|planned| planned.effect.class == Class::Pivot).or(Some("the end of an unplanned run"))
        }
        Part::Freeze | Part::CatchUp | Part::Stop | Part::Pivot => {
            later(&|planned| planned.effect.class == Class::Pivot)
        }
        Part::Pause | Part::Probe | Part::Rejoin | Part::Traffic | Part::Other => {
            later(&|planned| planned.effect.class == Class::Pivot || !planned.action.sends().is_empty())
        }
    };
    by.map(|by| (what, by))
}

/// An effect of which only the reply can tell, and whose reply was lost.
fn blind<'a>(state: &RunState, s: usize, step: &'a Step, proof: Proof) -> Option<&'a str> {
    let mut effects = step.effects.iter().zip(&state.steps[s].effects);
    let lost = effects.find(|(planned, effect)| {
        planned.effect.proof == proof
            && effect.intent.as_ref().is_some_and(|intent| match intent.flight {
                Flight::InFlight { .. } | Flight::InDoubt { .. } | Flight::Acknowledged => true,
                Flight::Refused { .. } | Flight::Landed => false,
            })
    });
    lost.map(|(planned, _)| planned.name.as_str())
}
