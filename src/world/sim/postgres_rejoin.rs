//! An old primary becomes a standby again: what the new one needs for it, and what the rejoin does to the old one.

use super::postgres::SimPostgres;
use super::postgres_server::Server;
use crate::world::postgres::{Altered, Protection, Slot};
use crate::world::{Member, Reply};
use std::collections::BTreeSet;

/// What a server keeps for standbys, and what its control file names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Timeline of its last checkpoint: a promotion does not change it.
    pub recorded: u32,
    /// Slots.
    pub slots: BTreeSet<String>,
    /// The slot through which it streams itself, as a standby.
    pub through: Option<String>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { recorded: 1, slots: BTreeSet::new(), through: None }
    }
}

impl Server {
    /// A checkpoint at once (case P23).
    pub(super) fn checkpoint(&mut self) -> Reply {
        self.kept.recorded = self.timeline;
        Reply::acknowledged("checkpoint done")
    }

    /// A slot; a second one of the same name is refused (case P23).
    pub(super) fn make_slot(&mut self, slot: &str) -> Reply {
        match self.kept.slots.insert(slot.to_owned()) {
            true => Reply::acknowledged(format!("slot {slot} made")),
            false => Reply::refused(format!("replication slot \"{slot}\" already exists (42710)")),
        }
    }
}

impl SimPostgres {
    /// What a look at what it keeps sees.
    pub(super) fn protection_of(&self, at: &Member, system: String) -> Protection {
        let truth = self.truth.borrow();
        let kept = truth.servers.get(at).map(|server| server.kept.clone()).unwrap_or_default();
        let used = |name: &String| {
            truth.servers.iter().any(|(member, server)| {
                member.resource == at.resource
                    && server.up
                    && server.recovery
                    && server.follows.as_ref() == Some(&at.region)
                    && server.kept.through.as_ref() == Some(name)
            })
        };
        let slot = |name: String| {
            let active = used(&name);
            let sender = active.then(|| "streaming".to_owned());
            Slot { name, active, physical: true, reserved: true, lost: false, doomed: false, sender }
        };
        let slots = kept.slots.into_iter().map(slot).collect();
        Protection { system, recorded: kept.recorded, slots, may_checkpoint: true, may_replicate: true }
    }

    /// What a rejoin command does: stops it, rewinds it to the primary in that region, starts it as its standby. Where that is no primary,
    /// or does not run, nothing is done; without its slot, or rewound before the primary's control file names its timeline, it comes up
    /// as a standby that follows nobody.
    pub fn rejoin(&self, at: &Member, primary: &str, slot: Option<&str>) {
        let source =
            self.read(&at.resource, primary, Server::clone).filter(|server| server.up && !server.recovery);
        let Some(source) = source else { return };
        let follows = self.read(&at.resource, &at.region, |server| {
            server.up
                && server.recovery
                && server.timeline == source.timeline
                && server.follows.as_deref() == Some(primary)
        });
        if follows != Some(false) {
            return;
        }
        let fit = source.kept.recorded == source.timeline
            && slot.is_none_or(|slot| source.kept.slots.contains(slot));
        self.with(&at.resource, &at.region, |server| {
            server.started += 1;
            (server.up, server.clean, server.recovery, server.promoting) = (true, false, true, false);
            (server.sessions, server.prepared) = (vec![], vec![]);
            server.written = false;
            server.follows = fit.then(|| primary.to_owned());
            server.kept.through = slot.filter(|_| fit).map(str::to_owned);
            if fit {
                server.timeline = source.timeline;
                server.kept.recorded = source.timeline;
                server.log.clone_from(&source.log);
                (server.position, server.unflushed) = (source.position, 0);
                server.next_transaction = source.next_transaction;
                // `pg_rewind` brings the file of the primary along.
                server.altered = Altered::Unset;
            }
            server.loaded = server.altered.clone();
        });
        self.truth.borrow_mut().unlock(at);
    }
}
