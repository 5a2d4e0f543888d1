//! A person takes a planned run over as an unplanned one, because its source does not answer: from then on another plan counts for it.

use super::node::{Ground, Happening, Node};
use crate::engine::preview::preview;
use crate::engine::record::Record;
use crate::engine::state::RunState;
use crate::engine::switch::{Hindrance, answering, keep_approved};
use crate::plan::{Mode, Plan};
use crate::world::Member;
use crate::world::sim::postgres_isolated::Isolated;
use std::cell::Cell;
use std::rc::Rc;

/// What counts for a state: of a run that was taken over, what it was taken over with.
pub(super) fn ground<'g>(base: &'g Ground, taken: Option<&'g Rc<Ground>>) -> &'g Ground {
    taken.map_or(base, |taken| taken)
}

/// Clusters whose old primary has died, and is still down, in a run that has to reach it: a planned one, or one that is to be taken back.
pub(super) fn orphaned<'g>(ground: &'g Ground, node: &'g Node) -> impl Iterator<Item = &'g String> + 'g {
    let down = |cluster: &&String| {
        let up = node.sim.postgres.read(cluster, &ground.plan.from, |server| server.up);
        (ground.plan.mode == Mode::Planned || node.back) && node.died.contains(*cluster) && up == Some(false)
    };
    ground.plan.clusters.keys().filter(down)
}

impl Node {
    /// The same run, taken over by a person who begins now, and driven by nobody yet; or why `mrctl resume --mode unplanned` is refused.
    pub(super) fn taken_over(&self, ground: &Ground) -> Result<Box<Self>, String> {
        let plan = ground.unplanned.as_ref().ok_or("there is no unplanned plan of it")?;
        let answers = |cluster: &String| self.sim.postgres.answers(&Member::new(cluster, &plan.from));
        if plan.clusters.keys().all(answers) {
            return Err("its source answers".into());
        }
        let refused = |plan: &Plan| {
            let against = self.state.against_switching(&ground.plan, plan);
            let stands = ground.bend.refuses.map_or(!against.is_empty(), |bend| bend(&against));
            let lines: Vec<String> = against.iter().map(Hindrance::line).collect();
            if stands { Err(lines.join("; ")) } else { Ok(()) }
        };
        // As far as that is known without a look, which takes longer.
        refused(plan)?;
        let mut node = self.fork();
        node.sim.clock.hurry();
        node.sim.tape.play([]);
        let seen =
            super::node::once(preview(plan, node.ports(), &ground.starts)).ok_or("a look waits for ever")?;
        let identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
        let mut plan = Plan { identity, ..plan.clone() };
        keep_approved(&ground.plan, &mut plan);
        refused(&plan)?;
        if let Some(Some(alive)) = super::node::once(answering(node.ports(), &plan)) {
            return Err(alive.join(", "));
        }
        let record = Record::Switched {
            from: ground.plan.digest(),
            plan: plan.digest(),
            to: Box::new(plan.clone()),
            by: "operator".into(),
            reason: "the source does not answer".into(),
        };
        // Whoever folds a journal uses the last plan for all of it.
        node.state = RunState::of(&plan, records(self).iter().map(|record| &**record));
        node.hashes = vec![Cell::new(None); plan.steps.len()];
        let taken = Rc::new(ground.taken_over(plan));
        node.taken = Some(Rc::clone(&taken));
        node.append(&taken, record);
        Ok(node)
    }

    /// The old primary dies. What it committed last went nowhere, if it took any commits.
    pub(super) fn dies(&mut self, at: &Member) {
        let (cluster, region, now) = (at.resource.as_str(), at.region.as_str(), self.now());
        let postgres = &self.sim.postgres;
        postgres.isolate(cluster, region, Isolated { standbys: Some(now), ..Isolated::default() });
        self.tell(cluster, true);
        let postgres = &self.sim.postgres;
        postgres.crash(cluster, region);
        postgres.isolate(cluster, region, Isolated::default());
        Rc::make_mut(&mut self.died).insert(cluster.to_owned());
    }
}

/// Records so far, in order.
pub(super) fn records(node: &Node) -> Vec<Rc<Record>> {
    let mut records = Vec::new();
    let mut link = node.trail.as_ref();
    while let Some(one) = link {
        if let Happening::Record(record) = &one.what {
            records.push(Rc::clone(record));
        }
        link = one.before.as_ref();
    }
    records.reverse();
    records
}
