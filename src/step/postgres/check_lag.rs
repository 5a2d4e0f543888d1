//! `postgres.check_lag`: the target is close enough behind, measured from the primary's position.

use super::{Pair, PairFacts, pair, unread};
use crate::error::Problem;
use crate::language::units::{Period, Size};
use crate::step::contract::{
    Aim, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::{Answer, Known};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target must be close enough behind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostgresCheckLag")]
pub struct Params {
    /// The cluster's name in the inventory.
    pub cluster: String,
    /// Most bytes that the target may be behind; default 16MiB.
    #[serde(default)]
    pub max: Option<Size>,
    /// Longest time that the target may be behind, such as `10s`; not checked if not given. It counts only while bytes are missing
    /// (on an idle primary time passes and nothing lags), from the commit that was replayed last, by the clocks of both servers.
    #[serde(default)]
    pub max_time: Option<Period>,
}

/// A resolved check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckLag {
    pair: Pair,
    max_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_ms: Option<u64>,
}

/// How long a standby's receiver may be silent before its position counts as stale. Milliseconds; three times the server's
/// default keepalive would be 90 s, but `wal_receiver_status_interval` makes it speak every 10 s.
const SILENT_MS: u64 = 30_000;

impl Kind for CheckLag {
    type Params = Params;
    type Facts = PairFacts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.check_lag",
        summary: "Checks that the target is close enough behind the source. Unknown lag never passes.",
        changes: false,
        touches: "nothing",
        undo: "nothing to put back",
        grants: &["GRANT pg_monitor TO mrctl"],
        main: Main::Resource("cluster", "postgres"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::LeftOut("nobody can tell the lag behind a source that does not answer"),
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, _) = pair(scope, &params.cluster)?;
        let max_bytes = params.max.map_or(16 << 20, Size::bytes);
        Ok(Self { pair, max_bytes, max_ms: params.max_time.map(Period::millis) })
    }

    fn title(&self) -> String {
        format!("Check that {} in {} is not far behind", self.pair.cluster, self.pair.target.region)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::look(Pace::new(10_000, 500))]
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a PairFacts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.source, &facts.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, PairFacts> {
        Box::pin(self.pair.look(sight.world, &[], sight.run))
    }

    fn beyond_waiver(&self, facts: &PairFacts) -> Option<String> {
        let (source, target) = (facts.source.get(), facts.target.get());
        if let (Some(source), Some(target)) = (source, target)
            && source.system != target.system
        {
            return Some("the two members are of different clusters".into());
        }
        if source.is_some_and(|source| source.in_recovery()) {
            return Some(format!("{} is not the primary", self.pair.source));
        }
        let twice = target.is_some_and(|target| !target.in_recovery());
        twice.then(|| format!("{} is a primary", self.pair.target))
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &PairFacts,
        _aim: Aim<'_, PairFacts>,
        _h: Option<&Handover>,
    ) -> Judgement {
        let source = match &facts.source {
            Known::Known(source) => source,
            Known::Unknown(why) => return Judgement::unknown(unread("the source", &self.pair.source, why)),
        };
        let target = match &facts.target {
            Known::Known(target) => target,
            Known::Unknown(why) => return Judgement::unknown(unread("the target", &self.pair.target, why)),
        };
        let Some(primary) = source.primary() else {
            return Judgement::blocked(format!("{} is not the primary", self.pair.source));
        };
        let Some(standby) = target.standby() else {
            return Judgement::blocked(format!("{} is not a standby", self.pair.target));
        };
        if source.system != target.system {
            return Judgement::blocked("the two members are of different clusters");
        }
        match &standby.receiver {
            // Positions of a standby that is cut off say nothing about what it misses.
            Known::Unknown(why) => return Judgement::unknown(format!("lag is unknown: {why}")),
            Known::Known(receiver) if receiver.status != "streaming" => {
                return Judgement::unknown(format!("lag is unknown: the receiver is {}", receiver.status));
            }
            Known::Known(receiver) if receiver.silent_ms > SILENT_MS => {
                return Judgement::unknown(format!(
                    "lag is unknown: nothing heard for {} ms",
                    receiver.silent_ms
                ));
            }
            Known::Known(_) => {}
        }
        match &standby.replayed {
            Known::Unknown(why) => Judgement::unknown(format!("lag is unknown: {why}")),
            Known::Known(replayed) => {
                let behind = primary.flushed.bytes_since(*replayed);
                let line = format!("{behind} bytes behind (at most {})", self.max_bytes);
                // Bytes first: they are what a promotion would lose.
                match self.max_ms {
                    _ if behind > self.max_bytes => Judgement::not_reached(line),
                    Some(max_ms) => judge_time(line, behind, &standby.replayed_ms_ago, max_ms),
                    None => Judgement::reached(line),
                }
            }
        }
    }
}

/// The time since the last replayed commit is a lag only while something is missing, and then at most too long: on a primary that
/// was idle, the first record that is on its way seems as late as the idleness was long, until it has arrived.
fn judge_time(line: String, behind: u64, replayed_ms_ago: &Known<u64>, max_ms: u64) -> Judgement {
    let limit = Period::from_millis(max_ms);
    match replayed_ms_ago {
        _ if behind == 0 => Judgement::reached(format!("{line}, 0s behind (at most {limit})")),
        Known::Unknown(why) => Judgement::unknown(format!("{line}; lag in time is unknown: {why}")),
        Known::Known(ago) => {
            let line = format!("{line}, at most {} behind (at most {limit})", Period::from_millis(*ago));
            if *ago <= max_ms { Judgement::reached(line) } else { Judgement::not_reached(line) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;
    use crate::world::postgres::ServerFacts;

    fn judge(change: impl FnOnce(&mut ServerFacts)) -> Judgement {
        judge_within(None, change)
    }

    fn judge_within(max_ms: Option<u64>, change: impl FnOnce(&mut ServerFacts)) -> Judgement {
        let mut target = examples::standby();
        change(&mut target);
        let facts = PairFacts {
            source: Known::Known(examples::primary()),
            target: Known::Known(target),
            others: vec![],
            heartbeat: None,
        };
        CheckLag { pair: examples::pair(), max_bytes: 100, max_ms }.judge("look", &facts, Aim::Applied, None)
    }

    #[test]
    fn bytes_are_measured_from_the_primary() {
        assert_eq!(judge(|_| {}).evidence, "0 bytes behind (at most 100)");
        let far = judge(|t| examples::standby_of(t).replayed = Known::Known("0/5000000".parse().unwrap()));
        assert_eq!(
            (far.standing, far.evidence.as_str()),
            (Standing::NotReached, "256 bytes behind (at most 100)")
        );
    }

    #[test]
    fn a_cut_receiver_is_unknown_and_not_zero() {
        let cut = judge(|t| examples::standby_of(t).receiver = Known::unknown("no receiver runs"));
        assert_eq!(cut.standing, Standing::Unknown);
    }

    #[test]
    fn time_counts_only_while_bytes_are_missing() {
        let within = |max_ms, change: fn(&mut ServerFacts)| judge_within(Some(max_ms), change);
        // Five minutes since the last commit, and nothing is missing.
        let idle = within(10_000, |_| {});
        assert_eq!(
            (idle.standing, idle.evidence.as_str()),
            (Standing::Reached, "0 bytes behind (at most 100), 0s behind (at most 10s)")
        );
        let behind = |t: &mut ServerFacts| {
            examples::standby_of(t).replayed = Known::Known("0/50000F0".parse().unwrap());
        };
        assert_eq!(within(10_000, behind).standing, Standing::NotReached);
        assert_eq!(within(300_000, behind).standing, Standing::Reached);
        let unknown = within(u64::MAX, |t| {
            examples::standby_of(t).replayed = Known::Known("0/50000F0".parse().unwrap());
            examples::standby_of(t).replayed_ms_ago = Known::unknown("no transaction was replayed");
        });
        assert_eq!(unknown.standing, Standing::Unknown, "{}", unknown.evidence);
        // Too many bytes stay too many, however young they are.
        let far = within(u64::MAX, |t| {
            examples::standby_of(t).replayed = Known::Known("0/4000000".parse().unwrap());
        });
        assert_eq!(far.standing, Standing::NotReached);
    }
}
