//! `cache.warm`: copies keys with their remaining time to live from the source region's cache to the target's, gently.

use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::language::units::Period;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Part, Place, Sight, Unplanned,
};
use crate::step::dns::missing;
use crate::step::scope::Scope;
use crate::world::cache::{CacheFacts, Pace};
use crate::world::postgres::Handover;
use crate::world::{Answer, Known, Member, Reply, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Percent of the source's keys from which the target counts as warm.
const WARM: u64 = 90;
/// Percent of its memory limit from which the target is left alone.
const FULL: u64 = 85;

/// Copies keys from the source region's cache to the target's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CacheWarm")]
pub struct Params {
    /// The cache's name in the inventory.
    pub cache: String,
    /// Keys per second at full speed; 500 if not given.
    #[serde(default)]
    pub rate: Option<u64>,
    /// Time from a tenth of the rate to the full rate; 30s if not given.
    #[serde(default)]
    pub ramp: Option<Period>,
    /// Prefixes of keys that are not copied: locks, and data that belongs to a region.
    #[serde(default)]
    pub skip: Vec<String>,
}

/// A resolved warm-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Warm {
    source: Member,
    target: Member,
    pace: Pace,
}

/// Both sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The cache that is copied from.
    pub source: Known<CacheFacts>,
    /// The cache that is copied to.
    pub target: Known<CacheFacts>,
}

impl Warm {
    /// The cache that is copied from, and the one that is copied to.
    pub fn members(&self) -> (&Member, &Member) {
        (&self.source, &self.target)
    }
}

impl Kind for Warm {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "cache.warm",
        summary: "Copies keys that the target's cache does not have from the source's, with their remaining time to live.",
        changes: true,
        touches: "keys that are absent in the target's cache; existing ones are never overwritten",
        undo: "nothing to put back: a warm cache harms nobody",
        grants: &["source: +scan +pttl +dump +info +dbsize", "target: +restore +info +dbsize"],
        main: Main::Resource("cache", "caches"),
        place: Place::To,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::LeftOut("it copies from the source region, which is gone"),
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let Some(cache) = scope.directory.cache(&params.cache) else {
            return Err(missing(scope, "caches", "cache", &params.cache));
        };
        let from = if scope.region == scope.from { scope.to } else { scope.from };
        for region in [from, scope.region] {
            if !cache.regions.iter().any(|known| known == region) {
                let message = format!("the cache {} has no member in {region}", cache.name);
                return Err(Problem::error(Code::BadValue, message)
                    .help(format!("it has members in {}", cache.regions.join(", "))));
            }
        }
        let rate = params.rate.unwrap_or(500);
        if rate == 0 || params.skip.iter().any(String::is_empty) {
            let message =
                if rate == 0 { "`rate` is at least 1" } else { "an empty prefix would skip every key" };
            return Err(Problem::error(Code::BadValue, message));
        }
        Ok(Self {
            source: Member::new(&cache.name, from),
            target: Member::new(&cache.name, scope.region),
            pace: Pace { rate, ramp_ms: params.ramp.map_or(30_000, Period::millis), skip: params.skip },
        })
    }

    fn title(&self) -> String {
        format!("Warm {} in {} from {}", self.target.resource, self.target.region, self.source.region)
    }

    fn effects(&self) -> Vec<Effect> {
        let pace = crate::step::Pace::new(10_000, 1_000);
        // Keys expire and are skipped: how many there are afterwards proves nothing, so the reply has to do; keys that are there are skipped, so a second copy is harmless.
        vec![Effect::of("copy", Class::ForwardOnly, pace).accept_found().harmless_again()]
    }

    fn resources(&self) -> Vec<String> {
        vec![format!("cache/{}", self.target.resource)]
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let source = sight.world.cache.look(&self.source).await;
            let target = sight.world.cache.look(&self.target).await;
            Facts { source, target }
        })
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        _aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        let (source, target) = match (&facts.source, &facts.target) {
            (Known::Known(source), Known::Known(target)) => (source, target),
            (Known::Unknown(why), _) => return Judgement::unknown(format!("{}: {why}", self.source)),
            (_, Known::Unknown(why)) => return Judgement::unknown(format!("{}: {why}", self.target)),
        };
        if source.server == target.server {
            return Judgement::blocked("source and target are the same server");
        }
        if target.role != "master" {
            return Judgement::blocked(format!("{} is a replica (role {})", self.target, target.role));
        }
        let counts = format!("{} has {} keys, {} has {}", self.source, source.keys, self.target, target.keys);
        if target.keys.saturating_mul(100) >= source.keys.saturating_mul(WARM) {
            return Judgement::reached(counts);
        }
        let limit = target.limit_bytes;
        if limit > 0 && target.used_bytes.saturating_mul(100) > limit.saturating_mul(FULL) {
            let used = target.used_bytes;
            return Judgement::blocked(format!("{} is nearly full: {used} of {limit} bytes", self.target));
        }
        Judgement::not_reached(counts)
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a Facts,
        _handover: Option<&'a Handover>,
        cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        world.cache.copy(permit, &self.source, &self.target, &self.pace, cursor)
    }

    fn would(&self, _effect: &str, facts: &Facts, _world: &World) -> Vec<String> {
        let keys = facts.source.as_ref().map(|source| source.keys);
        let skip = if self.pace.skip.is_empty() {
            String::new()
        } else {
            format!(
                ", without {}",
                self.pace.skip.iter().map(|prefix| format!("{prefix}*")).collect::<Vec<_>>().join(", ")
            )
        };
        vec![format!(
            "SCAN, PTTL, DUMP at {} → RESTORE at {}: {keys} keys, up to {} a second{skip}",
            self.source, self.target, self.pace.rate
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;
    use crate::step::condition::Starts;
    use crate::step::testing::{at_once, permit};
    use crate::world::sim::two_regions;

    fn warm() -> Warm {
        Warm {
            source: Member::new("sessions", "eu-west"),
            target: Member::new("sessions", "us-east"),
            pace: Pace { rate: 500, ramp_ms: 0, skip: vec!["lock:".into()] },
        }
    }

    fn cache(server: &str, keys: u64) -> CacheFacts {
        CacheFacts {
            role: "master".into(),
            keys,
            evicted: 0,
            used_bytes: 10,
            limit_bytes: 0,
            server: server.into(),
        }
    }

    #[test]
    fn judged_by_keys_role_room_and_identity() {
        let judged = |source: Known<CacheFacts>, target: Known<CacheFacts>| {
            warm().judge("copy", &Facts { source, target }, Aim::Applied, None).standing
        };
        let eu = |keys| Known::Known(cache("a", keys));
        let us = |keys| Known::Known(cache("b", keys));
        assert_eq!(judged(eu(100), us(0)), Standing::NotReached);
        assert_eq!(judged(eu(100), us(90)), Standing::Reached);
        assert_eq!(judged(eu(0), us(0)), Standing::Reached);
        assert_eq!(judged(eu(100), eu(100)), Standing::Blocked);
        assert_eq!(judged(Known::unknown("no answer"), us(0)), Standing::Unknown);
        assert_eq!(judged(eu(1), Known::unknown("no answer")), Standing::Unknown);
        let replica = CacheFacts { role: "slave".into(), ..cache("b", 0) };
        assert_eq!(judged(eu(100), Known::Known(replica)), Standing::Blocked);
        let full = CacheFacts { used_bytes: 90, limit_bytes: 100, ..cache("b", 0) };
        assert_eq!(judged(eu(100), Known::Known(full)), Standing::Blocked);
    }

    #[test]
    fn slices_of_one_poll_copy_everything_but_what_is_there_or_skipped() {
        let sim = two_regions();
        let world = sim.world();
        sim.cache.with("sessions", "eu-west", |server| server.keys.insert("lock:1".into(), None));
        sim.cache.with("sessions", "us-east", |server| server.keys.insert("session:1".into(), Some(7)));
        let starts = Starts::default();
        let sight = Sight { world: &world, run: "run", starts: &starts };
        let warm = warm();
        let prior = at_once(warm.observe("copy", sight));
        assert_eq!(
            warm.would("copy", &prior, &world),
            [
                "SCAN, PTTL, DUMP at sessions in eu-west → RESTORE at sessions in us-east: 41 keys, up to 500 a second, without lock:*"
            ]
        );
        let mut cursor = String::new();
        let mut slices = 0;
        while let Reply::More { cursor: next, .. } =
            at_once(warm.apply("copy", &permit(false), &prior, None, &cursor, &world))
        {
            cursor = next;
            slices += 1;
        }
        assert_eq!(slices, 1);
        let keys = sim.cache.with("sessions", "us-east", |server| server.keys.clone()).unwrap();
        assert_eq!((keys.len(), keys["session:1"]), (40, Some(7)));
        let after = at_once(warm.observe("copy", sight));
        assert_eq!(warm.judge("copy", &after, Aim::Applied, None).standing, Standing::Reached);
    }

    #[test]
    fn a_target_that_evicts_is_left() {
        let sim = two_regions();
        let world = sim.world();
        sim.cache.with("sessions", "us-east", |server| server.room = 20);
        let warm = warm();
        let facts = Facts { source: Known::unknown(""), target: Known::unknown("") };
        let first = at_once(warm.apply("copy", &permit(false), &facts, None, "", &world));
        let Reply::More { cursor, .. } = first else { panic!("{first:?}") };
        let second = at_once(warm.apply("copy", &permit(false), &facts, None, &cursor, &world));
        assert!(matches!(&second, Reply::Refused { why } if why.contains("evicts")), "{second:?}");
    }
}
