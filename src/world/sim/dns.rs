//! Records in memory, with the content rules of the real port.

use super::Faults;
use super::fault::{Common, Deed};
use super::shared::Shared;
use super::theirs::{Parts, Seizure};
use crate::journal::Permit;
use crate::world::clock::Moment;
use crate::world::dns::{Dns, RecordAim, RecordFacts, RecordName, RecordSet, Shares};
use crate::world::record_content::{self, RecordSpec, in_words, normalised, wanted};
use crate::world::{Answer, Known, Reply, ready};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// Questions of one look, as in the real port.
const PLAIN_SAMPLE: u32 = 12;
const MIXED_SAMPLE: u32 = 400;

/// What stands at one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    sets: Vec<RecordSet>,
    serial: u32,
    /// What of it others have set last: bookkeeping of a rehearsal.
    theirs: Parts,
}

/// Records by name and server.
pub type Zones = BTreeMap<RecordName, Zone>;

/// Simulated authoritative DNS.
#[derive(Debug)]
pub struct SimDns {
    /// Faults; places are the names of servers.
    pub faults: Faults<Write>,
    pub(super) specs: Shared<BTreeMap<String, RecordSpec>>,
    pub(super) zones: Shared<Zones>,
    broken: Shared<BTreeMap<String, String>>,
    /// Servers that answer from what they keep, with what that is and until when.
    old: Shared<BTreeMap<String, (Moment, Zones)>>,
    /// What our own writes aimed at.
    pub(super) aims: Shared<BTreeMap<RecordName, Vec<Vec<RecordSet>>>>,
    /// Writes of ours over what others had set.
    pub(super) seized: Shared<Vec<Seizure>>,
    /// Whether nothing is compared before a write: a broken port.
    blind: Cell<bool>,
}

impl SimDns {
    /// No records.
    pub fn new(common: &Common) -> Self {
        Self {
            faults: Faults::new(common),
            specs: Shared::default(),
            zones: Shared::default(),
            broken: Shared::default(),
            old: Shared::default(),
            aims: Shared::default(),
            seized: Shared::default(),
            blind: Cell::new(false),
        }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self {
            faults: self.faults.fork(common),
            specs: self.specs.clone(),
            zones: self.zones.clone(),
            broken: self.broken.clone(),
            old: self.old.clone(),
            aims: self.aims.clone(),
            seized: self.seized.clone(),
            blind: self.blind.clone(),
        }
    }

    /// What tells two worlds apart. Serials count up with every change and mean nothing else.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        let zones = |zones: &Zones, mut hasher: &mut super::shared::PartHasher| {
            zones.iter().for_each(|(at, zone)| (at, &zone.sets, zone.theirs).hash(&mut hasher));
        };
        self.zones.digest(zones).hash(hasher);
        self.broken.hash(hasher);
        self.aims.hash(hasher);
        let now = self.faults.now();
        for (server, (until, kept)) in self.old.borrow().iter().filter(|(_, (until, _))| *until > now) {
            (server, until.since(now)).hash(hasher);
            kept.iter().for_each(|(at, zone)| (at, &zone.sets).hash(hasher));
        }
    }

    /// Whether a name server goes on answering as before.
    pub fn keeps_old(&self) -> bool {
        let now = self.faults.now();
        self.old.borrow().values().any(|(until, _)| *until > now)
    }

    /// Whether nothing was written in one of two forks since they were one.
    pub fn same(&self, other: &Self) -> bool {
        self.faults.settle(&self.zones);
        self.zones.same(&other.zones)
    }

    /// Every record at every server with its shares: the ground truth.
    pub fn shares(&self) -> BTreeMap<RecordName, Known<Shares>> {
        self.faults.settle(&self.zones);
        let specs = self.specs.borrow();
        let zones = self.zones.borrow();
        let shares = zones.iter().filter_map(|(at, zone)| {
            Some((at.clone(), record_content::understand(specs.get(&at.record)?, &zone.sets)))
        });
        shares.collect()
    }

    /// Adds a record that gives all traffic to one region.
    pub fn add(&self, record: &str, spec: RecordSpec, servers: &[&str], region: &str) {
        let shares = Shares::from([(region.to_owned(), record_content::WHOLE)]);
        let sets = record_content::render(&spec, &shares, spec.ttl).unwrap_or_default();
        for server in servers {
            let at = RecordName { record: record.to_owned(), server: (*server).to_owned() };
            self.zones
                .borrow_mut()
                .insert(at, Zone { sets: sets.clone(), serial: 1, theirs: Parts::default() });
        }
        self.specs.borrow_mut().insert(record.to_owned(), spec);
    }

    /// What stands at a server: the ground truth.
    pub fn sets(&self, record: &str, server: &str) -> Vec<RecordSet> {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        self.zones.borrow().get(&at).map(|zone| zone.sets.clone()).unwrap_or_default()
    }

    /// Somebody else writes, and the serial moves, whatever is written (case D1).
    pub fn overwrite(&self, record: &str, server: &str, sets: Vec<RecordSet>) {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        if let Some(zone) = self.zones.borrow_mut().get_mut(&at) {
            zone.theirs = zone.theirs.or(Parts::between(&zone.sets, &sets));
            zone.sets = sets;
            zone.serial += 1;
        }
    }

    /// The zone was put back from elsewhere, with a serial of its own.
    pub fn set_serial(&self, record: &str, server: &str, serial: u32) {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        if let Some(zone) = self.zones.borrow_mut().get_mut(&at) {
            zone.serial = serial;
        }
    }

    /// What stands at a server from the beginning.
    pub fn put(&self, record: &str, server: &str, sets: Vec<RecordSet>, serial: u32) {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        self.zones.borrow_mut().insert(at, Zone { sets, serial, theirs: Parts::default() });
    }

    /// The server's API works (case D14), but it answers questions by DNS with this failure (or, when empty, well again).
    pub fn break_answers(&self, server: &str, failure: &str) {
        let mut broken = self.broken.borrow_mut();
        if failure.is_empty() {
            broken.remove(server);
        } else {
            broken.insert(server.to_owned(), failure.to_owned());
        }
    }

    /// Questions are answered from what stands there now, for so long, whatever is written meanwhile.
    pub fn answer_as_before(&self, server: &str, time: Duration) {
        let kept = self.zones.borrow().clone();
        let until = self.faults.now().plus(time);
        self.old.borrow_mut().insert(server.to_owned(), (until, kept));
    }

    /// Questions are answered from what stands there again.
    pub fn forget_old(&self) {
        self.old.borrow_mut().clear();
    }

    /// What stands at every server: the ground truth.
    pub fn all_sets(&self) -> BTreeMap<RecordName, Vec<RecordSet>> {
        self.faults.settle(&self.zones);
        self.zones.borrow().iter().map(|(at, zone)| (at.clone(), zone.sets.clone())).collect()
    }

    /// Writes are made without comparing what stands there with what was expected: a port that is broken.
    pub fn compare_nothing(&self) {
        self.blind.set(true);
    }

    fn facts(&self, at: &RecordName) -> Known<RecordFacts> {
        self.faults.settle(&self.zones);
        if self.faults.is_silent(&at.server) {
            return Known::unknown("no answer in time");
        }
        let specs = self.specs.borrow();
        let zones = self.zones.borrow();
        // Case D12.
        let (Some(spec), Some(zone)) = (specs.get(&at.record), zones.get(at)) else {
            return Known::unknown(format!("no record `{}` at `{}` in the inventory", at.record, at.server));
        };
        let shares = record_content::understand(spec, &zone.sets);
        let (answers, sampled) = match self.broken.borrow().get(&at.server) {
            Some(why) => (Known::unknown(why), Known::unknown(why)),
            None => {
                let old = self.old.borrow();
                let kept = old.get(&at.server).filter(|(until, _)| *until > self.faults.now());
                match kept.and_then(|(_, zones)| zones.get(at)) {
                    Some(kept) => answers(spec, kept, &record_content::understand(spec, &kept.sets)),
                    None => answers(spec, zone, &shares),
                }
            }
        };
        Known::Known(RecordFacts {
            sets: zone.sets.clone(),
            ttl: record_content::ttl(spec, &zone.sets),
            serial: Known::Known(zone.serial),
            transferred: Known::Known(true),
            shares,
            answers,
            sampled,
        })
    }
}

/// What a sample of questions would see, without chance.
fn answers(
    spec: &RecordSpec,
    zone: &Zone,
    shares: &Known<Shares>,
) -> (Known<Vec<String>>, Known<BTreeMap<String, u32>>) {
    if zone.sets.iter().any(|set| set.kind == "LUA") {
        return match shares {
            Known::Known(shares) => mixed(spec, &normalised(shares)),
            // Whatever it says, the model does not run it (case D9).
            Known::Unknown(_) => {
                let why = "SERVFAIL or anything else: LUA that mrctl did not write";
                (Known::unknown(why), Known::unknown(why))
            }
        };
    }
    // Every answer has all plain contents (case D11), without those that are disabled (case D13); with none it is empty (case D10).
    let of_kind = zone.sets.iter().filter(|set| set.kind == spec.kind);
    let mut plain: Vec<_> = of_kind
        .flat_map(|set| &set.contents)
        .filter(|content| !content.starts_with(record_content::DISABLED))
        // In the server's form (case D15).
        .map(|content| record_content::canonical(&spec.kind, content))
        .collect();
    plain.sort();
    let count = if shares.is(|shares| shares.len() > 1) { MIXED_SAMPLE } else { PLAIN_SAMPLE };
    let region = |answer: &String| {
        let found =
            spec.targets.iter().find(|(_, target)| record_content::canonical(&spec.kind, target) == *answer);
        // An answer that belongs to no region stands under its own text (case D8).
        found.map_or_else(|| answer.clone(), |(region, _)| region.clone())
    };
    let sampled = plain.iter().map(|answer| (region(answer), count)).collect();
    (Known::Known(plain), Known::Known(sampled))
}

/// Answers of our own LUA content: each region in proportion (case D3), none that gets nothing (case D4).
fn mixed(spec: &RecordSpec, shares: &Shares) -> (Known<Vec<String>>, Known<BTreeMap<String, u32>>) {
    let sampled: BTreeMap<String, u32> = shares
        .iter()
        .map(|(region, share)| (region.clone(), MIXED_SAMPLE * share / record_content::WHOLE))
        .collect();
    let targets = sampled.keys().filter_map(|region| spec.targets.get(region));
    let mut answers: Vec<_> = targets.map(|target| record_content::canonical(&spec.kind, target)).collect();
    answers.sort();
    (Known::Known(answers), Known::Known(sampled))
}

/// One write at one server, as it is on its way: what stood there was compared before it was sent, and whatever stands there when it
/// arrives is replaced (case L9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    at: RecordName,
    /// Kinds of sets that stood there and are taken away.
    gone: Vec<String>,
    goal: Vec<RecordSet>,
}

impl Deed for Write {
    type Truth = Zones;

    fn make(&self, zones: &mut Zones) -> Reply {
        let Some(zone) = zones.get_mut(&self.at) else { return Reply::refused("no such record") };
        let (before, stood) = (zone.serial, zone.sets.clone());
        zone.serial += 1;
        let replaced =
            |kind: &String| self.gone.contains(kind) || self.goal.iter().any(|set| set.kind == *kind);
        zone.sets.retain(|set| !replaced(&set.kind));
        zone.sets.extend(self.goal.iter().cloned());
        zone.sets.sort();
        zone.theirs = zone.theirs.without(Parts::between(&stood, &zone.sets));
        Reply::acknowledged(format!("{}; serial {before} → {}", in_words(&self.goal), zone.serial))
    }
}

impl SimDns {
    /// What is sent, after the comparison; or the reply if nothing is.
    fn compared(
        &self,
        permit: &Permit,
        at: &RecordName,
        expected: &[RecordSet],
        aim: &RecordAim,
    ) -> Result<Write, Reply> {
        self.faults.settle(&self.zones);
        let specs = self.specs.borrow();
        let Some(spec) = specs.get(&at.record) else {
            return Err(Reply::refused(format!("no record `{}` in the inventory", at.record)));
        };
        // The real port reads before it writes: silence proves that nothing was sent (case D7).
        if self.faults.is_silent(&at.server) {
            return Err(Reply::refused("no answer in time"));
        }
        // A time to live keeps the content, and shares keep the time to live (case D6); cases D5 and D8.
        let goal = wanted(spec, expected, aim).map_err(Reply::refused)?;
        let zones = self.zones.borrow();
        let zone = zones.get(at).ok_or_else(|| Reply::refused("no such record"))?;
        // An identical write would move the serial: none is sent (case D1).
        if zone.sets == goal {
            return Err(Reply::acknowledged(format!("already {}; nothing was sent", in_words(&goal))));
        }
        // Case D2.
        if zone.sets != expected && !self.blind.get() {
            return Err(Reply::refused(format!(
                "changed by somebody else: {} stands there, expected was {}",
                in_words(&zone.sets),
                in_words(expected)
            )));
        }
        self.sent(permit, at, &zone.sets, zone.theirs, &goal);
        let gone = zone.sets.iter().map(|set| set.kind.clone()).collect();
        Ok(Write { at: at.clone(), gone, goal })
    }
}

impl Dns for SimDns {
    fn look<'a>(&'a self, at: &'a RecordName) -> Answer<'a, Known<RecordFacts>> {
        ready(self.facts(at))
    }

    fn swap<'a>(
        &'a self,
        permit: &'a Permit,
        at: &'a RecordName,
        expected: &'a [RecordSet],
        aim: &'a RecordAim,
    ) -> Answer<'a, Reply> {
        // Nothing happens before the first poll, as in the real port.
        Box::pin(async move {
            match self.compared(permit, at, expected, aim) {
                Ok(write) => self.faults.run(&at.server, &self.zones, write),
                Err(reply) => reply,
            }
        })
    }

    fn preview(
        &self,
        at: &RecordName,
        expected: &[RecordSet],
        aim: &RecordAim,
    ) -> Result<Vec<RecordSet>, String> {
        let specs = self.specs.borrow();
        let spec =
            specs.get(&at.record).ok_or_else(|| format!("no record `{}` in the inventory", at.record))?;
        wanted(spec, expected, aim)
    }
}
