//! The shipped runbooks, each in the world of the shipped inventory.

use super::time::{Sleepers, wait};
use crate::engine::preview;
use crate::error::render::text;
use crate::error::{Problems, Sources};
use crate::plan::{Drill, Mode, Plan, Request, TableOfKinds, build};
use crate::rehearse::scene::scene;
use crate::runbook::inventory::Inventory;
use crate::runbook::{open_inventory, open_runbook};
use crate::step::condition::Starts;
use crate::world::sim::Sim;
use crate::world::sim::exec::Script;
use std::collections::BTreeMap;
use std::path::Path;

/// A runbook in its world, before anything happens.
pub struct Scene {
    pub name: String,
    pub plan: Plan,
    pub sim: Sim,
    pub starts: Starts,
}

impl Scene {
    /// In the world that its inventory describes, and something happened to it.
    fn of(name: &str, plan: Plan, inventory: &Inventory, happened: impl FnOnce(&Sim)) -> Self {
        let sim = scene(&plan, inventory);
        happened(&sim);
        let clock = Sleepers::on(&sim.clock);
        let (mut plan, world) = (plan, sim.world());
        let starts = wait(&clock, preview::starts(&plan, &world));
        let seen = wait(&clock, preview::preview(&plan, &world, &starts));
        plan.identity = seen.values().flat_map(|preview| preview.identity.iter().cloned()).collect();
        Self { name: name.into(), plan, sim, starts }
    }
}

/// A shipped runbook from `eu-west` to `us-east`, in the world of the inventory beside it. In an unplanned run the source is gone.
pub fn shipped(runbook: &str, mode: Mode) -> Scene {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = open_inventory(&root.join("mrctl.yaml"), None, &mut sources, &mut problems).unwrap();
    let path = root.join(format!("{runbook}.yaml"));
    let read = open_runbook(&path, Some(&loaded), &TableOfKinds, &mut sources, &mut problems).unwrap();
    let request = Request {
        runbook: &read,
        runbook_sha256: String::new(),
        inventory: &loaded,
        inventory_sha256: String::new(),
        from: "eu-west",
        to: "us-east",
        mode,
        drill: Drill::Real,
        parameters: &BTreeMap::new(),
    };
    let plan = build(&request, &mut problems);
    let plan = plan.unwrap_or_else(|| panic!("{}", text(&problems, &sources, false, 100)));
    let name = match mode {
        Mode::Planned => runbook.to_string(),
        Mode::Unplanned => format!("{runbook}, unplanned"),
    };
    Scene::of(&name, plan, &loaded.inventory, |sim| {
        if mode == Mode::Unplanned {
            lose_the_source(sim, &loaded.inventory);
        }
    })
}

/// The source is gone, and the commands of its fence do what they say.
fn lose_the_source(sim: &Sim, inventory: &Inventory) {
    for (cluster, of) in &inventory.postgres {
        let _stopped = sim.postgres.with(cluster, "eu-west", |server| server.up = false);
        let member = &of.members["eu-west"];
        let mark = || Some(format!("{cluster} is fenced"));
        for rung in &member.fence {
            sim.exec.script(&rung.command.join(" "), Script { sets: mark(), ..Script::default() });
        }
        if let Some(fenced) = &member.fenced {
            sim.exec.script(&fenced.command.join(" "), Script { asks: mark(), ..Script::default() });
        }
    }
}
