//! The state of one effect: what was last seen of it, and what became of our intents. Two separate facts.

use super::record::Purpose;
use crate::plan::PlannedEffect;
use crate::step::{Class, Effect, Facts, Found, Standing};
use std::sync::Arc;

/// State of one effect: its last standing, and our last intent. Two separate facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct EffectState {
    /// The last judged look since the last change of ours.
    pub seen: Option<Arc<Seen>>,
    /// Our last intent to apply it.
    pub intent: Option<Intent>,
    /// Our last intent to take it back.
    pub undo: Option<Intent>,
    /// How it was taken back.
    pub undone: Option<Undone>,
    /// It was there already, and a person adopted it or it is harmless.
    pub found: bool,
    /// An attempt before the last one was never proved absent: it may still come about, whatever becomes of the last one.
    pub unproven: bool,
    /// The last attempt is known to have ended, by its own answer or by a person's word, whether or not anything came of it.
    pub ended: bool,
    /// Attempts before the last process or decision: a person who asks again gets all tries again.
    pub tried_before: u32,
    /// Attempts so far over the whole life of the run, of both directions: session names at the target must never repeat.
    pub attempts: u32,
}

/// A judged look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Why it was made.
    pub purpose: Purpose,
    /// What it means.
    pub standing: Standing,
    /// What a consent to it covers, and what was seen in one line.
    pub evidence: String,
    /// The facts, kept while they may become the prior of an intent.
    pub facts: Arc<Facts>,
}

/// An intent of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Counts from 1.
    pub attempt: u32,
    /// Facts before it.
    pub prior: Arc<Facts>,
    /// What became of it.
    pub flight: Flight,
    /// It was seen once: whatever others make of it, this call is over and nothing of it comes late.
    pub over: bool,
}

impl Intent {
    /// Whether it may have been made, and was never seen: all of it, a part of it, or nothing.
    pub fn unseen(&self) -> bool {
        !self.over
            && matches!(self.flight, Flight::InFlight { .. } | Flight::InDoubt { .. } | Flight::Acknowledged)
    }
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// This process holds the permit, and the call has not been answered.
    InFlight {
        /// Where the next slice begins.
        cursor: String,
    },
    /// Only a look can tell.
    InDoubt {
        /// The process that held it ended (as opposed to: the answer was lost while it ran). Then the same person resumed, and
        /// an effect that is proved absent is simply tried again.
        orphaned: bool,
    },
    /// The other side said that it did it; a look has not proved it yet.
    Acknowledged,
    /// Refused by the guard: proof that this attempt changed nothing.
    Refused {
        /// The guard's reason.
        why: String,
    },
    /// A look proved it.
    Landed,
}

impl Flight {
    /// Whether a slice of it was answered, and another one is to come.
    fn begun(&self) -> bool {
        matches!(self, Self::InFlight { cursor } if !cursor.is_empty())
    }
}

/// How an effect was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Undone {
    /// The prior value is there, as seen.
    Restored,
    /// Somebody else changed it since; left alone and reported.
    Foreign,
    /// It could not be taken back.
    Failed {
        /// Whether it could not even be seen.
        unknown: bool,
    },
}

impl EffectState {
    /// Whether it may have changed something that was not taken back.
    pub fn stands(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| !matches!(intent.flight, Flight::Refused { .. }))
            && !matches!(self.undone, Some(Undone::Restored | Undone::Foreign))
    }

    /// Whether a call of ours for it, or for its undo, is remembered.
    pub(super) fn sent(&self) -> bool {
        self.intent.is_some() || self.undo.is_some()
    }

    /// Whether half of it may be there, where no look sees it: it was never seen, and no undo was acknowledged.
    pub(super) fn half_may_stand(&self) -> bool {
        let undone = |undo: &Intent| matches!(undo.flight, Flight::Acknowledged | Flight::Landed);
        self.intent.as_ref().is_some_and(Intent::unseen) && !self.undo.as_ref().is_some_and(undone)
    }

    /// Whether it is intended, and neither refused nor proved.
    pub fn armed(&self) -> bool {
        self.intent
            .as_ref()
            .is_some_and(|intent| !matches!(intent.flight, Flight::Refused { .. } | Flight::Landed))
    }

    /// Whether it is proved, whoever did it.
    pub fn passed(&self) -> bool {
        self.landed() || self.seen.as_ref().is_some_and(|seen| seen.standing == Standing::Reached)
    }

    /// The last attempt was refused, which proves that it did nothing; of an attempt before it, it proves nothing.
    pub(super) fn refuse(&mut self, undo: bool, why: String) {
        let doubt = self.unproven && !undo;
        let intent = if undo { &mut self.undo } else { &mut self.intent };
        if let Some(intent) = intent {
            intent.flight = if doubt { Flight::InDoubt { orphaned: false } } else { Flight::Refused { why } };
        }
    }

    /// No attempt so far can come about any more, and none has: as if the last one had been refused.
    pub(super) fn disarm(&mut self, why: String) {
        if let Some(intent) = &mut self.intent {
            intent.flight = Flight::Refused { why };
            (self.unproven, self.seen) = (false, None);
        }
    }

    /// The next call of the last attempt was not made. Where it was the first one, that is a refusal; what earlier ones did, a look has to tell.
    pub(super) fn not_sent(&mut self, undo: bool, why: String) {
        let intent = if undo { &mut self.undo } else { &mut self.intent };
        match intent {
            Some(Intent { flight: flight @ Flight::InFlight { .. }, .. }) if flight.begun() => {
                *flight = Flight::InDoubt { orphaned: false };
            }
            Some(_) | None => self.refuse(undo, why),
        }
    }

    /// A refused attempt changed nothing: the effect is as if it had never been intended, except that its number is used.
    pub(super) fn forget_if_refused(&mut self) {
        if self.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::Refused { .. })) {
            self.intent = None;
            self.seen = None;
        }
        if self.undo.as_ref().is_some_and(|undo| matches!(undo.flight, Flight::Refused { .. })) {
            self.undo = None;
            self.seen = None;
        }
    }

    /// Whether it is made once more when the answer was lost and nothing of it is seen: what has nothing to take back and only serves a
    /// proof, three times at most.
    pub(super) fn may_be_made_again(&self, effect: &Effect) -> bool {
        effect.class == Class::ForwardOnly && effect.makes.is_some() && self.attempts < 3
    }

    /// Whether what it has started may go on where no look sees it, so that a second call would run beside it.
    pub(super) fn may_run(&self, effect: &Effect) -> bool {
        effect.once
            && !self.ended
            && self.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::InDoubt { .. }))
    }

    /// Whether our intent is proved.
    pub fn landed(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| matches!(intent.flight, Flight::Landed))
    }

    /// Whether the effect is there as the plan wants it, and may count: proved as ours, adopted, harmless, or only looked at.
    pub fn done(&self, planned: &PlannedEffect) -> bool {
        let seen = self.seen.as_ref().is_some_and(|seen| {
            seen.standing == Standing::Reached && matches!(seen.purpose, Purpose::Before | Purpose::After)
        });
        match planned.effect.class {
            Class::Looks => seen,
            Class::Undoable | Class::Pivot | Class::ForwardOnly => {
                self.landed()
                    || self.found
                    || (seen && planned.effect.found == Found::Accept && !self.stands())
            }
        }
    }
}
