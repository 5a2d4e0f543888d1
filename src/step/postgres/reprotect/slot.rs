//! Through which slot the old one streams, and whether it is the old one that the new primary sends to.

use super::{Facts, Reprotect};
use crate::step::contract::Judgement;
use crate::world::Known;
use crate::world::postgres::protection::drop_by_hand;
use crate::world::postgres::{PrimaryFacts, Protection, ServerFacts, Slot, StandbyFacts};

impl Reprotect {
    /// The slot that the member names, where it is there.
    fn named<'f>(&self, facts: &'f Facts) -> Option<&'f Slot> {
        let name = self.slot.as_deref()?;
        facts.kept.get()?.slots.iter().find(|slot| slot.name == name)
    }

    /// Why the new primary does not send to the old one what it writes, if it does not. That somebody streams says nothing: a backup does,
    /// and so does another standby. It is the one that uses the old one's slot; where it uses none, it has to have what was written.
    pub(super) fn unsent(&self, old: &StandbyFacts, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        let (source, target) = (&self.pair.source.region, &self.pair.target.region);
        let senders = match &new.senders {
            Known::Known(senders) => senders,
            Known::Unknown(why) => {
                return Some(Judgement::unknown(format!("who follows {target} is unknown: {why}")));
            }
        };
        if !senders.iter().any(|sender| sender.state == "streaming") {
            return Some(Judgement::not_reached(format!("{target} does not see any standby stream yet")));
        }
        match self.named(facts).filter(|slot| slot.active) {
            Some(slot) if slot.sender.as_deref() == Some("streaming") => None,
            Some(slot) => Some(Judgement::not_reached(format!(
                "the sender through slot {} of {target} is not streaming yet: {}",
                slot.name,
                slot.sender.as_deref().unwrap_or("none")
            ))),
            None => match &old.received {
                // The new one was looked at before.
                Known::Known(received) if *received >= new.flushed => None,
                Known::Known(received) => Some(Judgement::not_reached(format!(
                    "{source} has received up to {received}, and {target} had written up to {}",
                    new.flushed
                ))),
                Known::Unknown(why) => {
                    Some(Judgement::unknown(format!("what {source} has received is unknown: {why}")))
                }
            },
        }
    }

    pub(super) fn judge_slot(&self, facts: &Facts) -> Judgement {
        let (server, new) = match self.primary(facts) {
            Ok(primary) => primary,
            Err(judged) => return *judged,
        };
        if let Err(judged) = self.kept(facts, server) {
            return *judged;
        }
        let name = self.slot.as_deref().unwrap_or_default();
        let follows = self.astray(facts, new).is_none();
        match self.named(facts) {
            Some(slot) if follows && slot.unfit().is_none() => {
                Judgement::reached(format!("slot {name} is there"))
            }
            // One that nobody uses would keep everything for ever.
            Some(_) | None if follows => Judgement::reached(format!("it follows without the slot {name}")),
            Some(slot) => self.judge_found(slot, facts),
            None => self
                .held(facts, new)
                .unwrap_or_else(|| Judgement::not_reached(format!("there is no slot {name}"))),
        }
    }

    fn judge_found(&self, slot: &Slot, facts: &Facts) -> Judgement {
        let (at, name) = (&self.pair.target, &slot.name);
        if let Some(why) = slot.unfit() {
            return Judgement::blocked(format!(
                "the slot {name} {why}: if nobody needs it, {}",
                drop_by_hand(at, name)
            ));
        }
        // A standby that was cut off is held to be there for up to `wal_sender_timeout`.
        if slot.active && !facts.old.is(ServerFacts::in_recovery) {
            return Judgement::moving(format!(
                "the slot {name} on {at} is used, and not by {}",
                self.pair.source
            ));
        }
        if !slot.active {
            return Judgement::reached(format!(
                "slot {name} is there, and keeps write-ahead log until {} streams through it; where that will not be, {}",
                self.pair.source,
                drop_by_hand(at, name)
            ));
        }
        Judgement::reached(format!("slot {name} is there"))
    }

    /// A right that a later effect would be refused for: before anything is begun.
    pub(super) fn lacks(&self, facts: &Facts, kept: &Protection, new: &PrimaryFacts) -> Option<Judgement> {
        let at = &self.pair.target;
        if kept.recorded < new.timeline && !kept.may_checkpoint {
            return Some(Judgement::blocked(format!(
                "our role may not ask for a checkpoint on {at}: GRANT pg_checkpoint TO mrctl (before version 15 only a superuser may)"
            )));
        }
        if self.slot.is_some() && self.named(facts).is_none() && !kept.may_replicate {
            return Some(Judgement::blocked(format!(
                "our role may not make a slot on {at}: ALTER ROLE mrctl REPLICATION"
            )));
        }
        None
    }

    /// Right before the rejoin: why the slot that the old one is to stream through would not do.
    pub(super) fn no_slot(&self, facts: &Facts) -> Option<String> {
        let name = self.slot.as_deref()?;
        let Some(slot) = self.named(facts) else {
            return Some(format!("there is no slot {name} on {}", self.pair.target));
        };
        let judged = self.judge_found(slot, facts);
        (judged.standing != crate::step::contract::Standing::Reached).then_some(judged.evidence)
    }

    /// How the slot that may be left is dropped, for where the old one will not stream through it.
    pub(super) fn drop_left(&self) -> Option<String> {
        Some(drop_by_hand(&self.pair.target, self.slot.as_deref()?))
    }
}
