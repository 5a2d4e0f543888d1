//! Where each fault of the alphabet can happen: only right before what can meet it, since earlier it would be the same.

use super::alphabet::Mishap;
use super::node::{Ground, Node};
use crate::engine::decide::Task;
use crate::engine::state::Stage;
use crate::step::Action;
use crate::world::Member;
use std::collections::BTreeSet;

/// What can go wrong in this state.
pub fn mishaps(ground: &Ground, node: &Node, wanted: &BTreeSet<Task>) -> Vec<Mishap> {
    let mut found = vec![Mishap::Killed];
    // A rollback goes on whoever asks for what.
    if node.state.signals == 0 && !matches!(node.state.stage, Stage::RollingBack { .. }) {
        found.push(Mishap::AskedToStop);
    }
    for task in wanted {
        match task {
            Task::Look(s, e, _) => touched(ground, node, *s, *e, false, &mut found),
            Task::Apply(s, e, _, _) => touched(ground, node, *s, *e, true, &mut found),
            Task::Survey => {
                for (cluster, regions) in &ground.plan.clusters {
                    found.extend(
                        regions.iter().map(|region| Mishap::Silent(Member::new(cluster, region).to_string())),
                    );
                }
                for servers in ground.plan.records.values() {
                    found.extend(servers.iter().cloned().map(Mishap::Silent));
                }
            }
            Task::Gap => found.push(Mishap::GapExpired),
            Task::Watch(index) => {
                let id = &ground.plan.watches[*index].id;
                found.extend([Mishap::Breached(id.clone()), Mishap::NoData(id.clone())]);
            }
            Task::Require(_) => found.push(Mishap::NoNumbers),
            Task::Ask(_) | Task::Intend(..) | Task::Backoff(_) | Task::Turn(_) | Task::End(..) => {}
        }
    }
    found.sort();
    found.dedup();
    found
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
        Action::HttpCheck(check) => found.push(Mishap::Silent(check.endpoint().to_string())),
        Action::Wait(_) => found.push(Mishap::NoNumbers),
        _ => {}
    }
    for resource in action.resources() {
        let Some((kind, name)) = resource.split_once('/') else { continue };
        match kind {
            "postgres" => postgres(ground, node, name, changes, found),
            "record" | "dns" | "dns_record" => {
                let servers = ground.plan.records.get(name).into_iter().flatten();
                found.extend(servers.cloned().map(Mishap::Silent));
            }
            "cache" => {
                let regions = [&ground.plan.from, &ground.plan.to];
                found.extend(regions.map(|region| Mishap::Silent(Member::new(name, region).to_string())));
            }
            _ => {}
        }
    }
}

fn postgres(ground: &Ground, node: &Node, cluster: &str, changes: bool, found: &mut Vec<Mishap>) {
    let source = Member::new(cluster, &ground.plan.from);
    let target = Member::new(cluster, &ground.plan.to);
    let at = |member: &Member| {
        node.sim.postgres.read(&member.resource, &member.region, |server| {
            (server.up, server.recovery, server.behind > 0, server.follows.is_some(), server.altered.clone())
        })
    };
    for member in [&source, &target] {
        let up = at(member).is_some_and(|(up, ..)| up);
        if !node.sim.postgres.faults.is_silent(&member.to_string()) {
            found.push(Mishap::Silent(member.to_string()));
        }
        if up {
            found.push(Mishap::Restarted(member.clone()));
        }
        if changes && up && !node.sim.postgres.lock_stolen(member) {
            found.push(Mishap::LockTaken(member.clone()));
        }
    }
    if let Some((true, true, behind, follows, _)) = at(&target) {
        if !behind {
            found.push(Mishap::LagGrows(target.clone()));
        }
        if follows {
            found.push(Mishap::CutOff(target.clone()));
        }
        found.push(Mishap::PromotedByOthers(target));
    }
    if let Some((true, false, _, _, altered)) = at(&source)
        && altered != crate::world::postgres::Altered::Unset
    {
        found.push(Mishap::ThawedByOthers(source.clone()));
        // Behind the last look nobody could see it.
        if node.state.survey.is_none() {
            found.push(Mishap::WroteThroughFreeze(source));
        }
    }
}
