//! What others have set, and which of our calls were sent to set it otherwise: the ground truth that a rehearsal judges.
//!
//! A call counts when it is sent. What others set while it is on its way is overwritten by nobody's fault (case L9).

use super::Sim;
use super::dns::SimDns;
use super::postgres::SimPostgres;
use super::postgres_deed::What;
use crate::journal::{IntentKey, Permit};
use crate::world::Member;
use crate::world::dns::{RecordName, RecordSet, Shares};
use crate::world::postgres::Altered;
use crate::world::record_content;

/// Seconds that others let resolvers keep what they write: no value of ours.
const THEIR_TTL: u32 = 300;

/// Which parts of a record others have set last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parts {
    /// What it answers.
    pub contents: bool,
    /// Its time to live.
    pub ttl: bool,
}

impl Parts {
    /// In which of both two values differ.
    pub(super) fn between(one: &[RecordSet], other: &[RecordSet]) -> Self {
        let bare = |sets: &[RecordSet]| -> Vec<RecordSet> {
            sets.iter().map(|set| RecordSet { ttl: 0, ..set.clone() }).collect()
        };
        let times =
            |sets: &[RecordSet]| sets.iter().map(|set| set.ttl).collect::<std::collections::BTreeSet<_>>();
        Self { contents: bare(one) != bare(other), ttl: times(one) != times(other) }
    }

    /// Set by others, and changed by them now, too.
    pub(super) fn or(self, changed: Self) -> Self {
        Self { contents: self.contents || changed.contents, ttl: self.ttl || changed.ttl }
    }

    /// Set by others, and not changed by us since.
    pub(super) fn without(self, changed: Self) -> Self {
        Self { contents: self.contents && !changed.contents, ttl: self.ttl && !changed.ttl }
    }

    pub(super) fn and(self, changed: Self) -> Self {
        Self { contents: self.contents && changed.contents, ttl: self.ttl && changed.ttl }
    }

    fn any(self) -> bool {
        self.contents || self.ttl
    }
}

/// A call of ours that was sent to change what others had set last, and that is not known to be our own value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seizure {
    /// The intent under which it was sent.
    pub key: IntentKey,
    /// What stood there.
    pub stood: Stood,
}

/// What others had set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stood {
    /// A record.
    Record(RecordName, Vec<RecordSet>),
    /// A server's `default_transaction_read_only`.
    Setting(Member, Altered),
}

impl Sim {
    /// What was sent since this was last asked for.
    pub fn take_seizures(&self) -> Vec<Seizure> {
        let mut taken = Vec::new();
        for seized in [&self.dns.seized, &self.postgres.seized] {
            if !seized.borrow().is_empty() {
                taken.append(&mut seized.borrow_mut());
            }
        }
        taken
    }
}

impl SimDns {
    /// Somebody else moves all users elsewhere, or less than half of them, under a time to live of their own.
    pub fn changed_by_others(&self, at: &RecordName, half: bool) {
        let specs = self.specs.borrow();
        let Some(spec) = specs.get(&at.record) else { return };
        let serves = self.shares().get(at).and_then(|shares| shares.get().cloned()).unwrap_or_default();
        let other = spec.targets.keys().find(|region| serves.get(*region).is_none_or(|share| *share == 0));
        let Some(region) = other.or_else(|| spec.targets.keys().next()) else { return };
        let mut shares = Shares::from([(region.clone(), record_content::WHOLE)]);
        let rest = serves.iter().find(|(stays, share)| *stays != region && **share > 0);
        if let (true, Some((stays, _))) = (half, rest) {
            // No stage of a runbook: which of two equal values is whose nobody can see.
            let part = 41 * record_content::WHOLE / 100;
            shares = Shares::from([(region.clone(), part), (stays.clone(), record_content::WHOLE - part)]);
        }
        // A CNAME has no halves.
        let whole = || Shares::from([(region.clone(), record_content::WHOLE)]);
        let sets = record_content::render(spec, &shares, THEIR_TTL)
            .or_else(|_| record_content::render(spec, &whole(), THEIR_TTL))
            .unwrap_or_default();
        self.overwrite(&at.record, &at.server, sets);
    }

    /// A write is sent that leads from what stands there to `goal`. An undo may take back what looks like a value of ours, whoever wrote
    /// it: contents and time to live are each its own. For any other write it is for the run to show that it has seen what stands.
    pub(super) fn sent(
        &self,
        permit: &Permit,
        at: &RecordName,
        stood: &[RecordSet],
        theirs: Parts,
        goal: &[RecordSet],
    ) {
        let mut aims = self.aims.borrow_mut();
        let ours = aims.entry(at.clone()).or_default();
        let mut seized = theirs.and(Parts::between(stood, goal));
        if permit.key().undo {
            seized.contents &= ours.iter().all(|aim| Parts::between(aim, stood).contents);
            seized.ttl &= ours.iter().all(|aim| Parts::between(aim, stood).ttl);
        } else if !ours.iter().any(|aim| aim == goal) {
            ours.push(goal.to_vec());
        }
        if seized.any() {
            let stood = Stood::Record(at.clone(), stood.to_vec());
            self.seized.borrow_mut().push(Seizure { key: permit.key().clone(), stood });
        }
    }
}

impl SimPostgres {
    /// A change of the write setting is sent. `on` looks like a value of ours, whoever wrote it.
    pub(super) fn sent(&self, permit: &Permit, at: &Member, what: &What) {
        let theirs = self.truth.borrow().servers.get(at).and_then(|server| {
            let there = |system: &String| server.up && server.theirs && server.system == *system;
            let changes = match what {
                What::Freeze(system, _) => there(system) && !server.recovery,
                What::Unfreeze(system, prior) => there(system) && server.altered != *prior,
                // What is done of it only in part was sent as the whole.
                What::Write(_)
                | What::End(..)
                | What::EndOne(_)
                | What::Mark(_)
                | What::Promote(_)
                | What::Checkpoint(_)
                | What::Slot(..)
                | What::Probe(_) => false,
            };
            (changes && server.altered != Altered::To("on".into())).then(|| server.altered.clone())
        });
        if let Some(value) = theirs {
            let stood = Stood::Setting(at.clone(), value);
            self.seized.borrow_mut().push(Seizure { key: permit.key().clone(), stood });
        }
    }
}
