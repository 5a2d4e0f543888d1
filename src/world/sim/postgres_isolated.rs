//! Servers that are cut off, and fences: a primary that is only out of sight is a state of the world, and not a fault of the port.

use super::exec::Means;
use super::postgres::{SimPostgres, Truth};
use super::postgres_server::Server;
use crate::world::clock::Moment;
use crate::world::{Known, Member};
use std::hash::{Hash, Hasher};

/// How long a receiver waits for a primary of which it hears nothing before it gives up: `wal_receiver_timeout`. Milliseconds (case U2).
pub const RECEIVER_TIMEOUT_MS: u64 = 60_000;

/// From whom a server is cut off, whether it runs or not. Whoever is cut off gets no answer at all, which is no refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Isolated {
    /// mrctl sees nothing of it, and what it sends does not arrive (case U1).
    pub us: bool,
    /// Applications cannot commit there (case U2).
    pub applications: bool,
    /// Its standbys hear nothing of it since then (case U2).
    pub standbys: Option<Moment>,
}

impl Isolated {
    /// From everybody since then: it hangs, or its host is gone.
    pub fn from_all(since: Moment) -> Self {
        Self { us: true, applications: true, standbys: Some(since) }
    }

    /// From anybody.
    pub fn any(&self) -> bool {
        self.us || self.applications || self.standbys.is_some()
    }
}

/// What a standby's receiver hears of its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It streams.
    Now,
    /// Nothing for so many milliseconds.
    Nothing(u64),
    /// There is no receiver: nobody answers it (cases F4 and U2).
    Gone,
}

impl Truth {
    /// What the receiver of this standby hears.
    pub(super) fn heard(&self, of: &Member, now: Moment) -> Heard {
        let upstream = self.servers.get(of).and_then(|server| server.follows.as_ref());
        let upstream = upstream.and_then(|region| self.servers.get(&Member::new(&of.resource, region)));
        let Some(upstream) = upstream else { return Heard::Gone };
        let silent = upstream.isolated.standbys.map(|since| milliseconds(now, since));
        match silent {
            Some(silent) if silent > RECEIVER_TIMEOUT_MS => Heard::Gone,
            Some(silent) => Heard::Nothing(silent),
            None if upstream.up && !upstream.closed => Heard::Now,
            None => Heard::Gone,
        }
    }

    /// How long receivers have heard nothing, as far as it is not over yet: a digest of servers alone does not hold the time.
    pub(super) fn digest_silence(&self, now: Moment, hasher: &mut impl Hasher) {
        for (at, server) in &self.servers {
            let follows = |(other, standby): (&Member, &Server)| {
                other.resource == at.resource && standby.follows.as_ref() == Some(&at.region)
            };
            if let Some(since) = server.isolated.standbys.filter(|_| self.servers.iter().any(follows)) {
                (at, milliseconds(now, since).min(RECEIVER_TIMEOUT_MS + 1)).hash(hasher);
            }
        }
    }
}

fn milliseconds(now: Moment, since: Moment) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}

impl SimPostgres {
    /// Cuts a server off (cases U1 and U2).
    pub fn isolate(&self, cluster: &str, region: &str, isolated: Isolated) {
        self.with(cluster, region, |server| server.isolated = isolated);
    }

    /// It ends as when it is killed or its host loses power: nothing is flushed, nothing shipped (case U3).
    pub fn crash(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            (server.up, server.clean, server.promoting, server.sessions) = (false, false, false, vec![]);
        });
        self.truth.borrow_mut().unlock(&Member::new(cluster, region));
    }

    /// Nothing cuts it off any more, except a fence that has closed the way to it: receivers find that out at once.
    pub fn in_sight_again(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.isolated = Isolated::default();
            server.written = false;
        });
    }

    /// A person, or an init system, starts it again, and its host is there again, too (case U4).
    pub fn come_back(&self, cluster: &str, region: &str) {
        self.start(cluster, region);
        self.in_sight_again(cluster, region);
    }

    /// A fence takes effect: it ends the server, if it runs, or closes the way to it.
    pub(super) fn fence(&self, at: &Member, means: Means) {
        let (cluster, region) = (at.resource.as_str(), at.region.as_str());
        match means {
            Means::End => {
                if self.with(cluster, region, |server| server.up) == Some(true) {
                    self.crash(cluster, region);
                    // Its host answers in its place: nobody listens there any more. mrctl and standbys may be cut off by something else.
                    self.with(cluster, region, |server| server.isolated.applications = false);
                }
            }
            Means::Close => {
                let now = self.faults.now();
                self.with(cluster, region, |server| {
                    server.closed = true;
                    // A receiver of one that is down has given up already.
                    if server.up {
                        server.isolated.standbys.get_or_insert(now);
                    }
                    server.sessions.clear();
                });
            }
        }
    }

    /// Whether no user can reach it, as whoever looks from where they come from can tell: a connection that is refused proves it, and so does
    /// a way that is closed; one that gets no answer proves nothing (case U5).
    pub(super) fn nobody_reaches(&self, at: &Member) -> Known<bool> {
        let seen = self.read(&at.resource, &at.region, |server| {
            if server.closed {
                Known::Known(true)
            } else if server.isolated.applications {
                Known::unknown("no answer in time")
            } else {
                Known::Known(!server.up)
            }
        });
        seen.unwrap_or_else(|| Known::unknown(format!("{at} is not there")))
    }

    /// Whether it answers mrctl.
    pub fn answers(&self, at: &Member) -> bool {
        let there = |server: &Server| server.up && !server.isolated.us;
        self.read(&at.resource, &at.region, there) == Some(true) && !self.faults.is_silent(at)
    }
}
