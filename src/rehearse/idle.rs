//! Records of which nothing is left for whoever begins anew: to be killed after one of them is the same as to be killed before it.

use super::node::{Ground, Node};
use crate::engine::record::Record;
use crate::engine::shared::Shared;
use crate::engine::state::{EffectState, StepState, find};
use crate::step::Class;

/// What a look found before it, so that it can be told whether it leaves anything.
pub(super) struct Looking {
    at: (usize, usize),
    step: Shared<StepState>,
}

impl Looking {
    /// For a record of a look that is about to be written, in a world in which nothing has happened since the last state.
    pub(super) fn before(ground: &Ground, node: &Node, record: &Record) -> Option<Self> {
        let Record::Looked { step, effect, handover: None, remark: None, .. } = record else { return None };
        let still = node.sound.as_ref().is_some_and(|then| then.same(&node.sim.truths()))
            && node.visited == Some(node.now())
            && ground.bend.state.is_none()
            && !ground.bend.remembers;
        let (s, e) = find(&ground.plan, step, effect)?;
        still.then(|| Self { at: (s, e), step: node.state.steps[s].clone() })
    }

    /// Whether a process that begins after it finds what one that begins before it would.
    pub(super) fn leaves_nothing(&self, ground: &Ground, node: &Node) -> bool {
        let (s, e) = self.at;
        let (before, after) = (&*self.step, &*node.state.steps[s]);
        let same = |(index, (before, after)): (usize, (&EffectState, &EffectState))| {
            index == e && same_but_seen(before, after) || before == after
        };
        // Of what is not there yet, and of checks behind our last change, whatever was seen is forgotten.
        let planned = &ground.plan.steps[s].effects[e];
        // A promotion that is seen, whoever made it, decides what whoever begins anew has to doubt.
        if planned.effect.class == Class::Pivot && before.effects[e].passed() != after.effects[e].passed() {
            return false;
        }
        let last = node.state.last_standing(&ground.plan);
        let forgotten = !after.effects[e].done(planned)
            || planned.effect.class == Class::Looks
                && last.is_none_or(|last| (s, e) > last)
                && !node.state.settled(&ground.plan, None);
        forgotten
            && node.state.surprises.is_empty()
            && (before.required, before.tries, before.warned) == (after.required, after.tries, after.warned)
            && before.effects.iter().zip(&after.effects).enumerate().all(same)
    }
}

fn same_but_seen(before: &EffectState, after: &EffectState) -> bool {
    let EffectState { seen: _, intent, undo, undone, found, unproven, ended, tried_before, attempts } =
        before;
    (intent, undo, undone, found, ended)
        == (&after.intent, &after.undo, &after.undone, &after.found, &after.ended)
        && (unproven, tried_before, attempts) == (&after.unproven, &after.tried_before, &after.attempts)
}
