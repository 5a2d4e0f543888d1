//! A freeze that is written and not loaded: nobody sees it, and the next reload or start of the server stops writes.

use super::node::{Ground, Node};
use crate::engine::record::Verdict;

/// What is wrong where one waits: that the run is over, or that its last look does not say so. What others changed is theirs.
pub(super) fn unsaid(ground: &Ground, node: &Node) -> Option<String> {
    let verdict = node.state.verdict?;
    let began = |cluster: &str, region: &str| {
        ground.start.postgres.read(cluster, region, |server| server.freeze_waits()) == Some(true)
    };
    let servers = node.sim.postgres.servers();
    let mut waiting = servers.iter().filter(|(at, server)| {
        // What is written at a server that has died, and was replaced, binds nobody who writes elsewhere by now.
        let replaced = !server.up && node.died.contains(&at.resource) && node.state.passed(&ground.plan);
        !replaced
            && server.freeze_waits()
            && !began(&at.resource, &at.region)
            && !node.foreign_to(&at.resource)
    });
    waiting.find_map(|(at, _)| {
        let said = node
            .state
            .survey
            .as_ref()
            .is_some_and(|survey| survey.unknown || survey.waiting.contains(&at.resource));
        let what = format!("a freeze of {at} is written and not loaded");
        let over = matches!(verdict, Verdict::Completed | Verdict::RolledBack | Verdict::Refused);
        match (over, said) {
            (true, _) => Some(format!("{what}, and the run ended as {}", verdict.word())),
            (false, false) => Some(format!("{what}, and the last look does not say so")),
            (false, true) => None,
        }
    })
}
