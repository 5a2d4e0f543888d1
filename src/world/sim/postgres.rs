//! PostgreSQL servers in memory: one log of writes a server, replication that is instant unless told otherwise, and the guards of
//! the real statements.

use super::Faults;
use super::exec::SimExec;
use super::fault::Common;
use super::postgres_deed::{Call, What};
use super::postgres_isolated::Isolated;
use super::postgres_rejoin::Kept;
use super::postgres_seen::Still;
use super::postgres_server::read;
use super::shared::Shared;
use super::theirs::Seizure;
use crate::journal::Permit;
use crate::world::postgres::{
    Altered, Change, Finding, Glance, Handover, Postgres, Protection, Scope, ServerFacts,
};
use crate::world::{Answer, Known, Member, Reply, ready};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Weak;

pub use super::postgres_server::{Server, Session};
pub use super::postgres_truth::Truth;

/// Simulated servers.
#[derive(Debug)]
pub struct SimPostgres {
    /// Faults; places are `cluster in region`.
    pub faults: Faults<Call>,
    pub(super) truth: Shared<Truth>,
    /// Commands that may stop and start servers, and may be late.
    pub(super) commands: RefCell<Weak<SimExec>>,
    /// Changes of ours over what others had set.
    pub(super) seized: Shared<Vec<Seizure>>,
}

impl SimPostgres {
    /// No servers.
    pub fn new(common: &Common) -> Self {
        Self {
            faults: Faults::new(common),
            truth: Shared::default(),
            commands: RefCell::default(),
            seized: Shared::default(),
        }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self {
            faults: self.faults.fork(common),
            truth: self.truth.clone(),
            commands: RefCell::default(),
            seized: self.seized.clone(),
        }
    }

    /// What is late and due comes about, also what commands do to servers.
    pub(super) fn settle(&self) {
        if let Some(commands) = self.commands.borrow().upgrade() {
            commands.settle();
        }
        self.faults.settle(&self.truth);
    }

    /// Every server: the ground truth.
    pub fn servers(&self) -> BTreeMap<Member, Server> {
        self.settle();
        self.truth.borrow().servers.clone()
    }

    /// A cluster: the first region has the primary, with one application's session; the others follow it.
    pub fn add(&self, cluster: &str, regions: &[&str]) {
        for (index, region) in regions.iter().enumerate() {
            let server = Server {
                system: format!("system-of-{cluster}"),
                up: true,
                isolated: Isolated::default(),
                closed: false,
                clean: false,
                written: false,
                started: 1,
                recovery: index > 0,
                timeline: 1,
                log: vec![],
                position: 0x0500_0000,
                unflushed: 0,
                switched: false,
                next_transaction: 700,
                upkeep: 0,
                altered: Altered::Unset,
                loaded: Altered::Unset,
                theirs: false,
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
                still: Still::default(),
                kept: Kept::default(),
            };
            self.truth.borrow_mut().servers.insert(Member::new(cluster, *region), server);
        }
    }

    /// Every standby gets what it can.
    fn replicate(&self) {
        let behind = self.truth.borrow().behind();
        if behind {
            self.truth.borrow_mut().replicate();
        }
    }

    /// Reads a server: the ground truth.
    pub fn read<T>(&self, cluster: &str, region: &str, look: impl FnOnce(&Server) -> T) -> Option<T> {
        self.settle();
        self.replicate();
        self.truth.borrow().servers.get(&Member::new(cluster, region)).map(look)
    }

    /// Changes or reads a server: the ground truth.
    pub fn with<T>(&self, cluster: &str, region: &str, change: impl FnOnce(&mut Server) -> T) -> Option<T> {
        self.settle();
        let mut truth = self.truth.borrow_mut();
        truth.replicate();
        let done = truth.servers.get_mut(&Member::new(cluster, region)).map(change);
        truth.replicate();
        done
    }

    /// An application commits a write, and is told so; a hostile one ignores the freeze (case F1).
    pub fn write(&self, cluster: &str, region: &str, name: &str, hostile: bool) -> bool {
        let written = self.with(cluster, region, |server| {
            let may = server.open() || hostile && server.up && server.reached() && !server.recovery;
            if may {
                server.commit(name.to_owned());
            }
            may
        });
        written.unwrap_or(false)
    }

    /// Whether an application could commit somewhere and has not since that server last changed.
    pub fn eager(&self, cluster: &str) -> bool {
        self.settle();
        let truth = self.truth.borrow();
        let mut servers = truth.servers.iter().filter(|(member, _)| member.resource == cluster);
        servers.any(|(_, server)| server.open() && !server.written)
    }

    /// As [`SimPostgres::write`], unless the application has committed since the server last changed: one more would show nothing new.
    /// Says whether it was committed.
    pub fn write_once(&self, cluster: &str, region: &str, name: &str) -> bool {
        if self.read(cluster, region, |server| server.written) == Some(true) {
            return false;
        }
        let told = self.write(cluster, region, name, false);
        if told {
            self.with(cluster, region, |server| server.written = true);
        }
        told
    }

    /// Regions in which a plain application can commit: more than one is a split brain.
    pub fn writable(&self, cluster: &str) -> Vec<String> {
        self.settle();
        let truth = self.truth.borrow();
        let servers = truth.servers.iter().filter(|(member, _)| member.resource == cluster);
        servers.filter(|(_, server)| server.open()).map(|(member, _)| member.region.clone()).collect()
    }

    /// Names under which changes were done, in order: the same one twice is an effect that happened twice.
    pub fn done(&self) -> Vec<String> {
        self.settle();
        self.truth.borrow().done.clone()
    }

    /// A change under the next fault; a refusal is not counted as done. A server that does not answer was sent nothing (case P15).
    fn change(&self, permit: &Permit, at: &Member, what: What) -> Reply {
        if self.out_of_sight(at) {
            return Reply::refused("no connection: no answer in time");
        }
        self.settle();
        self.sent(permit, at, &what);
        let call = Call { at: at.clone(), name: permit.session(), what };
        self.faults.run(&at.to_string(), &self.truth, call)
    }

    /// Whether nothing of it reaches mrctl, nor the other way round.
    fn out_of_sight(&self, at: &Member) -> bool {
        let isolated = || self.truth.borrow().servers.get(at).is_some_and(|server| server.isolated.us);
        self.faults.is_silent(at) || isolated()
    }

    fn facts(&self, at: &Member, scope: &Scope) -> Known<ServerFacts> {
        self.settle();
        if self.out_of_sight(at) {
            return Known::unknown("no answer in time");
        }
        self.replicate();
        let truth = self.truth.borrow();
        match truth.servers.get(at) {
            None => Known::unknown(format!("{at} is not there")),
            Some(server) if !server.up => Known::unknown("no connection: connection refused"),
            Some(server) => {
                let mut facts = read(server, truth.senders(at), truth.heard(at, self.faults.now()), scope);
                // A call that is on its way has its session at the server.
                let ours = self.faults.on_their_way(at);
                facts.ours = Known::Known(ours.into_iter().map(|call| call.name).collect());
                Known::Known(facts)
            }
        }
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
        let keep = ending.map(|scope| scope.keep.clone());
        ready(self.change(permit, at, What::Freeze(system.to_owned(), keep)))
    }

    fn unfreeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        prior: &'a Altered,
    ) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::Unfreeze(system.to_owned(), prior.clone())))
    }

    fn end_sessions<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        scope: &'a Scope,
    ) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::End(system.to_owned(), scope.keep.clone())))
    }

    fn mark<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::Mark(system.to_owned())))
    }

    fn promote<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        handover: &'a Handover,
    ) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::Promote(handover.clone())))
    }

    fn protection<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<Protection>> {
        let seen = self.facts(at, &Scope::default());
        ready(seen.map(|facts| self.protection_of(at, facts.system)))
    }

    fn checkpoint<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::Checkpoint(system.to_owned())))
    }

    fn create_slot<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        slot: &'a str,
    ) -> Answer<'a, Reply> {
        ready(self.change(permit, at, What::Slot(system.to_owned(), slot.to_owned())))
    }

    fn write_probe<'a>(&'a self, permit: &'a Permit, at: &'a Member, _: &'a str) -> Answer<'a, Reply> {
        let row = format!("probe:{}/{}", permit.run(), at.region);
        ready(self.change(permit, at, What::Probe(row)))
    }

    fn read_probe<'a>(&'a self, at: &'a Member, _: &'a str, run: &'a str) -> Answer<'a, Known<bool>> {
        let seen = self.facts(at, &Scope::default());
        let row = format!("probe:{run}/{}", at.region);
        let truth = self.truth.borrow();
        ready(seen.map(|_| truth.servers.get(at).is_some_and(|server| server.log.contains(&row))))
    }

    // Cases P8 and P10.
    fn lock<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<bool>> {
        let seen = self.facts(at, &Scope::default());
        let holder = self.truth.borrow().locks.get(at).cloned();
        ready(seen.map(|_| match holder {
            Some(holder) => holder == run,
            None => self.truth.borrow_mut().locks.insert(at.clone(), run.to_owned()).is_none(),
        }))
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
