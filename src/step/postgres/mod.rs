//! Moving the writer of a PostgreSQL cluster with streaming replication.

pub mod catch_up;
pub mod check_lag;
pub mod control_data;
pub mod evidence;
pub mod fence;
pub mod freeze;
mod lost;
pub mod preflight;
pub mod promote;
pub mod reprotect;
#[cfg(test)]
mod simulated;
pub mod stop;
mod thaw;
pub mod verify_writable;

use super::contract::Judgement;
use super::scope::{Cluster, Scope};
use crate::error::{Code, Problem, suggest};
use crate::world::plausible::{Place, Shown, Sighting};
use crate::world::postgres::{GlanceRole, Heartbeat, ServerFacts};
use crate::world::{Known, Member, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Only the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostgresOnlyCluster")]
pub struct OnlyCluster {
    /// The cluster's name in the inventory.
    pub cluster: String,
}

/// The cluster, and the two members that a planned switch is between.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The cluster's name.
    pub cluster: String,
    /// The member that is left.
    pub source: Member,
    /// The member that takes over.
    pub target: Member,
    /// Every other member that is neither.
    pub others: Vec<Member>,
}

/// What both sides are now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PairFacts {
    /// The source, read first.
    pub source: Known<ServerFacts>,
    /// The target, read after the source: a position that the target has is then never newer than what the source was asked for.
    pub target: Known<ServerFacts>,
    /// In an unplanned run every other member, by region: one of them may have more than the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<(String, Known<ServerFacts>)>,
    /// In an unplanned run what the target has of the heartbeats that were acknowledged, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Known<Heartbeat>>,
}

/// Finds a cluster, or says what there is.
pub(super) fn cluster(scope: &Scope<'_>, name: &str) -> Result<Cluster, Problem> {
    scope.directory.cluster(name).ok_or_else(|| {
        let names = scope.directory.names("postgres");
        let mut problem = Problem::error(
            Code::UnknownChoice,
            format!("there is no postgres cluster `{name}` in the inventory"),
        );
        if let Some(close) = suggest::closest(name, names.iter().map(String::as_str)) {
            problem = problem.help(format!("did you mean `{close}`?"));
        } else if !names.is_empty() {
            problem = problem.help(format!("the inventory has {}", names.join(", ")));
        }
        problem
    })
}

/// A cluster's member in a region.
pub(super) fn member(scope: &Scope<'_>, cluster: &Cluster, region: &str) -> Result<Member, Problem> {
    if cluster.regions.iter().any(|r| r == region) {
        Ok(Member::new(&cluster.name, region))
    } else {
        let mut problem = Problem::error(
            Code::UnknownChoice,
            format!("the cluster {} has no member in {region}", cluster.name),
        )
        .help(format!("it has members in {}", cluster.regions.join(", ")));
        problem.span = scope.span;
        Err(problem)
    }
}

/// Both sides of a planned switch.
pub(super) fn pair(scope: &Scope<'_>, name: &str) -> Result<(Pair, Cluster), Problem> {
    let cluster = cluster(scope, name)?;
    if cluster.manager != "none" {
        return Err(Problem::error(
            Code::BadValue,
            format!("{name} is managed by {}: promoting it by hand would fight its manager", cluster.manager),
        )
        .help("drive or pause the manager; driving it comes with a later version"));
    }
    let source = member(scope, &cluster, scope.from)?;
    let target = member(scope, &cluster, scope.to)?;
    let others = cluster.regions.iter().filter(|r| *r != scope.from && *r != scope.to);
    let others = others.map(|region| Member::new(name, region)).collect();
    Ok((Pair { cluster: name.to_string(), source, target, others }, cluster))
}

impl Pair {
    /// The lock and digest name of the cluster.
    pub(super) fn resource(&self) -> String {
        format!("postgres/{}", self.cluster)
    }

    /// What was seen of both.
    pub(super) fn sightings<'a>(
        &'a self,
        source: &'a Known<ServerFacts>,
        target: &'a Known<ServerFacts>,
    ) -> Vec<Sighting<'a>> {
        sightings([(&self.source, source), (&self.target, target)])
    }

    /// Reads every member that is neither, all at once, by region.
    pub(super) async fn look_at_others(
        &self,
        world: &World,
        keep: &[String],
        run: &str,
    ) -> Vec<(String, Known<ServerFacts>)> {
        let scope = crate::world::postgres::Scope { keep: keep.to_vec(), run: run.to_string() };
        let looks = self.others.iter().map(|at| world.postgres.look(at, &scope));
        let seen = futures_util::future::join_all(looks).await;
        self.others.iter().map(|at| at.region.clone()).zip(seen).collect()
    }

    /// Reads both at once.
    pub(super) async fn look(&self, world: &World, keep: &[String], run: &str) -> PairFacts {
        let scope = crate::world::postgres::Scope { keep: keep.to_vec(), run: run.to_string() };
        let (source, target) = futures_util::future::join(
            world.postgres.look(&self.source, &scope),
            world.postgres.look(&self.target, &scope),
        )
        .await;
        PairFacts { source, target, others: Vec::new(), heartbeat: None }
    }
}

/// What was seen of these members.
pub(super) fn sightings<'a>(
    sides: impl IntoIterator<Item = (&'a Member, &'a Known<ServerFacts>)>,
) -> Vec<Sighting<'a>> {
    let seen = |(at, facts): (&'a Member, &'a Known<ServerFacts>)| {
        let shown = Shown::Postgres(facts.get()?);
        Some(Sighting { place: Place::Postgres(at.clone()), shown })
    };
    sides.into_iter().filter_map(seen).collect()
}

/// What is seen of a member counts; where nothing is, a person's word that it is fenced or destroyed does.
pub(super) fn harmless(world: &World, member: &Member, in_recovery: Known<bool>) -> Known<bool> {
    match in_recovery {
        Known::Unknown(_) if world.fenced.contains(member) => Known::Known(true),
        seen => seen,
    }
}

/// Whether each of these members is in recovery, looked at together: what every way back to writing on a source depends on. One of
/// another `system` is not the member that is asked for.
pub(super) async fn in_recovery(
    world: &World,
    members: &[Member],
    keep: &[String],
    run: &str,
    system: Option<&str>,
) -> Vec<(String, Known<bool>)> {
    let scope = crate::world::postgres::Scope { keep: keep.to_vec(), run: run.to_string() };
    let looks = members.iter().map(|member| {
        let scope = &scope;
        async move {
            (member.region.clone(), {
                let seen = world.postgres.glance(member, scope).await;
                let recovery = match (seen, system) {
                    (Known::Known(seen), Some(system)) if seen.system != system => {
                        Known::Unknown(format!("its address leads to another cluster, {}", seen.system))
                    }
                    (seen, _) => seen.map(|seen| seen.role == GlanceRole::Standby),
                };
                harmless(world, member, recovery)
            })
        }
    });
    futures_util::future::join_all(looks).await
}

/// What forbids writing on a source again: a member that is not, or not certainly, a standby.
pub(super) fn forbids_writing(others: &[(String, Known<bool>)]) -> Option<Judgement> {
    others.iter().find_map(|(region, recovery)| match recovery {
        Known::Known(true) => None,
        Known::Known(false) => Some(Judgement::blocked(format!(
            "the member in {region} is no longer a standby: writing here again could make two primaries"
        ))),
        Known::Unknown(why) => Some(Judgement::unknown(format!(
            "the member in {region} could not be seen in recovery ({why}): writes stay stopped"
        ))),
    })
}

/// A member that is no standby although the source takes writes again: put back is not what this may be called.
pub(super) fn second_primary(others: &[(String, Known<bool>)]) -> Option<Judgement> {
    let (region, _) = others.iter().find(|(_, recovery)| *recovery == Known::Known(false))?;
    Some(Judgement::blocked(format!(
        "two primaries: it takes writes again, and the member in {region} is no standby any more"
    )))
}

/// Another manager in charge of a server: whatever is done to it by hand, that one may undo, or do at the same time.
pub(super) fn managed(at: &Member, facts: &ServerFacts) -> Option<Judgement> {
    (!facts.managers.is_empty()).then(|| {
        Judgement::blocked(format!(
            "another manager is in charge of {at} ({}): move the cluster with it, or stop it first",
            facts.managers.join(", ")
        ))
    })
}

/// Why a side could not be read, as evidence.
pub(super) fn unread(what: &str, at: &Member, why: &str) -> String {
    format!("{what} in {} could not be read: {why}", at.region)
}

#[cfg(test)]
pub(crate) mod examples {
    use super::*;
    use crate::world::postgres::heartbeat::{Arrived, Beat, Ended, Replayed};

    /// A heartbeat that was acknowledged with this number, after transaction 899, and what of it a standby has.
    pub fn heartbeat(number: u64, arrived: Option<u64>) -> Heartbeat {
        let ended = |until| Ended { below: until, until, running: Some(Vec::new()) };
        let last = Beat {
            writer: "w/1".into(),
            number,
            missed: Vec::new(),
            at_ms: 5_000,
            system: primary().system,
            region: "eu-west".into(),
            timeline: 1,
            flushed: "0/5000300".parse().unwrap(),
            ended: ended(900),
        };
        let position: crate::world::postgres::Lsn = "0/5000100".parse().unwrap();
        let standby = Replayed { ended: ended(890), received: position, replayed: position, at_rest: true };
        let arrived = Arrived { last: arrived.map(|number| (number, 3_000)), standby: Some(standby) };
        Heartbeat { last, arrived, asked_ms: 5_400 }
    }

    use crate::world::postgres::{
        Activity, Altered, PrimaryFacts, ReadOnly, Receiver, Role, Sender, Sessions, StandbyFacts,
    };

    pub fn pair() -> Pair {
        Pair {
            cluster: "orders".into(),
            source: Member::new("orders", "eu-west"),
            target: Member::new("orders", "us-east"),
            others: vec![],
        }
    }

    pub fn server(role: Role) -> ServerFacts {
        ServerFacts {
            system: "7301".into(),
            version: 150_000,
            started: "100".into(),
            role,
            read_only: ReadOnly {
                on: false,
                source: "default".into(),
                altered: Known::Known(Altered::Unset),
            },
            overrides: vec![],
            sessions: Known::Known(Sessions {
                clients: vec![],
                older: 0,
                writing: 0,
                superusers: 0,
                workers: 0,
            }),
            synchronous_names: String::new(),
            waiting_for_standby: Known::Known(0),
            ours: Known::Known(vec![]),
            managers: vec![],
        }
    }

    pub fn activity() -> Activity {
        Activity {
            rows: 5000,
            upkeep: 3,
            counted: true,
            complete: false,
            elsewhere_rows: 7,
            elsewhere_sessions: 40,
        }
    }

    pub fn primary() -> ServerFacts {
        server(Role::Primary(PrimaryFacts {
            timeline: 1,
            flushed: "0/5000100".parse().unwrap(),
            inserted: "0/5000100".parse().unwrap(),
            next_transaction: 900,
            oldest_transaction: 900,
            activity: activity(),
            prepared: vec![],
            senders: Known::Known(vec![Sender {
                name: "us_east".into(),
                state: "streaming".into(),
                replayed: Known::Known("0/5000100".parse().unwrap()),
                flushed: Known::Known("0/5000100".parse().unwrap()),
                sync: "async".into(),
            }]),
        }))
    }

    pub fn standby() -> ServerFacts {
        server(Role::Standby(StandbyFacts {
            received: Known::Known("0/5000100".parse().unwrap()),
            replayed: Known::Known("0/5000100".parse().unwrap()),
            timeline: Known::Known(1),
            // Long ago: the primary is idle.
            replayed_ms_ago: Known::Known(300_000),
            replay: "not paused".into(),
            receiver: Known::Known(Receiver { status: "streaming".into(), timeline: 1, silent_ms: 10 }),
            recovery_targets: vec![],
            apply_delay_ms: 0,
        }))
    }

    pub fn frozen() -> ServerFacts {
        let mut facts = primary();
        facts.read_only.on = true;
        facts.read_only.altered = Known::Known(Altered::To("on".into()));
        facts
    }

    pub fn primary_of(facts: &mut ServerFacts) -> &mut PrimaryFacts {
        match &mut facts.role {
            Role::Primary(facts) => facts,
            Role::Standby(_) => panic!("a standby"),
        }
    }

    pub fn standby_of(facts: &mut ServerFacts) -> &mut StandbyFacts {
        match &mut facts.role {
            Role::Standby(facts) => facts,
            Role::Primary(_) => panic!("a primary"),
        }
    }
}
