//! What is seen of both servers, judged for each effect of a reprotection.

use super::{Facts, Reprotect};
use crate::step::contract::{Judgement, Standing};
use crate::step::postgres::evidence::answers;
use crate::step::postgres::unread;
use crate::world::Known;
use crate::world::postgres::protection::drop_by_hand;
use crate::world::postgres::{Altered, Glance, PrimaryFacts, Protection, Role, ServerFacts};

/// What the old primary is, in a few words.
pub(super) fn old_in_words(old: &Known<ServerFacts>) -> &'static str {
    match old {
        Known::Unknown(_) => "silent",
        Known::Known(old) if old.in_recovery() => "standby",
        Known::Known(old) if old.read_only.binds() => "frozen primary",
        Known::Known(_) => "primary",
    }
}

/// Whether a setting is on, in any of the server's words for it.
fn is_on(value: &str) -> bool {
    ["on", "true", "yes", "1"].contains(&value.to_ascii_lowercase().as_str())
}

impl Reprotect {
    /// The new primary, if it is one that the old one can follow.
    pub(super) fn primary<'f>(
        &self,
        facts: &'f Facts,
    ) -> Result<(&'f ServerFacts, &'f PrimaryFacts), Box<Judgement>> {
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
    pub(super) fn astray(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
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
        self.unsent(standby, facts, new)
    }

    pub(super) fn judge_checkpoint(&self, facts: &Facts) -> Judgement {
        let (server, new) = match self.primary(facts) {
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
        if let Some(lacks) = facts.kept.get().and_then(|kept| self.lacks(facts, kept, new)) {
            return lacks;
        }
        match self.kept(facts, server) {
            Ok(kept) if kept.recorded == new.timeline => {
                Judgement::reached(format!("the control file names timeline {}", new.timeline))
            }
            Ok(kept) if kept.recorded > new.timeline => Judgement::blocked(format!(
                "the control file names timeline {}, and {} is written",
                kept.recorded, new.timeline
            )),
            Ok(kept) => Judgement::not_reached(format!(
                "the control file names timeline {}, and {} is written: a rewind would find nothing to do",
                kept.recorded, new.timeline
            )),
            Err(judged) => *judged,
        }
    }

    pub(super) fn judge_rejoined(&self, facts: &Facts) -> Judgement {
        let (server, new) = match self.primary(facts) {
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
        match self.kept(facts, server) {
            Ok(kept) if kept.recorded == new.timeline => {}
            Ok(kept) => {
                return Judgement::blocked(format!(
                    "the control file of {} names timeline {}, and {} is written: a rewind would find nothing to do",
                    self.pair.target, kept.recorded, new.timeline
                ));
            }
            Err(judged) => return *judged,
        }
        if let Some(judged) = self.held(facts, new) {
            return judged;
        }
        match &facts.old {
            Known::Known(old) if old.in_recovery() => astray,
            Known::Known(_) | Known::Unknown(_) => self.judge_old(facts, new),
        }
    }

    /// What the new primary keeps, as far as it is of this cluster.
    pub(super) fn kept<'f>(
        &self,
        facts: &'f Facts,
        new: &ServerFacts,
    ) -> Result<&'f Protection, Box<Judgement>> {
        let at = &self.pair.target;
        match &facts.kept {
            Known::Known(kept) if kept.system == new.system => Ok(kept),
            Known::Known(kept) => Err(Box::new(Judgement::blocked(format!(
                "{at} was two different clusters within a moment: {} and {}",
                new.system, kept.system
            )))),
            Known::Unknown(why) => {
                Err(Box::new(Judgement::unknown(unread("the control file and the slots", at, why))))
            }
        }
    }

    /// What forbids to end the old one, if anything does. Asked before anything is begun, too.
    pub(super) fn held(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        if let Some(newer) = self.newer_elsewhere(facts, new) {
            return Some(newer);
        }
        let judged = self.judge_old(facts, new);
        (judged.standing != Standing::NotReached).then_some(judged)
    }

    fn judge_old(&self, facts: &Facts, new: &PrimaryFacts) -> Judgement {
        match &facts.old {
            Known::Known(old) => match &old.role {
                Role::Standby(standby) => self.judge_standby(standby, new),
                Role::Primary(primary) => self.judge_primary(old, primary, facts, new),
            },
            Known::Unknown(why) => self.judge_silent(why, facts, new),
        }
    }

    /// The old one is a primary still.
    fn judge_primary(
        &self,
        old: &ServerFacts,
        primary: &PrimaryFacts,
        facts: &Facts,
        new: &PrimaryFacts,
    ) -> Judgement {
        let (at, timeline) = (&self.pair.source, primary.timeline);
        // Proved from where users come from. A person's word does not outweigh what is seen here.
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

    /// The old one does not answer: that it harms nobody has to be proved, and that it is the older one.
    fn judge_silent(&self, why: &str, facts: &Facts, new: &PrimaryFacts) -> Judgement {
        let at = &self.pair.source;
        let harmless = match (&facts.fenced, answers(&facts.old), &facts.stopped) {
            (Known::Known(true), _, _) => format!("{at} does not answer, and is fenced"),
            (Known::Known(false) | Known::Unknown(_), Some(how), _) => {
                return Judgement::unknown(format!("{at} {how}"));
            }
            (Known::Known(false), None, _) => {
                return Judgement::unknown(format!(
                    "{at} does not answer here ({why}), and users can reach it: it may be a primary that takes writes"
                ));
            }
            (Known::Unknown(_), None, Known::Known(true)) => format!("{at} is stopped"),
            (Known::Unknown(_), None, Known::Known(false)) => {
                return Judgement::unknown(format!(
                    "{at} runs and does not answer ({why}): it may be a primary that takes writes"
                ));
            }
            (Known::Unknown(_), None, Known::Unknown(_)) if facts.vouches(&at.region) => {
                format!("{at} does not answer, and a person vouches for it")
            }
            (Known::Unknown(_), None, Known::Unknown(unproved)) => {
                return Judgement::unknown(format!(
                    "{at} does not answer ({why}), and nothing proves that it is stopped or fenced ({unproved}): \
                     stop it, or vouch for it with --fenced"
                ));
            }
        };
        self.not_older(facts, new).unwrap_or_else(|| Judgement::not_reached(harmless))
    }

    pub(super) fn judge_thawed(&self, facts: &Facts) -> Judgement {
        let at = &self.pair.source;
        let old = match &facts.old {
            Known::Known(old) if old.in_recovery() => old,
            Known::Known(_) => return Judgement::blocked(format!("{at} is no standby")),
            Known::Unknown(why) => return Judgement::unknown(unread("the standby", at, why)),
        };
        let on = &old.read_only;
        match &on.altered {
            // Also where what we get ourselves is something else: it comes back with a promotion.
            Known::Known(Altered::To(value)) if is_on(value) => Judgement::not_reached(format!(
                "the freeze is left in its configuration (default_transaction_read_only = {value}): a promotion would come up read-only"
            )),
            Known::Unknown(why) => Judgement::unknown(format!(
                "whether a freeze is left in the configuration of {at} is unknown: {why}"
            )),
            Known::Known(_) if on.hidden() => Judgement::unknown(format!(
                "whether a freeze is left on {at} is hidden by a setting of our own {}: take that away",
                on.source
            )),
            Known::Known(_) if on.on => Judgement::blocked(format!(
                "{at} is read-only by its {}: a promotion there would come up read-only; mrctl did not set that",
                on.source
            )),
            Known::Known(_) => Judgement::reached("no freeze is left"),
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
