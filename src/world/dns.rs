//! Authoritative DNS records with shares of traffic.

use super::{Answer, Known, Reply};
use crate::journal::Permit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record of the inventory, as the port needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordName {
    /// The record's name in the inventory, such as `www`.
    pub record: String,
    /// The name of the server in the inventory that is looked at or written.
    pub server: String,
}

/// Traffic shares by region in basis points (10 000 is everything). They sum to 10 000.
pub type Shares = BTreeMap<String, u32>;

/// What stands at one server for one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFacts {
    /// Every resource record set of the name that answers address queries, exactly as the server's API gives it; this, and
    /// not what we think of it, is what undo puts back. Sorted.
    pub sets: Vec<RecordSet>,
    /// The shares, if the content is of a form that mrctl understands: plain targets of regions, or its own generated form.
    /// Unknown for foreign content, which is never rewritten silently.
    pub shares: Known<Shares>,
    /// Time to live in seconds.
    pub ttl: Known<u32>,
    /// The zone's serial.
    pub serial: Known<u32>,
    /// Whether secondaries get the zone by transfer and follow its serial. Of a zone that is not transferred it orders nothing.
    #[serde(default = "never_asked")]
    pub transferred: Known<bool>,
    /// What the authoritative server answers when asked by DNS, one entry an address, sorted; the truth that users see.
    pub answers: Known<Vec<String>>,
    /// Regions that were seen in the answers of a sample of queries, as counts.
    pub sampled: Known<BTreeMap<String, u32>>,
}

/// Of facts in journals that an older mrctl wrote.
fn never_asked() -> Known<bool> {
    Known::unknown("it was not asked")
}

impl std::hash::Hash for RecordFacts {
    /// Without the serial and who follows it: it counts up with every change, and two looks that differ in nothing else mean the same.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.sets, &self.shares, &self.ttl, &self.answers, &self.sampled).hash(state);
    }
}

/// A resource record set as the API gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordSet {
    /// Type, such as `A` or `LUA`.
    pub kind: String,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Contents, sorted.
    pub contents: Vec<String>,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordAim {
    /// These shares, keeping the time to live.
    Shares(Shares),
    /// This time to live in seconds, keeping the content.
    Ttl(u32),
    /// Exactly these sets (an undo).
    Sets(Vec<RecordSet>),
}

/// Reads and writes records.
pub trait Dns {
    /// Reads the record at one server by its API, and asks that server by DNS.
    fn look<'a>(&'a self, at: &'a RecordName) -> Answer<'a, Known<RecordFacts>>;
    /// Compare-and-set: writes only if the sets are still `expected`; refused otherwise, and when the result would answer
    /// nothing. Compared again after the write where the server has no compare-and-set of its own.
    fn swap<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a RecordName,
        expected: &'a [RecordSet],
        aim: &'a RecordAim,
    ) -> Answer<'a, Reply>;
    /// The exact content that `swap` would write, for plans and dry runs.
    fn preview(
        &self,
        at: &RecordName,
        expected: &[RecordSet],
        aim: &RecordAim,
    ) -> Result<Vec<RecordSet>, String>;
}
