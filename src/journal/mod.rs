//! Lines that prove their order: the hash chain, the file, the lock, the permit. Knows no record type.

pub mod chain;
pub mod file;
pub mod lock;
pub mod memory;
pub mod mirror;
pub mod permit;

pub use file::{Journal, OpenError, Opened};
pub use permit::{IntentKey, Permit};

/// Where lines go. The file is the real one; memory serves rehearsal.
pub trait Storage {
    /// Appends one line durably; an error is final, and nothing may be changed in the world after it.
    fn append(
        &mut self,
        body: serde_json::Map<String, serde_json::Value>,
        durable: bool,
    ) -> Result<chain::Line, AppendError>;

    /// Appends an intent durably and gives the permit for exactly this change.
    fn append_intent(
        &mut self,
        key: IntentKey,
        body: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(chain::Line, Permit), AppendError>
    where
        Self: Sized;
}

/// A line could not be made durable. Final: a second try may lie (the page is marked clean after a failed fsync).
#[derive(Debug, thiserror::Error)]
#[error("the journal could not be written: {why}")]
pub struct AppendError {
    /// The operating system's reason.
    pub why: String,
    /// The line that could not be written, for the terminal.
    pub line: String,
}
