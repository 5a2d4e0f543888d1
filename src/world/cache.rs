//! Caches, and warming one from another.

use super::{Answer, Known, Member, Reply};
use crate::journal::Permit;
use serde::{Deserialize, Serialize};

/// What one look at a cache saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheFacts {
    /// `master` or `slave`, in the server's words.
    pub role: String,
    /// Keys in the database.
    pub keys: u64,
    /// Keys that the server evicted since it started: growth while warming means that we push out what we just copied.
    pub evicted: u64,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Limit in bytes; 0 means none.
    pub limit_bytes: u64,
    /// The server's run identity; a change means that it restarted.
    pub server: String,
}

/// How fast to warm, decided by the engine's pace and the kind's ramp.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pace {
    /// Keys per second at full speed.
    pub rate: u64,
    /// Milliseconds of ramp from a tenth of the rate to the full rate.
    pub ramp_ms: u64,
    /// Prefixes of keys that are not copied (locks, region-bound data).
    pub skip: Vec<String>,
}

/// Reads caches and copies between them.
pub trait Cache {
    /// What the cache says of itself.
    fn look<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<CacheFacts>>;
    /// Copies one slice (about a second) of keys with their remaining time to live; never overwrites a key that exists in the
    /// target. `cursor` is empty at first. Refused when the target evicts, is a replica, or is nearly full.
    fn copy<'a>(
        &'a self,
        permit: &'a Permit,
        from: &'a Member,
        to: &'a Member,
        pace: &'a Pace,
        cursor: &'a str,
    ) -> Answer<'a, Reply>;
}
