//! What no longer counts when a process begins, or when a person has decided after a pause.

use super::effect_state::{Flight, Undone};
use super::state::RunState;
use crate::plan::{AskKind, Plan, PlannedEffect};
use crate::step::{Class, Proof};

/// The data set that an effect is part of moving.
fn data_set(planned: &PlannedEffect) -> Option<&str> {
    let effect = &planned.effect;
    effect.freezes.as_deref().or(effect.makes.as_deref()).or(effect.needs.as_deref())
}

impl RunState {
    /// A process begins, or a person decided after a pause: nothing that was seen before counts any more.
    pub(super) fn doubt_everything(&mut self, plan: &Plan) {
        self.doubt_flights(true);
        self.breaches.clear();
        // Whoever goes on is not stopped again by what was asked before.
        self.signals = 0;
        self.lock_lost = None;
        self.survey = None;
        self.gap_expired = false;
        self.handovers_die(plan);
        self.answers.retain(|id, _| !id.starts_with("adopt:") && !id.starts_with("paused:"));
        let covered = self.stopped_over(plan);
        // A step may name several data sets, of which some are promoted and others are not.
        let settled: Vec<Vec<bool>> = plan
            .steps
            .iter()
            .map(|step| step.effects.iter().map(|e| self.settled(plan, data_set(e))).collect())
            .collect();
        let all = self.settled(plan, None);
        let to_come = !all || self.pivots_to_come(plan);
        for (s, (step, planned)) in self.steps.iter_mut().zip(&plan.steps).enumerate() {
            let pivots = planned.effects.iter().any(|effect| effect.effect.class == Class::Pivot);
            let mut open = false;
            for (e, (effect, planned)) in step.effects.iter_mut().zip(&planned.effects).enumerate() {
                let landed = effect.landed();
                let settled = settled[s][e];
                if landed
                    && !settled
                    && !covered.contains(&(s, e))
                    && planned.effect.class == Class::Undoable
                    && planned.effect.proof == Proof::Look
                {
                    // What we did may have been changed by others while nobody drove: it is looked at again.
                    if let Some(intent) = &mut effect.intent {
                        intent.flight = Flight::InDoubt { orphaned: true };
                    }
                    effect.seen = None;
                }
                if matches!(effect.undone, Some(Undone::Failed { .. })) {
                    effect.undone = None;
                }
                let makes = planned.effect.makes.is_some() && !settled;
                if makes {
                    effect.seen = None;
                    effect.found = false;
                    // What can be taken back is still ours to take back: a stopped source.
                    if landed && planned.effect.class != Class::Undoable {
                        effect.intent = None;
                    }
                }
                if !effect.done(planned) {
                    open = true;
                    effect.seen = None;
                }
            }
            step.warned = false;
            if open {
                step.tries = 0;
                step.required = None;
            }
            let settled = if settled[s].is_empty() { all } else { settled[s].iter().all(|settled| *settled) };
            if !settled && (pivots || open) {
                for question in &planned.questions {
                    if question.kind != AskKind::Item {
                        self.answers.remove(&question.id);
                    }
                }
            }
        }
        if to_come {
            for question in plan.steps.iter().flat_map(|step| &step.questions) {
                if matches!(question.kind, AskKind::Typed(_)) {
                    self.answers.remove(&question.id);
                }
            }
        }
        // A no is an answer to that day's question.
        self.answers.retain(|_, answer| answer.yes);
    }

    /// A pause or a new process ends every handover that no promotion has used yet. One that was used stays: what the old primary
    /// took since is counted from it.
    pub(super) fn handovers_die(&mut self, plan: &Plan) {
        let used: Vec<String> =
            self.handovers.keys().filter(|set| self.settled(plan, Some(set))).cloned().collect();
        self.handovers.retain(|set, _| used.contains(set));
    }

    /// Freezes of ours whose server a later effect of ours has stopped: it cannot be asked, and cannot write.
    fn stopped_over(&self, plan: &Plan) -> Vec<(usize, usize)> {
        let standing = |s: usize, e: usize| self.steps[s].effects[e].stands();
        let freezing = |(s, e, planned): (usize, usize, &'_ PlannedEffect)| {
            planned.effect.freezes.clone().filter(|_| standing(s, e)).map(|set| (s, e, set))
        };
        let all: Vec<_> = plan.effects().filter_map(freezing).collect();
        all.iter()
            .filter(|(s, e, set)| all.iter().any(|(s2, e2, other)| other == set && (s2, e2) > (s, e)))
            .map(|(s, e, _)| (*s, *e))
            .collect()
    }

    /// `orphaned`: the process that held the permits is gone, or a person decided to go on after a pause.
    pub(super) fn doubt_flights(&mut self, orphaned: bool) {
        for effect in self.steps.iter_mut().flat_map(|step| &mut step.effects) {
            if orphaned {
                effect.forget_if_refused();
            }
            for intent in [&mut effect.intent, &mut effect.undo].into_iter().flatten() {
                match &mut intent.flight {
                    Flight::InFlight { .. } | Flight::Acknowledged => {
                        intent.flight = Flight::InDoubt { orphaned }
                    }
                    Flight::InDoubt { orphaned: already } => *already |= orphaned,
                    Flight::Refused { .. } | Flight::Landed => {}
                }
            }
        }
    }
}
