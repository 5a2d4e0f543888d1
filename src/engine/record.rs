//! The records of a run: the only inputs that change a decision. Types only grow.

use super::by_hand::Handling;
pub use super::verdict::{Covered, Verdict};
use crate::journal::Durable;
use crate::plan::Plan;
use crate::step::{Facts, Remark, Standing};
use crate::world::plausible::Case;
use crate::world::postgres::Handover;
use crate::world::{Member, Reply};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a look was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Before anything was intended, or for a check: is it so?
    Before,
    /// After our intent: did it come about?
    After,
    /// Before taking back: is there something of ours to take back?
    Undo,
    /// After taking back: is the prior value there?
    Undone,
}

/// How a person or a rule ended a pause or began a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Go on where it stands.
    Continue,
    /// Take back everything that this run changed.
    RollBack,
    /// Leave it as it is; the run stays open.
    Leave,
    /// Close the run as it is, with a reason.
    Abandon,
}

/// Where the run turns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Undo everything that this run changed, newest first.
    RollBack,
    /// Wait for a person.
    Pause,
    /// All steps are done: put temporary changes back and end.
    Finish,
    /// Nothing was changed: end as refused.
    Refuse,
    /// The step's failure becomes a warning; the run goes on without it.
    Warn,
}

/// One line of the journal, without what the chain adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The run exists.
    Created {
        /// Identity (UUID version 7).
        run: String,
        /// Digest of the plan beside it.
        plan: String,
        /// Format of plan and journal.
        format: u32,
        /// When the incident was declared, by the word of whoever began the run; milliseconds since the epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<i64>,
        /// Values that `at_start(…)` refers to: the signal and its value as decimal text, or why it is unknown.
        starts: BTreeMap<String, String>,
    },
    /// Whether what this run is about to do was rehearsed. Decides nothing: whoever demands a rehearsal does so before the run exists.
    Rehearsed {
        /// The rehearsal that covers it; none if none does.
        covered: Option<Covered>,
        /// What there is instead, in words; empty if it is covered.
        why: String,
        /// Whether the inventory demands one.
        required: bool,
        /// Why a person went on without the one that is demanded; empty if that was not so.
        waived: String,
    },
    /// A process begins to drive the run: everything in flight is in doubt from here.
    Opened {
        /// Version of mrctl.
        version: String,
        /// Who runs it.
        operator: String,
        /// On which host.
        host: String,
        /// Process number.
        pid: u32,
        /// Whether a person can be asked.
        terminal: bool,
        /// What the person chose when resuming.
        choice: Choice,
        /// Why, if they said.
        reason: String,
        /// Bytes of a torn last line that were cut.
        torn: u64,
    },
    /// The outcome of a step's `require`.
    Required {
        /// Step.
        step: String,
        /// True, false, or unknown when absent.
        holds: Option<bool>,
        /// What was seen.
        evidence: String,
    },
    /// A judged look that ended a wait.
    Looked {
        /// Step.
        step: String,
        /// Effect.
        effect: String,
        /// Why it was made.
        purpose: Purpose,
        /// What the facts mean.
        standing: Standing,
        /// One line.
        evidence: String,
        /// What was seen.
        facts: Facts,
        /// Proof for a promotion, if it is one.
        handover: Option<Handover>,
        /// What an ending must mention.
        remark: Option<Remark>,
    },
    /// A look showed what no rehearsal can show. Written instead of the judged look, which is made again if the run goes on.
    Surprised {
        /// Step.
        step: String,
        /// Effect.
        effect: String,
        /// Why the look was made.
        purpose: Purpose,
        /// The rule that is broken, and what was seen.
        case: Box<Case>,
    },
    /// An answer of a person, or of an approval given beforehand.
    Answered {
        /// Question.
        question: String,
        /// Whether it is a yes.
        yes: bool,
        /// Who.
        by: String,
        /// How: `terminal`, `approve`, `yes`, `absent`, or `gone`: the terminal was closed while it was open.
        how: String,
        /// What the consent covers: the substance of the facts that were shown.
        substance: String,
        /// Why a pause is gone on from, where that was asked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// About to change something. Durable before the change.
    Intent {
        /// Step.
        step: String,
        /// Effect.
        effect: String,
        /// Counts from 1.
        attempt: u32,
        /// Whether it takes the effect back.
        undo: bool,
        /// Facts of the last look before: what undo restores. For an undo, those of the effect's own intent.
        prior: Facts,
    },
    /// What the change's call said.
    Replied {
        /// Step.
        step: String,
        /// Effect.
        effect: String,
        /// Attempt.
        attempt: u32,
        /// Whether it takes the effect back.
        undo: bool,
        /// What it said.
        reply: Reply,
    },
    /// A failed step is tried again.
    Retrying {
        /// Step.
        step: String,
        /// Which try comes now, from 2.
        try_number: u32,
    },
    /// The gap clock ran out before the pivot was armed.
    Expired {
        /// Milliseconds that were allowed.
        allowed_ms: u64,
    },
    /// A watch was untrue, or silent, for too long.
    Breached {
        /// Watch.
        watch: String,
        /// Whether it was silence.
        silent: bool,
        /// What was seen.
        evidence: String,
    },
    /// The process was asked to stop.
    Signalled {
        /// `SIGINT`, `SIGTERM` or `SIGHUP`.
        signal: String,
    },
    /// A lock on a member was lost, and somebody else has it: written instead of making the call of an intent, which is thereby
    /// proved not to have been made.
    LockLost {
        /// Which.
        what: String,
        /// Step whose call was not made.
        step: String,
        /// Effect.
        effect: String,
        /// Whether it was to be taken back.
        undo: bool,
    },
    /// A person vouches that a member is fenced or destroyed, by name: it cannot take writes, and need not be asked.
    Attested {
        /// The member.
        member: Member,
        /// `fenced` or `destroyed`.
        how: String,
        /// Who.
        by: String,
        /// How they know.
        reason: String,
    },
    /// A planned run is taken over as an unplanned one, from where it stands: from here, and for everything before, this plan counts.
    Switched {
        /// Digest of the plan that counted until now.
        from: String,
        /// Digest of the one that counts.
        plan: String,
        /// That plan.
        to: Box<Plan>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person decides about one step of a run that stands still. Changes nothing in the world.
    Handled {
        /// The step.
        step: String,
        /// What they decide.
        how: Handling,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Whether anything was looked at; else it is their word alone.
        looked: bool,
        /// What was seen.
        evidence: String,
    },
    /// A person passes a check by name, should it be red.
    Waived {
        /// The step.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The run turns.
    Turned {
        /// Where to.
        to: Turn,
        /// Step that caused it, if one did.
        step: String,
        /// Whether something could not be established (as opposed to known bad).
        unknown: bool,
        /// Why.
        why: String,
    },
    /// The last look at everything before a verdict.
    Surveyed {
        /// The world line.
        world: String,
        /// What an ending must mention.
        notes: Vec<String>,
        /// Data sets from which writes are frozen, as seen now.
        frozen: Vec<String>,
        /// Data sets whose old primary took commits after the handover.
        diverged: Vec<String>,
        /// Whether anything could not be seen.
        unknown: bool,
        /// Data sets whose promotion is not proved by this run, and whose target is a primary by now.
        #[serde(default)]
        promoted: Vec<String>,
        /// Data sets that take writes, and of which a freeze of ours may be written and not loaded.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waiting: Vec<String>,
    },
    /// How it ended.
    Ended {
        /// The verdict.
        verdict: Verdict,
        /// Why, in one line.
        why: String,
        /// The world line.
        world: String,
    },
    /// A closed or open run is closed by a person.
    Abandoned {
        /// Who.
        operator: String,
        /// Why.
        reason: String,
        /// The world line.
        world: String,
    },
}

impl Record {
    /// When it must be on disk.
    pub fn durable(&self) -> Durable {
        match self {
            // The next slice needs no intent of its own.
            Self::Replied { reply: Reply::More { .. }, .. }
            | Self::Created { .. }
            | Self::Opened { .. }
            | Self::Answered { .. }
            | Self::Surprised { .. }
            | Self::Intent { .. }
            | Self::Turned { .. }
            | Self::Expired { .. }
            | Self::Breached { .. }
            | Self::Signalled { .. }
            | Self::LockLost { .. }
            | Self::Attested { .. }
            | Self::Switched { .. }
            | Self::Handled { .. }
            | Self::Waived { .. }
            | Self::Ended { .. }
            | Self::Abandoned { .. } => Durable::Now,
            Self::Replied { .. } => Durable::Soon,
            // `Opened` comes next, and takes it along.
            Self::Rehearsed { .. }
            | Self::Required { .. }
            | Self::Looked { .. }
            | Self::Retrying { .. }
            | Self::Surveyed { .. } => Durable::Later,
        }
    }
}
