//! The changing calls of the simulated servers, as values: a call that is late can be kept, copied with its world, and compared.

use super::fault::Deed;
use super::postgres::Truth;
use super::postgres_server::{RECORD, Server, alter, promote};
use crate::world::postgres::{Altered, Handover, Lsn};
use crate::world::{Member, Reply};

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
        let not_there = || Reply::refused("it is not the primary of this cluster");
        match self {
            Self::Freeze(system, keep) => {
                if !primary_of(server, system) {
                    return not_there();
                }
                alter(server, Altered::To("on".into()));
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
                server.position += server.unflushed + RECORD;
                server.written = false;
                server.unflushed = 0;
                server.next_transaction += 1;
                Reply::acknowledged(format!("marked at {}", Lsn(server.position)))
            }
            Self::Promote(handover) => promote(server, handover),
            Self::Probe(row) => {
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
            }
        }
    }
}

/// Ends the sessions of clients from before the configuration was loaded, and those that write; says how many.
fn end(server: &mut Server, keep: &[String]) -> String {
    let before = server.sessions.len();
    server.sessions.retain(|s| s.superuser || keep.contains(&s.role) || !(s.older || s.writing));
    format!("{} ended", before - server.sessions.len())
}
