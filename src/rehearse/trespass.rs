//! Changes that should not have been made: after a no, after a request to go back, beside another holder of the locks.

use super::node::{Ground, Node};
use crate::engine::record::{Record, Turn};
use crate::step::Class;
use crate::world::Reply;

impl Node {
    /// Notes a change that should not have been made.
    pub(super) fn permitted(&mut self, ground: &Ground, record: &Record) {
        match record {
            Record::Intent { step, effect, undo: false, .. }
                if self.back
                    && ground.plan.steps.iter().any(|one| one.id == *step && one.takes_back.is_none()) =>
            {
                self.trespass = Some(format!("{step}/{effect} was begun although a rollback was asked for"));
            }
            Record::Intent { step, undo: false, .. } if self.denied => {
                let step = ground.plan.steps.iter().find(|one| one.id == *step);
                let pivot = |step: &crate::plan::Step| {
                    step.effects.iter().any(|planned| planned.effect.class == Class::Pivot)
                };
                if step.is_some_and(pivot) {
                    self.trespass =
                        Some("a promotion was begun although the last answer was not a yes".into());
                }
            }
            // Whoever is warned of a no goes on without what it was about.
            Record::Turned { to: Turn::Warn, .. } => self.denied = false,
            Record::Replied { step, effect, reply: Reply::Acknowledged { .. }, .. }
                if self.locked_out(ground) =>
            {
                let what = format!("{step}/{effect} was made although another run holds the lock");
                self.trespass = Some(what);
            }
            _ => {}
        }
    }

    /// Whether another run has taken a lock of ours, and can be seen to have it.
    fn locked_out(&self, ground: &Ground) -> bool {
        let members = ground.plan.clusters.iter().flat_map(|(cluster, regions)| {
            regions.iter().map(move |region| crate::world::Member::new(cluster, region))
        });
        let postgres = &self.sim.postgres;
        members.into_iter().any(|at| postgres.lock_stolen(&at) && postgres.answers(&at))
    }
}
