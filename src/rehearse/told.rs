//! Writes of which applications were told that they are committed.

use super::node::Node;
use crate::world::sim::Sim;
use std::rc::Rc;

/// Writes that a primary had at the start: of all of them somebody was told.
pub(super) fn told_before(sim: &Sim, cluster: &str, region: &str) -> Vec<String> {
    let log = sim.postgres.read(cluster, region, |server| (!server.recovery).then(|| server.log.clone()));
    log.flatten().unwrap_or_default()
}

impl Node {
    /// Applications commit wherever they can, and are told so; unless `anyway`, only where the server has changed since.
    pub fn tell(&mut self, only: &str, anyway: bool) {
        let clusters: Vec<String> = self
            .told
            .keys()
            .filter(|cluster| only.is_empty() || *cluster == only)
            .filter(|cluster| anyway || self.sim.postgres.eager(cluster))
            .cloned()
            .collect();
        for cluster in &clusters {
            for region in self.sim.postgres.writable(cluster) {
                let name = format!("write-{}", self.told.get(cluster).map_or(0, Vec::len));
                let postgres = &self.sim.postgres;
                let done = match anyway {
                    true => postgres.write(cluster, &region, &name, false),
                    false => postgres.write_once(cluster, &region, &name),
                };
                if done {
                    Rc::make_mut(&mut self.told).entry(cluster.clone()).or_default().push(name);
                }
            }
        }
    }
}
