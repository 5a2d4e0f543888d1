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
    /// Slots that outlive a connection, by name.
    pub slots: Vec<Slot>,
    /// Whether our role may ask for a checkpoint there.
    #[serde(default)]
    pub may_checkpoint: bool,
    /// Whether it may make a slot.
    #[serde(default)]
    pub may_replicate: bool,
}

/// A replication slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Whether a standby streams through it. One that nobody uses keeps write-ahead log until the disk is full.
    pub active: bool,
    /// Whether a standby can stream through it; a logical one serves others.
    #[serde(default)]
    pub physical: bool,
    /// Whether it keeps write-ahead log at all: one that was made without, and never used, does not.
    #[serde(default)]
    pub reserved: bool,
    /// Whether what it should have kept is gone.
    #[serde(default)]
    pub lost: bool,
    /// Whether what it should keep is more than it may (`max_slot_wal_keep_size`), and goes with the next checkpoint.
    #[serde(default)]
    pub doomed: bool,
    /// State of the sender that uses it, such as `streaming`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

impl Slot {
    /// Why no standby can rely on it, if none can.
    pub fn unfit(&self) -> Option<&'static str> {
        match self {
            Self { physical: false, .. } => Some("is a logical one"),
            Self { lost: true, .. } => Some("has lost what it should have kept"),
            Self { doomed: true, .. } => Some(
                "may lose what it keeps at the next checkpoint: it is more than `max_slot_wal_keep_size`",
            ),
            Self { reserved: false, .. } => Some("keeps no write-ahead log"),
            Self { .. } => None,
        }
    }
}

impl Protection {
    /// Physical slots that nobody uses.
    pub fn idle(&self) -> Vec<&str> {
        self.slots
            .iter()
            .filter(|slot| slot.physical && !slot.active)
            .map(|slot| slot.name.as_str())
            .collect()
    }
}

/// The statement that takes a slot away by hand, which mrctl never does.
pub fn drop_by_hand(at: &Member, slot: &str) -> String {
    format!("on {at}: SELECT pg_drop_replication_slot('{slot}');")
}
