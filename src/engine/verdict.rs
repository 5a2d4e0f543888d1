//! How a run ended, and the rehearsal that it was begun with.

use serde::{Deserialize, Serialize};

/// How a run, or one process of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All done and verified.
    Completed,
    /// Nothing changed or a person left it; or something temporary was not put back.
    Failed,
    /// Failed before the pivot, every change undone and observed.
    RolledBack,
    /// Waits for a person.
    Paused,
    /// A precondition said no; nothing changed.
    Refused,
    /// Paused because something could not be established.
    Unknown,
    /// What remains is listed.
    RollbackFailed,
}

impl Verdict {
    /// Whether the run is closed by it.
    pub fn closes(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::RolledBack | Self::Refused => true,
            Self::Paused | Self::Unknown | Self::RollbackFailed => false,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Paused => "paused",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::RollbackFailed => "rollback_failed",
        }
    }
}

/// The certificate of a rehearsal, as far as a run's journal tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Its digest.
    pub certificate: String,
    /// How old it was when the run was made. Milliseconds.
    pub age_ms: u64,
    /// Faults in one schedule up to which everything was tried.
    pub faults: u32,
    /// Version of mrctl that rehearsed.
    pub version: String,
    /// Where the rehearsal began: `inventory` or `live`.
    pub start: String,
    /// Steps that it did not cover, and that were accepted by name.
    pub accepted: Vec<String>,
}
