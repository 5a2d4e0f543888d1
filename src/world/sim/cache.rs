//! Caches in memory.

use super::Faults;
use super::fault::{Common, Deed};
use super::shared::Shared;
use crate::journal::Permit;
use crate::world::cache::{Cache, CacheFacts, Pace};
use crate::world::{Answer, Known, Member, Reply, ready};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// Keys that one slice copies, whatever the pace: virtual time does not pass while copying.
const SLICE: usize = 25;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// `master` or `slave`.
    pub role: String,
    /// Keys with their remaining time to live in milliseconds.
    pub keys: BTreeMap<String, Option<u64>>,
    /// Keys evicted since it started.
    pub evicted: u64,
    /// How many keys fit; more are evicted, the first in order. 0 is no limit.
    pub room: usize,
    /// Run identity.
    pub server: String,
}

type Servers = BTreeMap<Member, Server>;

/// Simulated caches.
#[derive(Debug)]
pub struct SimCache {
    /// Faults; places are `cache in region`.
    pub faults: Faults<Copy>,
    servers: Shared<Servers>,
}

impl SimCache {
    /// No servers.
    pub fn new(common: &Common) -> Self {
        Self { faults: Faults::new(common), servers: Shared::default() }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self { faults: self.faults.fork(common), servers: self.servers.clone() }
    }

    /// What tells two worlds apart.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        self.servers.hash(hasher);
    }

    /// Adds a server with these keys.
    pub fn add(&self, cache: &str, region: &str, keys: impl IntoIterator<Item = (String, Option<u64>)>) {
        let server = Server {
            role: "master".into(),
            keys: keys.into_iter().collect(),
            evicted: 0,
            room: 0,
            server: format!("run-of-{region}"),
        };
        self.servers.borrow_mut().insert(Member::new(cache, region), server);
    }

    /// Changes a server: the ground truth.
    pub fn with<T>(&self, cache: &str, region: &str, change: impl FnOnce(&mut Server) -> T) -> Option<T> {
        self.servers.borrow_mut().get_mut(&Member::new(cache, region)).map(change)
    }

    fn facts(&self, at: &Member) -> Known<CacheFacts> {
        self.faults.settle(&self.servers);
        if self.faults.is_silent(&at.to_string()) {
            return Known::unknown("no answer in time");
        }
        match self.servers.borrow().get(at) {
            None => Known::unknown(format!("no cache {at}")),
            Some(server) => Known::Known(CacheFacts {
                role: server.role.clone(),
                keys: server.keys.len() as u64,
                evicted: server.evicted,
                used_bytes: 100 * server.keys.len() as u64,
                limit_bytes: 100 * server.room as u64,
                server: server.server.clone(),
            }),
        }
    }
}

/// The cursor is the number of keys that were read, and the evictions at the start.
fn copy(servers: &mut Servers, from: &Member, to: &Member, pace: &Pace, cursor: &str) -> Reply {
    let Some(keys) = servers.get(from).map(|server| server.keys.clone()) else {
        return Reply::refused(format!("no cache {from}"));
    };
    let Some(target) = servers.get_mut(to) else { return Reply::refused(format!("no cache {to}")) };
    if target.role != "master" {
        return Reply::refused(format!("the target is a replica (role {})", target.role));
    }
    let (read, evicted) = match cursor.split_once(' ') {
        Some((read, evicted)) => (read.parse().unwrap_or(0), evicted.parse().unwrap_or(0)),
        None => (0, target.evicted),
    };
    if target.evicted > evicted {
        return Reply::refused(format!(
            "the target evicts: {} keys since the start",
            target.evicted - evicted
        ));
    }
    let slice: Vec<_> = keys.into_iter().skip(read).take(SLICE).collect();
    let read = read + slice.len();
    let last = slice.len() < SLICE;
    for (key, ttl) in slice {
        if !pace.skip.iter().any(|prefix| key.starts_with(prefix)) {
            target.keys.entry(key).or_insert(ttl);
        }
        if target.room > 0 && target.keys.len() > target.room {
            target.keys.pop_first();
            target.evicted += 1;
        }
    }
    let progress = format!("{read} keys read");
    if last {
        Reply::acknowledged(progress)
    } else {
        Reply::More { cursor: format!("{read} {evicted}"), progress }
    }
}

/// One slice of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    from: Member,
    to: Member,
    pace: Pace,
    cursor: String,
}

impl Deed for Copy {
    type Truth = Servers;

    fn make(&self, servers: &mut Servers) -> Reply {
        copy(servers, &self.from, &self.to, &self.pace, &self.cursor)
    }
}

impl Cache for SimCache {
    fn look<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<CacheFacts>> {
        ready(self.facts(at))
    }

    fn copy<'a>(
        &'a self,
        _permit: &'a Permit,
        from: &'a Member,
        to: &'a Member,
        pace: &'a Pace,
        cursor: &'a str,
    ) -> Answer<'a, Reply> {
        Box::pin(async move {
            if self.faults.is_silent(&from.to_string()) {
                return Reply::refused(format!("{from}: no connection in time"));
            }
            let copy =
                Copy { from: from.clone(), to: to.clone(), pace: pace.clone(), cursor: cursor.to_owned() };
            self.faults.run(&to.to_string(), &self.servers, copy)
        })
    }
}
