//! What happens to the simulated servers besides our own calls: stops, starts, locks that are taken, other automation.

use super::postgres::SimPostgres;
use super::postgres_deed::What;
use super::postgres_server::{RECORD, SEGMENT, Server, Session, alter};
use crate::world::Member;
use crate::world::postgres::{Altered, Lsn};
use std::collections::BTreeMap;

impl SimPostgres {
    /// A client begins a transaction and writes in it. It takes the next number without moving it (case P4).
    pub fn begin(&self, cluster: &str, region: &str) {
        let writer = Session { writing: true, ..Session::app() };
        self.with(cluster, region, |server| server.sessions.push(writer));
    }

    /// It commits, whatever is frozen by then (case F1); not if its session was ended (case P3). Whether it was told so.
    pub fn commit(&self, cluster: &str, region: &str, name: &str) -> bool {
        let committed = self.with(cluster, region, |server| {
            let writer = server.sessions.iter().position(|session| session.writing);
            let there = server.up && !server.recovery;
            let Some(writer) = writer.filter(|_| there) else { return false };
            server.sessions.remove(writer);
            server.commit(name.to_owned());
            true
        });
        committed.unwrap_or(false)
    }

    /// A prepared transaction commits, whatever is frozen by then (case P5). Whether it was told so.
    pub fn commit_prepared(&self, cluster: &str, region: &str, name: &str) -> bool {
        let committed = self.with(cluster, region, |server| {
            let prepared = server.prepared.iter().position(|prepared| prepared == name);
            let there = server.up && !server.recovery;
            let Some(prepared) = prepared.filter(|_| there) else { return false };
            server.prepared.remove(prepared);
            server.commit(name.to_owned());
            true
        });
        committed.unwrap_or(false)
    }

    /// The log goes on with a new segment (case F6).
    pub fn switch_segment(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.position = (server.position + server.unflushed + RECORD).next_multiple_of(SEGMENT);
            (server.unflushed, server.switched) = (0, true);
        });
    }

    /// The session that holds a lock ends, and another run takes it (case P10).
    pub fn steal_lock(&self, cluster: &str, region: &str, run: &str) {
        let mut truth = self.truth.borrow_mut();
        let member = Member::new(cluster, region);
        truth.locks.insert(member.clone(), run.to_owned());
        truth.stolen.insert(member);
    }

    /// A process of this run begins: what the one before it held is free, and it holds what it can reach and nobody else holds (cases
    /// P8 and P10).
    pub fn lock_all(&self, run: &str) {
        self.settle();
        let wanted: BTreeMap<Member, String> = {
            let truth = self.truth.borrow();
            let reached = |at: &Member| {
                truth.servers[at].up
                    && !truth.servers[at].isolated.us
                    && !self.faults.is_silent(at)
                    && truth.locks.get(at).is_none_or(|holder| holder == run)
            };
            let ours = truth.servers.keys().filter(|at| reached(at)).map(|at| (at.clone(), run.to_owned()));
            let others = truth.locks.iter().filter(|(_, holder)| *holder != run);
            ours.chain(others.map(|(at, holder)| (at.clone(), holder.clone()))).collect()
        };
        if self.truth.borrow().locks != wanted {
            self.truth.borrow_mut().locks = wanted;
        }
    }

    /// Other runs have ended: the locks that they took are free.
    pub fn free_stolen_locks(&self) {
        if self.truth.borrow().stolen.is_empty() {
            return;
        }
        let mut truth = self.truth.borrow_mut();
        for at in std::mem::take(&mut truth.stolen) {
            truth.locks.remove(&at);
        }
    }

    /// Whether every lock is held by whoever thinks so, and every standby follows.
    pub fn well(&self) -> bool {
        let truth = self.truth.borrow();
        let follows = |server: &super::postgres::Server| {
            !server.recovery
                || server.follows.is_some() && !server.stuck && !server.paused && server.behind == 0
        };
        truth.stolen.is_empty() && truth.servers.values().all(follows)
    }

    /// The session that holds a lock ends, and nobody takes it (case P10).
    pub fn lose_lock(&self, cluster: &str, region: &str) {
        self.truth.borrow_mut().unlock(&Member::new(cluster, region));
    }

    /// Whether another run holds a lock.
    pub fn lock_stolen(&self, at: &Member) -> bool {
        self.truth.borrow().stolen.contains(at)
    }

    /// A clean stop: everything flushed and shipped, then a checkpoint (case P7).
    pub fn stop(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.position += server.unflushed + RECORD;
            server.unflushed = 0;
        });
        self.with(cluster, region, |server| {
            (server.up, server.clean, server.sessions) = (false, true, vec![]);
        });
        self.truth.borrow_mut().unlock(&Member::new(cluster, region));
    }

    /// Starts it, or restarts it as after a crash: sessions, locks and a requested promotion are gone, the file is loaded (cases
    /// P8 and F14).
    pub fn restart(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.started += 1;
            (server.up, server.clean, server.promoting, server.sessions) = (true, false, false, vec![]);
            server.loaded = server.altered.clone();
            server.written = false;
        });
        self.truth.borrow_mut().unlock(&Member::new(cluster, region));
    }

    /// Starts it unless it runs (case P8).
    pub fn start(&self, cluster: &str, region: &str) {
        if self.with(cluster, region, |server| server.up) == Some(false) {
            self.restart(cluster, region);
        }
    }

    /// What `pg_controldata` prints there (case P7).
    pub fn control_data(&self, at: &Member) -> String {
        let seen = self.with(&at.resource, &at.region, |server| {
            let state = match (server.recovery, server.clean) {
                (false, true) => "shut down",
                (true, true) => "shut down in recovery",
                (false, false) => "in production",
                (true, false) => "in archive recovery",
            };
            // The control file names the start of the last record.
            let checkpoint = Lsn(server.position - RECORD);
            format!(
                "Database system identifier:           {}\nDatabase cluster state:               {state}\n\
                 Latest checkpoint location:           {checkpoint}\nLatest checkpoint's TimeLineID:       {}\n\
                 Latest checkpoint's NextXID:          0:{}\n",
                server.system, server.timeline, server.next_transaction
            )
        });
        seen.unwrap_or_default()
    }

    /// Whether a promotion that was asked for has not reached it yet.
    pub fn promotion_on_its_way(&self, at: &Member) -> bool {
        let late = self.faults.on_their_way(at);
        late.iter().any(|call| matches!(call.what, What::Promote(_)))
    }

    /// Whether a thaw that was asked for has not reached it yet, or is written there and not loaded.
    pub fn thaw_on_its_way(&self, at: &Member) -> bool {
        let late = self.faults.on_their_way(at);
        late.iter().any(|call| matches!(call.what, What::Unfreeze(..)))
            || self.read(&at.resource, &at.region, Server::thaw_waits) == Some(true)
    }

    /// Other automation promotes it (case P17).
    pub fn promoted_by_others(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if server.recovery {
                server.become_primary();
            }
        });
    }

    /// Somebody else stops writes, waits for the standbys, and ends all sessions (case F1).
    pub fn frozen_by_others(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if !server.recovery {
                alter(server, Altered::To("on".into()));
                server.theirs = true;
                server.sessions.clear();
            }
        });
    }

    /// Somebody else loads what stands in the file (case P19).
    pub fn reloaded_by_others(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            let (written, theirs) = (server.altered.clone(), server.theirs);
            alter(server, written);
            server.theirs = theirs;
        });
    }

    /// Somebody else puts the write setting back (case P17).
    pub fn thawed_by_others(&self, cluster: &str, region: &str) {
        self.set_by_others(cluster, region, Altered::Unset);
    }

    /// Somebody else gives the write setting a value of their own (case P17).
    pub fn set_by_others(&self, cluster: &str, region: &str, value: Altered) {
        self.with(cluster, region, |server| {
            alter(server, value);
            server.theirs = true;
        });
    }

    /// Standbys that stayed behind catch up, those that were cut off follow the primary of their timeline again, and promotions that
    /// were asked for have come about.
    pub fn recover(&self) {
        let mut truth = self.truth.borrow_mut();
        let primaries: Vec<(Member, u32)> = truth
            .servers
            .iter()
            .filter(|(_, server)| !server.recovery)
            .map(|(member, server)| (member.clone(), server.timeline))
            .collect();
        for (member, server) in &mut truth.servers {
            (server.behind, server.stuck, server.paused) = (0, false, false);
            server.still.receiver = ("streaming".into(), 0);
            if server.promoting {
                server.become_primary();
            }
            if server.recovery && server.follows.is_none() {
                let upstream = primaries
                    .iter()
                    .find(|(at, timeline)| at.resource == member.resource && *timeline == server.timeline);
                server.follows = upstream.map(|(at, _)| at.region.clone());
            }
        }
        truth.replicate();
    }

    /// A slow promotion comes about (case F7).
    pub fn finish_promotion(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if server.promoting {
                server.become_primary();
            }
        });
    }
}
