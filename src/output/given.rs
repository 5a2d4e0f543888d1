//! Approvals that were given beforehand, for runs without a person at a terminal.

use crate::engine::record::Choice;
use crate::engine::{Answered, Asked, AskedKind, Person};
use crate::plan::{AskKind, Plan};
use crate::step::Class;
use crate::world::{Answer, ready};
use std::collections::BTreeSet;

/// What `--approve`, `--yes` and `--plan-digest` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    /// `--approve role:NAME`: whatever this role is asked, except consent to a pivot.
    pub roles: BTreeSet<String>,
    /// `--approve step:ID`: whatever this step asks; for a pivot's step, consent to it.
    pub steps: BTreeSet<String>,
    /// `--approve loss:ID`: what is lost by an unplanned promotion, by its step.
    pub losses: BTreeSet<String>,
    /// `--yes`: lines of checklists and confirmations.
    pub yes: bool,
    /// `--plan-digest`: the plan that was approved.
    pub digest: Option<String>,
    /// Steps that pass a pivot in the plan; filled by [`Approvals::for_plan`].
    pub pivot_steps: BTreeSet<String>,
}

/// Why an `--approve` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of role:NAME, step:ID and loss:ID")]
pub struct BadApproval(String);

impl Approvals {
    /// Adds one `--approve`.
    pub fn add(&mut self, text: &str) -> Result<(), BadApproval> {
        match text.split_once(':') {
            Some(("role", name)) if !name.is_empty() => self.roles.insert(name.to_string()),
            Some(("step", id)) if !id.is_empty() => self.steps.insert(id.to_string()),
            Some(("loss", id)) if !id.is_empty() => self.losses.insert(id.to_string()),
            _ => return Err(BadApproval(text.to_string())),
        };
        Ok(())
    }

    /// Names in approvals that the plan does not know: a typing error that would only show when the question comes.
    pub fn strangers(&self, plan: &Plan) -> Vec<String> {
        let roles = self.roles.iter().filter(|role| {
            let asks = plan.steps.iter().flat_map(|step| &step.questions);
            !plan.roles.contains_key(*role) && !asks.into_iter().any(|ask| ask.role == **role)
        });
        let steps = self.steps.iter().filter(|id| plan.step_index(id).is_none());
        let losses = self
            .losses
            .iter()
            .filter(|id| !plan.steps.iter().flat_map(|step| &step.questions).any(|ask| ask.id == loss(id)));
        roles
            .map(|role| format!("role:{role}"))
            .chain(steps.map(|id| format!("step:{id}")))
            .chain(losses.map(|id| format!("loss:{id}")))
            .collect()
    }

    /// These approvals for a plan: learns which steps pass a pivot.
    #[must_use]
    pub fn for_plan(mut self, plan: &Plan) -> Self {
        self.pivot_steps = pivots(plan).map(|step| step.id.clone()).collect();
        self
    }

    /// Whether the plan is the one that was approved.
    pub fn approves_plan(&self, plan: &Plan) -> bool {
        self.digest.as_ref().is_some_and(|digest| digest.trim().eq_ignore_ascii_case(&plan.digest()))
    }

    /// How a question is covered, if it is: `approve` or `yes`. Consent to a pivot is not asked here.
    pub fn covers(&self, asked: &Asked) -> Option<&'static str> {
        match &asked.kind {
            AskedKind::Planned(AskKind::Item | AskKind::Confirm) => self.plain(&asked.step, &asked.role),
            AskedKind::Planned(AskKind::Typed(_)) | AskedKind::Adopt | AskedKind::Paused { .. } => None,
        }
    }

    fn plain(&self, step: &str, role: &str) -> Option<&'static str> {
        let named = self.steps.contains(step) || (!role.is_empty() && self.roles.contains(role));
        match (named, self.yes) {
            (true, _) => Some("approve"),
            (false, true) => Some("yes"),
            (false, false) => None,
        }
    }

    /// Whether consent to every pivot is given by name. `asking`: the step that asks, for a plan without a pivot.
    fn consents(&self, asking: &str) -> bool {
        if self.pivot_steps.is_empty() {
            self.steps.contains(asking)
        } else {
            self.pivot_steps.iter().all(|step| self.steps.contains(step))
        }
    }
}

/// The question whether what an unplanned promotion loses is accepted.
fn loss(step: &str) -> String {
    format!("{step}/loss")
}

/// Steps that pass a pivot.
pub(super) fn pivots(plan: &Plan) -> impl Iterator<Item = &crate::plan::Step> {
    plan.steps.iter().filter(|step| {
        step.skipped.is_none() && step.effects.iter().any(|planned| planned.effect.class == Class::Pivot)
    })
}

/// Approvals that the plan could need and that were not given, one a line, as they would be given and what for. Empty: nothing
/// that the plan knows of will be asked in vain.
pub fn missing(plan: &Plan, approvals: &Approvals) -> Vec<String> {
    let approvals = approvals.clone().for_plan(plan);
    let mut missing = Vec::new();
    let mut tell = |line: String| {
        if !missing.contains(&line) {
            missing.push(line);
        }
    };
    for step in plan.steps.iter().filter(|step| step.skipped.is_none()) {
        for ask in &step.questions {
            match &ask.kind {
                AskKind::Item | AskKind::Confirm => {
                    if approvals.plain(&step.id, &ask.role).is_some() {
                        continue;
                    }
                    let by = if ask.role.is_empty() {
                        format!("--approve step:{}", step.id)
                    } else {
                        format!("--approve role:{}, or step:{}", ask.role, step.id)
                    };
                    tell(format!("{by}: {}", ask.text));
                }
                AskKind::Typed(_) if ask.id == loss(&step.id) => {
                    if !approvals.losses.contains(&step.id) {
                        tell(format!("--approve loss:{}: {}", step.id, ask.text));
                    }
                }
                AskKind::Typed(_) if approvals.pivot_steps.is_empty() => {
                    if !approvals.consents(&step.id) {
                        tell(format!("--approve step:{}: {}", step.id, ask.text));
                    }
                }
                // Named below, by the pivot's own step.
                AskKind::Typed(_) => {}
            }
        }
    }
    let mut pivot = false;
    for step in pivots(plan) {
        pivot = true;
        if !approvals.steps.contains(&step.id) {
            tell(format!("--approve step:{}: {} (there is no way back from it)", step.id, step.title));
        }
    }
    let typed = plan
        .steps
        .iter()
        .filter(|step| step.skipped.is_none())
        .any(|step| step.questions.iter().any(|ask| matches!(ask.kind, AskKind::Typed(_))));
    if (pivot || typed) && !approvals.approves_plan(plan) {
        let given = match &approvals.digest {
            Some(_) => "; the one that was given is of another plan",
            None => "",
        };
        tell(format!("--plan-digest {}: the plan with its pivot{given}", plan.digest()));
    }
    missing
}

/// Nobody is there: only what was approved beforehand is answered.
pub struct Given {
    approvals: Approvals,
    approved: bool,
    operator: String,
}

impl Given {
    /// Answers from approvals.
    pub fn new(plan: &Plan, approvals: Approvals, operator: String) -> Self {
        let approved = approvals.approves_plan(plan);
        Self { approvals: approvals.for_plan(plan), approved, operator }
    }

    fn answer(&self, asked: &Asked) -> Answered {
        let how = match &asked.kind {
            AskedKind::Planned(AskKind::Typed(_)) if asked.id == loss(&asked.step) => {
                (self.approved && self.approvals.losses.contains(&asked.step)).then_some("approve")
            }
            AskedKind::Planned(AskKind::Typed(_)) => {
                (self.approved && self.approvals.consents(&asked.step)).then_some("approve")
            }
            AskedKind::Planned(_) | AskedKind::Adopt | AskedKind::Paused { .. } => {
                self.approvals.covers(asked)
            }
        };
        match how {
            Some(how) => {
                let (by, reason) = (self.operator.clone(), String::new());
                Answered { yes: true, by, how: how.into(), choice: Choice::Leave, reason }
            }
            None => {
                let (by, reason) = (String::new(), String::new());
                Answered { yes: false, by, how: "absent".into(), choice: Choice::Leave, reason }
            }
        }
    }
}

impl Person for Given {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        ready(self.answer(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::plan;
    use super::*;
    use crate::engine::going_on::GoingOn;

    fn asked(step: &str, role: &str, kind: AskedKind) -> Asked {
        Asked {
            id: String::new(),
            step: step.into(),
            role: role.into(),
            text: String::new(),
            facts: vec![],
            kind,
        }
    }

    fn approvals(texts: &[&str], yes: bool, digest: Option<String>) -> Approvals {
        let mut approvals = Approvals { yes, digest, ..Approvals::default() };
        for text in texts {
            approvals.add(text).unwrap();
        }
        approvals
    }

    #[test]
    fn each_question_needs_its_own_kind_of_approval() {
        let plan = plan();
        let digest = || Some(plan.digest());
        let item = || AskedKind::Planned(AskKind::Item);
        let typed = || AskedKind::Planned(AskKind::Typed("us-east".into()));
        for (texts, yes, digest, step, role, kind, wanted) in [
            (vec![], false, None, "people", "commander", item(), "absent"),
            (vec!["role:commander"], false, None, "people", "commander", item(), "approve"),
            (vec!["role:dba"], false, None, "people", "commander", item(), "absent"),
            (vec!["step:people"], false, None, "people", "", item(), "approve"),
            (vec![], true, None, "people", "", item(), "yes"),
            (vec![], true, digest(), "freeze", "commander", typed(), "absent"),
            (vec!["role:commander"], true, digest(), "freeze", "commander", typed(), "absent"),
            (vec!["step:freeze"], true, digest(), "freeze", "commander", typed(), "absent"),
            (vec!["step:promote"], true, None, "freeze", "commander", typed(), "absent"),
            (vec!["step:promote"], true, Some("00".into()), "freeze", "commander", typed(), "absent"),
            (vec!["step:promote"], false, digest(), "freeze", "commander", typed(), "approve"),
            (vec!["step:freeze"], true, digest(), "freeze", "", AskedKind::Adopt, "absent"),
            (
                vec![],
                true,
                None,
                "",
                "",
                AskedKind::Paused { going_on: GoingOn::Free, can_roll_back: true },
                "absent",
            ),
        ] {
            let text = format!("{texts:?} {yes} {digest:?} {kind:?}");
            let given = Given::new(&plan, approvals(&texts, yes, digest), "ci".into());
            let answered = given.answer(&asked(step, role, kind));
            assert_eq!(answered.how, wanted, "{text}");
            assert_eq!(answered.yes, wanted != "absent", "{text}");
            assert_eq!(answered.choice, Choice::Leave);
        }
    }

    #[test]
    fn everything_that_is_missing_is_listed_before_the_first_change() {
        let plan = plan();
        let digest = plan.digest();
        assert_eq!(
            missing(&plan, &Approvals::default()),
            [
                "--approve role:commander, or step:people: Incident channel is open".to_string(),
                "--approve role:commander, or step:people: Support has been told".to_string(),
                "--approve step:promote: Promote orders in us-east (there is no way back from it)"
                    .to_string(),
                format!("--plan-digest {digest}: the plan with its pivot"),
            ]
        );
        let all = approvals(&["role:commander", "step:promote"], false, Some(digest));
        assert!(missing(&plan, &all).is_empty());
        let other = approvals(&["step:promote"], true, Some("00".repeat(32)));
        assert_eq!(missing(&plan, &other).len(), 1);
    }

    #[test]
    fn a_name_that_the_plan_does_not_know_is_told() {
        let given = approvals(&["role:comander", "step:promot", "step:promote"], false, None);
        assert_eq!(given.strangers(&plan()), ["role:comander", "step:promot"]);
        assert!(Approvals::default().add("promote").is_err());
        assert!(Approvals::default().add("step:").is_err());
    }
}
