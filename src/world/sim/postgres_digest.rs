//! What tells two worlds of simulated servers apart: not how far their logs have grown, but what each has that others have not.
//!
//! Nothing that may happen depends on a position, a transaction number or a count of starts by itself, only on how it compares with
//! another: one of another server, or one that was seen before. So each is counted from the least of its cluster, writes that every
//! server has are left out, and only where something refers to what was seen before ([`SimPostgres::digest_places`]) it all counts as it is.

use super::postgres::{SimPostgres, Truth};
use super::postgres_server::{SEGMENT, Server};
use super::shared::PartHasher;
use crate::world::Member;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// A row of a write probe: it is asked for by its name.
const PROBE: &str = "probe:";

impl SimPostgres {
    /// What tells two worlds apart in which applications were told of these commits, by cluster. Names of sessions that are gone do not.
    pub fn digest(&self, told: &BTreeMap<String, Vec<String>>, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        self.truth.digest(truth).hash(hasher);
        let truth = self.truth.borrow();
        truth.digest_silence(self.faults.now(), hasher);
        let mut last = None;
        for cluster in truth.servers.keys().map(|at| &at.resource) {
            if last.replace(cluster) != Some(cluster) {
                writes(&truth, cluster, told.get(cluster).map_or(&[], Vec::as_slice), hasher);
            }
        }
        if self.faults.any_late() {
            drop(truth);
            self.digest_places(hasher);
        }
    }

    /// Where each server stands, for states that refer to that: a handover, a look that the next effect is judged by, a late call.
    pub fn digest_places(&self, hasher: &mut impl Hasher) {
        for server in self.truth.borrow().servers.values() {
            (server.position, server.next_transaction, server.upkeep, server.started, server.log.len())
                .hash(hasher);
        }
    }
}

fn truth(truth: &Truth, mut hasher: &mut PartHasher) {
    let mut first: Option<(&Member, Least)> = None;
    for (at, server) in &truth.servers {
        let least = match &first {
            Some((of, least)) if of.resource == at.resource => *least,
            _ => least(truth, &at.resource),
        };
        first = Some((at, least));
        at.hash(&mut hasher);
        one(server, least, hasher);
    }
    (&truth.locks, &truth.stolen).hash(&mut hasher);
}

/// The least position, transaction number and count of autovacuum of a cluster.
type Least = (u64, u64, u64);

fn least(truth: &Truth, cluster: &str) -> Least {
    let servers = || truth.servers.iter().filter(|(at, _)| at.resource == cluster).map(|(_, server)| server);
    let least = |of: fn(&Server) -> u64| servers().map(of).min().unwrap_or_default();
    (least(|s| s.position), least(|s| s.next_transaction), least(|s| s.upkeep))
}

fn one(server: &Server, (position, transaction, upkeep): Least, mut hasher: &mut PartHasher) {
    // Every field is named, so that a new one is not forgotten.
    let Server {
        system,
        up,
        isolated,
        closed,
        clean,
        written,
        started: _,
        recovery,
        timeline,
        log: _,
        position: at,
        unflushed,
        switched,
        next_transaction,
        upkeep: runs,
        altered,
        loaded,
        theirs,
        sessions,
        prepared,
        overrides,
        synchronous_names,
        follows,
        behind,
        paused,
        stuck,
        quiet,
        recovery_targets,
        slow,
        promoting,
        findings,
        still,
        kept,
    } = server;
    (system, up, clean, written, recovery, timeline).hash(&mut hasher);
    // Since when is hashed with the time, and only where a receiver may still hear of it.
    (isolated.us, isolated.applications, isolated.standbys.is_some(), closed).hash(&mut hasher);
    (at - position, next_transaction - transaction, runs - upkeep, unflushed, switched).hash(&mut hasher);
    // Where a segment begins, positions count by themselves.
    if *switched || *unflushed > 0 {
        (at % SEGMENT).hash(&mut hasher);
    }
    (altered, loaded, theirs, sessions, prepared, overrides, synchronous_names).hash(&mut hasher);
    (follows, behind, paused, stuck, quiet, recovery_targets, slow, promoting).hash(&mut hasher);
    (findings, still, kept).hash(&mut hasher);
}

/// Writes of a cluster that not every server has, or of which nobody was told, whatever their names are.
fn writes(truth: &Truth, cluster: &str, told: &[String], hasher: &mut impl Hasher) {
    let servers = || truth.servers.iter().filter(|(at, _)| at.resource == cluster).map(|(_, server)| server);
    let Some(first) = servers().next() else { return };
    let in_all = |n: &usize| servers().all(|server| server.log.get(*n) == first.log.get(*n));
    let common = (0..first.log.len()).take_while(in_all).count();
    for row in first.log[..common].iter().filter(|row| row.starts_with(PROBE)) {
        row.hash(hasher);
    }
    let missing: Vec<&String> = told.iter().filter(|name| !first.log[..common].contains(name)).collect();
    let mut names: Vec<&String> = Vec::new();
    missing.len().hash(hasher);
    for server in servers() {
        let rest = &server.log[common..];
        rest.len().hash(hasher);
        for row in rest {
            let number = names.iter().position(|name| *name == row).unwrap_or_else(|| {
                names.push(row);
                names.len() - 1
            });
            let probe = row.starts_with(PROBE).then_some(row);
            (number, missing.contains(&row), probe).hash(hasher);
        }
    }
}
