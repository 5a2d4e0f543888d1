//! What a look sees.

use super::Lsn;
use crate::world::Known;
use serde::{Deserialize, Serialize};

/// What one look at one server saw, all in one statement on a fresh connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `system_identifier` of the cluster.
    pub system: String,
    /// `server_version_num`.
    pub version: u32,
    /// When the postmaster started, microseconds since the epoch: a change means a restart.
    pub started: String,
    /// Role, with the facts that exist only in that role.
    pub role: Role,
    /// The default for new transactions, as a fresh session without overrides gets it.
    pub read_only: ReadOnly,
    /// Settings of roles and databases that override it for their sessions: `role app: default_transaction_read_only=off`.
    pub overrides: Vec<String>,
    /// Sessions of others, without those that are kept and without our own.
    pub sessions: Known<Sessions>,
    /// `synchronous_standby_names`.
    pub synchronous_names: String,
    /// Commits of others that wait for a synchronous standby: they hang, and after a promotion they hang for ever if the
    /// standby is the old primary.
    pub waiting_for_standby: Known<u32>,
    /// Sessions of this run that are still at work: `mrctl/<run>/<effect>/<attempt>`.
    pub ours: Known<Vec<String>>,
    /// Traces of what else is in charge of the server and could promote or stop it: Patroni, repmgr, pg_auto_failover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managers: Vec<String>,
}

/// The few facts that guards ask for once more right before they act, for a fraction of the cost of a look: within a write gap a
/// look takes from the servers what they need for their own work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Glance {
    /// `system_identifier` of the cluster.
    pub system: String,
    /// When the postmaster started, as in [`ServerFacts::started`].
    pub started: String,
    /// Whether new transactions are read-only by default.
    pub read_only: bool,
    /// Role.
    pub role: GlanceRole,
    /// Transactions of others that have written and are open or prepared. The next transaction number does not show them: it
    /// counts those that have ended.
    pub open_writes: Known<u32>,
}

/// The role of a server, and what a guard asks of it there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GlanceRole {
    /// In recovery.
    Standby,
    /// Takes writes unless it is frozen.
    Primary {
        /// The next transaction number, epoch included.
        next_transaction: u64,
    },
}

impl From<&ServerFacts> for Glance {
    fn from(facts: &ServerFacts) -> Self {
        let role = match &facts.role {
            Role::Standby(_) => GlanceRole::Standby,
            Role::Primary(primary) => GlanceRole::Primary { next_transaction: primary.next_transaction },
        };
        let (system, started) = (facts.system.clone(), facts.started.clone());
        let prepared = facts.primary().map_or(0, |primary| primary.prepared.len() as u32);
        let open_writes = facts.sessions.as_ref().map(|sessions| sessions.writing + prepared);
        Self { system, started, read_only: facts.read_only.binds(), role, open_writes }
    }
}

impl ServerFacts {
    /// Whether the server is in recovery (a standby).
    pub fn in_recovery(&self) -> bool {
        matches!(self.role, Role::Standby(_))
    }

    /// The facts of a primary.
    pub fn primary(&self) -> Option<&PrimaryFacts> {
        match &self.role {
            Role::Primary(facts) => Some(facts),
            Role::Standby(_) => None,
        }
    }

    /// Why commits on this primary wait for ever, if they do: fewer synchronous standbys stream than are asked for. A session that
    /// waits so is ended by no timeout of the server (measured on version 15), and cancelling it commits here alone.
    pub fn lacks_synchronous(&self) -> Known<Option<String>> {
        let names = self.synchronous_names.trim();
        let (Some(primary), false) = (self.primary(), names.is_empty()) else { return Known::Known(None) };
        let wanted = synchronous_count(names);
        primary.senders.as_ref().map(|senders| {
            let attached = senders
                .iter()
                .filter(|s| s.state == "streaming" && matches!(s.sync.as_str(), "sync" | "quorum"))
                .count();
            (attached < wanted).then(|| {
                format!("commits wait for {wanted} synchronous standby of ({names}), and {attached} stream")
            })
        })
    }

    /// The facts of a standby.
    pub fn standby(&self) -> Option<&StandbyFacts> {
        match &self.role {
            Role::Standby(facts) => Some(facts),
            Role::Primary(_) => None,
        }
    }
}

/// How many standbys `synchronous_standby_names` waits for: `ANY 2 (…)`, `FIRST 2 (…)`, `2 (…)`, or a plain list, which means one.
fn synchronous_count(names: &str) -> usize {
    let Some((head, _)) = names.split_once('(') else { return 1 };
    head.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(1)
}

/// Role of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Not in recovery.
    Primary(PrimaryFacts),
    /// In recovery.
    Standby(StandbyFacts),
}

/// What only a primary has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PrimaryFacts {
    /// Timeline that it writes, from the name of the current segment (`pg_control_checkpoint` stays old until a checkpoint).
    pub timeline: u32,
    /// Flushed to disk up to here.
    pub flushed: Lsn,
    /// Inserted up to here. Just after a page or segment boundary it stands behind a header that no record needs; see
    /// [`PrimaryFacts::all_flushed`].
    pub inserted: Lsn,
    /// The next transaction number (`pg_snapshot_xmax`): it advances with every writing transaction, unlike positions, which
    /// also move on an idle server.
    pub next_transaction: u64,
    /// The oldest transaction still running (`pg_snapshot_xmin`). Equal to `next_transaction` when none runs, and also when the only
    /// one that runs is the newest (measured): only [`Sessions::writing`] tells these apart.
    pub oldest_transaction: u64,
    /// What its statistics have counted.
    pub activity: Activity,
    /// Prepared transactions: they survive terminations and can still commit.
    pub prepared: Vec<String>,
    /// Standbys as the primary sees them. Unknown without the rights of `pg_monitor`.
    pub senders: Known<Vec<Sender>>,
}

/// What the statistics have counted since they began. Autovacuum goes on under a freeze and uses transaction numbers like a client
/// (measured on version 15); these tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Activity {
    /// Rows inserted, updated and deleted in all tables of the database, catalogs too, without those that `ANALYZE` writes.
    pub rows: u64,
    /// Runs of autovacuum and autoanalyze in the database.
    pub upkeep: u64,
    /// Whether rows are counted at all (`track_counts`).
    #[serde(default)]
    pub counted: bool,
    /// Whether everything that was written is counted: nobody besides us is connected to any database who could write (clients, kept
    /// ones too, and workers of extensions), and whoever left has reported. False where that cannot be seen.
    #[serde(default)]
    pub complete: bool,
    /// Rows written in the other databases of the server, those of `ANALYZE` too.
    #[serde(default)]
    pub elsewhere_rows: u64,
    /// Sessions of clients that the other databases have seen; autovacuum is none.
    #[serde(default)]
    pub elsewhere_sessions: u64,
}

impl PrimaryFacts {
    /// Whether everything inserted is flushed: then a standby that replayed up to `flushed` has everything.
    ///
    /// At a boundary the insert position stands 24 bytes (page) or 40 bytes (segment) ahead with nothing between; waiting for it
    /// would hang for ever (measured: insert 0/5000028, flush and replay 0/5000000).
    pub fn all_flushed(&self) -> bool {
        const PAGE: u64 = 8192;
        let ahead = self.inserted.0.saturating_sub(self.flushed.0);
        ahead == 0 || (self.flushed.0.is_multiple_of(PAGE) && (ahead == 24 || ahead == 40))
    }
}

/// A row of `pg_stat_replication`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sender {
    /// `application_name` of the standby.
    pub name: String,
    /// State, such as `streaming`.
    pub state: String,
    /// Replayed up to here.
    pub replayed: Known<Lsn>,
    /// Flushed up to here.
    pub flushed: Known<Lsn>,
    /// `sync_state`.
    pub sync: String,
}

/// For facts of a journal from before the field.
fn not_recorded() -> Known<u64> {
    Known::unknown("it was not recorded")
}

/// Why a receiver is unknown where none runs: the standby is connected to no primary. Every other reason says less.
pub const NO_RECEIVER: &str = "no receiver runs: it is not connected to a primary";

/// How the reason begins for which a server is unknown that answered, and let nobody in: too many clients, a wrong password, it starts.
pub const REFUSES: &str = "answers, and refuses: ";

/// What only a standby has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StandbyFacts {
    /// Received up to here: the greater of receive and replay position, since the first starts over at a segment's start after
    /// a restart.
    pub received: Known<Lsn>,
    /// Replayed up to here.
    pub replayed: Known<Lsn>,
    /// Timeline that it follows: the receiver's, else the newest that its control file knows, which may be older than the truth until
    /// the next restart point.
    pub timeline: Known<u32>,
    /// Milliseconds since the last transaction that was replayed was committed, by the clocks of both servers. It grows on an idle
    /// primary too: a lag only while bytes are missing. Unknown when none was replayed, or when the clocks contradict each other.
    #[serde(default = "not_recorded")]
    pub replayed_ms_ago: Known<u64>,
    /// `not paused`, `pause requested` or `paused`.
    pub replay: String,
    /// The receiver; unknown when it is not streaming, for then lag cannot be known here.
    pub receiver: Known<Receiver>,
    /// `recovery_target*` settings that are set: promotion would end the server.
    pub recovery_targets: Vec<String>,
    /// `recovery_min_apply_delay` in milliseconds.
    pub apply_delay_ms: u64,
}

/// The row of `pg_stat_wal_receiver`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receiver {
    /// Status, such as `streaming`.
    pub status: String,
    /// Timeline being received.
    pub timeline: u32,
    /// Milliseconds since the primary was last heard.
    pub silent_ms: u64,
}

/// `default_transaction_read_only` as it stands, with what undo must put back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReadOnly {
    /// Whether new transactions are read-only by default.
    pub on: bool,
    /// Where the value comes from, in the server's words (`pg_settings.source`).
    pub source: String,
    /// What `ALTER SYSTEM` wrote: the value that `postgresql.auto.conf` holds, or nothing. Unknown when the file that sets it
    /// cannot be seen.
    pub altered: Known<Altered>,
}

impl ReadOnly {
    /// Whether it is on for everybody, and not only for the role or in the database that we came in with.
    pub fn binds(&self) -> bool {
        self.on && !self.hidden()
    }

    /// Whether what everybody else gets cannot be seen behind a setting of our own role, database or session.
    pub fn hidden(&self) -> bool {
        ["user", "database", "database user", "client", "session", "interactive", "override", "test"]
            .contains(&self.source.as_str())
    }
}

/// What `ALTER SYSTEM` holds for the setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Altered {
    /// Nothing: undo is `ALTER SYSTEM RESET`.
    Unset,
    /// This value.
    To(String),
}

/// Sessions that could write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sessions {
    /// Client sessions by role, sorted: `app: 12`.
    pub clients: Vec<(String, u32)>,
    /// Client sessions that began before the server last loaded its configuration: they may hold transactions or overrides from
    /// before the freeze.
    pub older: u32,
    /// Sessions inside a transaction that has a transaction number: they have written and may commit.
    pub writing: u32,
    /// Superusers among the clients: `pg_signal_backend` may not end them.
    pub superusers: u32,
    /// Apply workers of subscriptions, which ignore the freeze: those that run, and those that will as soon as their publisher
    /// answers again (enabled subscriptions).
    pub workers: u32,
}

impl Sessions {
    /// Why a freeze would not hold: workers that take no notice of it (measured: their rows arrive on a read-only server).
    pub fn ignore_freeze(&self) -> Option<String> {
        (self.workers > 0).then(|| {
            format!(
                "apply workers of {} subscriptions ignore the freeze: disable the subscriptions",
                self.workers
            )
        })
    }

    /// Number of client sessions.
    pub fn total(&self) -> u32 {
        self.clients.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synchronous_standbys_are_counted_as_the_server_does() {
        for (names, count) in
            [("*", 1), ("a, b", 1), ("ANY 2 (a, b, c)", 2), ("FIRST 3 (*)", 3), ("2 (a, b)", 2)]
        {
            assert_eq!(synchronous_count(names), count, "{names}");
        }
    }

    #[test]
    fn a_header_at_a_boundary_is_not_unflushed_data() {
        let facts = |inserted: &str, flushed: &str| PrimaryFacts {
            timeline: 1,
            flushed: flushed.parse().unwrap(),
            inserted: inserted.parse().unwrap(),
            next_transaction: 1,
            oldest_transaction: 1,
            activity: Activity::default(),
            prepared: vec![],
            senders: Known::Known(vec![]),
        };
        assert!(facts("0/5000028", "0/5000000").all_flushed());
        assert!(facts("0/5002018", "0/5002000").all_flushed());
        assert!(facts("0/4000C70", "0/4000C70").all_flushed());
        assert!(!facts("0/4000C70", "0/4000848").all_flushed());
        assert!(!facts("0/5000078", "0/5000000").all_flushed());
    }
}
