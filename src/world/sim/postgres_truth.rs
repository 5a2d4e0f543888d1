//! What is true of all simulated servers, and how what one of them has comes to the others.

use super::postgres_server::{RECORD, Server};
use crate::world::postgres::{Lsn, Sender};
use crate::world::{Known, Member};
use std::collections::{BTreeMap, BTreeSet};

/// Servers and who holds their locks.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub(super) servers: BTreeMap<Member, Server>,
    pub(super) locks: BTreeMap<Member, String>,
    /// Locks that their holder has lost without knowing.
    pub(super) stolen: BTreeSet<Member>,
    /// `<session>` of every change that was done, in order.
    pub(super) done: Vec<String>,
}

impl Truth {
    /// The sessions that hold locks are gone (case P8).
    pub(super) fn unlock(&mut self, at: &Member) {
        self.locks.remove(at);
        self.stolen.remove(at);
    }

    /// Every connected standby gets what its upstream has; one whose receiver is cut does not (case F4), nor one whose replay is
    /// paused (case P9), nor one of another timeline (case F9).
    pub(super) fn replicate(&mut self) {
        // Looked at far more often than anything is to be done.
        if !self.behind() {
            return;
        }
        let upstreams = self.servers.clone();
        for (member, standby) in &mut self.servers {
            let upstream = standby.follows.as_ref().map(|region| Member::new(&member.resource, region));
            let Some(upstream) = upstream.and_then(|upstream| upstreams.get(&upstream)) else { continue };
            if !standby.recovery
                || !standby.up
                || standby.paused
                || standby.stuck
                || !upstream.up
                || upstream.isolated.standbys.is_some()
                || upstream.closed
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

    /// Whether a standby has not what its upstream has.
    pub(super) fn behind(&self) -> bool {
        self.servers.iter().any(|(member, standby)| {
            let upstream = standby.follows.as_ref().map(|region| Member::new(&member.resource, region));
            let upstream = upstream.and_then(|upstream| self.servers.get(&upstream));
            upstream.is_some_and(|upstream| {
                upstream.position != standby.position || upstream.log.len() != standby.log.len()
            })
        })
    }

    /// Standbys that stream from this server.
    pub(super) fn senders(&self, of: &Member) -> Vec<Sender> {
        let reached =
            self.servers.get(of).is_some_and(|server| server.isolated.standbys.is_none() && !server.closed);
        let follows = |server: &&Server| {
            reached && server.up && server.recovery && server.follows.as_ref() == Some(&of.region)
        };
        let servers =
            self.servers.iter().filter(|(member, server)| member.resource == of.resource && follows(server));
        servers
            .map(|(member, server)| {
                let unnamed = || (member.region.clone(), "async".into());
                let (name, sync) = server.still.sender.clone().unwrap_or_else(unnamed);
                let at = || Known::Known(Lsn(server.position));
                Sender { name, state: "streaming".into(), replayed: at(), flushed: at(), sync }
            })
            .collect()
    }
}
