//! `dns.shift`: sends users to a region, at once or in stages.

use super::{Facts, Silent, Target, by_hand, shares, target};
use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::language::units::{Period, Share};
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::dns::Shares;
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::record_content::{WHOLE, words};
use crate::world::{Answer, Reply, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sends users to a region.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DnsShift")]
pub struct Params {
    /// The record's name in the inventory.
    pub record: String,
    /// Shares that the target region gets one after the other, such as `[10%, 50%, 100%]`; the source region keeps the rest.
    /// Without it everything at once.
    #[serde(default)]
    pub stages: Option<Vec<Share>>,
    /// The shares to end with, by region, for more than two regions; they sum to 100%.
    #[serde(default)]
    pub shares: Option<BTreeMap<String, Share>>,
    /// How long each stage must be answered without a break before the next one.
    #[serde(default)]
    pub hold: Option<Period>,
    /// What to do about a server that does not answer: `refuse` (default in a planned run), or `leave` it and go on with the
    /// others (default in an unplanned run, which may have lost a server with the region).
    #[serde(default)]
    pub silent: Option<Silent>,
}

/// A resolved shift.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shift {
    target: Target,
    /// Stages in order: name of the effect and shares.
    stages: Vec<(String, Shares)>,
    /// Regions whose share must stay.
    steady: Vec<String>,
    toward: String,
    silent: Silent,
    hold_ms: u64,
}

/// Name of a stage: `10`, `2_5`.
fn stage_name(points: u32) -> String {
    match points % 100 {
        0 => format!("{}", points / 100),
        part => format!("{}_{}", points / 100, format!("{part:02}").trim_end_matches('0')),
    }
}

/// The stages between two regions. Regions that are neither keep their normal shares; the two share the rest.
fn stages(points: &[u32], from: &str, to: &str, normal: &Shares) -> Result<Vec<(String, Shares)>, String> {
    let others: Shares = normal
        .iter()
        .filter(|(region, share)| **share > 0 && *region != from && *region != to)
        .map(|(region, share)| (region.clone(), *share))
        .collect();
    let pot = WHOLE.saturating_sub(others.values().sum());
    if points.windows(2).any(|pair| pair[0] >= pair[1])
        || points.last() != Some(&WHOLE)
        || points.first() == Some(&0)
    {
        return Err("stages must rise and end with 100%".into());
    }
    if pot == 0 {
        return Err(format!("{from} and {to} have no share to move"));
    }
    Ok(points
        .iter()
        .map(|share| {
            let moved = if *share == WHOLE { pot } else { (pot * share).div_ceil(WHOLE) };
            let mut shares = others.clone();
            shares.insert(to.to_owned(), moved);
            if moved < pot {
                shares.insert(from.to_owned(), pot - moved);
            }
            (stage_name(*share), shares)
        })
        .collect())
}

impl Shift {
    fn find(&self, effect: &str) -> (&[(String, Shares)], Vec<Shares>) {
        let first = self.stages.iter().position(|(name, _)| name == effect).unwrap_or(self.stages.len());
        let rest = &self.stages[first..];
        (rest, rest.iter().map(|(_, shares)| shares.clone()).collect())
    }

    fn aim(&self, effect: &str) -> Shares {
        self.find(effect).0.first().map(|(_, shares)| shares.clone()).unwrap_or_default()
    }
}

impl Kind for Shift {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "dns.shift",
        summary: "Sends users to a region by DNS, at once or in stages, at every server of the record.",
        changes: true,
        touches: "the record sets of one name at its DNS servers",
        undo: "puts the exact prior record sets back, at each server where they are still ours",
        grants: &["an API key of each PowerDNS server"],
        main: Main::Resource("record", "dns_records"),
        place: Place::To,
        version: 1,
        part: Part::Traffic,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (target, record) = target(scope, &params.record)?;
        let toward = scope.region.to_owned();
        let away = if toward == scope.from { scope.to } else { scope.from };
        let bad = |message: String| Problem::error(Code::BadValue, message);
        let known = |region: &String| target.spec.targets.contains_key(region);
        if !known(&toward) {
            let places: Vec<_> = target.spec.targets.keys().map(String::as_str).collect();
            return Err(bad(format!("{} has no target in {toward}", params.record))
                .help(format!("it has targets in {}", places.join(", "))));
        }
        let (stages, steady) = match (&params.shares, &params.stages) {
            (Some(_), Some(_)) => return Err(bad("give either `stages` or `shares`".into())),
            (Some(given), None) => {
                let shares: Shares =
                    given.iter().map(|(region, share)| (region.clone(), share.basis_points())).collect();
                if let Some(region) = shares.keys().find(|region| !known(region)) {
                    return Err(bad(format!("{} has no target in {region}", params.record)));
                }
                if shares.values().sum::<u32>() != WHOLE {
                    return Err(bad("the shares must sum to 100%".into()));
                }
                (vec![("shares".to_owned(), shares)], Vec::new())
            }
            (None, given) => {
                let points: Vec<u32> = match given {
                    Some(list) => list.iter().map(|share| share.basis_points()).collect(),
                    None => vec![WHOLE],
                };
                let stages = stages(&points, away, &toward, &record.normal).map_err(bad)?;
                if stages.len() > 1 && target.spec.kind == "CNAME" {
                    return Err(bad("a CNAME record has no shares between 0% and 100%".into()));
                }
                let steady =
                    target.spec.targets.keys().filter(|r| **r != toward && *r != away).cloned().collect();
                (stages, steady)
            }
        };
        let usual = if scope.planned { Silent::Refuse } else { Silent::Leave };
        let silent = params.silent.unwrap_or(usual);
        let hold_ms = params.hold.map_or(0, Period::millis);
        Ok(Self { target, stages, steady, toward, silent, hold_ms })
    }

    fn title(&self) -> String {
        match self.stages.as_slice() {
            [(_, shares)] if shares.len() > 1 => {
                format!("Give {} to {}", self.target.spec.domain, words(shares))
            }
            [_] => format!("Send {} to {}", self.target.spec.domain, self.toward),
            stages => {
                format!("Send {} to {} in {} stages", self.target.spec.domain, self.toward, stages.len())
            }
        }
    }

    fn effects(&self) -> Vec<Effect> {
        let pace = Pace { within_ms: 30_000 + self.hold_ms, every_ms: 1_000, hold_ms: self.hold_ms };
        self.stages.iter().map(|(name, _)| Effect::of(name, Class::Undoable, pace)).collect()
    }

    fn resources(&self) -> Vec<String> {
        vec![self.target.resource()]
    }

    fn sends(&self) -> Vec<String> {
        vec![self.toward.clone()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.target.sightings(facts)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(self.target.look(sight.world))
    }

    fn judge(
        &self,
        effect: &str,
        facts: &Facts,
        aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        shares::judge(&self.target, &self.find(effect).1, &self.steady, self.silent, facts, aim)
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
        Box::pin(async move { shares::apply(&self.target, &self.aim(effect), permit, prior, world).await })
    }

    fn undo<'a>(
        &'a self,
        effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        Box::pin(async move { shares::undo(&self.target, &self.aim(effect), permit, prior, world).await })
    }

    fn would(&self, effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        shares::would(&self.target, &self.aim(effect), facts)
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        shares::substance(facts)
    }

    fn identity(&self, effect: &str, facts: &Facts) -> Vec<(String, String)> {
        // Later stages stand on what the first one writes.
        match self.stages.first() {
            Some((first, _)) if first == effect => shares::identity(&self.target, facts),
            _ => Vec::new(),
        }
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
    use crate::world::sim::{Fault, two_regions};

    fn shift(points: &[u32]) -> Shift {
        let mut target = examples::target();
        target.spec.targets.remove("ap-south");
        Shift {
            target,
            stages: stages(points, "eu-west", "us-east", &Shares::new()).unwrap(),
            steady: Vec::new(),
            toward: "us-east".into(),
            silent: Silent::Refuse,
            hold_ms: 0,
        }
    }

    #[test]
    fn stages_move_the_source_and_leave_other_regions_alone() {
        let normal = examples::shares(&[("ap-south", 2_000), ("eu-west", 5_000), ("us-east", 3_000)]);
        let list = stages(&[1_000, 10_000], "eu-west", "us-east", &normal).unwrap();
        assert_eq!(list[0].0, "10");
        assert_eq!(list[0].1, examples::shares(&[("ap-south", 2_000), ("eu-west", 7_200), ("us-east", 800)]));
        assert_eq!(list[1].1, examples::shares(&[("ap-south", 2_000), ("us-east", 8_000)]));
        assert_eq!(stage_name(250), "2_5");
        for bad in [&[5_000, 1_000, 10_000][..], &[5_000], &[0, 10_000], &[]] {
            assert!(stages(bad, "eu-west", "us-east", &Shares::new()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_poll_looks_shifts_and_puts_back() {
        let sim = two_regions();
        let world = sim.world();
        let shift = shift(&[1_000, 10_000]);
        let start = examples::target();
        let mut priors = Vec::new();
        for stage in ["10", "100"] {
            let prior = at_once(shift.target.look(&world));
            assert_eq!(shift.judge(stage, &prior, Aim::Applied, None).standing, Standing::NotReached);
            let reply = at_once(shift.apply(stage, &permit(false), &prior, None, "", &world));
            assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
            let after = at_once(shift.target.look(&world));
            assert_eq!(shift.judge(stage, &after, Aim::Applied, None).standing, Standing::Reached);
            priors.push(prior);
        }
        for (stage, prior) in ["10", "100"].into_iter().zip(priors).rev() {
            let now = at_once(shift.target.look(&world));
            assert_eq!(shift.judge(stage, &now, Aim::Restored(&prior), None).standing, Standing::NotReached);
            at_once(shift.undo(stage, &permit(true), &prior, &world));
            let now = at_once(shift.target.look(&world));
            assert_eq!(shift.judge(stage, &now, Aim::Restored(&prior), None).standing, Standing::Reached);
        }
        assert_eq!(sim.dns.sets("www", "pdns-us")[0].contents, [start.spec.targets["eu-west"].as_str()]);
    }

    #[test]
    fn a_lost_answer_that_was_applied_is_seen_and_one_that_was_not_can_be_tried_again() {
        for (fault, standing) in
            [(Fault::LostApplied, Standing::NotReached), (Fault::LostAbsent, Standing::NotReached)]
        {
            let sim = two_regions();
            let world = sim.world();
            let shift = shift(&[10_000]);
            let prior = at_once(shift.target.look(&world));
            sim.dns.faults.push(fault);
            let reply = at_once(shift.apply("100", &permit(false), &prior, None, "", &world));
            assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
            // The second server was not written after the first one's answer was lost.
            let seen = at_once(shift.target.look(&world));
            assert_eq!(shift.judge("100", &seen, Aim::Applied, None).standing, standing);
            let again = at_once(shift.apply("100", &permit(false), &seen, None, "", &world));
            assert!(matches!(again, Reply::Acknowledged { .. }), "{again:?}");
            let seen = at_once(shift.target.look(&world));
            assert_eq!(shift.judge("100", &seen, Aim::Applied, None).standing, Standing::Reached);
        }
    }

    #[test]
    fn a_foreign_change_between_look_and_write_is_refused_and_left_by_undo() {
        let sim = two_regions();
        let world = sim.world();
        let shift = shift(&[10_000]);
        let prior = at_once(shift.target.look(&world));
        let theirs = examples::server(&[("eu-west", 5_000), ("us-east", 5_000)]).sets;
        sim.dns.overwrite("www", "pdns-eu", theirs.clone());
        let reply = at_once(shift.apply("100", &permit(false), &prior, None, "", &world));
        assert!(
            matches!(&reply, Reply::Refused { why } if why.contains("changed by somebody else")),
            "{reply:?}"
        );
        let reply = at_once(shift.undo("100", &permit(true), &prior, &world));
        assert!(!matches!(reply, Reply::Acknowledged { .. }) || sim.dns.sets("www", "pdns-eu") == theirs);
        assert_eq!(sim.dns.sets("www", "pdns-eu"), theirs);
    }
}
