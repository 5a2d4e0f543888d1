//! Where a run begins that only makes the old primary a standby: after the promotion of another one.

use crate::engine::survey::follows_up;
use crate::plan::Plan;
use crate::step::Action;
use crate::world::Member;
use crate::world::sim::Sim;
use crate::world::sim::exec::{Act, Script};

/// Puts the servers as such a run finds them, teaches the commands of every rejoin, and names the region that serves.
pub fn begin<'p>(plan: &'p Plan, sim: &Sim) -> &'p str {
    for (_, _, planned) in plan.effects() {
        let Action::PostgresReprotect(reprotect) = &planned.action else { continue };
        let (at, primary, slot) = reprotect.rejoins();
        let acts = Some(Act::Rejoin(at.clone(), primary.region.clone(), slot.map(str::to_owned)));
        sim.exec.script(&reprotect.rejoin().argv.join(" "), Script { acts, ..Script::default() });
    }
    let mut home = plan.from.as_str();
    for set in plan.clusters.keys().filter(|set| follows_up(plan, set)) {
        let old = Member::new(set, &plan.from);
        sim.postgres.stop(&old.resource, &old.region);
        sim.postgres.promoted_by_others(set, &plan.to);
        home = &plan.to;
    }
    home
}
