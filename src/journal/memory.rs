//! A journal in memory, for rehearsal and tests of the engine.

use super::chain::{self, GENESIS, Line};
use super::{AppendError, Durable, Storage};
use serde_json::{Map, Value};

/// Lines in memory, chained like those of a file.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    /// The lines so far.
    pub lines: Vec<Line>,
    /// What the next line is stamped with; the caller advances it.
    pub now: i64,
}

/// Keeps no line, and hashes none: for a rehearsal, which has the records themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unkept {
    lines: u64,
}

impl Storage for Unkept {
    fn append(&mut self, body: Map<String, Value>, _durable: Durable) -> Result<Line, AppendError> {
        self.lines += 1;
        Ok(Line { seq: self.lines - 1, at: 0, hash: String::new(), body })
    }

    fn settle(&mut self) -> Result<(), AppendError> {
        Ok(())
    }
}

impl Storage for MemoryJournal {
    fn append(&mut self, body: Map<String, Value>, _durable: Durable) -> Result<Line, AppendError> {
        let seq = self.lines.len() as u64;
        let prev = self.lines.last().map_or(GENESIS, |line| line.hash.as_str());
        let (text, _) = chain::write(seq, self.now, prev, body);
        let line = chain::read(self.lines.len() + 1, &text, prev, seq)
            .map_err(|error| AppendError { why: error.to_string(), line: text })?;
        self.lines.push(line.clone());
        Ok(line)
    }

    fn settle(&mut self) -> Result<(), AppendError> {
        Ok(())
    }
}
