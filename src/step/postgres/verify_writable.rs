//! `postgres.verify_writable`: an application could write, proved by writing.

use super::{OnlyCluster, cluster, member, sightings, unread};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::plausible::Sighting;
use crate::world::postgres::heartbeat::moment;
use crate::world::postgres::{Change, Handover, Heartbeat, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World};
use serde::{Deserialize, Serialize};
use std::hash::Hasher;

/// A resolved verification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VerifyWritable {
    at: Member,
    table: String,
    /// What was lost was accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unplanned: bool,
}

/// The server, and whether this run's row is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The server.
    pub server: Known<ServerFacts>,
    /// Whether the row is there.
    pub row: Known<bool>,
    /// What of the acknowledged heartbeats is there, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Known<Heartbeat>>,
}

impl Kind for VerifyWritable {
    type Params = OnlyCluster;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.verify_writable",
        summary: "Writes one row as an application would, and reads it back on another connection.",
        changes: true,
        touches: "one row in the probe table",
        undo: "nothing to put back: the row is keyed by run and region",
        grants: &[
            "CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL)",
            "GRANT SELECT, INSERT, UPDATE ON mrctl.probe TO mrctl",
        ],
        main: Main::Resource("cluster", "postgres"),
        place: Place::To,
        version: 1,
        part: Part::Probe,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let cluster = cluster(scope, &params.cluster)?;
        Ok(Self {
            at: member(scope, &cluster, scope.region)?,
            table: cluster.probe_table,
            unplanned: !scope.planned,
        })
    }

    fn title(&self) -> String {
        format!("Write one row to {} in {}", self.at.resource, self.at.region)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::of("write", Class::ForwardOnly, Pace::new(15_000, 100)).accept_found()]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that the target can be written")
    }

    fn resources(&self) -> Vec<String> {
        vec![format!("postgres/{}", self.at.resource)]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        sightings([(&self.at, &facts.server)])
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let scope = crate::world::postgres::Scope { keep: Vec::new(), run: sight.run.to_string() };
            let server = sight.world.postgres.look(&self.at, &scope).await;
            let row = sight.world.postgres.read_probe(&self.at, &self.table, sight.run).await;
            // What was acknowledged before the promotion, on the timeline that it ended.
            let timeline = server.get().and_then(ServerFacts::primary).map(|primary| primary.timeline);
            let heartbeat = match timeline {
                Some(timeline) => sight.world.postgres.heartbeat(&self.at, Some(timeline), false).await,
                None => None,
            };
            Facts { server, row, heartbeat }
        })
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        if let Aim::Restored(_) = aim {
            return Judgement::reached("the probe row stays");
        }
        let server = match &facts.server {
            Known::Known(server) => server,
            Known::Unknown(why) => return Judgement::unknown(unread("the server", &self.at, why)),
        };
        if server.in_recovery() {
            return Judgement::blocked(format!("{} is a standby", self.at));
        }
        if server.read_only.on {
            return Judgement::blocked(format!(
                "{} is read-only by default ({})",
                self.at, server.read_only.source
            ));
        }
        if server.waiting_for_standby.is(|waiting| *waiting > 0) {
            return Judgement::blocked(format!(
                "commits wait for synchronous standbys ({}): set synchronous_standby_names to those that exist",
                server.synchronous_names
            ));
        }
        match server.lacks_synchronous() {
            Known::Known(None) => {}
            // The row alone proves nothing: a commit that was cancelled while it waited is committed here.
            Known::Known(Some(why)) => {
                return Judgement::blocked(format!(
                    "{why}: set synchronous_standby_names to those that exist"
                ));
            }
            Known::Unknown(why) => {
                return Judgement::unknown(format!("synchronous standbys cannot be seen: {why}"));
            }
        }
        let heartbeats = match self.lost(server, facts.heartbeat.as_ref()) {
            Ok(seen) => seen,
            Err(judged) => return *judged,
        };
        match &facts.row {
            Known::Known(true) => Judgement::reached(format!("one row written and read back{heartbeats}")),
            Known::Known(false) => Judgement::not_reached("the probe row is not there"),
            Known::Unknown(why) => Judgement::unknown(format!("the probe row cannot be read: {why}")),
        }
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a Facts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        world.postgres.write_probe(permit, &self.at, &self.table)
    }

    fn hash_prior<H: Hasher>(&self, _effect: &str, _prior: &Facts, _hasher: &mut H) {}

    fn would(&self, _effect: &str, _facts: &Facts, world: &World) -> Vec<String> {
        world.postgres.statements(Change::WriteProbe(self.table.clone()))
    }
}

impl VerifyWritable {
    /// What is there of the heartbeats that were acknowledged before the promotion, in words to be added; or that some were lost.
    fn lost(
        &self,
        server: &ServerFacts,
        heartbeat: Option<&Known<Heartbeat>>,
    ) -> Result<String, Box<Judgement>> {
        let heartbeat = match heartbeat {
            None => return Ok(String::new()),
            Some(Known::Unknown(why)) => return Ok(format!("; heartbeats: {why}")),
            Some(Known::Known(heartbeat)) => heartbeat,
        };
        // Only of the timeline right before this one: what was acknowledged on an older one may have been given up then.
        let before = server.primary().is_some_and(|primary| heartbeat.last.timeline + 1 == primary.timeline);
        if !before || heartbeat.last.system != server.system {
            return Ok("; heartbeats: none is remembered of the old primary".into());
        }
        match (heartbeat.missing(), self.unplanned) {
            (Known::Known(0), _) => {
                Ok(format!("; heartbeat {} of the old primary is there", heartbeat.last.number))
            }
            (Known::Known(missing), true) => Ok(format!("; {missing} heartbeats were lost")),
            // The handover had proved that everything was there: one of the two is wrong, and users may lack what they wrote.
            (Known::Known(missing), false) => Err(Box::new(Judgement::blocked(format!(
                "{missing} heartbeats are missing here that the old primary had acknowledged, the last at {}: commits were lost",
                moment(heartbeat.last.at_ms)
            )))),
            (Known::Unknown(why), _) => Ok(format!("; heartbeats: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn standing(server: Known<ServerFacts>, row: Known<bool>) -> Standing {
        judged(Facts { server, row, heartbeat: None }, false).standing
    }

    fn judged(facts: Facts, unplanned: bool) -> Judgement {
        let at = Member::new("orders", "us-east");
        let kind = VerifyWritable { at, table: "mrctl.probe".into(), unplanned };
        kind.judge("write", &facts, Aim::Applied, None)
    }

    #[test]
    fn a_heartbeat_that_the_source_acknowledged_and_that_is_not_here_was_lost() {
        let with = |heartbeat: Known<Heartbeat>, unplanned| {
            let mut promoted = examples::primary();
            examples::primary_of(&mut promoted).timeline = 2;
            let (server, row) = (Known::Known(promoted), Known::Known(true));
            judged(Facts { server, row, heartbeat: Some(heartbeat) }, unplanned)
        };
        let last = |number| Known::Known(examples::heartbeat(12, number));
        let all = with(last(Some(12)), false);
        assert_eq!(
            (all.standing, all.evidence.contains("heartbeat 12 of the old primary is there")),
            (Standing::Reached, true)
        );
        assert_eq!(with(last(Some(14)), false).standing, Standing::Reached, "it beats on here");
        let lost = with(last(Some(10)), false);
        assert_eq!(lost.standing, Standing::Blocked);
        assert!(lost.evidence.starts_with("2 heartbeats are missing here"), "{}", lost.evidence);
        let accepted = with(last(Some(10)), true);
        assert_eq!(accepted.standing, Standing::Reached);
        assert!(accepted.evidence.contains("2 heartbeats were lost"), "{}", accepted.evidence);
        // What is remembered of another timeline or cluster says nothing of this promotion.
        let server = || Known::Known(examples::primary());
        let older =
            |heartbeat| Facts { server: server(), row: Known::Known(true), heartbeat: Some(heartbeat) };
        assert_eq!(judged(older(last(Some(10))), false).standing, Standing::Reached);
        let mut stranger = examples::heartbeat(12, Some(10));
        stranger.last.system = "another".into();
        assert_eq!(with(Known::Known(stranger), false).standing, Standing::Reached);
        // No row of this writer proves nothing: the table may be new, or another's.
        assert_eq!(with(last(None), false).standing, Standing::Reached);
        assert_eq!(with(Known::unknown("denied"), false).standing, Standing::Reached);
    }

    #[test]
    fn only_a_row_that_was_read_back_counts() {
        let primary = || Known::Known(examples::primary());
        assert_eq!(standing(primary(), Known::Known(true)), Standing::Reached);
        assert_eq!(standing(primary(), Known::Known(false)), Standing::NotReached);
        assert_eq!(standing(primary(), Known::unknown("denied")), Standing::Unknown);
        assert_eq!(standing(Known::Known(examples::standby()), Known::Known(true)), Standing::Blocked);
        assert_eq!(standing(Known::Known(examples::frozen()), Known::Known(true)), Standing::Blocked);
        let mut ghost = examples::primary();
        ghost.waiting_for_standby = Known::Known(1);
        assert_eq!(standing(Known::Known(ghost), Known::Known(false)), Standing::Blocked);
        let mut alone = examples::primary();
        alone.synchronous_names = "ghost".into();
        assert_eq!(
            standing(Known::Known(alone), Known::Known(true)),
            Standing::Blocked,
            "a cancelled commit leaves a row"
        );
    }
}
