//! Facts of a simulated server that the model itself never changes: as they were seen at a real one, where the simulated world is
//! made after it.

use super::postgres::SimPostgres;
use super::postgres_server::{RECORD, Server};
use crate::world::postgres::{Activity, Altered};
use crate::world::{Known, Member};

/// What stands still at a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Still {
    /// `server_version_num`.
    pub version: u32,
    /// Whether new transactions are read-only by a file that `ALTER SYSTEM` does not write.
    pub default_on: bool,
    /// Whether they are for our own role or database, and the source of that: what others get cannot be seen behind it.
    pub own: Option<(bool, String)>,
    /// What had been counted before.
    pub counted: Activity,
    /// Whether more writes than clients' could be there that are not counted.
    pub uncounted: bool,
    /// Apply workers of subscriptions.
    pub workers: u32,
    /// What else is in charge of it (case P24).
    pub managers: Vec<String>,
    /// Commits that wait for a synchronous standby.
    pub waiting: u32,
    /// `recovery_min_apply_delay` in milliseconds.
    pub apply_delay_ms: u64,
    /// Milliseconds since the commit of what was replayed last, until something new is replayed.
    pub replayed_ms_ago: Known<u64>,
    /// The receiver's status, and for how many milliseconds it has heard nothing.
    pub receiver: (String, u64),
    /// Its name and `sync_state` in the list of the server that it follows; the name of its region, and `async`, if not known.
    pub sender: Option<(String, String)>,
    /// Why sessions cannot be seen.
    pub sessions_hidden: Option<String>,
    /// Why the standbys that follow it cannot be seen.
    pub senders_hidden: Option<String>,
    /// Why what `ALTER SYSTEM` holds cannot be seen.
    pub altered_hidden: Option<String>,
    /// Why commits that wait cannot be seen.
    pub waiting_hidden: Option<String>,
}

impl Default for Still {
    fn default() -> Self {
        Self {
            version: 150_000,
            default_on: false,
            own: None,
            counted: Activity { counted: true, ..Activity::default() },
            uncounted: false,
            workers: 0,
            managers: vec![],
            waiting: 0,
            apply_delay_ms: 0,
            replayed_ms_ago: Known::Known(60_000),
            receiver: ("streaming".into(), 0),
            sender: None,
            sessions_hidden: None,
            senders_hidden: None,
            altered_hidden: None,
            waiting_hidden: None,
        }
    }
}

/// A value that was read, or the reason why it can not.
pub(super) fn unless<T>(hidden: &Option<String>, value: T) -> Known<T> {
    match hidden {
        Some(why) => Known::unknown(why),
        None => Known::Known(value),
    }
}

impl Server {
    /// Whether a plain session is read-only (case F1).
    pub(super) fn frozen(&self) -> bool {
        self.on(&self.loaded)
    }

    /// Whether a freeze is written and not loaded: the next reload or start brings it into force (cases L13 and P8).
    pub fn freeze_waits(&self) -> bool {
        self.on(&self.altered) && !self.frozen()
    }

    /// Whether its undo is written and not loaded (case L14).
    pub(super) fn thaw_waits(&self) -> bool {
        self.frozen() && !self.on(&self.altered)
    }

    fn on(&self, value: &Altered) -> bool {
        match value {
            Altered::Unset => self.still.default_on,
            Altered::To(value) => ["on", "true", "yes", "1"].contains(&value.as_str()),
        }
    }

    /// It stays so many bytes behind a server that stands at `upstream`.
    pub fn stay_behind(&mut self, upstream: u64, bytes: u64) {
        self.position = upstream.saturating_sub(bytes);
        self.behind = usize::try_from(bytes.div_ceil(RECORD)).unwrap_or(usize::MAX);
    }
}

impl SimPostgres {
    /// Puts a server as it is to be: the ground truth.
    pub fn put(&self, cluster: &str, region: &str, server: Server) {
        self.truth.borrow_mut().servers.insert(Member::new(cluster, region), server);
    }
}
