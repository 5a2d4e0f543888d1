//! The look at the real systems. Only reading methods of the ports are called: there is no permit here.

use super::{CacheSeen, CommandSeen, EndpointSeen, Missing, RecordSeen, ServerSeen, SignalSeen, Snapshot};
use crate::plan::Plan;
use crate::runbook::inventory::Inventory;
use crate::step::Action;
use crate::world::dns::RecordName;
use crate::world::postgres::{Lsn, Scope, ServerFacts};
use crate::world::signal::SignalCall;
use crate::world::{Known, Member, World};
use futures_util::future::{join, join_all};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a standby is looked at again that had not replayed everything, and how long after another.
const AGAIN: u32 = 8;
const BETWEEN: Duration = Duration::from_millis(250);

/// Looks at everything that a plan touches, once, all at the same time. Each port bounds its own looks.
pub async fn look(world: &World, plan: &Plan, inventory: &Inventory) -> Snapshot {
    let seen_at = world.clock.now().rfc3339();
    let (databases, traffic) = join(servers(world, plan, inventory), rest(world, plan)).await;
    let (records, endpoints, caches, signals, commands) = traffic;
    Snapshot {
        seen_at,
        environment: plan.environment.clone(),
        servers: databases,
        records,
        endpoints,
        caches,
        signals,
        commands,
    }
}

/// Actions of steps that a run may make, forwards or back.
pub(super) fn actions(plan: &Plan) -> impl Iterator<Item = (usize, usize, &Action)> {
    let part = |s: usize| plan.steps[s].skipped.is_none() || plan.steps[s].takes_back.is_some();
    plan.effects().filter(move |(s, _, _)| part(*s)).map(|(s, e, planned)| (s, e, &planned.action))
}

/// Roles whose sessions are left alone when a cluster is frozen.
fn kept(plan: &Plan, inventory: &Inventory, cluster: &str) -> Vec<String> {
    let own = inventory.postgres.get(cluster).map(|cluster| cluster.keep.clone()).unwrap_or_default();
    let freezes = actions(plan).filter_map(|(_, _, action)| match action {
        Action::PostgresFreeze(freeze) => Some(freeze.kept()),
        _ => None,
    });
    let more = freezes.filter(|(name, _)| *name == cluster).flat_map(|(_, keep)| keep.to_vec());
    own.into_iter().chain(more).collect::<BTreeSet<_>>().into_iter().collect()
}

async fn servers(world: &World, plan: &Plan, inventory: &Inventory) -> Vec<ServerSeen> {
    let preflight: BTreeSet<String> = actions(plan)
        .filter(|(_, _, action)| matches!(action, Action::PostgresPreflight(_)))
        .flat_map(|(_, _, action)| action.resources())
        .collect();
    let clusters = plan.clusters.iter().map(|(name, regions)| {
        let preflight = preflight.contains(&format!("postgres/{name}"));
        async move {
            let keep = kept(plan, inventory, name);
            let looks = regions.iter().map(|region| {
                let at = Member::new(name, region);
                server(world, plan, inventory, at, &keep, preflight)
            });
            let mut seen = join_all(looks).await;
            lag(world, &mut seen).await;
            seen
        }
    });
    join_all(clusters).await.into_iter().flatten().collect()
}

async fn server(
    world: &World,
    plan: &Plan,
    inventory: &Inventory,
    at: Member,
    keep: &[String],
    preflight: bool,
) -> ServerSeen {
    let facts = world.postgres.look(&at, &Scope::default()).await;
    let spared = match facts.get().is_some() && !keep.is_empty() {
        true => world.postgres.look(&at, &Scope { keep: keep.to_vec(), run: String::new() }).await,
        false => facts.clone(),
    };
    let table = inventory.postgres.get(&at.resource).map(|cluster| cluster.probe_table.clone());
    let side = [&plan.from, &plan.to].contains(&&at.region);
    let findings = match table {
        Some(table) if preflight && side && facts.get().is_some() => {
            Some(world.postgres.preflight(&at, at.region == plan.to, &table).await)
        }
        _ => None,
    };
    ServerSeen { at, facts, spared, missing: None, findings }
}

/// What the primary had when it was looked at is soon replayed by a standby that keeps up, whatever comes later: those that have it
/// not are looked at again for a while.
async fn lag(world: &World, seen: &mut [ServerSeen]) {
    let flushed = |seen: &ServerSeen| {
        let facts = seen.facts.get()?;
        facts.primary().map(|primary| (facts.system.clone(), primary.flushed))
    };
    let primaries: Vec<(String, Lsn)> = seen.iter().filter_map(flushed).collect();
    let [(system, had)] = primaries.as_slice() else { return };
    let again = seen.iter_mut().map(|one| async move {
        let replayed = |facts: &Known<ServerFacts>| {
            let facts = facts.get().filter(|facts| facts.system == *system)?;
            facts.standby()?.replayed.get().copied()
        };
        let Some(first) = replayed(&one.facts).filter(|first| first < had) else { return };
        let mut last = first;
        for _ in 0..AGAIN {
            world.clock.sleep(BETWEEN).await;
            let facts = world.postgres.look(&one.at, &Scope::default()).await;
            match replayed(&facts) {
                Some(now) => last = now,
                None => break,
            }
            if last >= *had {
                return;
            }
        }
        one.missing = Some(Missing { bytes: had.bytes_since(last), moving: last > first });
    });
    join_all(again).await;
}

type Rest = (Vec<RecordSeen>, Vec<EndpointSeen>, Vec<CacheSeen>, Vec<SignalSeen>, Vec<CommandSeen>);

async fn rest(world: &World, plan: &Plan) -> Rest {
    let records = plan.records.iter().flat_map(|(record, servers)| {
        servers.iter().map(|server| RecordName { record: record.clone(), server: server.clone() })
    });
    let records = join_all(records.map(|at| async move {
        let facts = world.dns.look(&at).await;
        RecordSeen { at, facts }
    }));
    let (mut endpoints, mut caches, mut commands) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for (_, _, action) in actions(plan) {
        match action {
            Action::HttpCheck(check) => {
                endpoints.insert(check.endpoint().clone());
            }
            Action::CacheWarm(warm) => {
                let (source, target) = warm.members();
                caches.extend([source.clone(), target.clone()]);
            }
            Action::Exec(exec) => {
                if let (_, Some(look), _) = exec.commands() {
                    commands.insert(look.argv.clone(), look.clone());
                }
            }
            _ => {}
        }
    }
    let endpoints = join_all(endpoints.into_iter().map(|at| async move {
        let (expected, probe) = (world.http.expected_status(&at.resource), world.http.probe(&at).await);
        EndpointSeen { at, expected, probe }
    }));
    let caches = join_all(caches.into_iter().map(|at| async move {
        let facts = world.cache.look(&at).await;
        CacheSeen { at, facts }
    }));
    let signals = join_all(calls(plan).into_iter().map(|call| async move {
        let value = world.signals.sample(&call).await;
        SignalSeen { call, value }
    }));
    let commands = join_all(commands.into_values().map(|mut command| async move {
        // As the kind does outside of a run.
        command.env.insert("MRCTL_RUN".into(), String::new());
        let output = world.exec.look(&command).await;
        CommandSeen { look: command.argv, output }
    }));
    let ((records, endpoints), (caches, (signals, commands))) =
        join(join(records, endpoints), join(caches, join(signals, commands))).await;
    (records, endpoints, caches, signals, commands)
}

/// Signals that conditions of the plan ask for.
fn calls(plan: &Plan) -> BTreeSet<SignalCall> {
    let waits = actions(plan).filter_map(|(_, _, action)| action.condition());
    let required = plan.steps.iter().filter_map(|step| step.require.as_ref());
    let watched = plan.watches.iter().map(|watch| &watch.ok);
    let all = waits.chain(required).chain(watched);
    all.flat_map(|condition| condition.signals().into_iter().chain(condition.starts())).collect()
}
