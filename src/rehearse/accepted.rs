//! What a person has accepted as lost: what the target has not, at the moment of the answer.

use super::node::{Ground, Node};
use crate::engine::record::Record;
use crate::plan::{AskKind, LOSE};
use std::rc::Rc;

impl Node {
    /// Notes what an answer accepts. Whatever is lost beyond it is lost against the word that was given.
    pub(super) fn accept(&mut self, ground: &Ground, record: &Record) {
        let Record::Answered { question, yes: true, .. } = record else { return };
        let asks = |ask: &crate::plan::Ask| ask.id == *question && ask.kind == AskKind::Typed(LOSE.into());
        let steps = ground.plan.steps.iter().filter(|step| step.questions.iter().any(asks));
        let sets = steps.flat_map(|step| &step.effects).filter_map(|planned| planned.effect.needs.as_ref());
        for cluster in sets {
            let log = self.sim.postgres.read(cluster, &ground.plan.to, |server| server.log.clone());
            let (Some(log), Some(told)) = (log, self.told.get(cluster)) else { continue };
            let lacks = told.iter().filter(|name| !log.contains(name)).cloned().collect();
            Rc::make_mut(&mut self.accepted).insert(cluster.clone(), lacks);
        }
    }
}

/// What is lost beyond that.
pub(super) fn lost(_: &Ground, node: &Node) -> Option<String> {
    node.told.iter().filter(|(cluster, _)| !node.foreign_to(cluster)).find_map(|(cluster, told)| {
        let region = node.sim.postgres.writable(cluster).into_iter().next()?;
        let log = node.sim.postgres.read(cluster, &region, |server| server.log.clone())?;
        let accepted = |name: &&String| node.accepted.get(cluster).is_some_and(|names| names.contains(*name));
        let lost = told.iter().filter(|name| !log.contains(name) && !accepted(name)).count();
        (lost > 0).then(|| {
            format!("{lost} acknowledged writes are not on {cluster} in {region}, which takes new ones")
        })
    })
}
