//! The real changes of a step: how each can be taken back, what proves it, and how long it is looked for.

use serde::{Deserialize, Serialize};

/// How an effect can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Changes nothing.
    Looks,
    /// Can be put back.
    Undoable,
    /// No way back.
    Pivot,
    /// Nothing to put back: a message that was sent, a cache that was warmed.
    ForwardOnly,
}

/// What to do when an effect is already there before this run intended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Never adopted silently: a person adopts it or stops.
    Ask,
    /// Harmless: whoever made it so, it is as good as ours, and there is nothing to undo.
    Accept,
}

/// What proves an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A look. The rule.
    Look,
    /// Nothing can be looked at (a command without a look): the reply has to do, and a lost one stays unknown.
    Reply,
    /// Nothing can be looked at, and doing it again is harmless (a message with a key by which copies are dropped, a copy that skips
    /// what is there): the reply has to do, and after a lost one it is done again.
    Again,
}

/// How long and how often the engine looks. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pace {
    /// How long a check or a changed effect may take to be reached, unless the step says `timeout`.
    pub within_ms: u64,
    /// Time between looks.
    pub every_ms: u64,
    /// How long it must stay reached without a break.
    pub hold_ms: u64,
}

impl Pace {
    /// Looks for `within_ms`, every `every_ms`.
    pub const fn new(within_ms: u64, every_ms: u64) -> Self {
        Self { within_ms, every_ms, hold_ms: 0 }
    }
}

/// A request on the wire. Kinds answer `moving` while a session of ours is still at the target.
const fn usual() -> u64 {
    1_500
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_usual(milliseconds: &u64) -> bool {
    *milliseconds == usual()
}

/// One real change of a step, or its one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Effect {
    /// Its name within the action: `read_only`, `10`. Short, `[a-z0-9_]`.
    pub id: String,
    /// How it can be taken back.
    pub class: Class,
    /// What to do when it is already there.
    pub found: Found,
    /// What proves it.
    pub proof: Proof,
    /// The data set whose writes it stops: the gap clock starts with its intent.
    pub freezes: Option<String>,
    /// The data set for which a look at it makes a handover.
    pub makes: Option<String>,
    /// The data set whose handover it consumes.
    pub needs: Option<String>,
    /// How long and how often to look.
    pub pace: Pace,
    /// For how long after its intent a call that nobody holds any more may still come about, if nothing of it is seen. Milliseconds.
    /// Part of a plan only where it is not the usual.
    #[serde(default = "usual", skip_serializing_if = "is_usual")]
    pub settles_ms: u64,
    /// A look at the effect before it in the same action sees all that a look at this one would: what it saw counts for both. Part
    /// of a plan only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_with_previous: bool,
    /// What it starts may go on where no look sees it, and harms if it runs twice: after an answer that was lost it is made again only when
    /// a person has said that it has ended. Part of a plan only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

impl Effect {
    /// An effect that only looks.
    pub fn look(pace: Pace) -> Self {
        Self::of("look", Class::Looks, pace)
    }

    /// An effect of a class; adoption asks, a look proves it.
    pub fn of(id: impl Into<String>, class: Class, pace: Pace) -> Self {
        Self {
            id: id.into(),
            class,
            found: Found::Ask,
            proof: Proof::Look,
            freezes: None,
            makes: None,
            needs: None,
            pace,
            settles_ms: usual(),
            seen_with_previous: false,
            once: false,
        }
    }

    /// It may come about for so long after its intent.
    pub fn settles_within(mut self, milliseconds: u64) -> Self {
        self.settles_ms = milliseconds.max(usual());
        self
    }

    /// The look at the effect before it is as good as one of its own.
    pub fn seen_with_previous(mut self) -> Self {
        self.seen_with_previous = true;
        self
    }

    /// It is not made a second time beside itself.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Already being there is fine.
    pub fn accept_found(mut self) -> Self {
        self.found = Found::Accept;
        self
    }

    /// Only the reply can tell, and doing it again is harmless.
    pub fn harmless_again(mut self) -> Self {
        self.proof = Proof::Again;
        self
    }

    /// Only the reply can tell.
    pub fn proven_by_reply(mut self) -> Self {
        self.proof = Proof::Reply;
        self
    }
}
