//! What a primary needs so that a standby can follow it, and what a standby still holds from its time as a primary.

use crate::world::Member;
use serde::{Deserialize, Serialize};

/// One look at what [`super::ServerFacts`] leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Protection {
    /// `system_identifier` of the cluster.
    pub system: String,
    /// Timeline of the last checkpoint, as the control file names it. On a fresh primary it is the old one until a checkpoint, and
    /// `pg_rewind` of version 15 and older then finds nothing to do (measured).
    pub recorded: u32,
    /// Physical slots that outlive a connection, by name.
    pub slots: Vec<Slot>,
}

/// A physical replication slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Whether a standby streams through it. One that nobody uses keeps write-ahead log until the disk is full.
    pub active: bool,
}

impl Protection {
    /// Slots that nobody uses.
    pub fn idle(&self) -> Vec<&str> {
        self.slots.iter().filter(|slot| !slot.active).map(|slot| slot.name.as_str()).collect()
    }
}

/// The statement that takes a slot away by hand, which mrctl never does.
pub fn drop_by_hand(at: &Member, slot: &str) -> String {
    format!("on {at}: SELECT pg_drop_replication_slot('{slot}');")
}
