//! `postgres.stop`: the source is stopped cleanly by the operator's own command. The strongest end of its writes, and the only one
//! after which it can certainly come back as a standby without being rewound.

use super::control_data::ControlData;
use super::{
    OnlyCluster, Pair, cluster, forbids_writing, in_recovery, managed, member, second_primary, unread,
};
use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::exec::Command;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Handover, HandoverBy, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World, ready};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// A resolved stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stop {
    pair: Pair,
    keep: Vec<String>,
    stop: Command,
    start: Option<Command>,
    control_data: Command,
}

/// Both sides, and what the stopped server's control file says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The source; unknown when it is stopped, which alone proves nothing.
    pub source: Known<ServerFacts>,
    /// `pg_controldata` of the source.
    pub control: Known<ControlData>,
    /// The target.
    pub target: Known<ServerFacts>,
    /// Every other member by region: whether it is in recovery.
    pub others: Vec<(String, Known<bool>)>,
}

impl Stop {
    fn judge_stopped(&self, facts: &Facts) -> Judgement {
        match &facts.source {
            Known::Known(source) if source.in_recovery() => {
                return Judgement::blocked(format!("{} runs as a standby", self.pair.source));
            }
            Known::Known(source) => {
                // One would start it again.
                if let Some(managed) = managed(&self.pair.source, source) {
                    return managed;
                }
                let clients = source.sessions.get().map_or(0, |sessions| sessions.total());
                return Judgement::not_reached(format!("it runs, with {clients} client sessions"));
            }
            // A server that does not answer may be anything. What it left on disk tells.
            Known::Unknown(_) => {}
        }
        let control = match &facts.control {
            Known::Known(control) => control,
            Known::Unknown(why) => {
                return Judgement::unknown(format!(
                    "it does not answer, and its control file is unknown: {why}"
                ));
            }
        };
        match control.state.as_str() {
            "shut down" => {}
            "shutting down" => return Judgement::moving("it is shutting down"),
            other => {
                return Judgement::unknown(format!(
                    "it does not answer, and its control file says `{other}`: not a clean stop"
                ));
            }
        }
        let target = match &facts.target {
            Known::Known(target) => target,
            Known::Unknown(why) => return Judgement::unknown(unread("the target", &self.pair.target, why)),
        };
        if target.system != control.system {
            return Judgement::blocked(format!(
                "two different clusters: {} and {}",
                control.system, target.system
            ));
        }
        let Some(standby) = target.standby() else {
            // After the promotion: there is nothing to hand over any more.
            return Judgement::reached(format!("shut down cleanly at {}", control.checkpoint));
        };
        let (replayed, timeline) = match (&standby.replayed, &standby.timeline) {
            (Known::Known(replayed), Known::Known(timeline)) => (*replayed, *timeline),
            (Known::Unknown(why), _) | (_, Known::Unknown(why)) => {
                return Judgement::unknown(format!(
                    "shut down cleanly; the target's position is unknown: {why}"
                ));
            }
        };
        if timeline != control.timeline {
            return Judgement::blocked(format!(
                "the target follows timeline {timeline}, the source ended on {}",
                control.timeline
            ));
        }
        // The location is the start of the checkpoint's record: only beyond it has the target all of it.
        if replayed <= control.checkpoint {
            return Judgement::not_reached(format!(
                "shut down cleanly at {}; the target has replayed up to {replayed} and not beyond",
                control.checkpoint
            ));
        }
        Judgement::reached(format!("shut down cleanly at {}, replayed up to {replayed}", control.checkpoint))
            .with_handover(Handover {
                system: control.system.clone(),
                timeline: control.timeline,
                position: control.checkpoint,
                next_transaction: control.next_transaction,
                // A stopped server counts nothing; should it come back, everything new counts as a write.
                activity: Default::default(),
                source_started: String::new(),
                target_started: target.started.clone(),
                by: HandoverBy::Shutdown,
                counted: None,
            })
    }

    fn judge_restored(&self, facts: &Facts, prior: &Facts) -> Judgement {
        let before = prior.source.get().map(|source| source.system.as_str());
        match &facts.source {
            Known::Known(source) if Some(source.system.as_str()) != before => {
                Judgement::blocked("the address points to another cluster now")
            }
            Known::Known(source) if source.in_recovery() => {
                Judgement::blocked(format!("{} runs as a standby now", self.pair.source))
            }
            Known::Known(_) => second_primary(&facts.others)
                .unwrap_or_else(|| Judgement::reached("it runs again as the primary")),
            Known::Unknown(why) => match (forbids_writing(&facts.others), &facts.control) {
                (Some(forbidden), _) => forbidden,
                (None, Known::Known(control)) if control.state == "shut down" => {
                    Judgement::not_reached("stopped; every other member is a standby")
                }
                (None, Known::Known(control)) => {
                    Judgement::moving(format!("its control file says `{}`: {why}", control.state))
                }
                (None, Known::Unknown(why)) => {
                    Judgement::unknown(format!("it does not answer, and its control file is unknown: {why}"))
                }
            },
        }
    }
}

impl Stop {
    /// The command that prints the control file.
    pub fn control_data(&self) -> &Command {
        &self.control_data
    }
}

impl Kind for Stop {
    type Params = OnlyCluster;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.stop",
        summary: "Stops the source cleanly by its own command, and waits until the target has its last record.",
        changes: true,
        touches: "the server process of the source, through the inventory's `stop` command",
        undo: "the inventory's `start` command, if every other member is observed in recovery",
        grants: &[
            "GRANT pg_monitor TO mrctl",
            "the right to run the member's `stop`, `start` and `control_data`",
        ],
        main: Main::Resource("cluster", "postgres"),
        place: Place::From,
        version: 1,
        part: Part::Stop,
        unplanned: Unplanned::LeftOut(
            "the source does not answer, so it cannot be stopped cleanly; the fence keeps users from it",
        ),
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let cluster = cluster(scope, &params.cluster)?;
        let source = member(scope, &cluster, scope.region)?;
        let hooks = cluster.hooks.get(&source.region).cloned().unwrap_or_default();
        let missing = |name: &str| {
            Problem::error(Code::MissingKey, format!("the member of {} in {} has no `{name}`", cluster.name, source.region))
                .help(format!("add the command to the member in the inventory; `{name}` is needed to stop it and to prove it"))
        };
        let others: Vec<Member> = cluster
            .regions
            .iter()
            .filter(|region| **region != source.region)
            .map(|region| Member::new(&cluster.name, region))
            .collect();
        let target = others.iter().find(|m| m.region == scope.to).cloned().unwrap_or_else(|| source.clone());
        Ok(Self {
            stop: hooks.stop.ok_or_else(|| missing("stop"))?,
            control_data: hooks.control_data.ok_or_else(|| missing("control_data"))?,
            start: hooks.start,
            pair: Pair { cluster: params.cluster, source, target, others },
            keep: cluster.keep,
        })
    }

    fn title(&self) -> String {
        format!("Stop {} in {}", self.pair.cluster, self.pair.source.region)
    }

    fn effects(&self) -> Vec<Effect> {
        // Without a way to start it there is nothing to take back.
        let class = if self.start.is_some() { Class::Undoable } else { Class::ForwardOnly };
        let longest = self.start.as_ref().map_or(0, |start| start.timeout_ms).max(self.stop.timeout_ms);
        // A command outlives an mrctl that is killed: it may stop or start the server as long as it may run.
        let mut stop = Effect::of("stop", class, Pace::new(120_000, 100)).settles_within(longest);
        stop.freezes = Some(self.pair.cluster.clone());
        stop.makes = Some(self.pair.cluster.clone());
        vec![stop]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that the source is stopped, and what it left")
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.source, &facts.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: sight.run.to_string() };
            let source = sight.world.postgres.look(&self.pair.source, &scope).await;
            // The control file of a running server says nothing that its sessions do not.
            let control = match &source {
                Known::Known(_) => Known::unknown("it runs"),
                Known::Unknown(_) => ControlData::read(sight.world, &self.control_data).await,
            };
            // After the source: what the target has then, it has of a source that stands still.
            let target = sight.world.postgres.look(&self.pair.target, &scope).await;
            let system = source.get().map(|source| source.system.as_str());
            let others = in_recovery(sight.world, &self.pair.others, &self.keep, sight.run, system).await;
            Facts { source, control, target, others }
        })
    }

    fn judge(&self, _effect: &str, facts: &Facts, aim: Aim<'_, Facts>, _h: Option<&Handover>) -> Judgement {
        match aim {
            Aim::Applied => self.judge_stopped(facts),
            Aim::Restored(prior) => self.judge_restored(facts, prior),
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
        match &prior.source {
            Known::Known(source) if !source.in_recovery() => world.exec.run(permit, &self.stop),
            Known::Known(_) => ready(Reply::refused("it is not the primary")),
            Known::Unknown(why) => {
                ready(Reply::refused(format!("what would be stopped is not known: {why}")))
            }
        }
    }

    fn undo<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let system = prior.source.get().map(|source| source.system.as_str());
        let Some(start) = &self.start else { return ready(Reply::refused("there is no `start` command")) };
        Box::pin(async move {
            let others = in_recovery(world, &self.pair.others, &self.keep, permit.run(), system).await;
            match forbids_writing(&others) {
                Some(forbidden) => Reply::refused(forbidden.evidence),
                None => world.exec.run(permit, start).await,
            }
        })
    }

    fn hash_prior<H: Hasher>(&self, _effect: &str, prior: &Facts, hasher: &mut H) {
        prior.source.get().map(|source| (&source.system, source.in_recovery())).hash(hasher);
    }

    fn would(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        vec![format!("{}: running → stopped", self.pair.source), self.stop.argv.join(" ")]
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        facts
            .source
            .get()
            .map_or_else(String::new, |source| format!("{} {}", self.pair.source, source.system))
    }

    fn by_hand(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        self.start.iter().map(|start| start.argv.join(" ")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::control_data::stopped;
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn command(name: &str) -> Command {
        Command { argv: vec![name.into()], env: Default::default(), pass: vec![], timeout_ms: 1000 }
    }

    fn judge(change: impl FnOnce(&mut Facts)) -> Judgement {
        let mut pair = examples::pair();
        pair.others = vec![pair.target.clone()];
        let stop = Stop {
            pair,
            keep: vec![],
            stop: command("stop"),
            start: Some(command("start")),
            control_data: command("control"),
        };
        let mut target = examples::standby();
        examples::standby_of(&mut target).replayed = Known::Known("0/5BE01B0".parse().unwrap());
        examples::standby_of(&mut target).receiver = Known::unknown("no receiver runs");
        let mut facts = Facts {
            source: Known::unknown("connection refused"),
            control: ControlData::parse(&stopped("7301", "0/5BE0138")),
            target: Known::Known(target),
            others: vec![("us-east".into(), Known::Known(true))],
        };
        change(&mut facts);
        stop.judge("stop", &facts, Aim::Applied, None)
    }

    fn target(facts: &mut Facts) -> &mut ServerFacts {
        match &mut facts.target {
            Known::Known(target) => target,
            Known::Unknown(_) => panic!("unknown"),
        }
    }

    fn control(facts: &mut Facts, from: &str, to: &str) {
        facts.control = ControlData::parse(&stopped("7301", "0/5BE0138").replace(from, to));
    }

    #[test]
    fn a_clean_stop_that_was_replayed_beyond_gives_the_handover() {
        let judged = judge(|_| {});
        assert_eq!(judged.evidence, "shut down cleanly at 0/5BE0138, replayed up to 0/5BE01B0");
        let handover = judged.handover.unwrap();
        assert_eq!((handover.by, handover.next_transaction), (HandoverBy::Shutdown, 738));
    }

    #[test]
    fn nothing_less_passes() {
        type Change = fn(&mut Facts);
        let table: &[(&str, Standing, Change)] = &[
            ("runs", Standing::NotReached, |f| f.source = Known::Known(examples::primary())),
            ("a standby", Standing::Blocked, |f| f.source = Known::Known(examples::standby())),
            ("crashed", Standing::Unknown, |f| control(f, "shut down", "in production")),
            ("stopping", Standing::Moving, |f| control(f, "shut down", "shutting down")),
            ("unreadable", Standing::Unknown, |f| control(f, "Latest checkpoint location", "Ort")),
            ("another cluster", Standing::Blocked, |f| control(f, "7301", "7302")),
            ("another timeline", Standing::Blocked, |f| {
                control(f, "TimeLineID:       1", "TimeLineID:       2")
            }),
            ("exactly at the record's start", Standing::NotReached, |f| {
                examples::standby_of(target(f)).replayed = Known::Known("0/5BE0138".parse().unwrap());
            }),
            ("target silent", Standing::Unknown, |f| f.target = Known::unknown("no answer")),
            ("no control file", Standing::Unknown, |f| f.control = Known::unknown("no such command")),
        ];
        for (what, standing, change) in table {
            let judged = judge(change);
            assert_eq!(judged.standing, *standing, "{what}: {}", judged.evidence);
            assert!(judged.handover.is_none(), "{what}");
        }
    }
}
