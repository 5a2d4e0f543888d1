//! What a record changed: each step, compared with what it was before.

use super::{Change, Model, Phase};
use crate::engine::decide::{self, step_done};
use crate::engine::state::{Flight, Stage};
use crate::output::rows::undo_phase;
use crate::step::Class;
use std::sync::Arc;

impl Model {
    /// Compares each step with what it was before the record.
    pub(super) fn settle(&mut self, at: i64, mut changes: Vec<Change>, late: Vec<Change>) -> Vec<Change> {
        let plan = Arc::clone(&self.plan);
        let current = match (&self.state.stage, &self.ending) {
            (Stage::Forward, None) if self.opened => decide::current(&plan, &self.state),
            _ => Vec::new(),
        };
        let mut news = Vec::new();
        for (s, step) in plan.steps.iter().enumerate() {
            let phase = self.phase(s, &current);
            let state = &self.state.steps[s];
            let there = step
                .effects
                .iter()
                .zip(&state.effects)
                .filter(|(planned, effect)| effect.done(planned))
                .count();
            let yes = |id: &str| self.state.answers.get(id).is_some_and(|answer| answer.yes);
            let answered = step.questions.iter().filter(|ask| yes(&ask.id)).count();
            let row = &mut self.rows[s];
            row.effects.0 = there;
            row.answered.0 = answered;
            let was = std::mem::replace(&mut row.phase, phase);
            if was == phase {
                continue;
            }
            if let Some((_, why)) = self.faults.get(&s)
                && matches!(phase, Phase::Failed | Phase::Unknown | Phase::Warned)
            {
                row.evidence.clone_from(why);
            }
            if phase == Phase::Running {
                row.began = Some(at);
                row.ended = None;
                news.push((s, Change::Began(s)));
            } else if phase.settled() {
                row.ended = row.ended.or(Some(at));
                row.moving.clear();
                // Taking back has lines of its own.
                if !matches!(phase, Phase::Undone | Phase::Foreign | Phase::UndoFailed) {
                    news.push((s, Change::Settled(s)));
                }
            }
        }
        // Settled before begun: the line of the one stands above the line of the next.
        news.sort_by_key(|(s, change)| (matches!(change, Change::Began(_)), *s));
        let ending = changes.iter().position(|change| *change == Change::Ended).unwrap_or(changes.len());
        let rest = changes.split_off(ending);
        for (s, change) in news {
            let section = plan.steps[s].section;
            if let Some(told) = self.sections.get_mut(section)
                && !*told
                && !plan.sections.is_empty()
            {
                *told = true;
                changes.push(Change::Section(section));
            }
            changes.push(change);
        }
        changes.extend(late);
        changes.extend(rest);
        changes
    }

    fn phase(&self, s: usize, current: &[usize]) -> Phase {
        let step = &self.plan.steps[s];
        let state = &self.state.steps[s];
        if step.skipped.is_some() {
            // A step that takes another one back is skipped until it is needed.
            let begun =
                step.takes_back.is_some() && state.effects.iter().any(|effect| effect.intent.is_some());
            let there = step.effects.iter().zip(&state.effects).all(|(planned, effect)| effect.done(planned));
            return match (begun, there) {
                (false, _) => Phase::Skipped,
                (true, true) => Phase::Done,
                (true, false) => Phase::Running,
            };
        }
        if state.warned || self.state.by_hand.skips(&step.id) {
            return Phase::Warned;
        }
        let mut taken = state.effects.iter().filter_map(|effect| effect.undone);
        if let Some(first) = taken.next() {
            return taken.fold(undo_phase(first), |worst, undone| worst.max(undo_phase(undone)));
        }
        match self.faults.get(&s) {
            Some((true, _)) => return Phase::Unknown,
            Some((false, _)) => return Phase::Failed,
            None => {}
        }
        if step_done(&self.plan, &self.state, s, step) {
            let ours =
                |(planned, effect): (&crate::plan::PlannedEffect, &crate::engine::state::EffectState)| {
                    planned.effect.class == Class::Looks
                        // Finding it so is as good: nobody was asked to adopt it.
                        || planned.effect.found == crate::step::Found::Accept
                        || effect.intent.as_ref().is_some_and(|intent| intent.flight == Flight::Landed)
                };
            let all_ours = step.effects.iter().zip(&state.effects).all(ours);
            return if all_ours { Phase::Done } else { Phase::Found };
        }
        if current.contains(&s) {
            Phase::Running
        } else if self.rows[s].began.is_some() {
            Phase::Halted
        } else {
            Phase::Waiting
        }
    }
}
