//! PostgreSQL servers: what one look sees, and the few guarded changes.
//!
//! Facts and traps are those of streaming replication as measured on PostgreSQL 15; see the reference of the kinds.

mod facts;
mod fitness;
mod handover;
pub mod heartbeat;
mod lsn;
pub mod protection;

pub use facts::{
    Activity, Altered, Glance, GlanceRole, NO_RECEIVER, PrimaryFacts, REFUSES, ReadOnly, Receiver, Role,
    Sender, ServerFacts, Sessions, StandbyFacts,
};
pub use handover::{Commits, Handover, HandoverBy};
pub use heartbeat::{Beat, Counted, Heartbeat, Missed, Turn};
pub use lsn::Lsn;
pub use protection::{Protection, Slot};

use super::{Answer, Known, Member, Reply};
use crate::journal::Permit;
use serde::{Deserialize, Serialize};

/// The check of a preflight that a server fails if it is too old to be asked anything else.
pub const VERSION: &str = "version";

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

/// A session of mrctl at a server, as the server tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AtWork {
    /// Its name: `mrctl/RUN/lock`, `mrctl/RUN/EFFECT/ATTEMPT`.
    pub name: String,
    /// The server's process.
    pub pid: i64,
    /// Where it comes from, as the server sees it.
    pub from: String,
    /// How long it has been connected. Milliseconds.
    pub age_ms: u64,
    /// What it says of itself: who, on which host, which process; empty if it does not.
    pub says: String,
}

/// Who holds the lock of a cluster at a member, and which sessions of other runs could still change something there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LockSight {
    /// The session that holds it.
    pub holder: Option<AtWork>,
    /// Sessions of changes of other runs.
    pub others: Vec<AtWork>,
}

/// The servers of a cluster.
///
/// Every method opens what it needs with a deadline of its own; what does not answer in time is unknown or lost. The identity
/// (`system`) is checked on the same connection as the change, in the same statement where the server allows it.
pub trait Postgres {
    /// One look.
    fn look<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<ServerFacts>>;

    /// The few facts that guards ask for once more.
    fn glance<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<Glance>>;

    /// Everything that a planned switch needs of this server, checked without using it.
    /// `candidate` says whether it is the one to be promoted; `table` is the probe table.
    fn preflight<'a>(
        &'a self,
        at: &'a Member,
        candidate: bool,
        table: &'a str,
    ) -> Answer<'a, Known<Vec<Finding>>>;

    /// `ALTER SYSTEM SET default_transaction_read_only = on` and reload, on a primary of this system only. With `ending`, sessions are
    /// ended as [`Postgres::end_sessions`] does, as soon as the setting is seen in force on the connection that set it, and not
    /// otherwise; the note says how many.
    fn freeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        ending: Option<&'a Scope>,
    ) -> Answer<'a, Reply>;

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

    /// What a standby needs of this server, or has left behind on it.
    fn protection<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<Protection>>;

    /// A checkpoint at once, on a primary of this system only. One that is still under way is lost, and comes about all the same.
    fn checkpoint<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply>;

    /// Makes a physical slot that keeps write-ahead log from now on, on a primary of this system only. Refused where there is one of
    /// this name.
    fn create_slot<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        slot: &'a str,
    ) -> Answer<'a, Reply>;

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

    /// Who holds the lock, and which sessions of changes of other runs than this one are there.
    fn lock_sight<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<LockSight>> {
        let _ = run;
        super::ready(Known::unknown(format!("{at} is not asked who holds its lock")))
    }

    /// The time between two heartbeats of a cluster; nothing where the inventory wants none.
    fn heartbeat_every(&self, cluster: &str) -> Option<std::time::Duration> {
        let _ = cluster;
        None
    }

    /// Writes one heartbeat at a primary, as an application does, and tells what it had once that was acknowledged. The only write
    /// that takes no permit: it belongs to no run, and no step waits for it.
    fn beat<'a>(&'a self, at: &'a Member, turn: &'a Turn) -> Answer<'a, Result<Beat, Missed>> {
        let _ = turn;
        super::ready(Err(Missed::Failed(format!("no heartbeat is written at {at}"))))
    }

    /// The last heartbeat that this host knows to be acknowledged, and what of them this member has. Nothing where the inventory wants
    /// none. `before`: only of a timeline before this one. `settled`: see whether the replay of a standby stands still, which takes a
    /// moment.
    fn heartbeat<'a>(
        &'a self,
        at: &'a Member,
        before: Option<u32>,
        settled: bool,
    ) -> Answer<'a, Option<Known<Heartbeat>>> {
        let _ = (at, before, settled);
        super::ready(None)
    }

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
    /// See [`Postgres::checkpoint`].
    Checkpoint,
    /// See [`Postgres::create_slot`].
    CreateSlot(String),
    /// See [`Postgres::write_probe`].
    WriteProbe(String),
}
