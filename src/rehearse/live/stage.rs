//! The simulated world that is made after a look at the real one.

use super::{Snapshot, postgres, traffic};
use crate::plan::Plan;
use crate::rehearse::scene::scene;
use crate::rehearse::start::{Start, StartFrom};
use crate::runbook::inventory::Inventory;
use crate::world::sim::Sim;

/// A simulated world, and how it differs from one in which everything is well.
pub struct Staged {
    /// The world.
    pub sim: Sim,
    /// What is told of it.
    pub start: Start,
}

/// Makes it.
pub fn stage(plan: &Plan, inventory: &Inventory, snapshot: &Snapshot) -> Staged {
    let sim = scene(plan, inventory);
    let mut start = Start {
        from: StartFrom::Live,
        seen_at: Some(snapshot.seen_at.clone()),
        environment: Some(snapshot.environment.clone()),
        ..Start::default()
    };
    for cluster in plan.clusters.keys() {
        let members: Vec<_> = snapshot.servers.iter().filter(|one| one.at.resource == *cluster).collect();
        postgres::cluster(plan, &members, &sim, &mut start);
    }
    traffic::records(plan, inventory, snapshot, &sim, &mut start);
    traffic::endpoints(plan, snapshot, &sim, &mut start);
    traffic::caches(snapshot, &sim, &mut start);
    traffic::signals(plan, snapshot, &sim, &mut start);
    traffic::commands(snapshot, &sim, &mut start);
    Staged { sim, start }
}
