//! The simulated world that an inventory describes, seen from a plan: everything is well in it, and the source serves.

use super::aftermath;
use crate::plan::Plan;
use crate::runbook::inventory::{Inventory, Writers};
use crate::step::Action;
use crate::world::Member;
use crate::world::exec::Command;
use crate::world::record_content::RecordSpec;
use crate::world::sim::exec::{Act, Means, Script};
use crate::world::sim::{Sim, http};
use std::collections::{BTreeMap, BTreeSet};

/// Keys of every cache in the source: more than one slice of a copy would only take longer.
const KEYS: usize = 3;

/// Clusters of a plan whose applications write only where the primary is.
pub fn local_writers(plan: &Plan, inventory: &Inventory) -> BTreeSet<String> {
    let local = |name: &&String| {
        inventory.postgres.get(*name).is_some_and(|cluster| cluster.writers == Writers::Local)
    };
    plan.clusters.keys().filter(local).cloned().collect()
}

/// What answers in each region: members, endpoints, and what the inventory says of where name servers are.
pub fn places(inventory: &Inventory) -> BTreeMap<String, BTreeSet<String>> {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut put = |region: &str, place: String| {
        places.entry(region.to_owned()).or_default().insert(place);
    };
    let clusters =
        inventory.postgres.iter().flat_map(|(name, one)| one.members.keys().map(move |at| (name, at)));
    let caches = inventory.caches.iter().flat_map(|(name, one)| one.members.keys().map(move |at| (name, at)));
    let endpoints =
        inventory.endpoints.iter().flat_map(|(name, one)| one.members.keys().map(move |at| (name, at)));
    for (name, region) in clusters.chain(caches).chain(endpoints) {
        put(region, Member::new(name, region).to_string());
    }
    for (name, server) in &inventory.dns_servers {
        if let Some(region) = &server.at {
            put(region, name.clone());
        }
    }
    places
}

/// Builds it.
pub fn scene(plan: &Plan, inventory: &Inventory) -> Sim {
    let sim = Sim::new();
    for (name, cluster) in &inventory.postgres {
        let source = if cluster.members.contains_key(&plan.from) { Some(plan.from.as_str()) } else { None };
        let mut regions: Vec<&str> = source.into_iter().collect();
        regions.extend(cluster.members.keys().map(String::as_str).filter(|region| Some(*region) != source));
        sim.postgres.add(name, &regions);
        for (region, member) in &cluster.members {
            let at = || Member::new(name, region);
            let hooks = [
                (&member.stop, Act::Stop(at())),
                (&member.start, Act::Start(at())),
                (&member.control_data, Act::ControlData(at())),
                (&member.look, Act::Look(at())),
                (&member.fenced, Act::Fenced(at())),
            ];
            let hooks = hooks.into_iter().filter_map(|(command, act)| Some((command.as_ref()?, act)));
            // The first one ends the server, and where that proves nothing, the next one closes the way to it.
            let fences = member.fence.iter().enumerate().map(|(rung, command)| {
                (command, Act::Fence(at(), if rung == 0 { Means::End } else { Means::Close }))
            });
            for (command, act) in hooks.chain(fences) {
                sim.exec.script(&command.command.join(" "), Script { acts: Some(act), ..Script::default() });
            }
        }
    }
    let home = aftermath::begin(plan, &sim);
    for (name, record) in &inventory.dns_records {
        let spec = RecordSpec {
            domain: record.name.clone(),
            zone: record.zone().to_owned(),
            kind: record.kind.as_str().to_owned(),
            ttl: u32::try_from(record.ttl.millis() / 1000).unwrap_or(u32::MAX),
            targets: record.targets.clone(),
        };
        let servers: Vec<&str> = record.servers.iter().map(String::as_str).collect();
        let first = record.targets.keys().next().map_or("", String::as_str);
        let serves = if record.targets.contains_key(home) { home } else { first };
        sim.dns.add(name, spec, &servers, serves);
    }
    for (name, cache) in &inventory.caches {
        for region in cache.members.keys() {
            let keys = if *region == plan.from { KEYS } else { 0 };
            sim.cache.add(name, region, (0..keys).map(|n| (format!("key:{n}"), None)));
        }
    }
    for (name, endpoint) in &inventory.endpoints {
        for region in endpoint.members.keys() {
            sim.http.set(name, region, http::healthy(20_000));
        }
    }
    for channel in inventory.channels.keys() {
        sim.notify.add(channel);
    }
    sim.signals.otherwise(0.0);
    for (command, script) in scripts(plan) {
        sim.exec.script(&command, script);
    }
    sim
}

/// Commands change what they say and nothing else: a run sets a mark, the look asks for it, the undo clears it. Commands with the same look are
/// about the same thing, and one command may be the undo of another. A step that takes another back clears that one's marks. By command,
/// its arguments joined with spaces.
pub fn scripts(plan: &Plan) -> BTreeMap<String, Script> {
    let typed = |command: &Command| command.argv.join(" ");
    let exec = |action: &Action| match action {
        Action::Exec(exec) => {
            let (run, look, undo) = exec.commands();
            Some((typed(run), look.map(typed), undo.map(typed)))
        }
        _ => None,
    };
    let mark = |run: &String, look: &Option<String>| look.clone().unwrap_or_else(|| run.clone());
    let mut scripts: BTreeMap<String, Script> = BTreeMap::new();
    for (s, _, planned) in plan.effects() {
        let Some((run, look, undo)) = exec(&planned.action) else { continue };
        let own = mark(&run, &look);
        let script = scripts.entry(run).or_default();
        script.sets = Some(own.clone());
        if let Some(back) = &plan.steps[s].takes_back {
            let taken = plan.effects().find(|(other, _, _)| plan.steps[*other].id == *back);
            let taken = taken.and_then(|(_, _, planned)| exec(&planned.action));
            script.clears = taken.map(|(run, look, _)| mark(&run, &look));
        }
        if let Some(look) = look {
            scripts.entry(look).or_default().asks = Some(own.clone());
        }
        if let Some(undo) = undo {
            scripts.entry(undo).or_default().clears = Some(own);
        }
    }
    scripts
}
