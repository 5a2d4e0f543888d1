//! What an unplanned run cannot bring to an end by itself: an old primary that is there again, and name servers that it has left out.

use super::node::{Ground, Node};
use crate::plan::Mode;
use crate::world::Member;

/// The old primary answers, again or all the time: whether it is to be replaced is for a person to decide.
pub(super) fn lives(ground: &Ground, node: &Node) -> bool {
    let answers = |cluster: &String| node.sim.postgres.answers(&Member::new(cluster, &ground.plan.from));
    ground.plan.mode == Mode::Unplanned && ground.plan.clusters.keys().any(answers)
}

/// Record and name server of everything that is in an unplanned run as it was at the start.
pub(super) fn untouched<'a>(
    ground: &'a Ground,
    node: &'a Node,
) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
    let records = ground.plan.records.iter().filter(|_| ground.plan.mode == Mode::Unplanned);
    let places = records
        .flat_map(|(record, servers)| servers.iter().map(move |server| (record.as_str(), server.as_str())));
    places
        .filter(|(record, server)| node.sim.dns.sets(record, server) == ground.start.dns.sets(record, server))
}

/// A name server that was left out, and said to be, while others were moved, answers again, as it did before: the run says so, and a
/// person has to move it.
pub(super) fn came_back(ground: &Ground, node: &Node) -> bool {
    untouched(ground, node).any(|(record, left)| {
        let moved = |server: &String| {
            server != left && node.sim.dns.sets(record, server) != ground.start.dns.sets(record, server)
        };
        ground.plan.records[record].iter().any(moved)
    })
}
