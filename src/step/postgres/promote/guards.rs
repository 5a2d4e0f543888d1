//! What is asked once more right before a promotion is sent, besides what its statement guards itself.

use super::super::control_data::ControlData;
use super::super::fence::fenced;
use super::super::{in_recovery, lost};
use super::Promote;
use crate::world::postgres::Handover;
use crate::world::{Known, Member, World};

impl Promote {
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
