//! `dns.ttl`: changes the time to live, usually shorter and `temporary: true`, well before traffic is to move.

use super::{Facts, Silent, Target, by_hand, shares, target, unread};
use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::language::units::Period;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Remark, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::dns::RecordAim;
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::{Answer, Known, Reply, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest time to live that is accepted: a day. Longer is a slip of the unit.
const LONGEST: u64 = 86_400;

/// Changes the time to live.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DnsTtl")]
pub struct Params {
    /// The record's name in the inventory.
    pub record: String,
    /// The new time to live, in whole seconds.
    pub ttl: Period,
}

/// A resolved change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ttl {
    target: Target,
    /// Seconds.
    ttl: u32,
}

impl Kind for Ttl {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "dns.ttl",
        summary: "Changes how long resolvers may keep a DNS record. Helps from one old time to live later on.",
        changes: true,
        touches: "the time to live of one name at its DNS servers",
        undo: "puts the prior time to live back, keeping whatever the record says by then",
        grants: &["an API key of each PowerDNS server"],
        main: Main::None,
        place: Place::Nowhere,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (target, _) = target(scope, &params.record)?;
        let seconds = params.ttl.millis() / 1000;
        match u32::try_from(seconds) {
            Ok(ttl @ 1..) if seconds * 1000 == params.ttl.millis() && seconds <= LONGEST => {
                Ok(Self { target, ttl })
            }
            _ => Err(Problem::error(Code::BadValue, "a time to live is whole seconds, from 1s to a day")),
        }
    }

    fn title(&self) -> String {
        format!("Let resolvers keep {} for {} s", self.target.spec.domain, self.ttl)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::of("ttl", Class::Undoable, Pace::new(20_000, 1_000)).accept_found()]
    }

    fn resources(&self) -> Vec<String> {
        vec![self.target.resource()]
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
        match aim {
            Aim::Applied => self.applied(facts),
            Aim::Restored(prior) => self.restored(facts, prior),
        }
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
        Box::pin(async move {
            let mut replies = Vec::new();
            for (server, before) in &prior.servers {
                let Known::Known(before) = before else { continue };
                let at = self.target.at(server);
                let reply = world.dns.swap(permit, &at, &before.sets, &RecordAim::Ttl(self.ttl)).await;
                replies.push((server.clone(), reply));
            }
            shares::together(replies)
        })
    }

    fn undo<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        Box::pin(async move {
            let mut replies = Vec::new();
            for (server, before) in &prior.servers {
                let Some(ttl) = before.get().and_then(|before| before.ttl.get().copied()) else { continue };
                let at = self.target.at(server);
                // The content may have moved since, by a later step of this run: only the time goes back.
                let reply = match world.dns.look(&at).await {
                    Known::Unknown(why) => Reply::refused(why),
                    Known::Known(now) if now.ttl == Known::Known(ttl) => {
                        Reply::acknowledged(format!("already {ttl} s"))
                    }
                    Known::Known(now) if now.ttl == Known::Known(self.ttl) => {
                        world.dns.swap(permit, &at, &now.sets, &RecordAim::Ttl(ttl)).await
                    }
                    Known::Known(now) => Reply::refused(format!("changed by somebody else to {}", now.ttl)),
                };
                replies.push((server.clone(), reply));
            }
            shares::together(replies)
        })
    }

    fn would(&self, _effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        let of = |server: &String, seen: &Known<crate::world::dns::RecordFacts>| {
            let before = seen.as_ref().map(|seen| seen.ttl.clone());
            let before = match before {
                Known::Known(ttl) => ttl.to_string(),
                Known::Unknown(why) => format!("unknown ({why})"),
            };
            format!("{} time to live {before} → {} at {server}", self.target.spec.domain, self.ttl)
        };
        facts.servers.iter().map(|(server, seen)| of(server, seen)).collect()
    }

    fn by_hand(&self, _effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        by_hand(&self.target, facts)
    }
}

impl Ttl {
    fn applied(&self, facts: &Facts) -> Judgement {
        if let Some(why) = unread(facts, Silent::Refuse) {
            return Judgement::unknown(why);
        }
        let mut behind = Vec::new();
        for (server, seen) in &facts.servers {
            match seen.get().map(|seen| &seen.ttl) {
                Some(Known::Known(ttl)) if *ttl == self.ttl => {}
                Some(Known::Known(ttl)) => behind.push(format!("{ttl} s at {server}")),
                Some(Known::Unknown(why)) => return Judgement::blocked(format!("{server}: {why}")),
                None => return Judgement::unknown(format!("{server} was not read")),
            }
        }
        if behind.is_empty() {
            Judgement::reached(format!("{} s at {}", self.ttl, self.target.servers.join(", ")))
        } else {
            Judgement::not_reached(behind.join(", "))
        }
    }

    fn restored(&self, facts: &Facts, prior: &Facts) -> Judgement {
        let (mut remain, mut foreign) = (Vec::new(), Vec::new());
        for (server, before) in &prior.servers {
            let Some(before) = before.get().and_then(|before| before.ttl.get().copied()) else { continue };
            match facts.servers.get(server) {
                Some(Known::Known(now)) if now.ttl == Known::Known(before) => {}
                Some(Known::Known(now)) if now.ttl == Known::Known(self.ttl) => {
                    remain.push(format!("still {} s at {server}", self.ttl));
                }
                Some(Known::Known(now)) => foreign.push(format!("{} at {server}", now.ttl)),
                Some(Known::Unknown(why)) => {
                    return Judgement::unknown(format!("{server} cannot be read: {why}"));
                }
                None => return Judgement::unknown(format!("{server} was not read")),
            }
        }
        if !remain.is_empty() {
            return Judgement::not_reached(remain.join(", "));
        }
        if foreign.is_empty() {
            return Judgement::reached("the time to live is as before");
        }
        Judgement::reached(format!(
            "somebody else changed it since, and it was left alone: {}",
            foreign.join(", ")
        ))
        .with_remark(Remark::ForeignChange)
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;
    use crate::step::testing::{at_once, permit};
    use crate::world::dns::Shares;
    use crate::world::sim::two_regions;

    fn ttl() -> Ttl {
        let mut target = examples::target();
        target.spec.targets.remove("ap-south");
        Ttl { target, ttl: 10 }
    }

    #[test]
    fn only_the_time_is_judged() {
        let with = |ttl: u32| {
            let mut facts = examples::alike(&[("eu-west", 10_000)]);
            for seen in facts.servers.values_mut() {
                if let Known::Known(seen) = seen {
                    seen.ttl = Known::Known(ttl);
                }
            }
            facts
        };
        let judged = |ttl_now: u32, aim: Aim<'_, Facts>| ttl().judge("ttl", &with(ttl_now), aim, None);
        assert_eq!(judged(60, Aim::Applied).standing, Standing::NotReached);
        assert_eq!(judged(10, Aim::Applied).standing, Standing::Reached);
        let prior = with(60);
        assert_eq!(judged(10, Aim::Restored(&prior)).standing, Standing::NotReached);
        assert_eq!(judged(60, Aim::Restored(&prior)).standing, Standing::Reached);
        assert_eq!(judged(300, Aim::Restored(&prior)).remark, Some(Remark::ForeignChange));
        let silent = examples::both(Known::unknown("no answer"), Known::unknown("no answer"));
        assert_eq!(ttl().judge("ttl", &silent, Aim::Applied, None).standing, Standing::Unknown);
    }

    #[test]
    fn one_poll_shortens_it_and_puts_only_the_time_back_after_the_traffic_moved() {
        let sim = two_regions();
        let world = sim.world();
        let ttl = ttl();
        let prior = at_once(ttl.target.look(&world));
        assert_eq!(ttl.would("ttl", &prior, &world)[0], "www.example.com. time to live 60 → 10 at pdns-eu");
        at_once(ttl.apply("ttl", &permit(false), &prior, None, "", &world));
        let short = at_once(ttl.target.look(&world));
        assert_eq!(ttl.judge("ttl", &short, Aim::Applied, None).standing, Standing::Reached);
        let us = RecordAim::Shares(Shares::from([("us-east".to_owned(), 10_000)]));
        for server in ["pdns-eu", "pdns-us"] {
            let sets = sim.dns.sets("www", server);
            let at = ttl.target.at(server);
            at_once(world.dns.swap(&permit(false), &at, &sets, &us));
        }
        at_once(ttl.undo("ttl", &permit(true), &prior, &world));
        let sets = sim.dns.sets("www", "pdns-eu");
        assert_eq!((sets[0].ttl, sets[0].contents[0].as_str()), (60, "198.51.100.10"));
    }
}
