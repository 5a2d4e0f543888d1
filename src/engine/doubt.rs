//! What no longer counts when a process begins, or when a person has decided after a pause.

use super::effect_state::{EffectState, Flight, Undone};
use super::state::{RunState, Stage};
use crate::plan::{AskKind, Mode, Plan, PlannedEffect};
use crate::step::{Class, Proof};
use std::collections::{BTreeMap, BTreeSet};

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
        // What nothing is known of yet cannot be doubted.
        let touched: Vec<bool> = self.steps.iter().map(|step| step.touched()).collect();
        let covered: BTreeSet<_> =
            self.stopped_over(plan).into_iter().chain(self.superseded(plan, &touched)).collect();
        // A step may name several data sets, of which some are promoted and others are not.
        let settled = self.settled_effects(plan);
        let over: Vec<Vec<bool>> = plan
            .steps
            .iter()
            .enumerate()
            .map(|(s, step)| {
                let effects = if touched[s] { step.effects.len() } else { 0 };
                (0..effects).map(|e| self.over(plan, &settled, s, e)).collect()
            })
            .collect();
        let last = self.last_standing(plan);
        let finishing = matches!(self.stage, Stage::Finishing);
        let all = self.settled(plan, None);
        let to_come = !all || self.pivots_to_come(plan);
        for (s, (step, planned)) in self.steps.iter_mut().zip(&plan.steps).enumerate() {
            let pivots = planned.effects.iter().any(|effect| effect.effect.class == Class::Pivot);
            let mut open = !touched[s] && !planned.effects.is_empty();
            // Actions of this step of which an earlier effect has to be looked at again.
            let mut doubted = Vec::new();
            let effects: &mut [_] = if touched[s] { &mut step.effects } else { &mut [] };
            for (e, (effect, planned)) in effects.iter_mut().zip(&planned.effects).enumerate() {
                let landed = effect.landed();
                let (settled, over) = (settled[s][e], over[s][e]);
                // An undo of which nobody knows what became of it is looked at before it is made again.
                if matches!(effect.undone, Some(Undone::Failed { .. })) {
                    (effect.undone, effect.seen) = (None, None);
                }
                effect.tried_before = effect.attempts;
                let again = match planned.effect.class {
                    Class::Undoable => true,
                    // Sessions that were ended for a freeze that somebody has taken back are there again.
                    Class::ForwardOnly => {
                        planned.effect.makes.is_none() && doubted.contains(&&planned.action)
                    }
                    Class::Pivot | Class::Looks => false,
                };
                if landed
                    && again
                    && !over
                    && effect.undone.is_none()
                    && !covered.contains(&(s, e))
                    && planned.effect.proof == Proof::Look
                {
                    // What we did may have been changed by others while nobody drove: it is looked at again.
                    if let Some(intent) = &mut effect.intent {
                        intent.flight = Flight::InDoubt { orphaned: true };
                    }
                    effect.seen = None;
                }
                if effect
                    .intent
                    .as_ref()
                    .is_some_and(|intent| matches!(intent.flight, Flight::InDoubt { .. }))
                {
                    doubted.push(&planned.action);
                }
                // What others have made is asked for again, and what was only looked at is looked at again where nothing of ours
                // that came later stands: a check from before a freeze need not hold after it.
                let only_seen = match planned.effect.class {
                    Class::Looks => last.is_none_or(|last| (s, e) > last),
                    Class::Undoable | Class::Pivot | Class::ForwardOnly => effect.intent.is_none(),
                };
                let over = over || covered.contains(&(s, e)) && planned.effect.class != Class::Looks;
                if only_seen && !over {
                    (effect.found, effect.seen) = (false, None);
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
            // Where all steps are done already, none is tried again: what was left out stays left out.
            // A check that was passed is asked again as one that was green is: not behind a change of ours that stands.
            let passed = self.by_hand.waiver(&planned.id).is_some() && last.is_some_and(|(at, _)| at > s);
            if step.warned && !finishing && !passed {
                step.warned = false;
            }
            if open && (step.tries != 0 || step.required.is_some()) {
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

    /// The last effect, by its place in the plan, of which a change of ours stands.
    pub(crate) fn last_standing(&self, plan: &Plan) -> Option<(usize, usize)> {
        plan.effects().map(|(s, e, _)| (s, e)).filter(|(s, e)| self.steps[*s].effects[*e].stands()).max()
    }

    /// Whether a promotion that is armed or passed has made this effect a thing of the past: one of its data set, or, for what
    /// belongs to none, one that comes after it.
    fn over(&self, plan: &Plan, settled: &[Vec<bool>], s: usize, e: usize) -> bool {
        match data_set(&plan.steps[s].effects[e]) {
            Some(_) => settled[s][e],
            None => plan.effects().any(|(s2, e2, planned)| {
                planned.effect.class == Class::Pivot && (s2, e2) >= (s, e) && settled[s2][e2]
            }),
        }
    }

    /// For each effect, whether there is no way back for its data set.
    fn settled_effects(&self, plan: &Plan) -> Vec<Vec<bool>> {
        let mut known: BTreeMap<Option<&str>, bool> = BTreeMap::new();
        let mut settled = |effect| {
            let set = data_set(effect);
            *known.entry(set).or_insert_with(|| self.settled(plan, set))
        };
        plan.steps.iter().map(|step| step.effects.iter().map(&mut settled).collect()).collect()
    }

    /// A pause or a new process ends every handover that no promotion has used yet. One that was used stays: what the old primary
    /// took since is counted from it.
    pub(super) fn handovers_die(&mut self, plan: &Plan) {
        let used: Vec<String> =
            self.handovers.keys().filter(|set| self.settled(plan, Some(set))).cloned().collect();
        self.handovers.retain(|set, _| used.contains(set));
    }

    /// A promotion was disarmed. In an unplanned run nothing is given back for that, and nothing is gained by asking a person: the proof is
    /// made anew, and the promotion is asked for again, with a consent that covers what is seen then.
    pub(super) fn proof_again(&mut self, plan: &Plan, s: usize, e: usize) {
        let Some(set) = plan.steps[s].effects[e].effect.needs.as_ref() else { return };
        if plan.mode == Mode::Planned {
            return;
        }
        self.steps[s].effects[e].forget_if_refused();
        self.handovers.remove(set);
        for (s, e, planned) in
            plan.effects().filter(|(_, _, planned)| planned.effect.makes.as_ref() == Some(set))
        {
            let effect = &mut self.steps[s].effects[e];
            (effect.seen, effect.found) = (None, false);
            if planned.effect.class != Class::Undoable {
                effect.intent = None;
            }
        }
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

    /// Effects with a later one of ours at the same thing: that is what is to be there now, and making the earlier again would take it
    /// away. Nobody can say of two commands that they are about different things.
    fn superseded(&self, plan: &Plan, touched: &[bool]) -> Vec<(usize, usize)> {
        let same = |one: &[String], other: &[String]| {
            one.is_empty() && other.is_empty() || one.iter().any(|resource| other.contains(resource))
        };
        let changes = |planned: &PlannedEffect| planned.effect.class != Class::Looks;
        let standing: Vec<_> = plan
            .effects()
            .filter(|(s, e, planned)| changes(planned) && self.steps[*s].effects[*e].stands())
            .map(|(s, e, planned)| (s, e, planned.action.resources()))
            .collect();
        plan.effects()
            .filter(|(s, e, planned)| {
                let mut later = standing.iter().filter(|(s2, e2, _)| (s2, e2) > (s, e)).peekable();
                touched[*s] && data_set(planned).is_none() && later.peek().is_some() && {
                    let resources = planned.action.resources();
                    later.any(|(_, _, later)| same(&resources, later))
                }
            })
            .map(|(s, e, _)| (s, e))
            .collect()
    }

    /// `orphaned`: the process that held the permits is gone, or a person decided to go on after a pause.
    pub(super) fn doubt_flights(&mut self, orphaned: bool) {
        // Steps are shared between copies of a state: only those are taken apart in which something was sent.
        let sent = self.steps.iter_mut().filter(|step| step.effects.iter().any(EffectState::sent));
        for effect in sent.flat_map(|step| &mut step.effects) {
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
