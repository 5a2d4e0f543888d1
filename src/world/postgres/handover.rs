//! The proof that a promotion consumes, and what has happened on the source since.

use super::{Activity, Counted, Lsn, PrimaryFacts};
use serde::{Deserialize, Serialize};

/// Proof that a promotion must consume; made by `postgres.catch_up` or `postgres.stop` in this attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handover {
    /// `system_identifier`.
    pub system: String,
    /// Timeline of the source.
    pub timeline: u32,
    /// The standby must have replayed at least up to here.
    pub position: Lsn,
    /// The source's next transaction number at that time: one more means that somebody wrote.
    pub next_transaction: u64,
    /// What the source's statistics had counted at that time.
    pub activity: Activity,
    /// When each server started; a restart ends the handover.
    pub source_started: String,
    /// See `source_started`.
    pub target_started: String,
    /// What made it.
    pub by: HandoverBy,
    /// What is lost with it, as far as heartbeats counted it; only where a loss is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Box<Counted>>,
}

/// How the source was brought to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoverBy {
    /// Frozen by setting; it still runs.
    Soft,
    /// Stopped cleanly; the position is its shutdown checkpoint, and replay must be strictly beyond its start.
    Shutdown,
    /// A person accepted the loss.
    LossAccepted,
}

/// Transactions that ended on a source after its handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Commits {
    /// None.
    None,
    /// This many, and none of them a client's, as far as the statistics tell.
    Upkeep(u64),
    /// This many, and a client may have written.
    Writes(u64),
}

impl Handover {
    /// What ended on the source since.
    ///
    /// Transaction numbers are the server's, and autovacuum in any of its databases uses them. That no client wrote is proved when
    /// the count is complete, no row was written here, and in the other databases either no row or by no client. While somebody is
    /// connected, who reports his rows up to a minute late, a run of autovacuum that was counted meanwhile is taken for the
    /// explanation: that is none, and the safe side is the other one, where something was written elsewhere by who came since.
    pub fn commits_since(&self, source: &PrimaryFacts) -> Commits {
        commits(&self.activity, self.next_transaction, source)
    }
}

impl PrimaryFacts {
    /// What ended here since another look at the same server, as [`Handover::commits_since`] tells it.
    pub fn commits_since(&self, then: &Self) -> Commits {
        commits(&then.activity, then.next_transaction, self)
    }
}

fn commits(then: &Activity, next_transaction: u64, source: &PrimaryFacts) -> Commits {
    let now = &source.activity;
    let elsewhere =
        now.elsewhere_rows == then.elsewhere_rows || now.elsewhere_sessions == then.elsewhere_sessions;
    let quiet = then.counted && now.counted && now.rows == then.rows && elsewhere;
    match source.next_transaction.saturating_sub(next_transaction) {
        0 => Commits::None,
        ended if quiet && (now.complete || now.upkeep > then.upkeep) => Commits::Upkeep(ended),
        ended => Commits::Writes(ended),
    }
}
