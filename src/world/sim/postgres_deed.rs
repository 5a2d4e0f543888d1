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
    /// Writes the setting of a freeze, or of its undo, into the file, and does not load it: a part of [`What::Freeze`] and
    /// [`What::Unfreeze`] (cases L13 and L14).
    Write(Altered),
    /// Ends sessions.
    End(String, Vec<String>),
    /// Ends the first of those that [`What::End`] ends (case L15).
    EndOne(Vec<String>),
    /// Writes a mark.
    Mark(String),
    /// Promotes.
    Promote(Handover),
    /// A checkpoint at once.
    Checkpoint(String),
    /// Makes a slot of this name.
    Slot(String, String),
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

    fn half(&self, truth: &Truth) -> Option<Self> {
        let server = truth.servers.get(&self.at).filter(|server| server.up)?;
        let what = self.what.half(server)?;
        Some(Self { at: self.at.clone(), name: self.name.clone(), what })
    }
}

fn primary_of(server: &Server, system: &String) -> bool {
    server.system == *system && !server.recovery
}

impl What {
    /// A part of it: the statement that is sent first, or what one statement does first. What is one statement and one effect has none;
    /// nor has what the guard refuses.
    fn half(&self, server: &Server) -> Option<Self> {
        let written = |to: &Altered| {
            let own = server.altered != *to && server.loaded != *to;
            own.then(|| Self::Write(to.clone()))
        };
        match self {
            Self::Freeze(system, _) if primary_of(server, system) => written(&Altered::To("on".into())),
            Self::Unfreeze(system, prior) if server.system == *system => written(prior),
            Self::End(system, keep) if primary_of(server, system) => {
                let ended = meant(server, keep).iter().filter(|session| !session.superuser).count();
                (ended > 1).then(|| Self::EndOne(keep.clone()))
            }
            Self::Freeze(..)
            | Self::Unfreeze(..)
            | Self::Write(_)
            | Self::End(..)
            | Self::EndOne(_)
            | Self::Mark(_)
            | Self::Promote(_)
            | Self::Checkpoint(_)
            | Self::Slot(..)
            | Self::Probe(_) => None,
        }
    }

    fn make(&self, server: &mut Server) -> Reply {
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
            Self::Write(to) => {
                (server.altered, server.theirs) = (to.clone(), false);
                Reply::acknowledged("written, and not loaded")
            }
            Self::EndOne(keep) => {
                let one = meant(server, keep).into_iter().find(|session| !session.superuser);
                let at = one.and_then(|one| server.sessions.iter().position(|session| *session == one));
                Reply::acknowledged(match at.map(|at| server.sessions.remove(at)) {
                    Some(_) => "1 ended",
                    None => "0 ended",
                })
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
            Self::Checkpoint(system) if primary_of(server, system) => server.checkpoint(),
            Self::Slot(system, slot) if primary_of(server, system) => server.make_slot(slot),
            Self::Checkpoint(_) | Self::Slot(..) => not_there(),
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

/// Sessions of clients from before the configuration was loaded, and those that write (case P2).
fn meant(server: &Server, keep: &[String]) -> Vec<Session> {
    let meant = |session: &&Session| !keep.contains(&session.role) && (session.older || session.writing);
    server.sessions.iter().filter(meant).cloned().collect()
}

/// Ends the sessions of clients from before the configuration was loaded, and those that write, but not those of superusers
/// (case P2); says how many. What they had not committed is gone (case P3); nothing else keeps a session from writing (case F2).
fn end(server: &mut Server, keep: &[String]) -> String {
    let meant = meant(server, keep);
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
