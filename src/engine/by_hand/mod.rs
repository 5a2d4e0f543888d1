//! What people decided about single steps of a run: tried again, done by hand, left out; and red checks that they passed by name.

pub mod allowed;
mod fold;
pub mod look;

use crate::plan::{AskKind, Plan, PlannedEffect, Step};
use crate::step::{Class, Proof};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a person decides about one step of a run that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// It is tried again; an earlier decision about it does not count any more.
    Retry,
    /// They did it themselves.
    Done,
    /// The run goes on without it.
    Skip,
}

/// A decision about a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handled {
    /// What was decided.
    pub how: Handling,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether mrctl has looked and agreed; else it is a word alone.
    pub looked: bool,
}

/// Leave to pass a check that is red.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiver {
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether it was needed.
    pub used: bool,
}

/// All decisions of a run, by step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct ByHand {
    steps: BTreeMap<String, Handled>,
    waivers: BTreeMap<String, Waiver>,
}

impl ByHand {
    /// Whether a person left this step out.
    pub fn skips(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|handled| handled.how == Handling::Skip)
    }

    /// Whether a person did this step.
    pub fn did(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|handled| handled.how == Handling::Done)
    }

    /// Whether this effect is there on a person's word: nothing can be looked at.
    pub fn vouches(&self, step: &str, planned: &PlannedEffect) -> bool {
        planned.effect.proof != Proof::Look && self.did(step)
    }

    /// Whether a step is done on a person's word, be it in part.
    pub fn rests_on_a_word(&self, step: &Step) -> bool {
        let vouched = |planned: &PlannedEffect| planned.effect.proof != Proof::Look;
        self.did(&step.id) && (step.effects.is_empty() || step.effects.iter().any(vouched))
    }

    /// The decision about a step, if one stands.
    pub fn of(&self, step: &str) -> Option<&Handled> {
        self.steps.get(step)
    }

    /// The waiver of a step, if one was given.
    pub fn waiver(&self, step: &str) -> Option<&Waiver> {
        self.waivers.get(step)
    }

    pub(super) fn handle(&mut self, step: &str, handled: Handled) {
        match handled.how {
            // What was decided before does not count any more.
            Handling::Retry => self.steps.remove(step),
            Handling::Done | Handling::Skip => self.steps.insert(step.to_string(), handled),
        };
    }

    pub(super) fn waive(&mut self, step: &str, by: &str, reason: &str) {
        let used = self.waivers.get(step).is_some_and(|waiver| waiver.used);
        let waiver = Waiver { by: by.to_string(), reason: reason.to_string(), used };
        self.waivers.insert(step.to_string(), waiver);
    }

    /// The step's trouble became a warning.
    pub(super) fn warned(&mut self, step: &str) {
        if let Some(waiver) = self.waivers.get_mut(step) {
            waiver.used = true;
        }
    }

    /// Each decision in a line, in the order of the plan: what was left out, done by hand, passed, and what was not needed.
    pub fn lines(&self, plan: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        for step in &plan.steps {
            let id = &step.id;
            if let Some(Handled { how, by, reason, looked }) = self.steps.get(id) {
                lines.push(format!("{}: {reason}", in_words(id, *how, by, *looked)));
            }
            if let Some(Waiver { by, reason, used }) = self.waivers.get(id) {
                lines.push(match used {
                    true => format!("{id} was red, and {by} passed it: {reason}"),
                    false => format!("{by} waived {id}, and that was not needed: {reason}"),
                });
            }
        }
        lines
    }

    /// The same for a verdict, in one line; empty if all went without.
    pub(super) fn brief(&self, plan: &Plan) -> String {
        let ids = |wanted: &dyn Fn(&str) -> bool| {
            let ids = plan.steps.iter().map(|step| step.id.as_str()).filter(|id| wanted(id));
            ids.collect::<Vec<_>>().join(", ")
        };
        let parts = [
            ("left out by hand", ids(&|id| self.skips(id))),
            ("done by hand", ids(&|id| self.did(id))),
            ("passed although red", ids(&|id| self.waivers.get(id).is_some_and(|waiver| waiver.used))),
        ];
        let parts = parts.into_iter().filter(|(_, ids)| !ids.is_empty());
        parts.map(|(what, ids)| format!("{what}: {ids}")).collect::<Vec<_>>().join("; ")
    }
}

/// A decision in words, without its reason.
pub fn in_words(step: &str, how: Handling, by: &str, looked: bool) -> String {
    match (how, looked) {
        (Handling::Skip, _) => format!("{step} was left out by {by}"),
        (Handling::Done, true) => format!("{step} was done by hand, as {by} says and as was seen"),
        (Handling::Done, false) => format!("{step} was done by hand, on the word of {by} alone"),
        (Handling::Retry, _) => format!("{step} is to be tried again, says {by}"),
    }
}

/// Why a step is none that a waiver is for, if it is not.
pub fn not_waivable(step: &Step) -> Option<String> {
    if let Some(why) = &step.skipped {
        return Some(format!("it is not part of this run: {why}"));
    }
    let mut actions = step.effects.iter().map(|planned| &planned.action);
    if let Some(what) = actions.find_map(|action| action.proves()) {
        return Some(format!("it proves {what}, which nobody's word replaces"));
    }
    // It would be passed with the check, unasked.
    if let Some(ask) = step.questions.iter().find(|ask| ask.kind != AskKind::Item) {
        return Some(format!(
            "it carries an approval that also stands for what comes after it: {}",
            ask.text
        ));
    }
    if !step.questions.is_empty() && !step.effects.is_empty() {
        return Some("a person answers it, and a no is not waived".into());
    }
    let looks = |planned: &PlannedEffect| planned.effect.class == Class::Looks;
    match step.effects.as_slice() {
        [] => Some("it is no check: a person answers it".into()),
        effects if effects.iter().all(looks) => None,
        _ => Some("it is no check: it changes something".into()),
    }
}

/// Steps of a plan that a waiver can be for.
pub fn waivable(plan: &Plan) -> Vec<&str> {
    let checks = plan.steps.iter().filter(|step| not_waivable(step).is_none());
    checks.map(|step| step.id.as_str()).collect()
}
