//! Caches in memory.

use super::Faults;
use super::fault::{Common, Deed};
use super::shared::Shared;
use crate::journal::Permit;
use crate::world::cache::{Cache, CacheFacts, Pace};
use crate::world::{Answer, Known, Member, Reply, ready};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Bound;

/// Keys that one slice copies, whatever the pace: virtual time does not pass while copying.
const SLICE: usize = 25;
/// Percent of the room from which a copy stops, as in the real port.
const FULL: usize = 85;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// `master` or `slave` (case R6).
    pub role: String,
    /// Keys with their remaining time to live in milliseconds (case R1).
    pub keys: BTreeMap<String, Option<u64>>,
    /// Keys evicted since it started (case R7).
    pub evicted: u64,
    /// How many keys fit; more are evicted, the first in order (case R7). 0 is no limit.
    pub room: usize,
    /// Run identity (case R9).
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

    /// It starts again with nothing, as somebody else (case R9).
    pub fn restart(&self, cache: &str, region: &str) {
        self.with(cache, region, |server| {
            server.keys.clear();
            server.evicted = 0;
            server.server += " again";
        });
    }

    fn facts(&self, at: &Member) -> Known<CacheFacts> {
        self.faults.settle(&self.servers);
        if self.faults.is_silent(at) {
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

/// Where a copy stands; this is the cursor's text.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// The last key that was read, if any: a key that stays is met, whatever comes and goes beside it (case R5).
    last: Option<String>,
    read: usize,
    copied: usize,
    present: usize,
    skipped: usize,
    /// Evicted keys of the target at the start.
    evicted: u64,
    /// Run identities: a cursor means nothing to another process.
    source: String,
    target: String,
}

impl Progress {
    fn words(&self) -> String {
        let Self { read, copied, present, skipped, .. } = self;
        format!("{read} keys read: {copied} copied, {present} there already, {skipped} left out")
    }
}

/// What stands against a copy before a key is read.
fn begin(from: &Server, to: &Server, cursor: &str) -> Result<Progress, String> {
    // Case R8.
    if from.server == to.server {
        return Err("source and target are the same server".into());
    }
    // Case R6.
    if to.role != "master" {
        return Err(format!("the target is a replica (role {})", to.role));
    }
    let progress = if cursor.is_empty() {
        let (source, target) = (from.server.clone(), to.server.clone());
        let nothing =
            Progress { last: None, read: 0, copied: 0, present: 0, skipped: 0, evicted: 0, source, target };
        Progress { evicted: to.evicted, ..nothing }
    } else {
        // Case R10.
        serde_json::from_str(cursor).map_err(|error| format!("the cursor cannot be read: {error}"))?
    };
    // Case R9.
    if progress.source != from.server {
        return Err("the source restarted meanwhile".into());
    }
    if progress.target != to.server {
        return Err("the target restarted meanwhile".into());
    }
    // Case R7.
    if to.evicted > progress.evicted {
        let evicted = to.evicted - progress.evicted;
        return Err(format!("the target evicts: {evicted} keys since the start; {}", progress.words()));
    }
    if to.room > 0 && to.keys.len() * 100 > to.room * FULL {
        let (keys, room) = (to.keys.len(), to.room);
        return Err(format!("the target is nearly full: {keys} of {room} keys; {}", progress.words()));
    }
    Ok(progress)
}

fn copy(servers: &mut Servers, deed: &Copy) -> Reply {
    let Copy { from, to, pace, cursor, most } = deed;
    let most = *most;
    let Some(source) = servers.get(from).cloned() else {
        return Reply::refused(format!("no cache {from}"));
    };
    let Some(target) = servers.get_mut(to) else { return Reply::refused(format!("no cache {to}")) };
    let mut progress = match begin(&source, target, cursor) {
        Ok(progress) => progress,
        Err(why) => return Reply::refused(why),
    };
    let rest = (progress.last.clone().map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
    let slice: Vec<_> = source.keys.range::<String, _>(rest).take(most).collect();
    progress.read += slice.len();
    let last = slice.len() < most;
    progress.last = slice.last().map(|(key, _)| (*key).clone());
    for (key, ttl) in slice {
        // Case R3.
        if pace.skip.iter().any(|prefix| key.starts_with(prefix)) {
            progress.skipped += 1;
        } else if target.keys.contains_key(key) {
            // It stays as it is (case R2).
            progress.present += 1;
        } else {
            // With the time that it has left (case R1).
            target.keys.insert(key.clone(), *ttl);
            progress.copied += 1;
        }
        if target.room > 0 && target.keys.len() > target.room {
            target.keys.pop_first();
            target.evicted += 1;
        }
    }
    let words = progress.words();
    match (last, serde_json::to_string(&progress)) {
        (true, _) => Reply::acknowledged(words),
        (false, Ok(cursor)) => Reply::More { cursor, progress: words },
        (false, Err(error)) => Reply::lost(error.to_string()),
    }
}

/// One slice of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    from: Member,
    to: Member,
    pace: Pace,
    cursor: String,
    /// Keys that are read at most.
    most: usize,
}

impl Deed for Copy {
    type Truth = Servers;

    fn make(&self, servers: &mut Servers) -> Reply {
        copy(servers, self)
    }

    /// Keys are copied one after the other: the first of those that were missing is there, and where the copy stands was not heard of
    /// (case L16).
    fn half(&self, servers: &Servers) -> Option<Self> {
        let (source, target) = (servers.get(&self.from)?, servers.get(&self.to)?);
        let after = begin(source, target, &self.cursor).ok()?.last.map_or(Bound::Unbounded, Bound::Excluded);
        let slice = source.keys.range::<String, _>((after, Bound::Unbounded)).take(self.most);
        let missing = |key: &String| {
            !target.keys.contains_key(key) && !self.pace.skip.iter().any(|prefix| key.starts_with(prefix))
        };
        let mut missing = slice.enumerate().filter(|(_, (key, _))| missing(key)).map(|(at, _)| at);
        let first = missing.next()?;
        missing.next().map(|_| Self { most: first + 1, ..self.clone() })
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
            // Both are connected before a key is read (case R4).
            for at in [from, to] {
                if self.faults.is_silent(at) {
                    return Reply::refused(format!("{at}: no connection in time"));
                }
            }
            let (from, pace, cursor) = (from.clone(), pace.clone(), cursor.to_owned());
            let copy = Copy { from, to: to.clone(), pace, cursor, most: SLICE };
            self.faults.run(&to.to_string(), &self.servers, copy)
        })
    }
}
