//! Lines that prove their order: the hash chain, the file, the lock, the permit. Knows no record type.

pub mod calls;
pub mod chain;
pub mod file;
pub mod lock;
pub mod memory;
pub mod mirror;
pub mod permit;

pub use file::{Journal, OpenError, Opened};
pub use permit::{IntentKey, Permit};

/// When a line has to be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// With the next line that has to be, or never: it changes no decision, or a look would find the same again.
    Later,
    /// Before anything is changed again, and before anything long is waited for: [`Storage::settle`]. What a call replied proves
    /// nothing; lost with the machine, its effect is in doubt and looked at. While users wait, the look need not wait for the disk.
    Soon,
    /// Before anything else happens.
    Now,
}

/// Where lines go. The file is the real one; memory serves rehearsal.
pub trait Storage {
    /// Appends one line; an error is final, and nothing may be changed in the world after it.
    fn append(
        &mut self,
        body: serde_json::Map<String, serde_json::Value>,
        durable: Durable,
    ) -> Result<chain::Line, AppendError>;

    /// Makes durable what has to be soon; an error is as final as that of an append.
    fn settle(&mut self) -> Result<(), AppendError>;

    /// Appends an intent durably and gives the permit for exactly this change.
    fn append_intent(
        &mut self,
        key: IntentKey,
        body: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(chain::Line, Permit), AppendError>
    where
        Self: Sized,
    {
        Ok((self.append(body, Durable::Now)?, Permit::new(key)))
    }
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
