//! Looks at everything once: for the ending of a run, for `status`, for a dry run.

use super::record::Record;
use super::state::RunState;
use crate::plan::Plan;
use crate::world::dns::{RecordName, Shares};
use crate::world::postgres::{Scope, ServerFacts};
use crate::world::{Known, Member, World};
use std::collections::BTreeMap;

/// A cluster as seen now.
#[derive(Clone, Debug)]
pub struct ClusterNow {
    /// Facts by region.
    pub members: BTreeMap<String, Known<ServerFacts>>,
}

impl ClusterNow {
    /// Regions observed as primaries.
    pub fn primaries(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, facts)| facts.is(|facts| !facts.in_recovery()))
            .map(|(region, _)| region.as_str())
            .collect()
    }

    /// Regions from which new transactions can write: primaries that are not frozen.
    pub fn writable(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, facts)| facts.is(|facts| !facts.in_recovery() && !facts.read_only.on))
            .map(|(region, _)| region.as_str())
            .collect()
    }

    /// Whether a primary exists but none accepts writes by default.
    pub fn frozen(&self) -> bool {
        !self.primaries().is_empty() && self.writable().is_empty()
    }

    /// Whether no standby streams from the primary: a second failure would lose data.
    pub fn unprotected(&self) -> Known<bool> {
        let Some(primary) = self.members.values().filter_map(Known::get).find_map(ServerFacts::primary)
        else {
            return Known::unknown("no primary was seen");
        };
        primary.senders.as_ref().map(|senders| !senders.iter().any(|sender| sender.state == "streaming"))
    }
}

/// Looks at the members of a cluster, all at once.
pub async fn cluster(world: &World, name: &str, regions: &[String], run: &str) -> ClusterNow {
    let scope = Scope { keep: Vec::new(), run: run.to_string() };
    let looks = regions.iter().map(|region| {
        let (member, scope) = (Member::new(name, region), &scope);
        async move { (region.clone(), world.postgres.look(&member, scope).await) }
    });
    ClusterNow { members: futures_util::future::join_all(looks).await.into_iter().collect() }
}

/// Shares of a record at each of its servers.
pub async fn record(world: &World, name: &str, servers: &[String]) -> BTreeMap<String, Known<Shares>> {
    let looks = servers.iter().map(|server| {
        let at = RecordName { record: name.to_string(), server: server.clone() };
        async move {
            let shares = match world.dns.look(&at).await {
                Known::Known(facts) => facts.shares,
                Known::Unknown(why) => Known::Unknown(why),
            };
            (server.clone(), shares)
        }
    });
    futures_util::future::join_all(looks).await.into_iter().collect()
}

/// Shares in words: `100% us-east`, `90% eu-west, 10% us-east`.
pub fn shares_in_words(shares: &Shares) -> String {
    let parts: Vec<String> = shares
        .iter()
        .filter(|(_, share)| **share > 0)
        .map(|(region, share)| {
            if share % 100 == 0 {
                format!("{}% {region}", share / 100)
            } else {
                format!("{}.{:02}% {region}", share / 100, share % 100)
            }
        })
        .collect();
    parts.join(", ")
}

/// What a server is now, in a word or two.
fn server_in_words(facts: &Known<ServerFacts>) -> String {
    match facts {
        Known::Unknown(why) if why.contains("refused") || why.contains("stopped") => "not running".into(),
        Known::Unknown(_) => "unknown".into(),
        Known::Known(facts) if facts.in_recovery() => "standby".into(),
        Known::Known(facts) if facts.read_only.on => "frozen".into(),
        Known::Known(_) => "writable".into(),
    }
}

/// The last look before a verdict.
pub(super) async fn survey(plan: &Plan, world: &World, state: &RunState) -> Record {
    let mut parts = Vec::new();
    let mut notes = Vec::new();
    let (mut frozen, mut diverged, mut unknown) = (Vec::new(), Vec::new(), false);
    let passed = state.passed(plan);
    for (name, regions) in &plan.clusters {
        let now = cluster(world, name, regions, &state.run).await;
        let label =
            |what: &str| if plan.clusters.len() > 1 { format!("{what} of {name}") } else { what.to_string() };
        let writable = now.writable();
        let seen = now.members.values().filter(|facts| facts.get().is_some()).count();
        let writes = match writable.as_slice() {
            [] if seen == 0 => {
                unknown = true;
                "unknown".to_string()
            }
            [] if now.frozen() => "nowhere (FROZEN)".to_string(),
            [] => "nowhere seen".to_string(),
            several => several.join(" and "),
        };
        if writable.is_empty() && seen < now.members.len() && passed {
            unknown = true;
        }
        parts.push(format!("{}: {writes}", label("writes")));
        let old = if passed { &plan.from } else { &plan.to };
        if let Some(facts) = now.members.get(old) {
            let what = if passed { "old primary" } else { "standby" };
            parts.push(format!("{}: {}", label(what), server_in_words(facts)));
            if passed && let Some(handover) = state.handovers.get(name) {
                match facts.get().and_then(ServerFacts::primary) {
                    Some(primary) if primary.next_transaction > handover.next_transaction => {
                        diverged.push(name.clone())
                    }
                    _ => {}
                }
                if facts.is(|facts| !facts.in_recovery()) {
                    notes.push(format!(
                        "the old primary of {name} in {old} is only frozen by its setting: stop it, or make it a standby"
                    ));
                }
            }
        }
        if now.frozen() {
            frozen.push(name.clone());
        }
        if now.unprotected().is(|unprotected| *unprotected) {
            notes.push(format!("{name} is UNPROTECTED: no standby follows the primary"));
        }
        if writable.len() > 1 {
            notes.push(format!("{name} can be written in {}: SPLIT BRAIN", writable.join(" and ")));
            diverged.push(name.clone());
        }
    }
    for (name, servers) in &plan.records {
        let shares = record(world, name, servers).await;
        let mut words: Vec<String> = shares
            .values()
            .map(|shares| match shares {
                Known::Known(shares) => shares_in_words(shares),
                Known::Unknown(_) => "unknown".into(),
            })
            .collect();
        words.sort();
        words.dedup();
        let label = if plan.records.len() > 1 { format!("traffic of {name}") } else { "traffic".to_string() };
        parts.push(format!("{label}: {}", words.join(" or ")));
    }
    let undo = if passed {
        "not possible"
    } else if state.armed(plan) {
        "not while the promotion is armed"
    } else if state.changed() {
        "possible"
    } else {
        "nothing to undo"
    };
    parts.push(format!("undo: {undo}"));
    Record::Surveyed { world: parts.join(" · "), notes, frozen, diverged, unknown }
}
