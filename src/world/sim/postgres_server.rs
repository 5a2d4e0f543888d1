//! One simulated server: its state, what a look sees of it, and the guards of the real statements.

use super::postgres_isolated::{Heard, Isolated};
use super::postgres_rejoin::Kept;
use super::postgres_seen::{Still, unless};
use crate::world::Known;
use crate::world::Reply;
use crate::world::postgres::{
    Activity, Altered, Finding, Handover, HandoverBy, Lsn, NO_RECEIVER, PrimaryFacts, ReadOnly, Receiver,
    Role, Scope, Sender, ServerFacts, Sessions, StandbyFacts,
};
use std::collections::BTreeMap;

/// Bytes of one write, of a mark, and of a shutdown checkpoint.
pub(super) const RECORD: u64 = 0x100;
/// Bytes of a segment of the log.
pub(super) const SEGMENT: u64 = 16 << 20;
/// Bytes at the start of a segment that no record needs.
const HEADER: u64 = 40;

/// A client session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Its role: some are kept (case P2).
    pub role: String,
    /// Whether it was there before the configuration was last loaded (case F1).
    pub older: bool,
    /// Whether it has an open transaction that wrote (case P4).
    pub writing: bool,
    /// Whether the role is a superuser, whose sessions mrctl cannot end (case P2).
    pub superuser: bool,
    /// Whether it sets `default_transaction_read_only = off` for itself (case F1).
    pub hostile: bool,
}

impl Session {
    /// An application's idle session.
    pub fn app() -> Self {
        Self { role: "app".into(), older: false, writing: false, superuser: false, hostile: false }
    }
}

/// One server: the ground truth, free to be changed by a test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// System identifier: what is meant for another one is refused (case P1).
    pub system: String,
    /// Whether it runs; what does not is unknown (case P7).
    pub up: bool,
    /// From whom it is cut off (cases U1 and U2).
    pub isolated: Isolated,
    /// Whether a fence has closed the way of applications and standbys to it, and whoever looks from there can tell (case U5).
    pub closed: bool,
    /// Whether it was stopped cleanly, and did not run since (case P7).
    pub clean: bool,
    /// Whether the application has committed since the server last changed: bookkeeping of a rehearsal.
    pub written: bool,
    /// Counts starts: each is told from the one before (cases F14 and P8).
    pub started: u64,
    /// Whether it is a standby: it takes no change of a primary (case P1).
    pub recovery: bool,
    /// Timeline that it writes or follows (case F9).
    pub timeline: u32,
    /// Writes that it has, in order: the name of each; what was in an open transaction is not there (case P3).
    pub log: Vec<String>,
    /// Position at the end of the log; flushed (case P6), or replayed (case P9).
    pub position: u64,
    /// Bytes that were told of as committed and are not flushed (case P6).
    pub unflushed: u64,
    /// Whether the log went on with a new segment (case F6).
    pub switched: bool,
    /// Next transaction number; one that is open does not move it (case P4), and not each is a write (case P14).
    pub next_transaction: u64,
    /// Runs of autovacuum: they take transaction numbers, and are no writes (case P14).
    pub upkeep: u64,
    /// What stands in the file of `ALTER SYSTEM`, and is loaded with a reload or a start (cases P19 and P8).
    pub altered: Altered,
    /// What was loaded of it: a freeze is in force only then (case P19).
    pub loaded: Altered,
    /// Whether others have set it last: bookkeeping of a rehearsal.
    pub theirs: bool,
    /// Sessions of clients (case P2).
    pub sessions: Vec<Session>,
    /// Prepared transactions: they belong to no session, and no freeze binds them (case P5).
    pub prepared: Vec<String>,
    /// Settings of roles and databases (case P13).
    pub overrides: Vec<String>,
    /// `synchronous_standby_names`: with any, a commit hangs, and is there (case P11).
    pub synchronous_names: String,
    /// Region of the server that the receiver is connected to; without one the lag is unknown (case F4).
    pub follows: Option<String>,
    /// Writes that replay stays behind: seen by the bytes that are missing (case P18).
    pub behind: usize,
    /// Whether replay is paused (case P9).
    pub paused: bool,
    /// Whether its receiver or its replay hangs: it says that it streams, and nothing arrives (case P18).
    pub stuck: bool,
    /// Whether the last commit that it replayed is long ago (case F5).
    pub quiet: bool,
    /// Recovery targets (case P12).
    pub recovery_targets: Vec<String>,
    /// Whether a promotion takes effect only when `SimPostgres::finish_promotion` says so (case F7).
    pub slow: bool,
    /// Whether a promotion was requested and has not happened; a crash forgets it (case F14).
    pub promoting: bool,
    /// What a preflight finds: as the scene says.
    pub findings: Vec<Finding>,
    /// What the model never changes: as a look at real servers saw it (case P13).
    pub still: Still,
    /// What it keeps for standbys, and what its control file names (case P23).
    pub kept: Kept,
}

impl Server {
    /// Whether applications get there at all (cases U2 and U5).
    pub(super) fn reached(&self) -> bool {
        !self.isolated.applications && !self.closed
    }

    /// Whether a plain session of the application can commit: it runs and is reached, is no standby, and no freeze binds the application, which a
    /// setting of its role may lift (case P13).
    pub(super) fn open(&self) -> bool {
        let lifted = || self.overrides.iter().any(|setting| setting.ends_with("=off"));
        self.up && self.reached() && !self.recovery && (!self.frozen() || lifted())
    }

    /// How far the insert position stands ahead: behind what was told of as committed and is not on disk (case P6), or behind the
    /// header of a new segment (case F6).
    fn ahead(&self) -> u64 {
        let header = self.switched && self.position.is_multiple_of(SEGMENT);
        if header { HEADER + self.unflushed } else { self.unflushed }
    }

    /// Adds a write of this name.
    pub(super) fn commit(&mut self, name: String) {
        self.log.push(name);
        self.position += RECORD;
        self.next_transaction += 1;
    }

    /// Ends recovery on a new timeline (case F9).
    pub(super) fn become_primary(&mut self) {
        (self.recovery, self.promoting, self.follows, self.behind) = (false, false, None, 0);
        self.written = false;
        self.timeline += 1;
    }
}

/// What a look sees.
pub(super) fn read(server: &Server, senders: Vec<Sender>, heard: Heard, scope: &Scope) -> ServerFacts {
    let role = if server.recovery {
        let (status, silent_ms) = server.still.receiver.clone();
        let receiver = |silent_ms| Known::Known(Receiver { status, timeline: server.timeline, silent_ms });
        Role::Standby(StandbyFacts {
            received: Known::Known(Lsn(server.position)),
            replayed: Known::Known(Lsn(server.position)),
            timeline: Known::Known(server.timeline),
            // A second for every write that is missing; on an idle primary it grows, too (case F5).
            replayed_ms_ago: match server.quiet {
                true => server.still.replayed_ms_ago.clone(),
                false => Known::Known(server.behind as u64 * 1000),
            },
            replay: if server.paused { "paused" } else { "not paused" }.into(),
            // Without one the lag is not known (case F4).
            receiver: match heard {
                Heard::Now => receiver(silent_ms),
                Heard::Nothing(for_ms) => receiver(for_ms),
                Heard::Gone => Known::unknown(NO_RECEIVER),
            },
            recovery_targets: server.recovery_targets.clone(),
            apply_delay_ms: server.still.apply_delay_ms,
        })
    } else {
        Role::Primary(PrimaryFacts {
            timeline: server.timeline,
            flushed: Lsn(server.position),
            inserted: Lsn(server.position + server.ahead()),
            next_transaction: server.next_transaction,
            // Also while one that wrote is open: only `Sessions::writing` shows it (case P4).
            oldest_transaction: server.next_transaction,
            activity: Activity {
                rows: server.still.counted.rows + server.log.len() as u64,
                upkeep: server.upkeep,
                complete: server.sessions.is_empty() && !server.still.uncounted,
                ..server.still.counted
            },
            prepared: server.prepared.clone(),
            senders: unless(&server.still.senders_hidden, senders),
        })
    };
    let clients: Vec<&Session> = server.sessions.iter().filter(|s| !scope.keep.contains(&s.role)).collect();
    let mut roles: BTreeMap<String, u32> = BTreeMap::new();
    for session in &clients {
        *roles.entry(session.role.clone()).or_default() += 1;
    }
    let count = |test: fn(&Session) -> bool, of: &[&Session]| of.iter().filter(|s| test(s)).count() as u32;
    let everyone: Vec<&Session> = server.sessions.iter().collect();
    ServerFacts {
        system: server.system.clone(),
        version: server.still.version,
        started: server.started.to_string(),
        role,
        read_only: ReadOnly {
            on: server.still.own.as_ref().map_or(server.frozen(), |(on, _)| *on),
            source: match &server.still.own {
                Some((_, source)) => source.clone(),
                None if server.loaded == Altered::Unset && !server.frozen() => "default".into(),
                None => "configuration file".into(),
            },
            altered: unless(&server.still.altered_hidden, server.loaded.clone()),
        },
        overrides: server.overrides.clone(),
        sessions: unless(
            &server.still.sessions_hidden,
            Sessions {
                older: count(|s| s.older, &clients),
                writing: count(|s| s.writing, &everyone),
                superusers: count(|s| s.superuser, &clients),
                clients: roles.into_iter().collect(),
                workers: server.still.workers,
            },
        ),
        synchronous_names: server.synchronous_names.clone(),
        waiting_for_standby: unless(&server.still.waiting_hidden, server.still.waiting),
        ours: Known::Known(vec![]),
        managers: server.still.managers.clone(),
    }
}

/// `ALTER SYSTEM` and a reload: sessions of now are those from before (case P2).
pub(super) fn alter(server: &mut Server, to: Altered) {
    (server.altered, server.loaded, server.written, server.theirs) = (to.clone(), to, false, false);
    for session in &mut server.sessions {
        session.older = true;
    }
}

/// The guard of the real statement, in its order (case F11); a second promotion meets it, too (case F8).
pub(super) fn promote(server: &mut Server, handover: &Handover) -> Reply {
    let position = Lsn(server.position);
    let behind = match handover.by {
        HandoverBy::Shutdown => position <= handover.position,
        HandoverBy::Soft | HandoverBy::LossAccepted => position < handover.position,
    };
    if server.system != handover.system {
        return Reply::refused("this is another cluster");
    }
    if !server.recovery {
        return Reply::refused("it is not in recovery");
    }
    if server.started.to_string() != handover.target_started {
        // Case F14.
        return Reply::refused("it was restarted since the handover");
    }
    if server.paused {
        // Case P9.
        return Reply::refused("replay is paused");
    }
    if server.timeline != handover.timeline {
        return Reply::refused("it follows another timeline");
    }
    if behind {
        return Reply::refused(format!("it has replayed only up to {position}"));
    }
    if !server.recovery_targets.is_empty() {
        // Case P12.
        return Reply::refused("a recovery target is set, promotion would end the server");
    }
    if let Some(manager) = server.still.managers.first() {
        // Case P24.
        return Reply::refused(format!("another manager is in charge of it: {manager}"));
    }
    server.promoting = true;
    if !server.slow {
        server.become_primary();
    }
    Reply::acknowledged("promotion requested")
}
