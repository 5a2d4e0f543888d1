//! Endpoints in memory.

use super::shared::Shared;
use crate::world::http::{Http, Probe};
use crate::world::{Answer, Known, Member, ready};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Simulated endpoints: each answers with its scripted probes in turn, the last one for ever.
#[derive(Clone, Debug, Default)]
pub struct SimHttp {
    probes: Shared<BTreeMap<Member, VecDeque<Probe>>>,
    silent: Shared<BTreeSet<String>>,
    asked: Shared<BTreeMap<Member, u32>>,
    expected: Shared<BTreeMap<String, u16>>,
}

/// All stages passed, status 200.
pub fn healthy(latency_us: u64) -> Probe {
    Probe {
        address: Known::Known("192.0.2.1:443".into()),
        connected: Known::Known(true),
        tls: Known::Known(true),
        status: Known::Known(200),
        body: Known::Known(true),
        latency_us: Known::Known(latency_us),
        certificate_days: Known::Known(90),
        trouble: String::new(),
    }
}

/// No answer.
pub fn silent(why: &str) -> Probe {
    Probe {
        address: Known::Known("192.0.2.1:443".into()),
        connected: Known::unknown(why),
        tls: Known::unknown(why),
        status: Known::unknown(why),
        body: Known::unknown(why),
        latency_us: Known::unknown(why),
        certificate_days: Known::unknown(why),
        trouble: why.to_owned(),
    }
}

impl SimHttp {
    /// From now on it answers like this.
    pub fn set(&self, endpoint: &str, region: &str, probe: Probe) {
        self.script(endpoint, region, [probe]);
    }

    /// It answers with these in turn, with the last one for ever.
    pub fn script(&self, endpoint: &str, region: &str, probes: impl IntoIterator<Item = Probe>) {
        self.probes.borrow_mut().insert(Member::new(endpoint, region), probes.into_iter().collect());
    }

    /// The status that is expected of an endpoint; 200 if not told.
    pub fn expect(&self, endpoint: &str, status: u16) {
        self.expected.borrow_mut().insert(endpoint.to_owned(), status);
    }

    /// How often it was asked.
    pub fn asked(&self, endpoint: &str, region: &str) -> u32 {
        self.asked.borrow().get(&Member::new(endpoint, region)).copied().unwrap_or(0)
    }
}

impl SimHttp {
    /// This endpoint (`endpoint in region`) does not answer from now on.
    pub fn silence(&self, place: &str) {
        self.silent.borrow_mut().insert(place.to_owned());
    }

    /// All of them answer again.
    pub fn unsilence_all(&self) {
        self.silent.borrow_mut().clear();
    }

    /// Whether all of them answer as they should.
    pub fn well(&self) -> bool {
        let ill = |probe: &Probe| probe.status != Known::Known(200);
        self.silent.borrow().is_empty() && !self.probes.borrow().values().flatten().any(ill)
    }

    /// All of them answer as they should again.
    pub fn heal(&self) {
        let ill = |probe: &Probe| probe.status != Known::Known(200);
        if self.probes.borrow().values().flatten().any(ill) {
            for probes in self.probes.borrow_mut().values_mut() {
                probes.iter_mut().filter(|probe| ill(probe)).for_each(|probe| *probe = healthy(20_000));
            }
        }
    }

    /// What tells two worlds apart.
    pub fn digest(&self, hasher: &mut impl std::hash::Hasher) {
        std::hash::Hash::hash(&(&self.probes, &self.silent), hasher);
    }
}

impl Http for SimHttp {
    fn probe<'a>(&'a self, endpoint: &'a Member) -> Answer<'a, Probe> {
        *self.asked.borrow_mut().entry(endpoint.clone()).or_insert(0) += 1;
        if self.silent.borrow().contains(&endpoint.to_string()) {
            return ready(silent("no answer in time"));
        }
        let many = self.probes.borrow().get(endpoint).is_some_and(|script| script.len() > 1);
        let probe = match many {
            true => self.probes.borrow_mut().get_mut(endpoint).and_then(VecDeque::pop_front),
            false => self.probes.borrow().get(endpoint).and_then(|script| script.front().cloned()),
        };
        ready(probe.unwrap_or_else(|| silent(&format!("no endpoint {endpoint}"))))
    }

    fn expected_status(&self, endpoint: &str) -> u16 {
        self.expected.borrow().get(endpoint).copied().unwrap_or(200)
    }
}
