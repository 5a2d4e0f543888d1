//! What facts mean: a standing with its line of evidence.

use crate::world::postgres::Handover;
use serde::{Deserialize, Serialize};

/// What the facts mean, for one effect and one aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// So, as seen now.
    Reached,
    /// Not so, and nothing stands in the way of applying it. For a kind that only looks: not so yet, it may become so.
    NotReached,
    /// Something is under way that may still change it: look again, neither apply nor undo.
    Moving,
    /// Cannot be reached from here; the evidence says why.
    Blocked,
    /// Cannot be told.
    Unknown,
}

/// What an effect is judged against.
#[derive(Debug)]
pub enum Aim<'a, F> {
    /// The effect is there.
    Applied,
    /// What the intent recorded as prior is there again.
    Restored(&'a F),
}

impl<F> Clone for Aim<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Aim<'_, F> {}

/// Something that an ending must mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// The value is neither ours nor the prior one: somebody else changed it since, and it was left alone.
    ForeignChange,
    /// The promoted server and the old primary both took commits.
    Divergence,
}

/// A judged look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The standing.
    pub standing: Standing,
    /// One line for the operator: concrete, with the numbers that were seen.
    pub evidence: String,
    /// Proof for a promotion, if this look is one.
    pub handover: Option<Handover>,
    /// What an ending must mention.
    pub remark: Option<Remark>,
}

impl Judgement {
    /// A judgement with its line of evidence.
    pub fn new(standing: Standing, evidence: impl Into<String>) -> Self {
        Self { standing, evidence: evidence.into(), handover: None, remark: None }
    }

    /// So, as seen now.
    pub fn reached(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Reached, evidence)
    }

    /// Not so (yet).
    pub fn not_reached(evidence: impl Into<String>) -> Self {
        Self::new(Standing::NotReached, evidence)
    }

    /// Under way.
    pub fn moving(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Moving, evidence)
    }

    /// Cannot be reached from here.
    pub fn blocked(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Blocked, evidence)
    }

    /// Cannot be told.
    pub fn unknown(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Unknown, evidence)
    }

    /// Adds the proof for a promotion.
    pub fn with_handover(mut self, handover: Handover) -> Self {
        self.handover = Some(handover);
        self
    }

    /// Adds a remark.
    pub fn with_remark(mut self, remark: Remark) -> Self {
        self.remark = Some(remark);
        self
    }
}
