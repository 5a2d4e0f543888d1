//! What a person's word changes in the state of a run.

use super::{Handled, Handling};
use crate::engine::state::RunState;
use crate::plan::Plan;
use crate::step::Class;
use crate::world::Member;

impl RunState {
    /// What became of a step before a person decided about it does not count any more.
    pub(in crate::engine) fn handled(
        &mut self,
        plan: &Plan,
        step: &str,
        how: Handling,
        by: &str,
        reason: &str,
        looked: bool,
    ) {
        self.by_hand.handle(step, Handled { how, by: by.to_string(), reason: reason.to_string(), looked });
        if let Some(state) = plan.step_index(step).and_then(|index| self.steps.get_mut(index)) {
            (state.warned, state.tries, state.required) = (false, 0, None);
            // Whoever asks for it again says that nothing of the last call is left.
            if how == Handling::Retry {
                state.effects.iter_mut().for_each(|effect| effect.ended = effect.intent.is_some());
            }
        }
    }

    /// A promotion of what is fenced or destroyed cannot come about any more: that disarms it. A promotion that was seen stays.
    pub(in crate::engine) fn attested(&mut self, plan: &Plan, member: &Member, how: &str, by: &str) {
        self.fenced.insert(member.clone());
        if member.region != plan.to {
            return;
        }
        for (s, e, planned) in plan.effects() {
            let pivot = planned.effect.class == Class::Pivot
                && planned.effect.needs.as_deref() == Some(member.resource.as_str());
            let effect = &mut self.steps[s].effects[e];
            if pivot && effect.armed() {
                effect.disarm(format!("{by} attests that {member} is {how}"));
            }
        }
    }
}
