//! Commands of the operator's own. No shell: a program and its arguments.

use super::{Answer, Known, Reply};
use crate::journal::Permit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the reply of a command that ended well begins; the last line of its output follows after a colon.
pub const ENDED_WELL: &str = "exit code 0";

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; never passed through a shell.
    pub argv: Vec<String>,
    /// Variables set for it.
    pub env: BTreeMap<String, String>,
    /// Names of the operator's variables that it may see, besides `PATH`, `HOME`, `LANG` and `TMPDIR`.
    pub pass: Vec<String>,
    /// Milliseconds after which it is ended (its whole process group: TERM, then KILL) and the answer counts as lost.
    pub timeout_ms: u64,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Output {
    /// Exit code; 128 + n when a signal ended it.
    pub code: i32,
    /// Standard output, at most 4 KiB of its end, redacted.
    pub stdout: String,
    /// Standard error, at most 4 KiB of its end, redacted.
    pub stderr: String,
}

/// Runs commands.
pub trait Exec {
    /// Runs a command that only looks. Unknown when it could not be started or did not end in time.
    fn look<'a>(&'a self, command: &'a Command) -> Answer<'a, Known<Output>>;
    /// Runs a command that changes something. `MRCTL_*` variables tell it run, step and attempt.
    ///
    /// Acknowledged on exit code 0; refused on exit code 75 (`EX_TEMPFAIL`: "nothing was done") ; lost on everything else,
    /// because a command that failed may have done half of its work.
    fn run<'a>(&'a self, permit: &'a Permit, command: &'a Command) -> Answer<'a, Reply>;
}
