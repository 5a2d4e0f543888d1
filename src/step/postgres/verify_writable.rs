//! `postgres.verify_writable`: an application could write, proved by writing.

use super::{OnlyCluster, cluster, member, sightings, unread};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Change, Handover, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World};
use serde::{Deserialize, Serialize};
use std::hash::Hasher;

/// A resolved verification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VerifyWritable {
    at: Member,
    table: String,
}

/// The server, and whether this run's row is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The server.
    pub server: Known<ServerFacts>,
    /// Whether the row is there.
    pub row: Known<bool>,
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
        Ok(Self { at: member(scope, &cluster, scope.region)?, table: cluster.probe_table })
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
            Facts { server, row }
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
        match &facts.row {
            Known::Known(true) => Judgement::reached("one row written and read back"),
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

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn standing(server: Known<ServerFacts>, row: Known<bool>) -> Standing {
        let kind = VerifyWritable { at: Member::new("orders", "us-east"), table: "mrctl.probe".into() };
        kind.judge("write", &Facts { server, row }, Aim::Applied, None).standing
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
