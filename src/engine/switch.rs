//! A planned run whose source has died is taken over as an unplanned one: what is carried over, and what stands against it.

use super::by_hand::ByHand;
use super::effect_state::{EffectState, Flight, Undone};
use super::state::{RunState, Stage};
use crate::plan::{Mode, Plan};
use crate::step::Class;

/// What stands against taking a run over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is unplanned already.
    Unplanned,
    /// The promotion is made.
    Promoted,
    /// The promotion may have been made, or may still come about.
    MayPromote,
    /// It is for another move, or of another runbook.
    Another(String),
    /// A change of ours stands, and the new plan does not know it, or knows something else by its name.
    Lost(String),
    /// Taking back a change was begun, and nobody knows what became of it.
    UndoInDoubt(String),
}

impl Hindrance {
    /// In one line.
    pub fn line(&self) -> String {
        match self {
            Self::Unplanned => "it is unplanned already".into(),
            Self::Promoted => "the promotion is made: nothing that is left of it needs another mode".into(),
            Self::MayPromote => "the promotion may have been made, or may still come about".into(),
            Self::Another(what) => format!("that is not the plan of this run: {what}"),
            Self::Lost(what) => format!("{what} stands, and the new plan has no such change"),
            Self::UndoInDoubt(what) => {
                format!("{what} may or may not have been taken back: nobody knows what became of it")
            }
        }
    }

    /// What to do about it. `run`: as commands take it.
    pub fn help(&self, run: &str) -> String {
        match self {
            Self::Unplanned | Self::Promoted => format!("go on with `mrctl resume {run}`"),
            Self::MayPromote => format!("`mrctl resume {run}` looks at it first"),
            Self::Another(_) | Self::Lost(_) => {
                "give the runbook, the inventory and the directions that it was planned with".into()
            }
            Self::UndoInDoubt(_) => format!(
                "`mrctl resume {run}` looks at it first; or close it with `mrctl abandon {run}` and begin a new run with `mrctl failover --mode unplanned`"
            ),
        }
    }
}

impl RunState {
    /// What stands against taking the run over with the new plan.
    pub fn against_switching(&self, old: &Plan, new: &Plan) -> Vec<Hindrance> {
        let mut found = Vec::new();
        if old.mode == Mode::Unplanned {
            return vec![Hindrance::Unplanned];
        }
        if self.passed(old) {
            return vec![Hindrance::Promoted];
        }
        if self.armed(old) {
            found.push(Hindrance::MayPromote);
        }
        for (what, before, now) in [
            ("it is of the runbook", &old.runbook, &new.runbook),
            ("it leaves", &old.from, &new.from),
            ("it moves to", &old.to, &new.to),
            ("it is for", &old.environment, &new.environment),
        ] {
            if before != now {
                found.push(Hindrance::Another(format!("{what} {now}, and the run {before}")));
            }
        }
        for (s, e, planned) in old.effects() {
            let effect = &self.steps[s].effects[e];
            if effect.intent.is_none() && effect.undo.is_none() {
                continue;
            }
            let (kind, name) = (&old.steps[s].kind, format!("{}/{}", old.steps[s].id, planned.name));
            let there = super::state::find(new, &old.steps[s].id, &planned.name).filter(|(s, e)| {
                let other = &new.steps[*s].effects[*e];
                new.steps[*s].kind == *kind
                    && other.effect.class == planned.effect.class
                    && other.action.resources() == planned.action.resources()
            });
            match there {
                None if effect.stands() => found.push(Hindrance::Lost(name)),
                // What is not part of the new plan needs no answer: the source that it is at has died.
                Some((s, _)) if undo_in_doubt(effect) && new.steps[s].skipped.is_none() => {
                    found.push(Hindrance::UndoInDoubt(name));
                }
                None | Some(_) => {}
            }
        }
        found
    }

    /// Takes the run over. What a change of ours has left stands, with what it has to be taken back to; everything that was seen, answered
    /// or proved was so for another plan.
    pub(super) fn switch(&mut self, plan: &Plan) {
        self.stage = Stage::Forward;
        self.doubt_everything(plan);
        self.answers.clear();
        self.handovers.clear();
        // What was decided about single steps was allowed by another plan.
        self.by_hand = ByHand::default();
        self.gap_told = false;
        for (step, planned) in self.steps.iter_mut().zip(&plan.steps) {
            (step.required, step.warned, step.tries) = (None, false, 0);
            for (effect, planned) in step.effects.iter_mut().zip(&planned.effects) {
                let kept = effect.stands() && planned.effect.class != Class::Looks;
                if kept {
                    (effect.undo, effect.undone, effect.seen, effect.found) = (None, None, None, false);
                } else {
                    // Taken back, refused, or only looked at: as if it had never been, but for the numbers that are used up.
                    let (attempts, tried_before) = (effect.attempts, effect.attempts);
                    *effect = EffectState { attempts, tried_before, ..EffectState::default() };
                }
            }
        }
        let steps = &self.steps;
        self.intents.retain(|(s, e)| steps[*s].effects[*e].intent.is_some());
    }
}

/// Whether nobody knows if it was taken back.
fn undo_in_doubt(effect: &EffectState) -> bool {
    let known = matches!(effect.undone, Some(Undone::Restored | Undone::Foreign));
    let open = effect.undo.as_ref().is_some_and(|undo| {
        matches!(undo.flight, Flight::InFlight { .. } | Flight::InDoubt { .. } | Flight::Acknowledged)
    });
    open && !known
}
