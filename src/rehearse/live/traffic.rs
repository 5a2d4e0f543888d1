//! Records, endpoints, caches, numbers and commands as they were seen.

use super::look::actions;
use super::{CacheSeen, EndpointSeen, Snapshot};
use crate::engine::preview::turning;
use crate::engine::survey::shares_in_words;
use crate::plan::Plan;
use crate::rehearse::node::once;
use crate::rehearse::start::Start;
use crate::runbook::inventory::Inventory;
use crate::step::Action;
use crate::world::dns::{Dns as _, RecordFacts, RecordName, Shares};
use crate::world::http::Probe;
use crate::world::record_content::WHOLE;
use crate::world::signal::SignalCall;
use crate::world::sim::{Sim, http};
use crate::world::{Known, Member};
use std::collections::{BTreeMap, BTreeSet};

/// Keys of a cache in the model: more than one slice of a copy would only take longer.
const KEYS: u64 = 20;

/// Records at their name servers.
pub(super) fn records(plan: &Plan, inventory: &Inventory, snapshot: &Snapshot, sim: &Sim, start: &mut Start) {
    for one in &snapshot.records {
        let RecordName { record, server } = &one.at;
        let place = format!("{record} at {server}");
        match &one.facts {
            Known::Unknown(why) => {
                sim.dns.faults.silence(server);
                start.differs(format!("{place} was not seen ({why}): {server} does not answer"));
                start.lacks(format!("{place}: what stands there; taken for all traffic to the source"));
            }
            Known::Known(facts) => {
                let serial = facts.serial.get().copied().unwrap_or(1);
                sim.dns.put(record, server, facts.sets.clone(), serial);
                let normal = inventory.dns_records.get(record);
                let ttl = normal.map(|normal| u32::try_from(normal.ttl.millis() / 1000).unwrap_or(u32::MAX));
                stands(plan, &place, facts, ttl, start);
                if let Known::Unknown(why) = &facts.answers {
                    sim.dns.break_answers(server, why);
                    start.differs(format!("{server} answers no question of {record}: {why}"));
                }
            }
        }
    }
    // Once all is there: what is broken at a server is for all of its records.
    for one in &snapshot.records {
        let Known::Known(RecordFacts { answers: Known::Known(seen), .. }) = &one.facts else { continue };
        if let Some(Known::Known(RecordFacts { answers: Known::Known(model), .. })) =
            once(sim.dns.look(&one.at))
            && model != *seen
        {
            let RecordName { record, server } = &one.at;
            start.lacks(format!(
                "{record} at {server} is answered with {}; in the model with {}",
                listed(seen),
                listed(&model)
            ));
        }
    }
}

fn listed(answers: &[String]) -> String {
    if answers.is_empty() { "nothing".into() } else { answers.join(", ") }
}

fn stands(plan: &Plan, place: &str, facts: &RecordFacts, normal: Option<u32>, start: &mut Start) {
    match &facts.shares {
        Known::Known(shares) if *shares == Shares::from([(plan.from.clone(), WHOLE)]) => {}
        Known::Known(shares) => start.differs(format!("{place} sends {}", shares_in_words(shares))),
        Known::Unknown(why) => start.differs(format!("{place} is not understood: {why}")),
    }
    match (&facts.ttl, normal) {
        (Known::Known(ttl), Some(normal)) if *ttl != normal => {
            start.differs(format!("{place} lives for {ttl} s, and not for {normal} s"));
        }
        (Known::Unknown(why), _) => start.differs(format!("{place}: its time to live is unknown: {why}")),
        (Known::Known(_), _) => {}
    }
}

/// Endpoints. What is not well now and is asked only behind the first freeze or change of traffic may be well by then: that is not to
/// be known.
pub(super) fn endpoints(plan: &Plan, snapshot: &Snapshot, sim: &Sim, start: &mut Start) {
    let turning = turning(plan);
    let early: BTreeSet<&Member> = actions(plan)
        .filter(|(s, e, _)| turning.is_none_or(|turning| (*s, *e) < turning))
        .filter_map(|(_, _, action)| match action {
            Action::HttpCheck(check) => Some(check.endpoint()),
            _ => None,
        })
        .collect();
    for EndpointSeen { at, expected, probe } in &snapshot.endpoints {
        sim.http.expect(&at.resource, *expected);
        let answered = probe.status.get().is_some();
        if probe.passed(*expected) || !answered || early.contains(at) {
            sim.http.set(&at.resource, &at.region, probe.clone());
        }
        if probe.passed(*expected) {
            continue;
        }
        let what = match (probe.trouble.as_str(), &probe.status) {
            ("", Known::Known(status)) => format!("status {status}, and not {expected}"),
            ("", Known::Unknown(why)) => why.clone(),
            (trouble, _) => trouble.to_owned(),
        };
        start.differs(format!("{at} is not well: {what}"));
        if answered && !early.contains(at) {
            let well = Probe { status: Known::Known(*expected), ..http::healthy(20_000) };
            sim.http.set(&at.resource, &at.region, well);
            start.lacks(format!("{at}: whether it is well by the time that it is checked; taken for well"));
        }
    }
}

/// Caches, with fewer keys in the same proportions.
pub(super) fn caches(snapshot: &Snapshot, sim: &Sim, start: &mut Start) {
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    for CacheSeen { at, facts } in &snapshot.caches {
        let keys = facts.get().map_or(0, |facts| facts.keys);
        let most = most.entry(&at.resource).or_default();
        *most = keys.max(*most);
    }
    for CacheSeen { at, facts } in &snapshot.caches {
        let facts = match facts {
            Known::Known(facts) => facts,
            Known::Unknown(why) => {
                sim.cache.faults.silence(&at.to_string());
                start.differs(format!("{at} was not seen ({why}): it does not answer"));
                continue;
            }
        };
        let most = most.get(at.resource.as_str()).copied().unwrap_or(0);
        let scaled = |number: u64| match most > KEYS {
            true if number == 0 => 0,
            true => {
                u64::try_from(u128::from(number) * u128::from(KEYS) / u128::from(most)).unwrap_or(KEYS).max(1)
            }
            false => number,
        };
        let keys = scaled(facts.keys);
        // A key is 100 bytes there.
        let room = match (facts.limit_bytes, facts.used_bytes) {
            (0, _) => 0,
            (limit, used) if keys == 0 || used == 0 => (limit / 100).max(1),
            (limit, used) => {
                let room = u128::from(keys) * u128::from(limit) / u128::from(used);
                u64::try_from(room).unwrap_or(u64::MAX).max(1)
            }
        };
        sim.cache.add(&at.resource, &at.region, (0..keys).map(|n| (format!("key:{n}"), None)));
        sim.cache.with(&at.resource, &at.region, |server| {
            server.role.clone_from(&facts.role);
            server.server.clone_from(&facts.server);
            server.evicted = facts.evicted;
            server.room = usize::try_from(room).unwrap_or(usize::MAX);
        });
        if facts.role != "master" {
            start.differs(format!("{at} is a replica (role {})", facts.role));
        }
        if keys != facts.keys {
            start.lacks(format!("{at} has {} keys; in the model {keys}", facts.keys));
        }
    }
}

/// Numbers. One that cannot be had now, and is asked for only behind the first freeze or change of traffic, may be there by then.
pub(super) fn signals(plan: &Plan, snapshot: &Snapshot, sim: &Sim, start: &mut Start) {
    let turning = turning(plan);
    let mut early: BTreeSet<SignalCall> = BTreeSet::new();
    for (s, step) in plan.steps.iter().enumerate() {
        let before = |e: usize| turning.is_none_or(|turning| (s, e) < turning);
        if before(0) {
            early.extend(step.require.iter().flat_map(|condition| condition.signals()));
        }
        let waits =
            step.effects.iter().enumerate().filter_map(|(e, planned)| Some((e, planned.action.condition()?)));
        for (e, condition) in waits {
            early.extend(condition.starts());
            if before(e) {
                early.extend(condition.signals());
            }
        }
        early.extend(step.require.iter().flat_map(|condition| condition.starts()));
    }
    for watch in &plan.watches {
        early.extend(watch.ok.starts());
    }
    for one in &snapshot.signals {
        let SignalCall { name, of } = &one.call;
        match &one.value {
            Known::Known(value) => {
                if *value != 0.0 {
                    start.differs(format!("{} is {value}", one.call));
                }
                sim.signals.script(name, of, [one.value.clone()]);
            }
            Known::Unknown(why) if early.contains(&one.call) => {
                start.differs(format!("{} is unknown: {why}", one.call));
                sim.signals.script(name, of, [one.value.clone()]);
            }
            Known::Unknown(why) => {
                start.differs(format!("{} is unknown: {why}", one.call));
                start
                    .lacks(format!("{}: what it is by the time that it is asked for; taken for 0", one.call));
            }
        }
    }
}

/// Looks of commands.
pub(super) fn commands(snapshot: &Snapshot, sim: &Sim, start: &mut Start) {
    for one in &snapshot.commands {
        let look = one.look.join(" ");
        let why = match &one.output {
            Known::Known(output) if output.code == 0 => {
                sim.exec.mark(&look);
                start.differs(format!("`{look}` says that it is so already"));
                continue;
            }
            Known::Known(output) if output.code == 1 => continue,
            Known::Known(output) => format!("it ended with {}", output.code),
            Known::Unknown(why) => why.clone(),
        };
        sim.exec.faults.silence(&look);
        start.differs(format!("`{look}` does not tell ({why}): it does not answer"));
    }
}
