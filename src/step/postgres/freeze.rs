//! `postgres.freeze`: no new transaction may write on the source, and none from before is left.

use super::{Pair, PairFacts, cluster, forbids_writing, harmless, in_recovery, member, thaw, unread};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Altered, Change, Handover, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World, ready};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

mod judge;

/// Stops writes on the source by setting, ends the sessions from before, and observes that none is left.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostgresFreeze")]
pub struct Params {
    /// The cluster's name in the inventory.
    pub cluster: String,
    /// Roles whose sessions are left alone (monitoring), besides those that the inventory names.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// A resolved freeze.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Freeze {
    pair: Pair,
    keep: Vec<String>,
}

/// The source, and for the guard of the undo every other member.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The source.
    pub source: Known<ServerFacts>,
    /// The member that takes over, looked at together with the source: what is seen when writes have stopped may already show that
    /// it has everything.
    #[serde(default = "not_looked_at")]
    pub target: Known<ServerFacts>,
    /// The others by region, the target among them: unfreezing needs each of them observed in recovery.
    pub others: Vec<(String, Known<bool>)>,
}

/// Journals from before the target was looked at.
fn not_looked_at() -> Known<ServerFacts> {
    Known::unknown("it was not looked at")
}

const READ_ONLY: &str = "read_only";
const SESSIONS: &str = "sessions";

impl Freeze {
    /// The cluster, and the roles whose sessions are left alone.
    pub fn kept(&self) -> (&str, &[String]) {
        (&self.pair.cluster, &self.keep)
    }

    /// What a look saw of both sides, for a kind that looks at the same two in the same way.
    pub(super) fn both_sides(&self, facts: &Facts, pair: &Pair, keep: &[String]) -> Option<PairFacts> {
        let same = self.pair.source == pair.source && self.pair.target == pair.target && self.keep == keep;
        same.then(|| PairFacts {
            source: facts.source.clone(),
            target: facts.target.clone(),
            others: Vec::new(),
            heartbeat: None,
        })
    }

    fn system(prior: &Facts) -> Result<String, Reply> {
        match &prior.source {
            Known::Known(facts) => Ok(facts.system.clone()),
            Known::Unknown(why) => Err(Reply::refused(format!("the source was not known: {why}"))),
        }
    }
}

impl Kind for Freeze {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.freeze",
        summary: "Stops writes on the primary that is left: read-only by default, then every session from before is ended.",
        changes: true,
        touches: "default_transaction_read_only (ALTER SYSTEM) and the client sessions of the source",
        undo: "puts the recorded value back, if every other member is observed in recovery",
        grants: &[
            "GRANT pg_monitor, pg_signal_backend TO mrctl",
            "GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO mrctl",
            "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO mrctl",
        ],
        main: Main::Resource("cluster", "postgres"),
        place: Place::From,
        version: 1,
        part: Part::Freeze,
        unplanned: Unplanned::LeftOut(
            "the source does not answer, so it cannot be frozen; the fence keeps users from it",
        ),
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let cluster = cluster(scope, &params.cluster)?;
        let source = member(scope, &cluster, scope.region)?;
        let others: Vec<Member> = cluster
            .regions
            .iter()
            .filter(|region| **region != source.region)
            .map(|region| Member::new(&cluster.name, region))
            .collect();
        let target = others.iter().find(|m| m.region == scope.to).cloned().unwrap_or_else(|| source.clone());
        let mut keep = cluster.keep.clone();
        keep.extend(params.keep);
        keep.sort();
        keep.dedup();
        Ok(Self { pair: Pair { cluster: params.cluster, source, target, others }, keep })
    }

    fn title(&self) -> String {
        format!("Freeze writes on {} in {}", self.pair.cluster, self.pair.source.region)
    }

    fn effects(&self) -> Vec<Effect> {
        let mut read_only = Effect::of(READ_ONLY, Class::Undoable, Pace::new(10_000, 2));
        read_only.freezes = Some(self.pair.cluster.clone());
        // Ended sessions reconnect by themselves; there is nothing to put back, and nothing wrong in finding none.
        let sessions = Effect::of(SESSIONS, Class::ForwardOnly, Pace::new(10_000, 2))
            .accept_found()
            .seen_with_previous();
        vec![read_only, sessions]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that nobody writes on the source")
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.source, &facts.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: sight.run.to_string() };
            let postgres = &sight.world.postgres;
            let beside: Vec<Member> =
                self.pair.others.iter().filter(|member| **member != self.pair.target).cloned().collect();
            let (source, target, mut others) = futures_util::future::join3(
                postgres.look(&self.pair.source, &scope),
                postgres.look(&self.pair.target, &scope),
                in_recovery(sight.world, &beside, &self.keep, sight.run, None),
            )
            .await;
            if beside.len() < self.pair.others.len() {
                let system = source.get().map(|source| &source.system);
                let recovery = match &target {
                    Known::Known(target) if system.is_some_and(|system| *system != target.system) => {
                        Known::Unknown(format!("its address leads to another cluster, {}", target.system))
                    }
                    target => target.as_ref().map(|target| target.in_recovery()),
                };
                let recovery = harmless(sight.world, &self.pair.target, recovery);
                others.push((self.pair.target.region.clone(), recovery));
            }
            Facts { source, target, others }
        })
    }

    fn judge(
        &self,
        effect: &str,
        facts: &Facts,
        aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        if let Aim::Restored(prior) = aim {
            return if effect == READ_ONLY {
                thaw::judge(facts, prior)
            } else {
                Judgement::reached("sessions reconnect by themselves")
            };
        }
        match &facts.source {
            Known::Unknown(why) => Judgement::unknown(unread("the source", &self.pair.source, why)),
            Known::Known(source) if effect == SESSIONS => Self::judge_sessions(source),
            Known::Known(source) => self.judge_read_only(source),
        }
    }

    fn apply<'a>(
        &'a self,
        effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let system = match Self::system(prior) {
            Ok(system) => system,
            Err(reply) => return ready(reply),
        };
        let before = prior.source.get().and_then(|source| source.read_only.altered.get());
        Box::pin(async move {
            let scope =
                crate::world::postgres::Scope { keep: self.keep.clone(), run: permit.run().to_string() };
            if effect == SESSIONS {
                world.postgres.end_sessions(permit, &self.pair.source, &system, &scope).await
            } else {
                // What undo puts back has to be what is overwritten here. Users still write: this look costs them nothing.
                let now = world.postgres.look(&self.pair.source, &scope).await;
                if let Known::Unknown(why) = &now {
                    return Reply::refused(format!(
                        "{} right before; nothing was sent",
                        super::unread("the source", &self.pair.source, why)
                    ));
                }
                // Before the first attempt nothing there is ours, not even a freeze.
                let first = permit.key().attempt == 1;
                let other = |now: &Altered, before: &Altered| first && now != before;
                let foreign = |before: &Altered| {
                    now.get().is_some_and(|now| {
                        thaw::foreign(&now.read_only, before)
                            || now.read_only.altered.is(|now| other(now, before))
                    })
                };
                if before.is_some_and(foreign) {
                    return Reply::refused(
                        "somebody else changed default_transaction_read_only since it was looked at",
                    );
                }
                world.postgres.freeze(permit, &self.pair.source, &system, Some(&scope)).await
            }
        })
    }

    fn undo<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let (system, altered) = match &prior.source {
            Known::Known(ServerFacts { system, read_only, .. }) => match &read_only.altered {
                Known::Known(altered) => (system.clone(), altered.clone()),
                Known::Unknown(why) => {
                    return ready(Reply::refused(format!("the value before was not known: {why}")));
                }
            },
            Known::Unknown(why) => {
                return ready(Reply::refused(format!("the value before was not known: {why}")));
            }
        };
        Box::pin(async move {
            // Neither the others nor the value can be asked in the statement; they are asked once more as close to it as can be.
            let scope =
                crate::world::postgres::Scope { keep: self.keep.clone(), run: permit.run().to_string() };
            let (source, others) = futures_util::future::join(
                world.postgres.look(&self.pair.source, &scope),
                in_recovery(world, &self.pair.others, &self.keep, permit.run(), Some(&system)),
            )
            .await;
            let foreign = source.get().is_some_and(|source| thaw::foreign(&source.read_only, &altered));
            // Where the source takes writes already, no second writer comes of it: half a freeze is put right whatever the others say.
            let open = source.is(|now| now.system == system && !now.in_recovery() && !now.read_only.on);
            match forbids_writing(&others).filter(|_| !open) {
                Some(forbidden) => Reply::refused(forbidden.evidence),
                None if foreign => Reply::refused(thaw::LEFT_ALONE),
                None => world.postgres.unfreeze(permit, &self.pair.source, &system, &altered).await,
            }
        })
    }

    fn hash_prior<H: Hasher>(&self, effect: &str, prior: &Facts, hasher: &mut H) {
        let seen = prior.source.get().map(|source| {
            let set = (effect == READ_ONLY).then_some((&source.read_only.altered, source.read_only.on));
            (&source.system, source.in_recovery(), set)
        });
        seen.hash(hasher);
    }

    fn would(&self, effect: &str, facts: &Facts, world: &World) -> Vec<String> {
        let now =
            facts.source.get().map_or("unknown", |source| if source.read_only.on { "on" } else { "off" });
        let mut lines = Vec::new();
        if effect == READ_ONLY {
            lines.push(format!("default_transaction_read_only on {}: {now} → on", self.pair.source));
            lines.extend(world.postgres.statements(Change::Freeze));
        } else {
            lines.extend(world.postgres.statements(Change::EndSessions(self.keep.clone())));
        }
        lines
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        facts.source.get().map_or_else(String::new, |source| {
            let role = if source.in_recovery() { "standby" } else { "primary" };
            format!("{} {} {role}", self.pair.source, source.system)
        })
    }

    fn identity(&self, effect: &str, facts: &Facts) -> Vec<(String, String)> {
        let Known::Known(source) = &facts.source else { return Vec::new() };
        if effect != READ_ONLY {
            return Vec::new();
        }
        let at = format!("postgres/{}/{}", self.pair.cluster, self.pair.source.region);
        let altered = match &source.read_only.altered {
            Known::Known(Altered::Unset) => "unset".to_string(),
            Known::Known(Altered::To(value)) => value.clone(),
            Known::Unknown(_) => "unknown".to_string(),
        };
        vec![
            (format!("{at}/system"), source.system.clone()),
            (format!("{at}/role"), if source.in_recovery() { "standby" } else { "primary" }.to_string()),
            (format!("{at}/default_transaction_read_only"), altered),
        ]
    }

    fn by_hand(&self, effect: &str, facts: &Facts, world: &World) -> Vec<String> {
        let altered = facts.source.get().and_then(|source| source.read_only.altered.get());
        match (effect, altered) {
            (READ_ONLY, Some(altered)) => world.postgres.statements(Change::Unfreeze(altered.clone())),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
