//! Where each fault of the alphabet can happen: only right before what can meet it, since earlier it would be the same.

use super::alphabet::Mishap;
use super::node::{Ground, Node};
use crate::engine::decide::Task;
use crate::engine::state::Stage;
use crate::plan::Mode;
use crate::step::Action;
use crate::step::contract::Part;
use crate::world::Member;
use crate::world::dns::RecordName;
use crate::world::sim::postgres::Server;
use std::collections::BTreeSet;
use std::time::Duration;

/// What can go wrong in this state.
pub fn mishaps(ground: &Ground, node: &Node, wanted: &BTreeSet<Task>) -> Vec<Mishap> {
    // After a look that leaves nothing it is the same as before it.
    let mut found = if node.idle { vec![] } else { vec![Mishap::Killed] };
    // A rollback goes on whoever asks for what.
    if node.state.signals == 0 && !matches!(node.state.stage, Stage::RollingBack { .. }) {
        found.push(Mishap::AskedToStop);
    }
    for task in wanted {
        match task {
            Task::Look(s, e, _) => {
                let mut here = Vec::new();
                touched(ground, node, *s, *e, false, &mut here);
                regions(ground, &mut here);
                found.append(&mut here);
            }
            Task::Apply(s, e, _, _) => {
                let mut here = Vec::new();
                locks(ground, node, &mut here);
                touched(ground, node, *s, *e, true, &mut here);
                regions(ground, &mut here);
                found.append(&mut here);
            }
            Task::Survey => {
                let mut here = Vec::new();
                for (cluster, regions) in &ground.plan.clusters {
                    here.extend(
                        regions.iter().map(|region| Mishap::Silent(Member::new(cluster, region).to_string())),
                    );
                }
                for (name, servers) in &ground.plan.records {
                    here.extend(servers.iter().cloned().map(Mishap::Silent));
                    let at = |server: &String| RecordName { record: name.clone(), server: server.clone() };
                    here.extend(servers.iter().map(at).map(Mishap::RecordByOthers));
                }
                for cluster in ground.plan.clusters.keys() {
                    postgres(ground, node, cluster, &mut here);
                }
                regions(ground, &mut here);
                found.append(&mut here);
            }
            Task::Gap => found.push(Mishap::GapExpired),
            Task::Watch(index) => {
                let id = &ground.plan.watches[*index].id;
                found.extend([Mishap::Breached(id.clone()), Mishap::NoData(id.clone())]);
            }
            Task::Require(_) => found.extend([Mishap::NoNumbers, Mishap::BadNumbers]),
            Task::Ask(_) | Task::Intend(..) | Task::Backoff(_) | Task::Turn(_) | Task::End(..) => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Regions of the run, as a whole, where something is asked that is in them.
fn regions(ground: &Ground, found: &mut Vec<Mishap>) {
    let there = |region: &&String| {
        ground.places.get(*region).is_some_and(|places| {
            found.iter().any(|mishap| match mishap {
                Mishap::Silent(place) => places.contains(place),
                Mishap::LockTaken(at) => places.contains(&at.to_string()),
                _ => false,
            })
        })
    };
    let lost: Vec<Mishap> = [&ground.plan.from, &ground.plan.to]
        .into_iter()
        .filter(there)
        .map(|region| Mishap::RegionLost(region.clone()))
        .collect();
    found.extend(lost);
}

/// Locks of members that can be seen: they are asked for before every call.
fn locks(ground: &Ground, node: &Node, found: &mut Vec<Mishap>) {
    for (cluster, regions) in &ground.plan.clusters {
        for region in regions {
            let at = Member::new(cluster, region);
            let up = |server: &Server| server.up && !server.isolated.us;
            let up = node.sim.postgres.read(cluster, region, up) == Some(true);
            if up && !node.sim.postgres.lock_stolen(&at) {
                found.push(Mishap::LockTaken(at));
            }
        }
    }
}

/// What can go wrong with what this effect is about.
fn touched(ground: &Ground, node: &Node, s: usize, e: usize, changes: bool, found: &mut Vec<Mishap>) {
    let action = &ground.plan.steps[s].effects[e].action;
    if let Action::Exec(exec) = action
        && let (_, Some(look), _) = exec.commands()
        && !changes
    {
        found.push(Mishap::Silent(look.argv.join(" ")));
    }
    match action {
        Action::HttpCheck(check) => {
            let at = check.endpoint();
            found.extend([Mishap::Silent(at.to_string()), Mishap::Unhealthy(at.clone())]);
        }
        // What its control file says is the proof.
        Action::PostgresStop(stop) if !changes => {
            found.push(Mishap::Silent(stop.control_data().argv.join(" ")))
        }
        Action::PostgresFence(fence) => {
            found.extend(fence.fenced().map(|fenced| Mishap::Silent(fenced.argv.join(" "))));
        }
        Action::PostgresPromote(promote) => {
            found.extend(promote.fenced().map(|fenced| Mishap::Silent(fenced.argv.join(" "))));
        }
        Action::Wait(_) => found.extend([Mishap::NoNumbers, Mishap::BadNumbers]),
        _ => {}
    }
    for resource in action.resources() {
        let Some((kind, name)) = resource.split_once('/') else { continue };
        match kind {
            "postgres" => postgres(ground, node, name, found),
            "record" | "dns" | "dns_record" => {
                let servers = ground.plan.records.get(name).into_iter().flatten();
                for server in servers {
                    found.push(Mishap::Silent(server.clone()));
                    let at = RecordName { record: name.to_owned(), server: server.clone() };
                    found.push(Mishap::RecordByOthers(at));
                    if changes {
                        found.push(Mishap::OldAnswers(server.clone()));
                    }
                }
            }
            "cache" => {
                let regions = [&ground.plan.from, &ground.plan.to];
                found.extend(regions.map(|region| Mishap::Silent(Member::new(name, region).to_string())));
            }
            _ => {}
        }
    }
}

fn postgres(ground: &Ground, node: &Node, cluster: &str, found: &mut Vec<Mishap>) {
    let source = Member::new(cluster, &ground.plan.from);
    let target = Member::new(cluster, &ground.plan.to);
    let at = |member: &Member| {
        node.sim.postgres.read(&member.resource, &member.region, |server| {
            (server.up, server.recovery, server.behind > 0, server.follows.is_some(), server.altered.clone())
        })
    };
    for region in ground.plan.clusters.get(cluster).into_iter().flatten() {
        let member = Member::new(cluster, region);
        if member != source && member != target && !node.sim.postgres.faults.is_silent(&member) {
            found.push(Mishap::Silent(member.to_string()));
        }
    }
    for member in [&source, &target] {
        let isolated = |server: &Server| server.isolated.us;
        let isolated = node.sim.postgres.read(cluster, &member.region, isolated) == Some(true);
        let up = at(member).is_some_and(|(up, ..)| up) && !isolated;
        if !isolated && !node.sim.postgres.faults.is_silent(member) {
            found.push(Mishap::Silent(member.to_string()));
        }
        if up {
            found.push(Mishap::Restarted(member.clone()));
        }
    }
    if ground.plan.mode == Mode::Planned
        && matches!((at(&source), at(&target)), (Some((true, false, ..)), Some((_, true, ..))))
    {
        found.push(Mishap::SourceDied(source.clone()));
    }
    if let Some((true, true, behind, follows, _)) = at(&target) {
        let streams = ground.plan.mode == Mode::Planned || heard(node, cluster, &source.region);
        if !behind && streams {
            found.push(Mishap::LagGrows(target.clone()));
        }
        if follows && streams {
            found.push(Mishap::CutOff(target.clone()));
        }
        if !behind && follows && streams && matches!(at(&source), Some((true, false, ..))) {
            found.push(Mishap::SecondOperator(cluster.to_owned()));
        }
        found.push(Mishap::PromotedByOthers(target));
    }
    // Down by our own stop, and not from the beginning.
    let ran = ground.plan.mode == Mode::Unplanned
        || ground.start.postgres.read(cluster, &source.region, |server| server.up) == Some(true);
    if ran && at(&source).is_some_and(|(up, ..)| !up) {
        found.push(Mishap::StartedByOthers(source.clone()));
    }
    let hidden = |server: &Server| server.up && server.isolated.any();
    if node.sim.postgres.read(cluster, &source.region, hidden) == Some(true) {
        found.push(Mishap::InSightAgain(source.clone()));
    }
    if let Some((true, false, _, _, altered)) = at(&source)
        && altered != crate::world::postgres::Altered::Unset
    {
        found.push(Mishap::ThawedByOthers(source.clone()));
        if altered == crate::world::postgres::Altered::To("on".into()) {
            found.push(Mishap::SetByOthers(source.clone()));
        }
        // Behind the last look nobody could see it.
        if node.state.survey.is_none() {
            found.push(Mishap::WroteThroughFreeze(source));
        }
    }
}

/// Whether a source is there for its standbys.
fn heard(node: &Node, cluster: &str, source: &str) -> bool {
    let heard = |server: &Server| server.up && server.isolated.standbys.is_none() && !server.closed;
    node.sim.postgres.read(cluster, source, heard) == Some(true)
}

/// Clusters of which two servers take writes.
pub(super) fn split(ground: &Ground, node: &Node) -> Vec<String> {
    let two = |cluster: &&String| node.sim.postgres.writable(cluster).len() > 1;
    ground.plan.clusters.keys().filter(two).cloned().collect()
}

/// How long after its answer was lost a call may still come about.
pub(super) fn late(ground: &Ground, task: &Task) -> Duration {
    match task {
        Task::Apply(s, e, ..) => lateness(&ground.plan.steps[*s].effects[*e]),
        _ => Duration::ZERO,
    }
}

/// How long after its answer was lost a call of this effect may still come about.
pub fn lateness(planned: &crate::plan::PlannedEffect) -> Duration {
    // A database shows the session of a call that is still under way; of requests and commands there is only a bound.
    let info = planned.action.info();
    // What the kind says now, and not what a plan kept of it.
    let of = planned.action.effects().into_iter().find(|effect| effect.id == planned.effect.id);
    let settles = of.map_or(planned.effect.settles_ms, |effect| effect.settles_ms);
    match info.name.starts_with("postgres.") && !matches!(info.part, Part::Stop | Part::Fence) {
        true => Duration::from_secs(20),
        false => Duration::from_millis(settles.saturating_sub(200)),
    }
}
