//! What happens to the simulated servers besides our own calls: stops, starts, locks that are taken, other automation.

use super::postgres::SimPostgres;
use super::postgres_deed::What;
use super::postgres_server::{RECORD, alter};
use crate::world::Member;
use crate::world::postgres::{Altered, Lsn};

impl SimPostgres {
    /// The session that holds a lock ends, and another run takes it.
    pub fn steal_lock(&self, cluster: &str, region: &str, run: &str) {
        let mut truth = self.truth.borrow_mut();
        let member = Member::new(cluster, region);
        truth.locks.insert(member.clone(), run.to_owned());
        truth.stolen.insert(member);
    }

    /// Whether another run holds a lock.
    pub fn lock_stolen(&self, at: &Member) -> bool {
        self.truth.borrow().stolen.contains(at)
    }

    /// A clean stop: everything flushed and shipped, then a checkpoint.
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

    /// Starts it, or restarts it as after a crash: sessions, locks and a requested promotion are gone, the file is loaded.
    pub fn restart(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            server.started += 1;
            (server.up, server.clean, server.promoting, server.sessions) = (true, false, false, vec![]);
            server.loaded = server.altered.clone();
            server.written = false;
        });
        self.truth.borrow_mut().unlock(&Member::new(cluster, region));
    }

    /// Starts it unless it runs.
    pub fn start(&self, cluster: &str, region: &str) {
        if self.with(cluster, region, |server| server.up) == Some(false) {
            self.restart(cluster, region);
        }
    }

    /// What `pg_controldata` prints there.
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
        let late = self.faults.on_their_way(&at.to_string());
        late.iter().any(|call| matches!(call.what, What::Promote(_)))
    }

    /// Whether a thaw that was asked for has not reached it yet.
    pub fn thaw_on_its_way(&self, at: &Member) -> bool {
        let late = self.faults.on_their_way(&at.to_string());
        late.iter().any(|call| matches!(call.what, What::Unfreeze(..)))
    }

    /// Other automation promotes it.
    pub fn promoted_by_others(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if server.recovery {
                server.become_primary();
            }
        });
    }

    /// Somebody else puts the write setting back.
    pub fn thawed_by_others(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| alter(server, Altered::Unset));
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

    /// A slow promotion comes about.
    pub fn finish_promotion(&self, cluster: &str, region: &str) {
        self.with(cluster, region, |server| {
            if server.promoting {
                server.become_primary();
            }
        });
    }
}
