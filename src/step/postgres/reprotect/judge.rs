//! What is seen of both servers, judged for each effect of a reprotection.

use super::{Facts, Reprotect};
use crate::step::contract::{Judgement, Standing};
use crate::step::postgres::evidence::answers;
use crate::step::postgres::unread;
use crate::world::Known;
use crate::world::postgres::protection::drop_by_hand;
use crate::world::postgres::{Altered, Glance, PrimaryFacts, ServerFacts};

/// What the old primary is, in a few words.
pub(super) fn old_in_words(old: &Known<ServerFacts>) -> &'static str {
    match old {
        Known::Unknown(_) => "silent",
        Known::Known(old) if old.in_recovery() => "standby",
        Known::Known(old) if old.read_only.binds() => "frozen primary",
        Known::Known(_) => "primary",
    }
}

impl Reprotect {
    /// The new primary, if it is one that the old one can follow.
    fn primary<'f>(&self, facts: &'f Facts) -> Result<(&'f ServerFacts, &'f PrimaryFacts), Box<Judgement>> {
        let at = &self.pair.target;
        let new = match &facts.new {
            Known::Known(new) => new,
            Known::Unknown(why) => {
                return Err(Box::new(Judgement::unknown(unread("the new primary", at, why))));
            }
        };
        let Some(primary) = new.primary() else {
            return Err(Box::new(Judgement::blocked(format!(
                "{at} is a standby: nobody was promoted there"
            ))));
        };
        let Some(old) = facts.old.get() else { return Ok((new, primary)) };
        if old.system != new.system {
            return Err(Box::new(Judgement::blocked(format!(
                "two different clusters: {} and {}",
                old.system, new.system
            ))));
        }
        match old.primary() {
            Some(other) if other.timeline >= primary.timeline => Err(Box::new(Judgement::blocked(format!(
                "{} writes timeline {}, {at} timeline {}: the one that was promoted has the newer; if the direction is right, a person has to decide which history stays",
                self.pair.source, other.timeline, primary.timeline
            )))),
            Some(_) | None => Ok((new, primary)),
        }
    }

    /// Why the old one does not follow the new one yet; nothing if it does, as both of them say.
    fn astray(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        let Some(standby) = facts.old.get().and_then(ServerFacts::standby) else {
            return Some(Judgement::not_reached(old_in_words(&facts.old)));
        };
        let (source, target) = (&self.pair.source.region, &self.pair.target.region);
        match &standby.receiver {
            Known::Known(receiver) if receiver.status == "streaming" && receiver.timeline == new.timeline => {
            }
            Known::Known(receiver) => {
                return Some(Judgement::not_reached(format!(
                    "{source} is a standby, its receiver is {} on timeline {}, and {target} writes {}",
                    receiver.status, receiver.timeline, new.timeline
                )));
            }
            Known::Unknown(why) => {
                return Some(Judgement::not_reached(format!("{source} is a standby: {why}")));
            }
        }
        match &new.senders {
            Known::Known(senders) if senders.iter().any(|sender| sender.state == "streaming") => None,
            Known::Known(_) => {
                Some(Judgement::not_reached(format!("{target} does not see any standby stream yet")))
            }
            Known::Unknown(why) => {
                Some(Judgement::unknown(format!("who follows {target} is unknown: {why}")))
            }
        }
    }

    pub(super) fn judge_checkpoint(&self, facts: &Facts) -> Judgement {
        let (_, new) = match self.primary(facts) {
            Ok(primary) => primary,
            Err(judged) => return *judged,
        };
        if self.astray(facts, new).is_none() {
            return Judgement::reached("nothing is to be rewound: it follows already");
        }
        // Nothing is begun that could not be ended.
        if let Some(judged) = self.held(facts, new) {
            return judged;
        }
        match &facts.kept {
            Known::Known(kept) if kept.recorded == new.timeline => {
                Judgement::reached(format!("the control file names timeline {}", new.timeline))
            }
            Known::Known(kept) => Judgement::not_reached(format!(
                "the control file names timeline {}, and {} is written: a rewind would find nothing to do",
                kept.recorded, new.timeline
            )),
            Known::Unknown(why) => Judgement::unknown(unread("the control file", &self.pair.target, why)),
        }
    }

    pub(super) fn judge_slot(&self, facts: &Facts) -> Judgement {
        let (_, new) = match self.primary(facts) {
            Ok(primary) => primary,
            Err(judged) => return *judged,
        };
        let name = self.slot.as_deref().unwrap_or_default();
        match &facts.kept {
            Known::Known(kept) if kept.slots.iter().any(|slot| slot.name == name) => {
                Judgement::reached(format!("slot {name} is there"))
            }
            // One that nobody uses would keep everything for ever.
            Known::Known(_) if self.astray(facts, new).is_none() => {
                Judgement::reached(format!("it follows without the slot {name}"))
            }
            Known::Known(_) => Judgement::not_reached(format!("there is no slot {name}")),
            Known::Unknown(why) => Judgement::unknown(unread("the slots", &self.pair.target, why)),
        }
    }

    pub(super) fn judge_rejoined(&self, facts: &Facts) -> Judgement {
        let (_, new) = match self.primary(facts) {
            Ok(primary) => primary,
            Err(judged) => return *judged,
        };
        let Some(astray) = self.astray(facts, new) else {
            let (source, target) = (&self.pair.source.region, &self.pair.target.region);
            return Judgement::reached(format!(
                "{source} streams from {target} on timeline {}",
                new.timeline
            ));
        };
        if astray.standing == Standing::Unknown {
            return astray;
        }
        if facts.kept.is(|kept| kept.recorded != new.timeline) {
            return Judgement::blocked(format!(
                "the control file of {} still names an older timeline: a rewind would find nothing to do",
                self.pair.target
            ));
        }
        match &facts.old {
            Known::Known(old) if old.in_recovery() => astray,
            Known::Known(old) => self.judge_primary(old, facts, new),
            Known::Unknown(why) => self.judge_silent(why, facts),
        }
    }

    /// What forbids to end the old one, if anything does.
    fn held(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        let judged = match &facts.old {
            Known::Known(old) if old.in_recovery() => return None,
            Known::Known(old) => self.judge_primary(old, facts, new),
            Known::Unknown(why) => self.judge_silent(why, facts),
        };
        (judged.standing != Standing::NotReached).then_some(judged)
    }

    /// The old one is a primary still.
    fn judge_primary(&self, old: &ServerFacts, facts: &Facts, new: &PrimaryFacts) -> Judgement {
        let at = &self.pair.source;
        let timeline = old.primary().map_or(0, |old| old.timeline);
        if facts.fenced == Known::Known(true) {
            return Judgement::not_reached(format!(
                "a primary on timeline {timeline}, which no user can reach"
            ));
        }
        if !old.read_only.binds() {
            return Judgement::blocked(format!(
                "divergence: {at} is a second primary and takes writes, on timeline {timeline} beside {} in {}; what it takes would be gone: stop it or fence it first, and save what only it has",
                new.timeline, self.pair.target.region
            ));
        }
        match Glance::from(old).open_writes {
            Known::Known(0) => Judgement::not_reached(format!("a frozen primary on timeline {timeline}")),
            Known::Known(open) => Judgement::moving(format!(
                "{open} transactions that write are open on {at}, in spite of the freeze"
            )),
            Known::Unknown(why) => {
                Judgement::unknown(format!("whether anybody writes on {at} is unknown: {why}"))
            }
        }
    }

    /// The old one does not answer: that it harms nobody has to be proved.
    fn judge_silent(&self, why: &str, facts: &Facts) -> Judgement {
        let at = &self.pair.source;
        if facts.fenced == Known::Known(true) {
            return Judgement::not_reached(format!("{at} does not answer, and is fenced"));
        }
        if let Some(how) = answers(&facts.old) {
            return Judgement::unknown(format!("{at} {how}"));
        }
        match &facts.stopped {
            Known::Known(true) => Judgement::not_reached(format!("{at} is stopped")),
            Known::Known(false) => Judgement::unknown(format!(
                "{at} runs and does not answer ({why}): it may be a primary that takes writes"
            )),
            Known::Unknown(unproved) => Judgement::unknown(format!(
                "{at} does not answer ({why}), and nothing proves that it is stopped or fenced ({unproved}): \
                 stop it, or vouch for it with --fenced"
            )),
        }
    }

    pub(super) fn judge_thawed(&self, facts: &Facts) -> Judgement {
        let at = &self.pair.source;
        let old = match &facts.old {
            Known::Known(old) if old.in_recovery() => old,
            Known::Known(_) => return Judgement::blocked(format!("{at} is no standby")),
            Known::Unknown(why) => return Judgement::unknown(unread("the standby", at, why)),
        };
        match &old.read_only.altered {
            Known::Known(Altered::To(value)) if old.read_only.on => Judgement::not_reached(format!(
                "the freeze is left in its configuration (default_transaction_read_only = {value}): a promotion would come up read-only"
            )),
            Known::Known(_) | Known::Unknown(_) if old.read_only.on => Judgement::blocked(format!(
                "{at} is read-only by its {}: a promotion there would come up read-only; mrctl did not set that",
                old.read_only.source
            )),
            Known::Known(_) | Known::Unknown(_) => Judgement::reached("no freeze is left"),
        }
    }

    pub(super) fn judge_protected(&self, facts: &Facts) -> Judgement {
        let (new, primary) = match self.primary(facts) {
            Ok(primary) => primary,
            Err(judged) => return *judged,
        };
        if let Some(astray) = self.astray(facts, primary) {
            return astray;
        }
        if let Some(why) = facts.old.get().and_then(ServerFacts::unfit) {
            return Judgement::not_reached(format!("{} could not take over: {why}", self.pair.source));
        }
        match new.lacks_synchronous() {
            Known::Known(None) => {}
            Known::Known(Some(why)) => return Judgement::not_reached(why),
            Known::Unknown(why) => {
                return Judgement::unknown(format!("whether commits wait for a standby is unknown: {why}"));
            }
        }
        let mut told = vec![format!(
            "{} streams from {} on timeline {}",
            self.pair.source.region, self.pair.target.region, primary.timeline
        )];
        let ghosts = new.absent_synchronous();
        if !ghosts.is_empty() {
            told.push(format!(
                "synchronous_standby_names names {}, and nobody of that name streams",
                ghosts.join(" and ")
            ));
        }
        for (at, kept) in [(&self.pair.source, &facts.left), (&self.pair.target, &facts.kept)] {
            match kept {
                Known::Known(kept) => told.extend(kept.idle().into_iter().map(|slot| {
                    format!(
                        "nobody uses the slot {slot}, which keeps write-ahead log: {}",
                        drop_by_hand(at, slot)
                    )
                })),
                Known::Unknown(why) => told.push(format!("slots in {} are unknown: {why}", at.region)),
            }
        }
        Judgement::reached(told.join("; "))
    }
}
