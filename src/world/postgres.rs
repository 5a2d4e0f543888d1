//! PostgreSQL servers: what one look sees, and the few guarded changes.
//!
//! Facts and traps are those of streaming replication as measured on PostgreSQL 15; see the reference of the kinds.

use super::{Answer, Known, Member, Reply};
use crate::journal::Permit;
use serde::{Deserialize, Serialize};

/// A position in the write-ahead log. Subtract it, never parse it to a 32 bit number; across timelines positions do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Bytes from `earlier` to this position; zero if it is not ahead.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl std::str::FromStr for Lsn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(high, low)| {
            Some(
                (u64::from(u32::from_str_radix(high, 16).ok()?) << 32)
                    | u64::from(u32::from_str_radix(low, 16).ok()?),
            )
        });
        parsed.map(Self).ok_or_else(|| format!("`{text}` is not a write-ahead log position"))
    }
}

impl TryFrom<String> for Lsn {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

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

/// What the statistics of the database have counted since they began. Autovacuum goes on under a freeze and uses transaction numbers
/// like a client (measured on version 15); these tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Activity {
    /// Rows of user tables inserted, updated and deleted.
    pub rows: u64,
    /// Runs of autovacuum and autoanalyze.
    pub upkeep: u64,
}

/// Transactions that ended on a source after its handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Commits {
    /// None.
    None,
    /// This many, while autovacuum ran and no row of a user table was counted.
    Upkeep(u64),
    /// This many, and a client may have written: rows were counted, or nothing else explains them.
    Writes(u64),
}

impl Handover {
    /// What ended on the source since. Sessions report their rows up to ten seconds late, so `Upkeep` is an explanation and no proof.
    pub fn commits_since(&self, source: &PrimaryFacts) -> Commits {
        match source.next_transaction.saturating_sub(self.next_transaction) {
            0 => Commits::None,
            ended
                if source.activity.rows == self.activity.rows
                    && source.activity.upkeep > self.activity.upkeep =>
            {
                Commits::Upkeep(ended)
            }
            ended => Commits::Writes(ended),
        }
    }
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

/// One finding of a preflight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Short name of what was checked, such as `promote_privilege`.
    pub check: String,
    /// Whether it is fine; unknown is not.
    pub fine: Known<bool>,
    /// Whether a failure forbids the run; otherwise it is a warning.
    pub fatal: bool,
    /// What was seen, in a few words.
    pub seen: String,
    /// What to do about it.
    pub remedy: String,
}

/// What a look at a server should leave out or look for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Roles whose sessions are left alone and not counted.
    pub keep: Vec<String>,
    /// The run whose sessions count as ours; empty outside a run.
    pub run: String,
}

/// The servers of a cluster.
///
/// Every method opens what it needs with a deadline of its own; what does not answer in time is unknown or lost. The identity
/// (`system`) is checked on the same connection as the change, in the same statement where the server allows it.
pub trait Postgres {
    /// One look.
    fn look<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<ServerFacts>>;

    /// Everything that a planned switch needs of this server, checked without using it.
    /// `candidate` says whether it is the one to be promoted; `table` is the probe table.
    fn preflight<'a>(
        &'a self,
        at: &'a Member,
        candidate: bool,
        table: &'a str,
    ) -> Answer<'a, Known<Vec<Finding>>>;

    /// `ALTER SYSTEM SET default_transaction_read_only = on` and reload, on a primary of this system only.
    fn freeze<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply>;

    /// Puts the recorded value back (`RESET`, or the value) and reloads, on a server of this system only.
    fn unfreeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        prior: &'a Altered,
    ) -> Answer<'a, Reply>;

    /// Ends client sessions from before the configuration was loaded and those that write in spite of it, except those of
    /// `scope.keep` and ours; the note says how many, and which could not be ended.
    fn end_sessions<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        scope: &'a Scope,
    ) -> Answer<'a, Reply>;

    /// Writes a mark into the write-ahead log and flushes everything before it.
    fn mark<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply>;

    /// Guarded promotion in one statement: refused unless the server is a standby of the handover's system and timeline that has
    /// replayed the handover's position, with replay not paused. Signals only; the look tells whether it happened.
    fn promote<'a>(&'a self, permit: &'a Permit, at: &'a Member, handover: &'a Handover)
    -> Answer<'a, Reply>;

    /// Writes one row keyed by run into the probe table, as an application would, with a client-side deadline; a commit that
    /// waits for an absent synchronous standby is told apart.
    fn write_probe<'a>(&'a self, permit: &'a Permit, at: &'a Member, table: &'a str) -> Answer<'a, Reply>;

    /// Whether this run's probe row is there, read on a fresh connection.
    fn read_probe<'a>(&'a self, at: &'a Member, table: &'a str, run: &'a str) -> Answer<'a, Known<bool>>;

    /// Takes the advisory lock of a cluster on this member and holds it on a session of its own until dropped by `unlock`.
    /// Known(false): somebody else holds it.
    fn lock<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<bool>>;

    /// Whether the session that holds the lock is still alive.
    fn lock_held<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<bool>>;

    /// The exact statements of a change, for plans, dry runs and the by-hand instructions.
    fn statements(&self, change: Change) -> Vec<String>;
}

/// A change whose statements can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// See [`Postgres::freeze`].
    Freeze,
    /// See [`Postgres::unfreeze`].
    Unfreeze(Altered),
    /// See [`Postgres::end_sessions`].
    EndSessions(Vec<String>),
    /// See [`Postgres::mark`].
    Mark,
    /// See [`Postgres::promote`].
    Promote,
    /// See [`Postgres::write_probe`].
    WriteProbe(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_trip_and_subtract() {
        let lsn: Lsn = "1A/5BE01B0".parse().unwrap();
        assert_eq!(lsn.to_string(), "1A/5BE01B0");
        assert_eq!(lsn.bytes_since("1A/5BE0000".parse().unwrap()), 0x1B0);
        assert!("5BE01B0".parse::<Lsn>().is_err());
        assert!("1A/xyz".parse::<Lsn>().is_err());
    }

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
