//! PostgreSQL servers in memory: one log of writes a server, replication that is instant unless told otherwise, and the guards of
//! the real statements.

use super::Faults;
use super::postgres_server::{alter, promote, read};
use crate::journal::Permit;
use crate::world::postgres::{
    Altered, Change, Finding, Glance, Handover, Lsn, Postgres, Scope, Sender, ServerFacts,
};
use crate::world::{Answer, Known, Member, Reply, ready};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use super::postgres_server::{Server, Session};

/// Bytes of one write, of a mark, and of a shutdown checkpoint.
const RECORD: u64 = 0x100;

/// Servers and who holds their locks.
#[derive(Clone, Debug, Default)]
struct Truth {
    servers: BTreeMap<Member, Server>,
    locks: BTreeMap<Member, String>,
    /// Locks that their holder has lost without knowing.
    stolen: BTreeSet<Member>,
    /// `<session>` of every change that was done, in order.
    done: Vec<String>,
}

impl Truth {
    /// Every connected standby gets what its upstream has.
    fn replicate(&mut self) {
        let upstreams = self.servers.clone();
        for (member, standby) in &mut self.servers {
            let upstream = standby.follows.as_ref().map(|region| Member::new(&member.resource, region));
            let Some(upstream) = upstream.and_then(|upstream| upstreams.get(&upstream)) else { continue };
            if !standby.recovery
                || !standby.up
                || standby.paused
                || standby.stuck
                || !upstream.up
                || upstream.timeline != standby.timeline
            {
                continue;
            }
            let have = upstream.log.len().saturating_sub(standby.behind).max(standby.log.len());
            standby.log = upstream.log[..have.min(upstream.log.len())].to_vec();
            let to = upstream.position.saturating_sub(RECORD * standby.behind as u64).max(standby.position);
            standby.quiet &= to == standby.position;
            standby.position = to;
        }
    }

    fn senders(&self, of: &Member) -> Vec<Sender> {
        let follows =
            |server: &&Server| server.up && server.recovery && server.follows.as_ref() == Some(&of.region);
        let servers =
            self.servers.iter().filter(|(member, server)| member.resource == of.resource && follows(server));
        servers
            .map(|(member, server)| Sender {
                name: member.region.clone(),
                state: "streaming".into(),
                replayed: Known::Known(Lsn(server.position)),
                flushed: Known::Known(Lsn(server.position)),
                sync: "async".into(),
            })
            .collect()
    }
}

/// Simulated servers.
#[derive(Debug)]
pub struct SimPostgres {
    /// Faults; places are `cluster in region`.
    pub faults: Faults,
    truth: Rc<RefCell<Truth>>,
}

impl SimPostgres {
    /// No servers.
    pub fn new(faults: Faults) -> Self {
        Self { faults, truth: Rc::default() }
    }

    /// A cluster: the first region has the primary, with one application's session; the others follow it.
    pub fn add(&self, cluster: &str, regions: &[&str]) {
        for (index, region) in regions.iter().enumerate() {
            let server = Server {
                system: format!("system-of-{cluster}"),
                up: true,
                started: 1,
                recovery: index > 0,
                timeline: 1,
                log: vec![],
                position: 0x0500_0000,
                unflushed: 0,
                next_transaction: 700,
                upkeep: 0,
                altered: Altered::Unset,
                loaded: Altered::Unset,
                sessions: if index == 0 { vec![Session::app()] } else { vec![] },
                prepared: vec![],
                overrides: vec![],
                synchronous_names: String::new(),
                follows: (index > 0).then(|| regions[0].to_string()),
                behind: 0,
                paused: false,
                stuck: false,
                quiet: true,
                recovery_targets: vec![],
                slow: false,
                promoting: false,
                findings: vec![],
            };
            self.truth.borrow_mut().servers.insert(Member::new(cluster, *region), server);
        }
    }

    /// Changes or reads a server: the ground truth.
    pub fn with<T>(&self, cluster: &str, region: &str, change: impl FnOnce(&mut Server) -> T) -> Option<T> {
        self.faults.settle();
        let mut truth = self.truth.borrow_mut();
        truth.replicate();
        let done = truth.servers.get_mut(&Member::new(cluster, region)).map(change);
        truth.replicate();
        done
    }

    /// An application commits a write, and is told so; a hostile one ignores the freeze.
    pub fn write(&self, cluster: &str, region: &str, name: &str, hostile: bool) -> bool {
        let written = self.with(cluster, region, |server| {
            let may = server.up && !server.recovery && (hostile || !server.frozen());
            if may {
                server.log.push(name.to_owned());
                server.position += RECORD;
                server.next_transaction += 1;
            }
            may
        });
        written.unwrap_or(false)
    }

    /// Regions in which a plain application can commit: more than one is a split brain.
    pub fn writable(&self, cluster: &str) -> Vec<String> {
        self.faults.settle();
        let truth = self.truth.borrow();
        let servers = truth.servers.iter().filter(|(member, _)| member.resource == cluster);
        servers
            .filter(|(_, server)| server.up && !server.recovery && !server.frozen())
            .map(|(member, _)| member.region.clone())
            .collect()
    }

    /// Names under which changes were done, in order: the same one twice is an effect that happened twice.
    pub fn done(&self) -> Vec<String> {
        self.faults.settle();
        self.truth.borrow().done.clone()
    }

    /// The session that holds a lock ends, and another run takes it.
    pub fn steal_lock(&self, cluster: &str, region: &str, run: &str) {
        let mut truth = self.truth.borrow_mut();
        let member = Member::new(cluster, region);
        truth.locks.insert(member.clone(), run.to_owned());
        truth.stolen.insert(member);
    }

    /// A clean stop: everything flushed and shipped, then a checkpoint.
    pub fn stop(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.position += server.unflushed + RECORD;
            server.unflushed = 0;
        });
        self.with(cluster, region, |server| (server.up, server.sessions) = (false, vec![]));
        self.truth.borrow_mut().locks.remove(&Member::new(cluster, region));
    }

    /// Starts it, or restarts it as after a crash: sessions, locks and a requested promotion are gone, the file is loaded.
    pub fn restart(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.started += 1;
            (server.up, server.promoting, server.sessions) = (true, false, vec![]);
            server.loaded = server.altered.clone();
        });
        self.truth.borrow_mut().locks.remove(&Member::new(cluster, region));
    }

    /// A slow promotion comes about.
    pub fn finish_promotion(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if server.promoting {
                server.become_primary();
            }
        });
    }

    /// A change under the next fault; a refusal is not counted as done.
    fn change(
        &self,
        permit: &Permit,
        at: &Member,
        act: impl Fn(&mut Server) -> Reply + Clone + 'static,
    ) -> Reply {
        let (truth, member, name) = (Rc::clone(&self.truth), at.clone(), permit.session());
        let act = move || {
            let mut truth = truth.borrow_mut();
            truth.replicate();
            let Some(server) = truth.servers.get_mut(&member) else {
                return Reply::refused(format!("{member} is not there"));
            };
            if !server.up {
                return Reply::refused("no connection: connection refused");
            }
            let reply = act(server);
            if !matches!(reply, Reply::Refused { .. }) {
                truth.done.push(name.clone());
            }
            truth.replicate();
            reply
        };
        let late = act.clone();
        self.faults.run(&at.to_string(), act, move || {
            Box::new(move || {
                late();
            })
        })
    }

    fn facts(&self, at: &Member, scope: &Scope) -> Known<ServerFacts> {
        self.faults.settle();
        if self.faults.is_silent(&at.to_string()) {
            return Known::unknown("no answer in time");
        }
        let mut truth = self.truth.borrow_mut();
        truth.replicate();
        match truth.servers.get(at) {
            None => Known::unknown(format!("{at} is not there")),
            Some(server) if !server.up => Known::unknown("no connection: connection refused"),
            Some(server) => Known::Known(read(server, truth.senders(at), truth.upstream_runs(at), scope)),
        }
    }
}

/// Ends the sessions of clients from before the configuration was loaded, and those that write; says how many.
fn end(server: &mut Server, keep: &[String]) -> String {
    let before = server.sessions.len();
    server.sessions.retain(|s| s.superuser || keep.contains(&s.role) || !(s.older || s.writing));
    format!("{} ended", before - server.sessions.len())
}

impl Truth {
    fn upstream_runs(&self, of: &Member) -> bool {
        let upstream = self.servers.get(of).and_then(|server| server.follows.as_ref());
        upstream
            .and_then(|region| self.servers.get(&Member::new(&of.resource, region)))
            .is_some_and(|server| server.up)
    }
}

impl Postgres for SimPostgres {
    fn look<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<ServerFacts>> {
        ready(self.facts(at, scope))
    }

    fn glance<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<Glance>> {
        ready(self.facts(at, scope).map(|facts| Glance::from(&facts)))
    }

    fn preflight<'a>(&'a self, at: &'a Member, _: bool, _: &'a str) -> Answer<'a, Known<Vec<Finding>>> {
        let seen = self.facts(at, &Scope::default());
        let truth = self.truth.borrow();
        ready(seen.map(|_| truth.servers.get(at).map(|server| server.findings.clone()).unwrap_or_default()))
    }

    fn freeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        ending: Option<&'a Scope>,
    ) -> Answer<'a, Reply> {
        let (system, keep) = (system.to_owned(), ending.map(|scope| scope.keep.clone()));
        ready(self.change(permit, at, move |server| {
            if server.system != system || server.recovery {
                return Reply::refused("it is not the primary of this cluster");
            }
            alter(server, Altered::To("on".into()));
            let note = "read-only by default, configuration reloaded";
            match &keep {
                Some(keep) => Reply::acknowledged(format!("{note}, {}", end(server, keep))),
                None => Reply::acknowledged(note),
            }
        }))
    }

    fn unfreeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        prior: &'a Altered,
    ) -> Answer<'a, Reply> {
        let (system, prior) = (system.to_owned(), prior.clone());
        ready(self.change(permit, at, move |server| {
            if server.system != system {
                return Reply::refused("it is another cluster");
            }
            alter(server, prior.clone());
            Reply::acknowledged("put back, configuration reloaded")
        }))
    }

    fn end_sessions<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        scope: &'a Scope,
    ) -> Answer<'a, Reply> {
        let (system, keep) = (system.to_owned(), scope.keep.clone());
        ready(self.change(permit, at, move |server| {
            if server.system != system || server.recovery {
                return Reply::refused("it is not the primary of this cluster");
            }
            Reply::acknowledged(end(server, &keep))
        }))
    }

    fn mark<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply> {
        let system = system.to_owned();
        ready(self.change(permit, at, move |server| {
            if server.system != system || server.recovery {
                return Reply::refused("it is not the primary of this cluster");
            }
            server.position += server.unflushed + RECORD;
            server.unflushed = 0;
            server.next_transaction += 1;
            Reply::acknowledged(format!("marked at {}", Lsn(server.position)))
        }))
    }

    fn promote<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        handover: &'a Handover,
    ) -> Answer<'a, Reply> {
        let handover = handover.clone();
        ready(self.change(permit, at, move |server| promote(server, &handover)))
    }

    fn write_probe<'a>(&'a self, permit: &'a Permit, at: &'a Member, _: &'a str) -> Answer<'a, Reply> {
        let row = format!("probe:{}/{}", permit.run(), at.region);
        ready(self.change(permit, at, move |server| {
            if server.recovery || server.frozen() {
                return Reply::refused("cannot execute INSERT in a read-only transaction");
            }
            server.log.push(row.clone());
            server.position += RECORD;
            server.next_transaction += 1;
            if server.synchronous_names.is_empty() {
                Reply::acknowledged("one row committed")
            } else {
                Reply::lost("its commit waits for a synchronous standby")
            }
        }))
    }

    fn read_probe<'a>(&'a self, at: &'a Member, _: &'a str, run: &'a str) -> Answer<'a, Known<bool>> {
        let seen = self.facts(at, &Scope::default());
        let row = format!("probe:{run}/{}", at.region);
        let truth = self.truth.borrow();
        ready(seen.map(|_| truth.servers.get(at).is_some_and(|server| server.log.contains(&row))))
    }

    fn lock<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<bool>> {
        let seen = self.facts(at, &Scope::default());
        let mut truth = self.truth.borrow_mut();
        ready(seen.map(|_| truth.locks.entry(at.clone()).or_insert_with(|| run.to_owned()) == run))
    }

    fn lock_held<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<bool>> {
        let seen = self.facts(at, &Scope::default());
        let truth = self.truth.borrow();
        ready(seen.map(|_| truth.locks.contains_key(at) && !truth.stolen.contains(at)))
    }

    fn statements(&self, change: Change) -> Vec<String> {
        vec![format!("{change:?}")]
    }
}
