//! `postgres.reprotect`: the old primary becomes a standby of the new one, by the operator's own command, and is proved to follow it.

use super::{OnlyCluster, Pair, pair};
use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Standing, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::exec::Command;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Altered, Change, Commits, GlanceRole, Handover, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

mod direction;
mod judge;
mod look;
mod slot;
#[cfg(test)]
mod tests;

pub use look::Facts;

/// What stands for the region of the new primary in the arguments of `rejoin`.
const PRIMARY: &str = "${primary}";

/// A resolved reprotection: the source is the old primary, the target the new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reprotect {
    pair: Pair,
    keep: Vec<String>,
    rejoin: Command,
    /// Slot through which the old primary will stream; none where the inventory names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    /// Tells whether the old primary is certainly stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look: Option<Command>,
    /// Tells whether a user can reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fenced: Option<Command>,
    /// Prints its control file: where it is silent, that tells which of both is the newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_data: Option<Command>,
}

impl Reprotect {
    /// The command that makes the old primary a standby, as it is run.
    pub fn rejoin(&self) -> &Command {
        &self.rejoin
    }

    /// Who becomes a standby, of whom, and through which slot.
    pub fn rejoins(&self) -> (&Member, &Member, Option<&str>) {
        (&self.pair.source, &self.pair.target, self.slot.as_deref())
    }

    /// The old one is looked at once more right before a command that would end it.
    async fn run_rejoin(&self, permit: &Permit, prior: &Facts, world: &World) -> Reply {
        let facts = self.see(world, permit.run()).await;
        if let Some(why) = self.changed(prior, &facts).or_else(|| self.no_slot(&facts)) {
            return Reply::refused(why);
        }
        let judged = self.judge_rejoined(&facts);
        match judged.standing {
            Standing::NotReached => world.exec.run(permit, &self.rejoin).await,
            Standing::Reached => Reply::refused(format!("nothing is to be done: {}", judged.evidence)),
            Standing::Moving | Standing::Blocked | Standing::Unknown => Reply::refused(judged.evidence),
        }
    }

    /// Whether the old one is not what it was when it was judged. Its upkeep goes on under a freeze, and is nothing of anybody's.
    fn changed(&self, prior: &Facts, now: &Facts) -> Option<String> {
        let at = &self.pair.source;
        let (then, now) = match (&prior.old, &now.old) {
            (Known::Known(then), Known::Known(now)) => (then, now),
            (Known::Unknown(_), Known::Unknown(_)) => return None,
            (Known::Known(_), Known::Unknown(why)) => {
                return Some(format!("{at} answered when it was looked at, and does not any more: {why}"));
            }
            (Known::Unknown(_), Known::Known(_)) => {
                return Some(format!("{at} did not answer when it was looked at, and does now"));
            }
        };
        if then.started != now.started || then.in_recovery() != now.in_recovery() {
            return Some(format!("{at} was started again since it was looked at"));
        }
        match now.primary()?.commits_since(then.primary()?) {
            Commits::None | Commits::Upkeep(_) => None,
            Commits::Writes(ended) => Some(format!(
                "{at} took {ended} transactions since it was looked at, in spite of its freeze: stop it, and see what it has"
            )),
        }
    }

    /// Only on a standby: on a primary it would open it for writes.
    async fn run_thaw(&self, permit: &Permit, prior: &Facts, world: &World) -> Reply {
        let Some(system) = prior.old.get().map(|old| old.system.as_str()) else {
            return Reply::refused("what would be changed is not known");
        };
        let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: permit.run().to_string() };
        match world.postgres.glance(&self.pair.source, &scope).await {
            Known::Known(seen) if seen.role == GlanceRole::Standby => {
                world.postgres.unfreeze(permit, &self.pair.source, system, &Altered::Unset).await
            }
            Known::Known(_) => Reply::refused("it is no standby"),
            Known::Unknown(why) => Reply::refused(why),
        }
    }
}

impl Kind for Reprotect {
    type Params = OnlyCluster;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.reprotect",
        summary: "Makes the old primary a standby of the new one, by its own command, and proves that it streams.",
        changes: true,
        touches: "the old primary's server and data, through the inventory's `rejoin` command; a slot on the new primary",
        undo: "nothing is put back: what only the old primary had is gone, as far as `rejoin` rewinds it, and a slot that was made stays and keeps write-ahead log until the old primary streams through it or the slot is dropped",
        grants: &[
            "GRANT pg_monitor, pg_checkpoint TO mrctl",
            "ALTER ROLE mrctl REPLICATION, where the member names a `slot` that is not there",
            "GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO mrctl",
            "the right to run the member's `rejoin`, `look` and `fenced`",
        ],
        main: Main::Resource("cluster", "postgres"),
        place: Place::From,
        version: 1,
        part: Part::Rejoin,
        unplanned: Unplanned::LeftOut(
            "the source does not answer: make it a standby with a planned run of its own, once it can be",
        ),
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, cluster) = pair(scope, &params.cluster)?;
        let hooks = cluster.hooks.get(&pair.source.region).cloned().unwrap_or_default();
        let mut rejoin = hooks.rejoin.ok_or_else(|| {
            let (cluster, region) = (&cluster.name, &pair.source.region);
            Problem::error(Code::MissingKey, format!("the member of {cluster} in {region} has no `rejoin`"))
                .help("add the command to the member in the inventory: it makes the server a standby of the one in `${primary}`")
        })?;
        for argument in &mut rejoin.argv {
            *argument = argument.replace(PRIMARY, &pair.target.region);
        }
        Ok(Self {
            pair,
            keep: cluster.keep,
            rejoin,
            slot: hooks.slot,
            look: hooks.look,
            fenced: hooks.fenced,
            control_data: hooks.control_data,
        })
    }

    fn title(&self) -> String {
        let pair = &self.pair;
        format!("Make {} in {} a standby of {}", pair.cluster, pair.source.region, pair.target.region)
    }

    fn effects(&self) -> Vec<Effect> {
        let effect = |id: &str, pace: Pace| Effect::of(id, Class::ForwardOnly, pace).accept_found();
        // A checkpoint of a large server takes minutes; a fresh primary makes one by itself, too.
        let mut effects = vec![effect("checkpoint", Pace::new(600_000, 500))];
        if self.slot.is_some() {
            effects.push(effect("slot", Pace::new(30_000, 500)));
        }
        let longest = self.rejoin.timeout_ms;
        effects.push(effect("rejoin", Pace::new(60_000.max(longest), 250)).settles_within(longest).once());
        effects.push(effect("thaw", Pace::new(30_000, 500)));
        effects.push(Effect { id: "protected".into(), ..Effect::look(Pace::new(60_000, 250)) });
        effects
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.old, &facts.new)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(self.see(sight.world, sight.run))
    }

    fn judge(&self, effect: &str, facts: &Facts, aim: Aim<'_, Facts>, _: Option<&Handover>) -> Judgement {
        match (effect, aim) {
            (_, Aim::Restored(_)) => Judgement::blocked("a rejoin cannot be taken back"),
            ("checkpoint", Aim::Applied) => self.judge_checkpoint(facts),
            ("slot", Aim::Applied) => self.judge_slot(facts),
            ("rejoin", Aim::Applied) => self.judge_rejoined(facts),
            ("thaw", Aim::Applied) => self.judge_thawed(facts),
            (_, Aim::Applied) => self.judge_protected(facts),
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
        Box::pin(async move {
            let Some(system) = prior.new.get().map(|new| new.system.as_str()) else {
                return Reply::refused("the new primary is not known");
            };
            let at = &self.pair.target;
            match (effect, &self.slot) {
                ("checkpoint", _) => world.postgres.checkpoint(permit, at, system).await,
                ("slot", Some(slot)) => world.postgres.create_slot(permit, at, system, slot).await,
                ("rejoin", _) => self.run_rejoin(permit, prior, world).await,
                ("thaw", _) => self.run_thaw(permit, prior, world).await,
                _ => Reply::refused("it only looks"),
            }
        })
    }

    fn hash_prior<H: Hasher>(&self, _effect: &str, prior: &Facts, hasher: &mut H) {
        let system = |facts: &Known<ServerFacts>| facts.get().map(|facts| facts.system.clone());
        (system(&prior.old), system(&prior.new)).hash(hasher);
    }

    fn would(&self, effect: &str, facts: &Facts, world: &World) -> Vec<String> {
        let Pair { source, target, .. } = &self.pair;
        let statements = |change: Change| {
            world.postgres.statements(change).into_iter().map(|line| format!("{target}: {line}")).collect()
        };
        match (effect, &self.slot) {
            ("checkpoint", _) => statements(Change::Checkpoint),
            ("slot", Some(slot)) => statements(Change::CreateSlot(slot.clone())),
            ("rejoin", _) => vec![
                format!("{source}: {} → standby of {}", judge::old_in_words(&facts.old), target.region),
                self.rejoin.argv.join(" "),
                "what only the old primary has is gone after it: save it before".to_string(),
            ],
            ("thaw", _) => {
                let lines = world.postgres.statements(Change::Unfreeze(Altered::Unset));
                lines.into_iter().map(|line| format!("{source}: {line}")).collect()
            }
            _ => Vec::new(),
        }
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        let side = |facts: &Known<ServerFacts>| match facts.get() {
            None => "silent".to_string(),
            Some(facts) => {
                format!("{} {}", facts.system, if facts.in_recovery() { "standby" } else { "primary" })
            }
        };
        let Pair { source, target, .. } = &self.pair;
        format!("{source}: {}; {target}: {}", side(&facts.old), side(&facts.new))
    }

    fn by_hand(&self, effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        let left = self
            .drop_left()
            .map(|drop| format!("{drop} -- where it will not rejoin: the slot keeps write-ahead log"));
        match effect {
            "slot" => left.into_iter().collect(),
            "rejoin" => std::iter::once(self.rejoin.argv.join(" ")).chain(left).collect(),
            _ => Vec::new(),
        }
    }
}
