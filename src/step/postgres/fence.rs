//! `postgres.fence`: keeps users from a source that does not answer, and may run all the same.

use super::evidence::{answers, evidence, weigh};
use super::{OnlyCluster, Pair, harmless, managed, pair};
use crate::error::Problem;
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Standing, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::exec::Command;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Handover, ServerFacts};
use crate::world::{Answer, Known, Member, Reply, World};
use serde::{Deserialize, Serialize};

/// The effect that looks whether the source is missed.
const MISSED: &str = "missed";
/// How long it has to be missed without a break. Milliseconds.
const HOLD_MS: u64 = 6_000;

/// A resolved fence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    pair: Pair,
    keep: Vec<String>,
    /// Commands, the strongest first; the next one is for where the one before proved nothing.
    rungs: Vec<Command>,
    /// Tells whether a user can reach the source. Always there in an unplanned run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fenced: Option<Command>,
}

/// Everyone who could know whether the source lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// Our own look.
    pub source: Known<ServerFacts>,
    /// Every other member, by region.
    pub standbys: Vec<(String, Known<ServerFacts>)>,
    /// Whether no user can reach the source.
    pub fenced: Known<bool>,
    /// Whether a person vouches for it. Only where nobody sees anything does that count.
    pub vouched: bool,
}

impl Fence {
    /// The command that tells whether users can reach the source.
    pub fn fenced(&self) -> Option<&Command> {
        self.fenced.as_ref()
    }
}

/// Asks from where users come from whether they can reach a server.
pub(super) async fn asked(world: &World, command: Option<&Command>) -> Known<bool> {
    let Some(command) = command else { return Known::unknown("the member has no `fenced`") };
    match world.exec.look(command).await {
        Known::Known(output) if output.code == 0 => Known::Known(true),
        Known::Known(output) if output.code == 3 => Known::Known(false),
        Known::Known(output) => Known::Unknown(format!("`fenced` ended with {}", output.code)),
        Known::Unknown(why) => Known::Unknown(why),
    }
}

/// The same; where nobody can tell, a person's word counts.
pub(super) async fn fenced(world: &World, at: &Member, command: Option<&Command>) -> Known<bool> {
    harmless(world, at, asked(world, command).await)
}

impl Kind for Fence {
    type Params = OnlyCluster;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.fence",
        summary: "Keeps users from a source that does not answer, from outside of it, and proves it from where users come from.",
        changes: true,
        touches: "the source's host or network, through the inventory's `fence` commands",
        undo: "nothing to put back: a fenced server stays so until it is made a standby",
        grants: &["GRANT pg_monitor TO mrctl", "the right to run the member's `fence` and `fenced`"],
        main: Main::Resource("cluster", "postgres"),
        place: Place::From,
        version: 1,
        part: Part::Fence,
        unplanned: Unplanned::Only("the source answers: it is frozen or stopped, and needs no fence"),
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, cluster) = pair(scope, &params.cluster)?;
        let hooks = cluster.hooks.get(&pair.source.region).cloned().unwrap_or_default();
        Ok(Self { fenced: hooks.fenced, rungs: hooks.fence, keep: cluster.keep, pair })
    }

    fn title(&self) -> String {
        format!("Fence {} in {}", self.pair.cluster, self.pair.source.region)
    }

    fn effects(&self) -> Vec<Effect> {
        // One who misses it may only be connecting again, which a standby tries every `wal_retrieve_retry_interval` (5 s).
        let missed =
            Effect { id: MISSED.into(), ..Effect::look(Pace { hold_ms: HOLD_MS, ..Pace::new(60_000, 500) }) };
        let longest: u64 = self.rungs.iter().map(|rung| rung.timeout_ms).sum();
        let fence = Effect::of("fence", Class::ForwardOnly, Pace::new(30_000, 500));
        vec![missed, fence.accept_found().settles_within(longest)]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("that users cannot reach the old primary")
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        super::sightings([(&self.pair.source, &facts.source)])
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: sight.run.to_string() };
            let postgres = &sight.world.postgres;
            let (source, target, others, fenced) = futures_util::future::join4(
                postgres.look(&self.pair.source, &scope),
                postgres.look(&self.pair.target, &scope),
                self.pair.look_at_others(sight.world, &self.keep, sight.run),
                asked(sight.world, self.fenced.as_ref()),
            )
            .await;
            let target = (self.pair.target.region.clone(), target);
            let standbys = std::iter::once(target).chain(others).collect();
            let vouched = sight.world.fenced.contains(&self.pair.source);
            Facts { source, standbys, fenced, vouched }
        })
    }

    fn judge(&self, effect: &str, facts: &Facts, aim: Aim<'_, Facts>, _: Option<&Handover>) -> Judgement {
        if let Aim::Restored(_) = aim {
            return Judgement::blocked("what is fenced stays so until it is made a standby");
        }
        // Before anything is fenced: a manager that fails over by itself would not wait for the promotion.
        let seen = facts.standbys.iter().filter_map(|(region, facts)| Some((region, facts.get()?)));
        let managed =
            seen.into_iter().find_map(|(at, facts)| managed(&Member::new(&self.pair.cluster, at), facts));
        if effect == MISSED
            && let Some(managed) = managed
        {
            return managed;
        }
        // Whoever lives behind a fence harms nobody: that it must not come back is the promotion's to ask.
        if facts.fenced == Known::Known(true) {
            return Judgement::reached(format!(
                "no user can reach {}: seen from where they come from",
                self.pair.source
            ));
        }
        let lives = answers(&facts.source).is_some() || facts.fenced == Known::Known(false);
        if facts.vouched && !lives {
            return Judgement::reached(format!(
                "a person vouches for {}; nobody can see it",
                self.pair.source
            ));
        }
        let weighed = weigh(&self.pair, &evidence(&self.pair, &facts.source, &facts.standbys, &facts.fenced));
        match weighed.standing {
            Standing::NotReached if effect == MISSED => Judgement::reached(weighed.evidence),
            Standing::NotReached if self.rungs.is_empty() => Judgement::blocked(format!(
                "{}, and the member has no `fence`: fence it by hand and vouch for it with --fenced",
                weighed.evidence
            )),
            _ => weighed,
        }
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
        Box::pin(async move {
            // The first slice has no cursor.
            let rung = if cursor.is_empty() { Ok(0) } else { cursor.parse::<usize>() };
            let Some((rung, command)) = rung.ok().and_then(|rung| Some((rung, self.rungs.get(rung)?))) else {
                return Reply::lost("no `fence` command proved that users cannot reach it");
            };
            let reply = world.exec.run(permit, command).await;
            // What a command says of itself proves nothing, either way.
            match fenced(world, &self.pair.source, self.fenced.as_ref()).await {
                Known::Known(true) => Reply::acknowledged(format!("`{}`", command.argv.join(" "))),
                Known::Known(false) | Known::Unknown(_) if rung + 1 < self.rungs.len() => Reply::More {
                    cursor: (rung + 1).to_string(),
                    progress: format!("{} of {} commands", rung + 1, self.rungs.len()),
                },
                // One before it may have done something.
                Known::Known(false) | Known::Unknown(_) if rung > 0 => {
                    Reply::lost(format!("no `fence` command proved it: {reply:?}"))
                }
                Known::Known(false) | Known::Unknown(_) => reply,
            }
        })
    }

    fn would(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        let rungs = self.rungs.iter().map(|rung| rung.argv.join(" "));
        let proof =
            self.fenced.iter().map(|fenced| format!("until this ends with 0: {}", fenced.argv.join(" ")));
        rungs.chain(proof).collect()
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        let side = |facts: &Known<ServerFacts>| facts.get().map_or("silent", |_| "answers");
        format!("{}: {}", self.pair.source, side(&facts.source))
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::world::postgres::{NO_RECEIVER, REFUSES};

    fn command(word: &str) -> Command {
        Command { argv: vec![word.into()], env: [].into(), pass: vec![], timeout_ms: 5_000 }
    }

    fn fence(rungs: &[&str]) -> Fence {
        Fence {
            pair: examples::pair(),
            keep: vec![],
            rungs: rungs.iter().map(|word| command(word)).collect(),
            fenced: Some(command("nobody-reaches")),
        }
    }

    /// The standby misses the source; what else is seen of it.
    fn seen(source: Known<ServerFacts>, fenced: Known<bool>, vouched: bool) -> Facts {
        let mut standby = examples::standby();
        examples::standby_of(&mut standby).receiver = Known::unknown(NO_RECEIVER);
        Facts { source, standbys: vec![("us-east".into(), Known::Known(standby))], fenced, vouched }
    }

    fn standing(of: &Fence, effect: &str, facts: &Facts) -> Standing {
        of.judge(effect, facts, Aim::Applied, None).standing
    }

    #[test]
    fn only_a_proof_or_a_word_that_nothing_contradicts_is_a_fence() {
        let silent = || Known::unknown("no answer");
        let nobody_can_tell = || Known::unknown("no answer");
        let ladder = fence(&["off", "close"]);
        let (reached, blocked) = (Standing::Reached, Standing::Blocked);
        for (source, fenced, vouched, wanted) in [
            (silent(), Known::Known(true), false, reached),
            (silent(), nobody_can_tell(), false, Standing::NotReached),
            (silent(), nobody_can_tell(), true, reached),
            // Somebody sees it: the word does not count.
            (silent(), Known::Known(false), true, blocked),
            (Known::Known(examples::primary()), nobody_can_tell(), true, blocked),
            (Known::Unknown(format!("{REFUSES}too many clients (53300)")), nobody_can_tell(), true, blocked),
            (silent(), Known::Known(false), false, blocked),
        ] {
            let facts = seen(source, fenced, vouched);
            assert_eq!(standing(&ladder, "fence", &facts), wanted, "{facts:?}");
        }
    }

    #[test]
    fn the_look_before_it_is_content_where_the_fence_may_go_on() {
        let missed = seen(Known::unknown("no answer"), Known::unknown("no answer"), false);
        assert_eq!(standing(&fence(&["off"]), MISSED, &missed), Standing::Reached);
        let lives = seen(Known::Known(examples::primary()), Known::unknown("no answer"), false);
        assert_eq!(standing(&fence(&["off"]), MISSED, &lives), Standing::Blocked);
    }

    #[test]
    fn where_another_manager_is_in_charge_nothing_is_fenced_and_what_is_proved_stays_proved() {
        let mut facts = seen(Known::unknown("no answer"), Known::Known(true), false);
        let Known::Known(standby) = &mut facts.standbys[0].1 else { unreachable!() };
        standby.managers = vec!["Patroni".into()];
        assert_eq!(standing(&fence(&["off"]), MISSED, &facts), Standing::Blocked);
        assert_eq!(standing(&fence(&["off"]), "fence", &facts), Standing::Reached);
    }

    #[test]
    fn without_a_command_a_person_has_to_fence_it_and_what_is_fenced_is_not_given_back() {
        let facts = seen(Known::unknown("no answer"), Known::unknown("no answer"), false);
        let judged = fence(&[]).judge("fence", &facts, Aim::Applied, None);
        assert_eq!(judged.standing, Standing::Blocked);
        assert!(judged.evidence.contains("vouch for it with --fenced"), "{}", judged.evidence);
        let back = fence(&["off"]).judge("fence", &facts, Aim::Restored(&facts), None);
        assert_eq!(back.standing, Standing::Blocked);
    }
}
