//! PostgreSQL for real: `session` connects and keeps deadlines, `look` reads, `change` changes, `preflight` checks, `number`
//! asks what conditions want to know.

mod change;
mod connection;
mod findings;
mod heartbeat;
mod lock;
mod look;
mod managers;
mod number;
mod preflight;
mod protect;
pub mod remembered;
mod session;
mod sql;

pub use session::{CONNECT, ClusterSettings, Settings};

use crate::journal::Permit;
use crate::world::postgres::{
    Altered, Beat, Change, Finding, Glance, Handover, Heartbeat, LockSight, Missed, Postgres, Protection,
    Scope, ServerFacts, Turn,
};
use crate::world::real::clock::wall;
use crate::world::real::signal::Sql;
use crate::world::{Answer, Known, Member, Reply};
use session::Sessions;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The servers of the inventory's clusters.
pub struct RealPostgres {
    sessions: Sessions,
    heartbeats: Heartbeats,
}

/// Where heartbeats are remembered, and their tables.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    /// A folder of the state; none where there is no state.
    pub folder: Option<PathBuf>,
    /// Table and time between two, by cluster; those that are not here have none.
    pub tables: BTreeMap<String, (String, Duration)>,
}

impl RealPostgres {
    /// Connects to nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { sessions: Sessions::new(settings), heartbeats: Heartbeats::default() }
    }

    /// With heartbeats.
    #[must_use]
    pub fn with_heartbeats(mut self, heartbeats: Heartbeats) -> Self {
        self.heartbeats = heartbeats;
        self
    }

    /// What the sessions that hold locks say of themselves: who, on which host, which process.
    #[must_use]
    pub fn held_by(mut self, says: &str) -> Self {
        self.sessions.says = sql::comment(says);
        self
    }
}

impl Postgres for RealPostgres {
    fn look<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<ServerFacts>> {
        Box::pin(look::look(&self.sessions, at, scope))
    }

    fn glance<'a>(&'a self, at: &'a Member, scope: &'a Scope) -> Answer<'a, Known<Glance>> {
        Box::pin(look::glance(&self.sessions, at, scope))
    }

    fn preflight<'a>(
        &'a self,
        at: &'a Member,
        candidate: bool,
        table: &'a str,
    ) -> Answer<'a, Known<Vec<Finding>>> {
        Box::pin(preflight::preflight(&self.sessions, at, candidate, table))
    }

    fn freeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        ending: Option<&'a Scope>,
    ) -> Answer<'a, Reply> {
        Box::pin(change::freeze(&self.sessions, permit, at, system, ending))
    }

    fn unfreeze<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        prior: &'a Altered,
    ) -> Answer<'a, Reply> {
        Box::pin(change::unfreeze(&self.sessions, permit, at, system, prior))
    }

    fn end_sessions<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        scope: &'a Scope,
    ) -> Answer<'a, Reply> {
        Box::pin(change::end_sessions(&self.sessions, permit, at, system, scope))
    }

    fn mark<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply> {
        Box::pin(change::mark(&self.sessions, permit, at, system))
    }

    fn promote<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        handover: &'a Handover,
    ) -> Answer<'a, Reply> {
        Box::pin(change::promote(&self.sessions, permit, at, handover))
    }

    fn protection<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<Protection>> {
        Box::pin(protect::look(&self.sessions, at))
    }

    fn checkpoint<'a>(&'a self, permit: &'a Permit, at: &'a Member, system: &'a str) -> Answer<'a, Reply> {
        Box::pin(protect::checkpoint(&self.sessions, permit, at, system))
    }

    fn create_slot<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a Member,
        system: &'a str,
        slot: &'a str,
    ) -> Answer<'a, Reply> {
        Box::pin(protect::create_slot(&self.sessions, permit, at, system, slot))
    }

    fn write_probe<'a>(&'a self, permit: &'a Permit, at: &'a Member, table: &'a str) -> Answer<'a, Reply> {
        Box::pin(change::write_probe(&self.sessions, permit, at, table))
    }

    fn read_probe<'a>(&'a self, at: &'a Member, table: &'a str, run: &'a str) -> Answer<'a, Known<bool>> {
        Box::pin(look::read_probe(&self.sessions, at, table, run))
    }

    fn lock<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<bool>> {
        Box::pin(lock::lock(&self.sessions, at, run))
    }

    fn lock_held<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<bool>> {
        Box::pin(lock::lock_held(&self.sessions, at))
    }

    fn lock_sight<'a>(&'a self, at: &'a Member, run: &'a str) -> Answer<'a, Known<LockSight>> {
        Box::pin(lock::sight(&self.sessions, at, run))
    }

    fn heartbeat_every(&self, cluster: &str) -> Option<Duration> {
        self.heartbeats.tables.get(cluster).map(|(_, every)| *every)
    }

    fn beat<'a>(&'a self, at: &'a Member, turn: &'a Turn) -> Answer<'a, Result<Beat, Missed>> {
        Box::pin(async move {
            match self.heartbeats.tables.get(&at.resource) {
                Some((table, _)) => heartbeat::beat(&self.sessions, at, table, turn).await,
                None => Err(Missed::Failed(format!("the inventory has no heartbeat for {}", at.resource))),
            }
        })
    }

    fn heartbeat<'a>(
        &'a self,
        at: &'a Member,
        before: Option<u32>,
        settled: bool,
    ) -> Answer<'a, Option<Known<Heartbeat>>> {
        Box::pin(async move {
            let (table, _) = self.heartbeats.tables.get(&at.resource)?;
            let folder = self.heartbeats.folder.as_ref()?;
            let last = match remembered::last(folder, &at.resource, before) {
                Ok(Some(last)) => last,
                Ok(None) => return Some(Known::unknown("none is remembered in this state folder")),
                Err(why) => return Some(Known::Unknown(why)),
            };
            let arrived = heartbeat::arrived(&self.sessions, at, table, &last.writer, settled).await;
            let asked_ms = wall().0;
            Some(arrived.map(|arrived| Heartbeat { last, arrived, asked_ms }))
        })
    }

    fn statements(&self, change: Change) -> Vec<String> {
        sql::statements(&change)
    }
}

impl Sql for RealPostgres {
    fn number<'a>(
        &'a self,
        cluster: &'a str,
        region: &'a str,
        query: &'a str,
        timeout: Duration,
    ) -> Answer<'a, Known<f64>> {
        Box::pin(async move {
            // A primary and a standby may well give different numbers: which one is meant has to be said.
            match self.sessions.has(cluster, region) {
                Ok(at) => number::number(&self.sessions, &at, query, timeout).await,
                Err(why) => Known::Unknown(why),
            }
        })
    }
}
