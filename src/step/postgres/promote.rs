//! `postgres.promote`: the pivot. Guarded by the handover in one statement; believed only when seen.

use super::{OnlyCluster, Pair, PairFacts, managed, pair, unread};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Remark, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::step::{Action, Facts};
use crate::world::exec::Command;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Change, Commits, Glance, GlanceRole, Handover, HandoverBy, ServerFacts};
use crate::world::{Answer, Known, Reply, World, ready};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

mod guards;

/// A resolved promotion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Promote {
    pair: Pair,
    keep: Vec<String>,
    /// The source's command that prints its control file: what proves that a stopped source is still stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_data: Option<Command>,
    /// In an unplanned run, what tells whether a user can reach the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fenced: Option<Command>,
    /// The source does not answer, and a loss has to be accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unplanned: bool,
}

impl Promote {
    /// In an unplanned run, the command that tells whether users can reach the source.
    pub fn fenced(&self) -> Option<&Command> {
        self.fenced.as_ref()
    }

    /// The source right before: still as the handover says, or never promote.
    fn judge_source_before(&self, source: Known<Glance>, handover: &Handover) -> Option<Judgement> {
        let source = match source {
            Known::Known(source) => source,
            // A stopped source cannot be read, and its handover says so; that of a lost one says that a person accepted the loss.
            Known::Unknown(_) if handover.by != HandoverBy::Soft => return None,
            Known::Unknown(why) => {
                return Some(Judgement::unknown(format!(
                    "{}; a planned run never promotes while the source is silent",
                    unread("the source", &self.pair.source, &why)
                )));
            }
        };
        if source.system != handover.system {
            return Some(Judgement::blocked("the source is another cluster than the handover's"));
        }
        let GlanceRole::Primary { next_transaction } = source.role else {
            return Some(Judgement::blocked("the source is not a primary any more: the handover is dead"));
        };
        if handover.by != HandoverBy::Soft {
            return Some(Judgement::blocked(
                "the source was down when the handover was made and runs again: the handover is dead",
            ));
        }
        if source.started != handover.source_started {
            return Some(Judgement::blocked(
                "the source was restarted since the handover: the handover is dead",
            ));
        }
        if !source.read_only {
            return Some(Judgement::blocked("the source is not frozen any more: the handover is dead"));
        }
        match source.open_writes {
            Known::Known(0) => {}
            Known::Known(open) => {
                return Some(Judgement::moving(format!(
                    "{open} transactions that write are open on the source, in spite of the freeze"
                )));
            }
            Known::Unknown(why) => {
                return Some(Judgement::unknown(format!(
                    "whether anybody writes on the source is unknown: {why}"
                )));
            }
        }
        if next_transaction > handover.next_transaction {
            return Some(Judgement::blocked(format!(
                "the source took {} transactions after the handover, in spite of the freeze: the handover is dead",
                next_transaction - handover.next_transaction
            )));
        }
        None
    }

    fn judge_promoted(
        &self,
        facts: &PairFacts,
        target: &ServerFacts,
        handover: Option<&Handover>,
    ) -> Judgement {
        let Some(primary) = target.primary() else {
            return Judgement::unknown("the role changed while it was read");
        };
        let Some(handover) = handover else {
            return Judgement::blocked(format!(
                "{} is a primary already (timeline {}), and this run has no handover for it",
                self.pair.target, primary.timeline
            ));
        };
        if target.system != handover.system {
            return Judgement::blocked("the target is another cluster than the handover's");
        }
        if primary.timeline <= handover.timeline {
            return Judgement::blocked(format!(
                "the target writes timeline {}, which did not fork from the handover's timeline {}",
                primary.timeline, handover.timeline
            ));
        }
        if let Some(leak) = leaked_freeze(target) {
            return Judgement::blocked(format!(
                "promoted to timeline {}, but read-only: {leak}",
                primary.timeline
            ));
        }
        if handover.by == HandoverBy::LossAccepted
            && let Some(source) = facts.source.get().filter(|source| source.primary().is_some())
        {
            // Nothing was seen of it at the handover, so what it took since cannot be told from what was lost then.
            let open = if source.read_only.binds() { "and is frozen" } else { "and takes writes" };
            let judged = Judgement::reached(format!(
                "{} promoted; the old primary answers again {open}: what it has that the new one lacks is unknown",
                self.pair.target
            ));
            return if source.read_only.binds() { judged } else { judged.with_remark(Remark::Divergence) };
        }
        let source = facts.source.get().and_then(ServerFacts::primary);
        let commits = source.map(|source| handover.commits_since(source));
        let upkeep = match commits {
            // It is promoted all the same: what that means for the run is the remark's.
            Some(Commits::Writes(ended)) => {
                return Judgement::reached(format!(
                    "divergence: {} promoted, and the old primary took {ended} transactions after the handover",
                    self.pair.target
                ))
                .with_remark(Remark::Divergence);
            }
            Some(Commits::Upkeep(ended)) => {
                format!("; {ended} transactions of autovacuum ended on the old primary")
            }
            Some(Commits::None) | None => String::new(),
        };
        Judgement::reached(format!("primary on timeline {}, writable{upkeep}", primary.timeline))
    }
}

/// A freeze that came along: in a copied configuration file, or replicated with `ALTER DATABASE`. A single role that is read-only
/// (for reports) is none.
pub(super) fn leaked_freeze(server: &ServerFacts) -> Option<String> {
    if server.read_only.on {
        return Some(format!("default_transaction_read_only is on ({})", server.read_only.source));
    }
    server.overrides.iter().find(|set| !set.starts_with("role ") && set.ends_with("=on")).cloned()
}

impl Kind for Promote {
    type Params = OnlyCluster;
    type Facts = PairFacts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.promote",
        summary: "Makes the target the primary. No way back: from here the run goes forward.",
        changes: true,
        touches: "the role of the target",
        undo: "none; the way back is a failover in the other direction",
        grants: &["GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO mrctl"],
        main: Main::Resource("cluster", "postgres"),
        place: Place::To,
        version: 1,
        part: Part::Pivot,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, cluster) = pair(scope, &params.cluster)?;
        let control_data =
            cluster.hooks.get(&pair.source.region).and_then(|hooks| hooks.control_data.clone());
        let fenced = cluster.hooks.get(&pair.source.region).and_then(|hooks| hooks.fenced.clone());
        let unplanned = !scope.planned;
        Ok(Self { pair, keep: cluster.keep, control_data, fenced: fenced.filter(|_| unplanned), unplanned })
    }

    fn title(&self) -> String {
        format!("Promote {} in {}", self.pair.cluster, self.pair.target.region)
    }

    fn effects(&self) -> Vec<Effect> {
        // Looked for seldom: the server needs its processors for the promotion itself, and users do not wait for our look.
        let mut promote = Effect::of("promote", Class::Pivot, Pace::new(60_000, 10));
        promote.needs = Some(self.pair.cluster.clone());
        vec![promote]
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a PairFacts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.source, &facts.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, PairFacts> {
        Box::pin(async move {
            // The target first here: a commit on the source after the target was seen promoted must not be missed.
            let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: sight.run.to_string() };
            let postgres = &sight.world.postgres;
            let (mut source, target) = futures_util::future::join(
                postgres.look(&self.pair.source, &scope),
                postgres.look(&self.pair.target, &scope),
            )
            .await;
            if target.is(|target| !target.in_recovery()) {
                // What counts are commits after the promotion: the source is read again once the promotion was seen.
                source = postgres.look(&self.pair.source, &scope).await;
            }
            PairFacts { source, target, others: Vec::new(), heartbeat: None }
        })
    }

    fn seen_with(&self, last: &Action, seen: &Facts) -> Option<PairFacts> {
        match (last, seen) {
            (Action::PostgresCatchUp(catch_up), Facts::PostgresCatchUp(facts)) => {
                catch_up.both_sides(facts, &self.pair, &self.keep)
            }
            _ => None,
        }
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &PairFacts,
        aim: Aim<'_, PairFacts>,
        handover: Option<&Handover>,
    ) -> Judgement {
        if let Aim::Restored(_) = aim {
            return Judgement::blocked("a promotion cannot be taken back");
        }
        let target = match &facts.target {
            Known::Known(target) => target,
            Known::Unknown(why) => return Judgement::unknown(unread("the target", &self.pair.target, why)),
        };
        if !target.in_recovery() {
            return self.judge_promoted(facts, target, handover);
        }
        if target.ours.is(|ours| !ours.is_empty()) {
            return Judgement::moving("a session of ours is still at work on the target");
        }
        if let Some(managed) = managed(&self.pair.target, target) {
            return managed;
        }
        let Some(handover) = handover else {
            return Judgement::not_reached("a standby; the handover comes with the catch-up");
        };
        if target.system != handover.system {
            return Judgement::blocked("the target is another cluster than the handover's");
        }
        if target.started != handover.target_started {
            return Judgement::blocked(
                "the target was restarted since the handover, which forgets a requested promotion: the handover is dead",
            );
        }
        if let Some(leak) = leaked_freeze(target) {
            return Judgement::blocked(format!("it would come up read-only: {leak}"));
        }
        if let Some(trouble) = self.judge_source_before(facts.source.as_ref().map(Glance::from), handover) {
            return guards::with_those_connected(trouble, facts);
        }
        let lost = match handover.by {
            HandoverBy::Soft | HandoverBy::Shutdown => "",
            HandoverBy::LossAccepted => "; what the old primary committed after that is lost",
        };
        Judgement::not_reached(format!("a standby with everything up to {}{lost}", handover.position))
    }

    fn disarmed(&self, _effect: &str, facts: &PairFacts, handover: Option<&Handover>) -> Option<String> {
        let (target, handover) = (facts.target.get()?, handover?);
        // A later start of the same server, which has everything that it had: another standby that answers at its address by now has been
        // asked nothing, and would say nothing about the one that was.
        let started = |text: &str| text.parse::<u128>().ok();
        let later = started(&target.started)? > started(&handover.target_started)?;
        let standby = target.standby()?;
        let further = standby.timeline.is(|timeline| *timeline == handover.timeline)
            && standby.replayed.is(|replayed| *replayed >= handover.position);
        let same = target.system == handover.system && later && further;
        // Our session ended with the server that it was at. What is sent from now on is refused by its own guard: the server's start is
        // part of the statement. And a server that starts removes the request for a promotion that it finds.
        (same && target.in_recovery() && target.ours.is(Vec::is_empty)).then(|| {
            format!(
                "{} was restarted since the handover, is in recovery, and no session of ours is there: the request is forgotten",
                self.pair.target
            )
        })
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that the target is the primary, and the only one")
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a PairFacts,
        handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let Some(handover) = handover else { return ready(Reply::refused("there is no handover")) };
        Box::pin(async move {
            // The source cannot be asked in the statement; it is asked once more as close to it as can be: behind the third members,
            // of which one that is silent takes its time.
            if let Some(why) = self.another_primary(permit.run(), &handover.system, world).await {
                return Reply::refused(why);
            }
            let scope =
                crate::world::postgres::Scope { keep: self.keep.clone(), run: permit.run().to_string() };
            let source = world.postgres.glance(&self.pair.source, &scope).await;
            let stopped = source.get().is_none() && handover.by == HandoverBy::Shutdown;
            let mut trouble = self.judge_source_before(source, handover).map(|trouble| trouble.evidence);
            if trouble.is_none() && stopped {
                trouble = self.still_stopped(handover, world).await;
            }
            if trouble.is_none() && handover.by == HandoverBy::LossAccepted {
                trouble = match self.outranked(permit.run(), handover, world).await {
                    None => self.not_fenced(world).await,
                    trouble => trouble,
                };
            }
            match trouble {
                Some(why) => Reply::refused(why),
                None => world.postgres.promote(permit, &self.pair.target, handover).await,
            }
        })
    }

    fn would(&self, _effect: &str, facts: &PairFacts, world: &World) -> Vec<String> {
        let role =
            facts.target.get().map_or("unknown", |t| if t.in_recovery() { "standby" } else { "primary" });
        let mut lines = vec![format!("role of {}: {role} → primary", self.pair.target)];
        lines.extend(world.postgres.statements(Change::Promote));
        lines
    }

    fn hash_prior<H: Hasher>(&self, _effect: &str, prior: &PairFacts, hasher: &mut H) {
        prior.target.get().is_some().hash(hasher);
    }

    fn substance(&self, _effect: &str, facts: &PairFacts) -> String {
        let side = |facts: &Known<ServerFacts>| {
            facts.get().map_or_else(
                || "unknown".to_string(),
                |facts| {
                    format!("{} {}", facts.system, if facts.in_recovery() { "standby" } else { "primary" })
                },
            )
        };
        let reached = match facts.target.get().and_then(ServerFacts::standby).map(|standby| &standby.received)
        {
            Some(Known::Known(received)) if self.unplanned => format!(" up to {received}"),
            _ => String::new(),
        };
        format!(
            "{}: {}; {}: {}{reached}",
            self.pair.source,
            side(&facts.source),
            self.pair.target,
            side(&facts.target)
        )
    }

    fn identity(&self, _effect: &str, facts: &PairFacts) -> Vec<(String, String)> {
        let at = format!("postgres/{}/{}", self.pair.cluster, self.pair.target.region);
        facts.target.get().map_or_else(Vec::new, |target| {
            let role = if target.in_recovery() { "standby" } else { "primary" };
            vec![(format!("{at}/system"), target.system.clone()), (format!("{at}/role"), role.to_string())]
        })
    }
}

#[cfg(test)]
mod tests;
