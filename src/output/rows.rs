//! The parts of the model: a line of the checklist, a line of the rollback, an ending, and what a record changed.

use crate::engine::record::Verdict;
use crate::engine::state::Undone;

/// Where a step stands, for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// Not part of this run.
    Skipped,
    /// At work, or waiting for an answer.
    Running,
    /// Begun, and interrupted before it was done.
    Halted,
    /// Done and proved.
    Done,
    /// It was so already, not by this run.
    Found,
    /// Left out or failed, and only warned of.
    Warned,
    /// Failed.
    Failed,
    /// Could not be established.
    Unknown,
    /// Done, and taken back since.
    Undone,
    /// Done, and somebody else changed it since: left alone.
    Foreign,
    /// Could not be taken back.
    UndoFailed,
}

impl Phase {
    /// Whether nothing more is expected of the step for now.
    pub fn settled(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Halted => false,
            Self::Skipped
            | Self::Done
            | Self::Found
            | Self::Warned
            | Self::Failed
            | Self::Unknown
            | Self::Undone
            | Self::Foreign
            | Self::UndoFailed => true,
        }
    }

    /// The word that events use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Running => "running",
            Self::Halted => "halted",
            Self::Done => "done",
            Self::Found => "found",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
            Self::Foreign => "foreign",
            Self::UndoFailed => "undo_failed",
        }
    }
}

/// One line of the checklist as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub phase: Phase,
    /// When it began, last time. Milliseconds since the epoch.
    pub began: Option<i64>,
    /// When it settled.
    pub ended: Option<i64>,
    /// What was seen last, or why it is where it is.
    pub evidence: String,
    /// What moves right now; never journalled.
    pub moving: String,
    /// Which try this is; 0 and 1 are not worth a word.
    pub tries: u32,
    /// Answers so far and questions in all.
    pub answered: (usize, usize),
    /// Effects that are there and effects in all.
    pub effects: (usize, usize),
}

/// A line of the rollback, or of putting temporary changes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoRow {
    /// Index of the step.
    pub step: usize,
    /// Index of the effect.
    pub effect: usize,
    /// A temporary change that is put back because the run is done, not because it failed.
    pub temporary: bool,
    /// How it ended, if it did.
    pub outcome: Option<Undone>,
    /// When it began.
    pub began: i64,
    /// When it ended.
    pub ended: Option<i64>,
    /// What was seen last.
    pub evidence: String,
}

/// How the last process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The verdict; none if a person abandoned the run.
    pub verdict: Option<Verdict>,
    /// Why.
    pub why: String,
    /// The world line.
    pub world: String,
}

/// What a record changed, in the order in which it should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A process began.
    Opened {
        /// Whether the run existed before.
        resumed: bool,
    },
    /// The first step of a section begins.
    Section(usize),
    /// A step begins.
    Began(usize),
    /// A step settled.
    Settled(usize),
    /// The rollback, or putting temporary changes back, begins.
    Undoing {
        /// Which of the two.
        temporary: bool,
    },
    /// A line of it begins.
    UndoBegan(usize),
    /// A line of it ended.
    UndoEnded(usize),
    /// Something that must be told in one line; true if it is bad.
    Told(String, bool),
    /// An intent to freeze: the moment to say how to unfreeze by hand. Step and effect.
    Freezing(usize, usize),
    /// The process, or the run, ended.
    Ended,
}

/// Where a step stands after one of its effects was taken back.
pub(super) fn undo_phase(undone: Undone) -> Phase {
    match undone {
        Undone::Restored => Phase::Undone,
        Undone::Foreign => Phase::Foreign,
        Undone::Failed { .. } => Phase::UndoFailed,
    }
}
