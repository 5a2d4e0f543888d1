//! Whether a run that was rolled back, or refused, has left everything as it was.

use super::node::{Ground, Node};
use crate::engine::record::Verdict;
use crate::step::Action;
use crate::world::Member;
use crate::world::postgres::Altered;
use crate::world::sim::Sim;
use std::collections::BTreeMap;

/// What a rollback is to bring back: roles and settings of servers, shares, marks of commands that can be taken back.
fn kept(ground: &Ground, node: &Node, sim: &Sim) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    // Nobody brings back to life what has died.
    let dead = |at: &Member| at.region == ground.plan.from && node.died.contains(&at.resource);
    for (at, server) in sim.postgres.servers().into_iter().filter(|(at, _)| !node.foreign_to(&at.resource)) {
        kept.insert(
            format!("{at}"),
            format!(
                "{}, {}{}, {}{}",
                if server.recovery { "standby" } else { "primary" },
                if server.up || dead(&at) { "up" } else { "down" },
                if server.closed { ", closed off" } else { "" },
                match &server.loaded {
                    Altered::Unset => "not frozen".to_owned(),
                    Altered::To(value) => format!("default_transaction_read_only set to {value}"),
                },
                // The next reload or start would load it.
                match &server.altered {
                    same if *same == server.loaded => String::new(),
                    Altered::Unset => ", with its reset written and not loaded".to_owned(),
                    Altered::To(value) => format!(", with {value} written and not loaded"),
                }
            ),
        );
    }
    // What a step keeps on purpose: its users, or its time to live.
    let stays = |record: &str, sends: bool| {
        ground.plan.effects().filter(|(s, _, _)| ground.plan.steps[*s].keep_because.is_some()).any(
            |(_, _, planned)| {
                let about = |one: &String| {
                    one.split_once('/').is_some_and(|(kind, name)| kind != "postgres" && name == record)
                };
                planned.action.resources().iter().any(about) && planned.action.sends().is_empty() != sends
            },
        )
    };
    for (at, mut sets) in sim.dns.all_sets() {
        if stays(&at.record, true) || node.foreign_to(&format!("{} at {}", at.record, at.server)) {
            continue;
        }
        if stays(&at.record, false) {
            sets.iter_mut().for_each(|set| set.ttl = 0);
        }
        kept.insert(format!("{} at {}", at.record, at.server), crate::world::record_content::in_words(&sets));
    }
    let marks = sim.exec.marks();
    for (s, _, planned) in ground.plan.effects() {
        let Action::Exec(exec) = &planned.action else { continue };
        let (_, Some(look), Some(_)) = exec.commands() else { continue };
        let step = &ground.plan.steps[s];
        if step.keep_because.is_none() && step.takes_back.is_none() {
            let mark = look.argv.join(" ");
            let set = marks.contains(&mark);
            kept.insert(mark, set.to_string());
        }
    }
    kept
}

pub(super) fn not_as_before(ground: &Ground, node: &Node) -> Option<String> {
    if !matches!(node.state.verdict, Some(Verdict::RolledBack | Verdict::Refused)) {
        return None;
    }
    let now = kept(ground, node, &node.sim);
    kept(ground, node, &ground.start).into_iter().find_map(|(what, was)| {
        let is = now.get(&what)?;
        (*is != was).then(|| format!("{what} was {was}, and is {is}"))
    })
}
