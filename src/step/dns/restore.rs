//! `dns.restore`: gives a record its normal shares again.

use super::{Facts, Silent, Target, by_hand, shares, target};
use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::dns::Shares;
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::record_content::words;
use crate::world::{Answer, Reply, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gives a record its normal shares again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DnsRestore")]
pub struct Params {
    /// The record's name in the inventory.
    pub record: String,
}

/// A resolved restoration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restore {
    target: Target,
    normal: Shares,
}

impl Kind for Restore {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "dns.restore",
        summary: "Gives a DNS record the shares of normal operation again, at every server of the record.",
        changes: true,
        touches: "the record sets of one name at its DNS servers",
        undo: "puts the exact prior record sets back, at each server where they are still ours",
        grants: &["an API key of each PowerDNS server"],
        main: Main::Resource("record", "dns_records"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Traffic,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (target, record) = target(scope, &params.record)?;
        if record.normal.is_empty() {
            return Err(Problem::error(
                Code::BadValue,
                format!("the record {} has no `normal` shares", params.record),
            )
            .help("add `normal` to the record in the inventory"));
        }
        Ok(Self { target, normal: record.normal })
    }

    fn title(&self) -> String {
        format!("Give {} its normal shares: {}", self.target.spec.domain, words(&self.normal))
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::of("normal", Class::Undoable, Pace::new(30_000, 1_000)).accept_found()]
    }

    fn resources(&self) -> Vec<String> {
        vec![self.target.resource()]
    }

    fn sends(&self) -> Vec<String> {
        self.normal.iter().filter(|(_, share)| **share > 0).map(|(region, _)| region.clone()).collect()
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.target.sightings(facts)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(self.target.look(sight.world))
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        shares::judge(&self.target, std::slice::from_ref(&self.normal), &[], Silent::Refuse, facts, aim)
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        Box::pin(shares::apply(&self.target, &self.normal, permit, prior, world))
    }

    fn undo<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        Box::pin(shares::undo(&self.target, &self.normal, permit, prior, world))
    }

    fn would(&self, _effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        shares::would(&self.target, &self.normal, facts)
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        shares::substance(facts)
    }

    fn by_hand(&self, _effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        by_hand(&self.target, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;
    use crate::step::testing::{at_once, permit};
    use crate::world::sim::two_regions;

    #[test]
    fn one_poll_gives_the_normal_shares_back() {
        let sim = two_regions();
        let world = sim.world();
        let mut target = examples::target();
        target.spec.targets.remove("ap-south");
        let restore = Restore { target, normal: examples::shares(&[("eu-west", 7_000), ("us-east", 3_000)]) };
        let prior = at_once(restore.target.look(&world));
        assert_eq!(restore.judge("normal", &prior, Aim::Applied, None).standing, Standing::NotReached);
        at_once(restore.apply("normal", &permit(false), &prior, None, "", &world));
        let after = at_once(restore.target.look(&world));
        let judged = restore.judge("normal", &after, Aim::Applied, None);
        assert_eq!(judged.standing, Standing::Reached);
        assert!(judged.evidence.contains("eu-west 70%, us-east 30% (400 answers)"), "{}", judged.evidence);
        at_once(restore.undo("normal", &permit(true), &prior, &world));
        let back = at_once(restore.target.look(&world));
        assert_eq!(restore.judge("normal", &back, Aim::Restored(&prior), None).standing, Standing::Reached);
    }
}
