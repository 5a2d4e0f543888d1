//! The changing calls of the simulated servers, as values: a call that is late can be kept, copied with its world, and compared.

use super::fault::Deed;
use super::postgres::Truth;
use super::postgres_server::{RECORD, Server, Session, alter, promote};
use crate::world::postgres::{Altered, Handover, Lsn};
use crate::world::{Member, Reply};
use std::collections::BTreeSet;

/// One call at one server, under its session's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Where.
    pub(super) at: Member,
    /// The session's name.
    pub(super) name: String,
    /// What.
    pub(super) what: What,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// Stops writes of a cluster; ends sessions unless they are kept, if it is to.
    Freeze(String, Option<Vec<String>>),
    /// Puts back what stood before.
    Unfreeze(String, Altered),
    /// Ends sessions.
    End(String, Vec<String>),
    /// Writes a mark.
    Mark(String),
    /// Promotes.
    Promote(Handover),
    /// Commits a row of this name.
    Probe(String),
}

impl Deed for Call {
    type Truth = Truth;

    fn make(&self, truth: &mut Truth) -> Reply {
        truth.replicate();
        let Some(server) = truth.servers.get_mut(&self.at) else {
            return Reply::refused(format!("{} is not there", self.at));
        };
        if !server.up {
            return Reply::refused("no connection: connection refused");
        }
        let reply = self.what.make(server);
        if !matches!(reply, Reply::Refused { .. }) {
            truth.done.push(self.name.clone());
        }
        truth.replicate();
        reply
    }
}

impl What {
    fn make(&self, server: &mut Server) -> Reply {
        let primary_of = |server: &Server, system: &String| server.system == *system && !server.recovery;
        // Case P1.
        let not_there = || Reply::refused("it is not the primary of this cluster");
        match self {
            Self::Freeze(system, keep) => {
                if !primary_of(server, system) {
                    return not_there();
                }
                alter(server, Altered::To("on".into()));
                // Those from before are ended in the same call (case P3).
                let note = "read-only by default, configuration reloaded";
                match keep {
                    Some(keep) => Reply::acknowledged(format!("{note}, {}", end(server, keep))),
                    None => Reply::acknowledged(note),
                }
            }
            Self::Unfreeze(system, prior) => {
                if server.system != *system {
                    return Reply::refused("it is another cluster");
                }
                alter(server, prior.clone());
                Reply::acknowledged("put back, configuration reloaded")
            }
            Self::End(system, keep) => {
                if !primary_of(server, system) {
                    return not_there();
                }
                Reply::acknowledged(end(server, keep))
            }
            Self::Mark(system) => {
                if !primary_of(server, system) {
                    return not_there();
                }
                // It flushes what others were told of (case P6), also on a frozen server (case F3).
                server.position += server.unflushed + RECORD;
                server.written = false;
                server.unflushed = 0;
                server.next_transaction += 1;
                Reply::acknowledged(format!("marked at {}", Lsn(server.position)))
            }
            Self::Promote(handover) => promote(server, handover),
            Self::Probe(row) => {
                // Case P16.
                if server.recovery || server.frozen() {
                    return Reply::refused("cannot execute INSERT in a read-only transaction");
                }
                server.commit(row.clone());
                // A commit that hangs is there all the same (case P11).
                if server.synchronous_names.is_empty() {
                    Reply::acknowledged("one row committed")
                } else {
                    Reply::lost("its commit waits for a synchronous standby")
                }
            }
        }
    }
}

/// Ends the sessions of clients from before the configuration was loaded, and those that write, but not those of superusers
/// (case P2); says how many. What they had not committed is gone (case P3); nothing else keeps a session from writing (case F2).
fn end(server: &mut Server, keep: &[String]) -> String {
    let meant: Vec<Session> = server
        .sessions
        .iter()
        .filter(|session| !keep.contains(&session.role) && (session.older || session.writing))
        .cloned()
        .collect();
    server.sessions.retain(|session| session.superuser || !meant.contains(session));
    let (superusers, ended): (Vec<_>, Vec<_>) = meant.into_iter().partition(|session| session.superuser);
    let mut note = format!("{} ended", ended.len());
    if !superusers.is_empty() {
        let roles: BTreeSet<_> = superusers.iter().map(|session| session.role.as_str()).collect();
        let roles: Vec<_> = roles.into_iter().collect();
        let (count, roles) = (superusers.len(), roles.join(", "));
        note += &format!(", {count} of superusers cannot be ended by this role: {roles}");
    }
    note
}
