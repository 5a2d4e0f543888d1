//! Exit codes: part of the interface, and never renumbered.

use crate::engine::Verdict;

/// How a command ended, for whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// All done and verified. The run is closed.
    Completed = 0,
    /// Nothing changed, or a person chose to leave it; or something temporary was not put back. The run is closed.
    Failed = 1,
    /// Usage, runbook or inventory error; nothing was touched. There is no run.
    Invalid = 2,
    /// Failed before the pivot; every change was undone, and that was observed. The run is closed.
    RolledBack = 3,
    /// Waits for a person, after a breach or a failure that followed a change. The run is open.
    Paused = 4,
    /// A precondition said no; nothing changed. The run is closed.
    Refused = 5,
    /// Paused because something could not be established. The run is open.
    Unknown = 6,
    /// The rollback did not finish; what remains is listed. The run is open.
    RollbackFailed = 7,
    /// Another run holds these resources. There is no run.
    Locked = 8,
    /// Stopped before the next effect because the journal could not be written. The run is open.
    JournalFailed = 9,
    /// `status` and `drill --dry-run`: the button would not work now. There is no run.
    NotReady = 10,
}

impl ExitCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Completed,
        Self::Failed,
        Self::Invalid,
        Self::RolledBack,
        Self::Paused,
        Self::Refused,
        Self::Unknown,
        Self::RollbackFailed,
        Self::Locked,
        Self::JournalFailed,
        Self::NotReady,
    ];

    /// The number that the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word that summaries, events and docs use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::RolledBack => "rolled_back",
            Self::Paused => "paused",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::RollbackFailed => "rollback_failed",
            Self::Locked => "locked",
            Self::JournalFailed => "journal_failed",
            Self::NotReady => "not_ready",
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Completed => Self::Completed,
            Verdict::Failed => Self::Failed,
            Verdict::RolledBack => Self::RolledBack,
            Verdict::Paused => Self::Paused,
            Verdict::Refused => Self::Refused,
            Verdict::Unknown => Self::Unknown,
            Verdict::RollbackFailed => Self::RollbackFailed,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_documented_table() {
        let table = [
            ("completed", 0),
            ("failed", 1),
            ("invalid", 2),
            ("rolled_back", 3),
            ("paused", 4),
            ("refused", 5),
            ("unknown", 6),
            ("rollback_failed", 7),
            ("locked", 8),
            ("journal_failed", 9),
            ("not_ready", 10),
        ];
        let ours: Vec<(&str, u8)> = ExitCode::ALL.iter().map(|code| (code.word(), code.number())).collect();
        assert_eq!(ours, table);
    }

    #[test]
    fn a_verdict_and_its_code_share_the_word() {
        for verdict in [
            Verdict::Completed,
            Verdict::Failed,
            Verdict::RolledBack,
            Verdict::Paused,
            Verdict::Refused,
            Verdict::Unknown,
            Verdict::RollbackFailed,
        ] {
            assert_eq!(ExitCode::from(verdict).word(), verdict.word());
        }
    }
}
