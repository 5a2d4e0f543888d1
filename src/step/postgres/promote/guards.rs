//! What is asked once more right before a promotion is sent, besides what its statement guards itself.

use super::super::control_data::ControlData;
use super::super::fence::fenced;
use super::super::{PairFacts, in_recovery, lost};
use super::Promote;
use crate::step::contract::Judgement;
use crate::world::postgres::Handover;
use crate::world::{Known, Member, World};

/// Of a source that is frozen and was written to, who is connected: one of them lifts the freeze for itself.
pub(super) fn with_those_connected(trouble: Judgement, facts: &PairFacts) -> Judgement {
    let frozen = facts.source.get().filter(|source| source.read_only.binds());
    let Some(Known::Known(sessions)) = frozen.map(|source| &source.sessions) else { return trouble };
    if sessions.clients.is_empty() {
        return trouble;
    }
    let who: Vec<String> = sessions.clients.iter().map(|(role, count)| format!("{role}: {count}")).collect();
    let evidence = format!(
        "{}; connected are {}, of which one may lift the freeze for itself (SET default_transaction_read_only = off), or a role that is kept: stop that one, or stop the source (postgres.stop)",
        trouble.evidence,
        who.join(", ")
    );
    Judgement { evidence, ..trouble }
}

impl Promote {
    /// In an unplanned run, whether users are kept from the old primary now.
    pub async fn users_kept(&self, world: &World) -> Option<Known<()>> {
        if !self.unplanned {
            return None;
        }
        Some(self.not_fenced(world).await.map_or(Known::Known(()), Known::Unknown))
    }

    /// Whether the target still has as much as anybody who can be seen, and nothing moves: since the handover was made somebody may have
    /// come back who has more.
    pub(super) async fn outranked(&self, run: &str, handover: &Handover, world: &World) -> Option<String> {
        let mut facts = self.pair.look(world, &self.keep, run).await;
        facts.others = self.pair.look_at_others(world, &self.keep, run).await;
        let judged = lost::judge(&self.pair, &facts);
        match judged.handover {
            Some(now) if now.position >= handover.position && now.timeline == handover.timeline => None,
            Some(_) => Some("the target is not where it was at the handover, which is dead".into()),
            None => Some(judged.evidence),
        }
    }

    /// An unplanned promotion is forbidden where users may still reach the old primary: there would be two.
    pub(super) async fn not_fenced(&self, world: &World) -> Option<String> {
        match fenced(world, &self.pair.source, self.fenced.as_ref()).await {
            Known::Known(true) => None,
            Known::Known(false) => Some(format!("users can reach {}: fence it first", self.pair.source)),
            Known::Unknown(why) => Some(format!(
                "whether users can reach {} is unknown ({why}): fence it, or vouch for it with --fenced",
                self.pair.source
            )),
        }
    }

    /// A source that was stopped does not answer; what it left on disk says that it is still as the handover says. One that refuses
    /// connections because it is full, starting, or behind a wall, would not.
    pub(super) async fn still_stopped(&self, handover: &Handover, world: &World) -> Option<String> {
        let control = match &self.control_data {
            Some(command) => ControlData::read(world, command).await,
            None => Known::unknown("the member has no `control_data`"),
        };
        match control {
            // A person says that it cannot come back; only what it says itself could prove them wrong.
            Known::Unknown(_) if world.fenced.contains(&self.pair.source) => None,
            Known::Unknown(why) => Some(format!("whether the source is still stopped is unknown: {why}")),
            Known::Known(control) if control.state != "shut down" => {
                Some(format!("the source was stopped, and its control file says `{}` now", control.state))
            }
            Known::Known(control) if control.system != handover.system => {
                Some("the source's control file is that of another cluster".into())
            }
            Known::Known(control) if control.checkpoint != handover.position => Some(format!(
                "the source ran again since the handover: it was shut down at {}, not at {}",
                control.checkpoint, handover.position
            )),
            Known::Known(_) => None,
        }
    }

    /// A third member that takes writes: promoting would make two.
    pub(super) async fn another_primary(&self, run: &str, system: &str, world: &World) -> Option<String> {
        let others: Vec<Member> =
            self.pair.others.iter().filter(|other| **other != self.pair.target).cloned().collect();
        let seen = in_recovery(world, &others, &self.keep, run, Some(system)).await;
        let (region, _) = seen.into_iter().find(|(_, recovery)| *recovery == Known::Known(false))?;
        Some(format!("the member in {region} is a primary: there would be two"))
    }
}
