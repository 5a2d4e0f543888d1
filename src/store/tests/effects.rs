//! What a run has done to a simulated world: how often each effect was made, and how everything stands.

use crate::engine::record::Record;
use crate::world::sim::Sim;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

/// How often each change was made, by what it is called whichever attempt made it. Messages count once for each key by which a
/// receiver drops copies; a copy of a cache counts what is there.
pub fn made(sim: &Sim) -> BTreeMap<String, usize> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for name in sim.postgres.done() {
        // mrctl/<run>/<effect>/<attempt>
        let effect = name.split('/').nth(2).unwrap_or(&name);
        *made.entry(format!("postgres: {effect}")).or_default() += 1;
    }
    for command in sim.exec.ran() {
        *made.entry(format!("command: {}", command.argv.join(" "))).or_default() += 1;
    }
    for (at, serial) in serials(sim) {
        made.insert(format!("writes of {at}"), serial - 1);
    }
    let mut keys: Vec<String> = sim.notify.sent().into_iter().map(|sent| sent.key).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().for_each(|key| *made.entry(format!("message {}", tail(&key))).or_default() += 1);
    made
}

fn tail(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, rest)| rest)
}

fn serials(sim: &Sim) -> BTreeMap<String, usize> {
    let world = sim.world();
    let look = |at| {
        let mut looked = world.dns.look(at);
        match looked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(facts) => facts.get().and_then(|facts| facts.serial.get().copied()),
            Poll::Pending => None,
        }
    };
    let all = sim.dns.all_sets();
    all.keys()
        .filter_map(|at| Some((format!("{} at {}", at.record, at.server), look(at)? as usize)))
        .collect()
}

/// How everything stands that a run can change.
pub fn standing(sim: &Sim) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (at, server) in sim.postgres.servers() {
        let role = if server.recovery { "standby" } else { "primary" };
        let up = if server.up { "up" } else { "down" };
        let (timeline, altered, loaded) = (server.timeline, &server.altered, &server.loaded);
        all.insert(at.to_string(), format!("{role} {up} timeline {timeline}, {altered:?} {loaded:?}"));
    }
    for (at, sets) in sim.dns.all_sets() {
        all.insert(format!("{} at {}", at.record, at.server), format!("{sets:?}"));
    }
    for mark in sim.exec.marks() {
        all.insert(mark, "set".into());
    }
    for region in ["eu-west", "us-east"] {
        let keys = sim.cache.with("sessions", region, |server| server.keys.len());
        all.insert(format!("cache in {region}"), format!("{keys:?} keys"));
    }
    all
}

/// Changes of databases that no intent in these records announced.
pub fn unannounced(sim: &Sim, records: &[Record]) -> Vec<String> {
    let announced: Vec<String> = records
        .iter()
        .filter_map(|record| match record {
            Record::Intent { effect, attempt, undo, .. } => {
                Some(format!("{}{effect}/{attempt}", if *undo { "-" } else { "" }))
            }
            _ => None,
        })
        .collect();
    let mut missing: Vec<String> = sim
        .postgres
        .done()
        .into_iter()
        .filter(|name| {
            let own = name.splitn(3, '/').nth(2).unwrap_or(name);
            !announced.iter().any(|announced| announced == own)
        })
        .collect();
    let intends = |step: &dyn Fn(&str) -> bool| {
        records.iter().any(|record| matches!(record, Record::Intent { step: of, .. } if step(of)))
    };
    if !sim.notify.sent().is_empty() && !intends(&|step| step == "tell") {
        missing.push("a message".into());
    }
    if serials(sim).values().any(|serial| *serial > 1)
        && !intends(&|step| matches!(step, "shift" | "short_ttl"))
    {
        missing.push("a write of DNS".into());
    }
    if !sim.exec.ran().is_empty() && !intends(&|step| matches!(step, "stop" | "fence" | "standby")) {
        missing.push("a command".into());
    }
    missing
}
