//! Records in memory, with the content rules of the real port.

use super::Faults;
use super::fault::{Common, Deed};
use super::shared::Shared;
use crate::journal::Permit;
use crate::world::dns::{Dns, RecordAim, RecordFacts, RecordName, RecordSet, Shares};
use crate::world::record_content::{self, RecordSpec, in_words, normalised, wanted};
use crate::world::{Answer, Known, Reply, ready};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// Questions of one look, as in the real port.
const PLAIN_SAMPLE: u32 = 12;
const MIXED_SAMPLE: u32 = 400;

/// What stands at one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    sets: Vec<RecordSet>,
    serial: u32,
}

/// Records by name and server.
pub type Zones = BTreeMap<RecordName, Zone>;

/// Simulated authoritative DNS.
#[derive(Debug)]
pub struct SimDns {
    /// Faults; places are the names of servers.
    pub faults: Faults<Swap>,
    specs: Shared<BTreeMap<String, RecordSpec>>,
    pub(super) zones: Shared<Zones>,
    broken: Shared<BTreeMap<String, String>>,
}

impl SimDns {
    /// No records.
    pub fn new(common: &Common) -> Self {
        Self {
            faults: Faults::new(common),
            specs: Shared::default(),
            zones: Shared::default(),
            broken: Shared::default(),
        }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self {
            faults: self.faults.fork(common),
            specs: self.specs.clone(),
            zones: self.zones.clone(),
            broken: self.broken.clone(),
        }
    }

    /// What tells two worlds apart. Serials count up with every change and mean nothing else.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        let zones = |zones: &Zones, mut hasher: &mut std::hash::DefaultHasher| {
            zones.iter().for_each(|(at, zone)| (at, &zone.sets).hash(&mut hasher));
        };
        self.zones.digest(zones).hash(hasher);
        self.broken.hash(hasher);
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
            self.zones.borrow_mut().insert(at, Zone { sets: sets.clone(), serial: 1 });
        }
        self.specs.borrow_mut().insert(record.to_owned(), spec);
    }

    /// What stands at a server: the ground truth.
    pub fn sets(&self, record: &str, server: &str) -> Vec<RecordSet> {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        self.zones.borrow().get(&at).map(|zone| zone.sets.clone()).unwrap_or_default()
    }

    /// Somebody else writes.
    pub fn overwrite(&self, record: &str, server: &str, sets: Vec<RecordSet>) {
        let at = RecordName { record: record.to_owned(), server: server.to_owned() };
        if let Some(zone) = self.zones.borrow_mut().get_mut(&at) {
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

    /// The server's API works, but it answers questions by DNS with this failure (or, when empty, well again).
    pub fn break_answers(&self, server: &str, failure: &str) {
        let mut broken = self.broken.borrow_mut();
        if failure.is_empty() {
            broken.remove(server);
        } else {
            broken.insert(server.to_owned(), failure.to_owned());
        }
    }

    fn facts(&self, at: &RecordName) -> Known<RecordFacts> {
        self.faults.settle(&self.zones);
        if self.faults.is_silent(&at.server) {
            return Known::unknown("no answer in time");
        }
        let specs = self.specs.borrow();
        let zones = self.zones.borrow();
        let (Some(spec), Some(zone)) = (specs.get(&at.record), zones.get(at)) else {
            return Known::unknown(format!("no record `{}` at `{}` in the inventory", at.record, at.server));
        };
        let shares = record_content::understand(spec, &zone.sets);
        let (answers, sampled) = match self.broken.borrow().get(&at.server) {
            Some(why) => (Known::unknown(why), Known::unknown(why)),
            None => answers(spec, zone, &shares),
        };
        Known::Known(RecordFacts {
            sets: zone.sets.clone(),
            ttl: record_content::ttl(spec, &zone.sets),
            serial: Known::Known(zone.serial),
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
    match shares {
        Known::Known(shares) => {
            let shares = normalised(shares);
            let count = if shares.len() > 1 { MIXED_SAMPLE } else { PLAIN_SAMPLE };
            let sampled: BTreeMap<String, u32> = shares
                .iter()
                .map(|(region, share)| (region.clone(), count * share / record_content::WHOLE))
                .collect();
            let mut answers: Vec<_> = sampled
                .keys()
                .filter_map(|region| spec.targets.get(region))
                .map(|target| record_content::canonical(&spec.kind, target))
                .collect();
            answers.sort();
            (Known::Known(answers), Known::Known(sampled))
        }
        Known::Unknown(_) => {
            let plain: Vec<_> = zone
                .sets
                .iter()
                .filter(|set| set.kind == spec.kind)
                .flat_map(|set| set.contents.clone())
                .collect();
            let sampled = plain.iter().map(|content| (content.clone(), PLAIN_SAMPLE)).collect();
            (Known::Known(plain), Known::Known(sampled))
        }
    }
}

/// One compare-and-set at one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    spec: RecordSpec,
    at: RecordName,
    expected: Vec<RecordSet>,
    aim: RecordAim,
}

impl Deed for Swap {
    type Truth = Zones;

    fn make(&self, zones: &mut Zones) -> Reply {
        let goal = match wanted(&self.spec, &self.expected, &self.aim) {
            Ok(goal) => goal,
            Err(why) => return Reply::refused(why),
        };
        let Some(zone) = zones.get_mut(&self.at) else { return Reply::refused("no such record") };
        if zone.sets == goal {
            return Reply::acknowledged(format!("already {}; nothing was sent", in_words(&goal)));
        }
        if zone.sets != self.expected {
            return Reply::refused(format!(
                "changed by somebody else: {} stands there, expected was {}",
                in_words(&zone.sets),
                in_words(&self.expected)
            ));
        }
        let before = zone.serial;
        zone.serial += 1;
        let note = format!("{}; serial {before} → {}", in_words(&goal), zone.serial);
        zone.sets = goal;
        Reply::acknowledged(note)
    }
}

impl Dns for SimDns {
    fn look<'a>(&'a self, at: &'a RecordName) -> Answer<'a, Known<RecordFacts>> {
        ready(self.facts(at))
    }

    fn swap<'a>(
        &'a self,
        _permit: &'a Permit,
        at: &'a RecordName,
        expected: &'a [RecordSet],
        aim: &'a RecordAim,
    ) -> Answer<'a, Reply> {
        // Nothing happens before the first poll, as in the real port.
        Box::pin(async move {
            let Some(spec) = self.specs.borrow().get(&at.record).cloned() else {
                return Reply::refused(format!("no record `{}` in the inventory", at.record));
            };
            let swap = Swap { spec, at: at.clone(), expected: expected.to_vec(), aim: aim.clone() };
            self.faults.run(&at.server, &self.zones, swap)
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
