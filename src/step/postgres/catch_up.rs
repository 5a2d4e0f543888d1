//! `postgres.catch_up`: proof that the target has everything that the frozen source ever told anyone was committed.

use super::{OnlyCluster, Pair, PairFacts, pair, unread};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::step::{Action, Facts};
use crate::world::plausible::Sighting;
use crate::world::postgres::{Change, Handover, HandoverBy, ServerFacts};
use crate::world::{Answer, Known, Reply, World, ready};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// A resolved catch-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CatchUp {
    pair: Pair,
    keep: Vec<String>,
    /// The source does not answer: the handover is what the target has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unplanned: bool,
}

/// Judges both sides. Pure, and shared with the promotion, which asks the same again right before it acts.
///
/// Sound in whatever order the two were read: the source was frozen, no transaction was running, everything inserted was flushed up
/// to `flushed`; replay never goes back, so a standby that has replayed up to there has all of it.
pub(super) fn judge_pair(pair: &Pair, facts: &PairFacts) -> Judgement {
    let source = match &facts.source {
        Known::Known(source) => source,
        Known::Unknown(why) => return Judgement::unknown(unread("the source", &pair.source, why)),
    };
    let target = match &facts.target {
        Known::Known(target) => target,
        Known::Unknown(why) => return Judgement::unknown(unread("the target", &pair.target, why)),
    };
    if source.system != target.system {
        return Judgement::blocked(format!(
            "two different clusters: {} and {}",
            source.system, target.system
        ));
    }
    let Some(primary) = source.primary() else {
        return Judgement::blocked(format!("{} is not a primary any more", pair.source));
    };
    let Some(standby) = target.standby() else {
        return Judgement::blocked(format!("{} is not in recovery", pair.target));
    };
    if !source.read_only.binds() {
        return Judgement::blocked("the source is not frozen: writes go on behind the proof");
    }
    let sessions = match &source.sessions {
        Known::Known(sessions) => sessions,
        Known::Unknown(why) => {
            return Judgement::unknown(format!("sessions on the source cannot be seen: {why}"));
        }
    };
    if let Some(why) = sessions.ignore_freeze() {
        return Judgement::blocked(why);
    }
    if sessions.writing > 0 || primary.oldest_transaction < primary.next_transaction {
        return Judgement::not_reached(format!(
            "{} writing transactions still run on the source",
            sessions.writing.max(1)
        ));
    }
    if !primary.prepared.is_empty() {
        return Judgement::blocked(format!("prepared transactions: {}", primary.prepared.join(", ")));
    }
    if standby.replay != "not paused" {
        return Judgement::blocked(format!("replay on the target is {}", standby.replay));
    }
    let replayed = match &standby.replayed {
        Known::Known(replayed) => *replayed,
        Known::Unknown(why) => return Judgement::unknown(format!("replay position: {why}")),
    };
    // Positions compare on one timeline only. A standby that was left behind on an older one can be far ahead in numbers and lack
    // everything; without a receiver its timeline cannot be told.
    if let Some(receiver) = standby.receiver.get()
        && receiver.timeline != primary.timeline
    {
        return Judgement::blocked(format!(
            "the target follows timeline {}, the source writes {}",
            receiver.timeline, primary.timeline
        ));
    }
    if !primary.all_flushed() {
        return Judgement::not_reached(format!(
            "the source has {} bytes that are not on disk yet",
            primary.inserted.bytes_since(primary.flushed)
        ));
    }
    if replayed < primary.flushed {
        let behind = primary.flushed.bytes_since(replayed);
        return match &standby.receiver {
            Known::Known(_) => Judgement::not_reached(format!("{behind} bytes behind {}", primary.flushed)),
            Known::Unknown(why) => {
                Judgement::not_reached(format!("{behind} bytes behind {}, and {why}", primary.flushed))
            }
        };
    }
    if let Known::Unknown(why) = &standby.receiver {
        return Judgement::unknown(format!(
            "replay is at {replayed}, but its timeline cannot be told: {why}"
        ));
    }
    Judgement::reached(format!("replay caught up to {}, 0 bytes behind", primary.flushed)).with_handover(
        Handover {
            system: source.system.clone(),
            timeline: primary.timeline,
            position: primary.flushed,
            next_transaction: primary.next_transaction,
            activity: primary.activity,
            source_started: source.started.clone(),
            target_started: target.started.clone(),
            by: HandoverBy::Soft,
            counted: None,
        },
    )
}

/// How long ago the last replayed commit may have been made for the proof to need no mark. Milliseconds.
const RECENT_MS: u64 = 1000;

/// On an idle source a standby has everything even if nothing would reach it any more: a receiver that hangs says `streaming` until
/// its timeout, and a replay that hangs says nothing at all (measured: both pass, and the promotion then waits for them while nobody can
/// write). Only what was replayed shows that they live. Both clocks are in it; one that is wrong costs a mark.
fn not_alive(facts: &PairFacts) -> Option<String> {
    let standby = facts.target.get()?.standby()?;
    match &standby.replayed_ms_ago {
        Known::Known(ago) if *ago <= RECENT_MS => None,
        Known::Known(ago) => Some(format!(
            "0 bytes behind, and nothing was replayed for {} s: a mark shows whether replay lives",
            ago.div_ceil(1000)
        )),
        Known::Unknown(why) => Some(format!("0 bytes behind, and {why}: a mark shows whether replay lives")),
    }
}

impl CatchUp {
    /// What a look saw of both sides, for a kind that looks at the same two in the same way.
    pub(super) fn both_sides(&self, facts: &PairFacts, pair: &Pair, keep: &[String]) -> Option<PairFacts> {
        (self.pair == *pair && self.keep == keep).then(|| facts.clone())
    }
}

impl Kind for CatchUp {
    type Params = OnlyCluster;
    type Facts = PairFacts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.catch_up",
        summary: "Waits until the target has replayed everything that the frozen source has, and makes the handover.",
        changes: true,
        touches: "one message in the source's write-ahead log, which flushes commits that were only told of",
        undo: "nothing to put back",
        grants: &["GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO mrctl"],
        main: Main::Resource("cluster", "postgres"),
        place: Place::Nowhere,
        version: 1,
        part: Part::CatchUp,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, cluster) = pair(scope, &params.cluster)?;
        Ok(Self { pair, keep: cluster.keep, unplanned: !scope.planned })
    }

    fn title(&self) -> String {
        if self.unplanned {
            return format!(
                "See what {} in {} has, and what is lost",
                self.pair.cluster, self.pair.target.region
            );
        }
        format!("Wait until {} in {} has everything", self.pair.cluster, self.pair.target.region)
    }

    fn effects(&self) -> Vec<Effect> {
        if self.unplanned {
            let mut look = Effect::look(Pace::new(90_000, 200));
            look.makes = Some(self.pair.cluster.clone());
            return vec![look];
        }
        // Caught up without our mark is as good, if what was replayed was just written: see `not_alive`.
        let mut mark = Effect::of("mark", Class::ForwardOnly, Pace::new(30_000, 2)).accept_found();
        mark.makes = Some(self.pair.cluster.clone());
        vec![mark]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that the target has everything, or what is lost")
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a PairFacts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.source, &facts.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, PairFacts> {
        Box::pin(async move {
            let mut facts = self.pair.look(sight.world, &self.keep, sight.run).await;
            if self.unplanned {
                facts.others = self.pair.look_at_others(sight.world, &self.keep, sight.run).await;
                facts.heartbeat = sight.world.postgres.heartbeat(&self.pair.target, None, true).await;
            }
            facts
        })
    }

    fn seen_with(&self, last: &Action, seen: &Facts) -> Option<PairFacts> {
        match (last, seen) {
            (Action::PostgresFreeze(freeze), Facts::PostgresFreeze(facts)) => {
                freeze.both_sides(facts, &self.pair, &self.keep)
            }
            _ => None,
        }
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &PairFacts,
        aim: Aim<'_, PairFacts>,
        _h: Option<&Handover>,
    ) -> Judgement {
        match aim {
            Aim::Applied if self.unplanned => super::lost::judge(&self.pair, facts),
            Aim::Applied => judge_pair(&self.pair, facts),
            Aim::Restored(_) => Judgement::reached("a mark in the log needs no undo"),
        }
    }

    fn stale(&self, _effect: &str, facts: &PairFacts) -> Option<String> {
        if self.unplanned {
            return None;
        }
        not_alive(facts)
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a PairFacts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        match &prior.source {
            Known::Known(ServerFacts { system, .. }) => {
                world.postgres.mark(permit, &self.pair.source, system)
            }
            Known::Unknown(why) => ready(Reply::refused(format!("the source was not known: {why}"))),
        }
    }

    fn hash_prior<H: Hasher>(&self, _effect: &str, prior: &PairFacts, hasher: &mut H) {
        prior.source.get().map(|source| &source.system).hash(hasher);
    }

    fn would(&self, _effect: &str, facts: &PairFacts, world: &World) -> Vec<String> {
        let mut lines = world.postgres.statements(Change::Mark);
        if let (Some(primary), Some(standby)) = (
            facts.source.get().and_then(ServerFacts::primary),
            facts.target.get().and_then(ServerFacts::standby),
        ) {
            let behind = match &standby.replayed {
                Known::Known(replayed) => {
                    format!("{} bytes behind now", primary.flushed.bytes_since(*replayed))
                }
                Known::Unknown(why) => format!("unknown lag: {why}"),
            };
            lines.push(format!("then waits for replay on {}: {behind}", self.pair.target));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn judge(change: impl FnOnce(&mut ServerFacts, &mut ServerFacts)) -> Judgement {
        let (mut source, mut target) = (examples::frozen(), examples::standby());
        change(&mut source, &mut target);
        let facts = PairFacts {
            source: Known::Known(source),
            target: Known::Known(target),
            others: vec![],
            heartbeat: None,
        };
        judge_pair(&examples::pair(), &facts)
    }

    #[test]
    fn a_caught_up_target_gives_the_handover() {
        let judged = judge(|_, _| {});
        assert_eq!(judged.evidence, "replay caught up to 0/5000100, 0 bytes behind");
        let handover = judged.handover.unwrap();
        assert_eq!((handover.timeline, handover.next_transaction), (1, 900));
    }

    #[test]
    fn nothing_less_passes() {
        use crate::world::postgres::Receiver;
        type Change = fn(&mut ServerFacts, &mut ServerFacts);
        let table: &[(&str, Standing, Change)] = &[
            ("not frozen", Standing::Blocked, |s, _| s.read_only.on = false),
            ("another cluster", Standing::Blocked, |_, t| t.system = "8".into()),
            ("source is a standby", Standing::Blocked, |s, _| s.role = examples::standby().role),
            ("target is a primary", Standing::Blocked, |_, t| t.role = examples::primary().role),
            ("a running transaction", Standing::NotReached, |s, _| {
                examples::primary_of(s).oldest_transaction = 899
            }),
            ("unflushed commits", Standing::NotReached, |s, _| {
                examples::primary_of(s).inserted = "0/5000900".parse().unwrap();
            }),
            ("behind", Standing::NotReached, |_, t| {
                examples::standby_of(t).replayed = Known::Known("0/50000F8".parse().unwrap());
            }),
            ("behind and cut off", Standing::NotReached, |_, t| {
                examples::standby_of(t).replayed = Known::Known("0/50000F8".parse().unwrap());
                examples::standby_of(t).receiver = Known::unknown("no receiver runs");
            }),
            ("cut off, its timeline unknown", Standing::Unknown, |_, t| {
                examples::standby_of(t).receiver = Known::unknown("no receiver runs");
            }),
            ("replay unknown", Standing::Unknown, |_, t| {
                examples::standby_of(t).replayed = Known::unknown("nothing was replayed");
            }),
            ("an apply worker", Standing::Blocked, |s, _| {
                if let Known::Known(sessions) = &mut s.sessions {
                    sessions.workers = 1;
                }
            }),
            ("sessions unknown", Standing::Unknown, |s, _| s.sessions = Known::unknown("no pg_monitor")),
            ("another timeline", Standing::Blocked, |_, t| {
                examples::standby_of(t).receiver =
                    Known::Known(Receiver { status: "streaming".into(), timeline: 2, silent_ms: 0 });
            }),
            ("replay paused", Standing::Blocked, |_, t| examples::standby_of(t).replay = "paused".into()),
            ("prepared", Standing::Blocked, |s, _| examples::primary_of(s).prepared = vec!["x".into()]),
        ];
        for (what, standing, change) in table {
            let judged = judge(change);
            assert_eq!(judged.standing, *standing, "{what}: {}", judged.evidence);
            assert!(judged.handover.is_none(), "{what}");
        }
    }

    #[test]
    fn silence_of_either_side_is_unknown() {
        let known = Known::Known(examples::frozen());
        let facts = PairFacts {
            source: known.clone(),
            target: Known::unknown("no answer"),
            others: vec![],
            heartbeat: None,
        };
        assert_eq!(judge_pair(&examples::pair(), &facts).standing, Standing::Unknown);
        let facts = PairFacts {
            source: Known::unknown("no answer"),
            target: Known::Known(examples::standby()),
            others: vec![],
            heartbeat: None,
        };
        assert_eq!(judge_pair(&examples::pair(), &facts).standing, Standing::Unknown);
    }
}
