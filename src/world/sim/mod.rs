//! The simulated ports: deterministic models in memory, every method ready in one poll, with faults on demand.
//!
//! One [`Sim`] is one world. Its ports are handed to the engine by [`Sim::world`], and to a test or a rehearsal as they are, to set
//! facts and faults and to read the ground truth.
//!
//! An application of this world ([`postgres::SimPostgres::write`]) commits wherever a server takes its writes, at any time and in every
//! region, and asks no name server where that is: the strongest client that ignores a time to live.

pub mod cache;
pub mod clock;
pub mod dns;
pub mod exec;
pub mod fault;
pub mod http;
pub mod notify;
pub mod postgres;
mod postgres_deed;
mod postgres_digest;
pub mod postgres_isolated;
mod postgres_others;
mod postgres_rejoin;
pub mod postgres_seen;
mod postgres_server;
mod postgres_truth;
pub mod shared;
pub mod signal;
pub mod silent;
pub mod theirs;

pub use fault::{Common, Fault, Faults, Tape};

use super::World;
use super::postgres::Postgres;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the servers and records of a world were at a time.
#[derive(Clone, Debug)]
pub struct Truths {
    servers: shared::Shared<postgres::Truth>,
    zones: shared::Shared<dns::Zones>,
}

impl Truths {
    /// Whether no record was written since.
    pub fn same_records(&self, other: &Self) -> bool {
        self.zones.same(&other.zones)
    }

    /// Whether nothing was written since.
    pub fn same(&self, other: &Self) -> bool {
        self.servers.same(&other.servers) && self.zones.same(&other.zones)
    }
}

/// All simulated ports of one world. Clones share it.
#[derive(Clone)]
pub struct Sim {
    /// Virtual time.
    pub clock: Rc<clock::SimClock>,
    /// What happens to changing calls.
    pub tape: Rc<Tape>,
    /// Authoritative DNS.
    pub dns: Rc<dns::SimDns>,
    /// Endpoints.
    pub http: Rc<http::SimHttp>,
    /// Caches.
    pub cache: Rc<cache::SimCache>,
    /// Commands.
    pub exec: Rc<exec::SimExec>,
    /// PostgreSQL servers.
    pub postgres: Rc<postgres::SimPostgres>,
    /// Messages.
    pub notify: Rc<notify::SimNotify>,
    /// Numbers.
    pub signals: Rc<signal::SimSignals>,
}

impl Sim {
    /// An empty world at a fixed moment.
    pub fn new() -> Self {
        let common = Common::default();
        let postgres = Rc::new(postgres::SimPostgres::new(&common));
        let exec = Rc::new(exec::SimExec::new(&common, Rc::clone(&postgres)));
        postgres.commands.replace(Rc::downgrade(&exec));
        Self {
            dns: Rc::new(dns::SimDns::new(&common)),
            http: Rc::new(http::SimHttp::default()),
            cache: Rc::new(cache::SimCache::new(&common)),
            exec,
            postgres,
            notify: Rc::new(notify::SimNotify::new(&common)),
            signals: Rc::new(signal::SimSignals::default()),
            clock: common.clock,
            tape: common.tape,
        }
    }

    /// The same world again, sharing nothing: what happens in one does not in the other.
    pub fn fork(&self) -> Self {
        let common = Common { clock: Rc::new((*self.clock).clone()), tape: Rc::default() };
        let postgres = Rc::new(self.postgres.fork(&common));
        let exec = Rc::new(self.exec.fork(&common, Rc::clone(&postgres)));
        postgres.commands.replace(Rc::downgrade(&exec));
        Self {
            dns: Rc::new(self.dns.fork(&common)),
            http: Rc::new((*self.http).clone()),
            cache: Rc::new(self.cache.fork(&common)),
            exec,
            postgres,
            notify: Rc::new(self.notify.fork(&common)),
            signals: Rc::new((*self.signals).clone()),
            clock: common.clock,
            tape: common.tape,
        }
    }

    /// What tells two worlds apart, in which the same may happen from now on. Applications were told of these commits, by cluster.
    pub fn digest(&self, told: &BTreeMap<String, Vec<String>>, hasher: &mut impl std::hash::Hasher) {
        self.postgres.digest(told, hasher);
        self.dns.digest(hasher);
        self.cache.digest(hasher);
        self.exec.digest(hasher);
        self.notify.digest(hasher);
        self.http.digest(hasher);
        self.signals.digest(hasher);
    }

    /// The servers and records as they are now, to be compared with later.
    pub fn truths(&self) -> Truths {
        self.postgres.settle();
        self.dns.faults.settle(&self.dns.zones);
        Truths { servers: self.postgres.truth.clone(), zones: self.dns.zones.clone() }
    }

    /// The ports for the engine, with a PostgreSQL of the caller's choice.
    pub fn world_with(&self, postgres: Rc<dyn Postgres>) -> World {
        World {
            clock: Rc::clone(&self.clock) as _,
            postgres,
            dns: Rc::clone(&self.dns) as _,
            http: Rc::clone(&self.http) as _,
            cache: Rc::clone(&self.cache) as _,
            exec: Rc::clone(&self.exec) as _,
            notify: Rc::clone(&self.notify) as _,
            signals: Rc::clone(&self.signals) as _,
            fenced: Rc::default(),
        }
    }

    /// The ports for the engine.
    pub fn world(&self) -> World {
        self.world_with(Rc::clone(&self.postgres) as _)
    }
}

impl Default for Sim {
    fn default() -> Self {
        Self::new()
    }
}

/// Two regions, `eu-west` and `us-east`, in which everything is well and `eu-west` has the traffic: the record `www` at the servers
/// `pdns-eu` and `pdns-us`, the endpoint `shop`, the cache `sessions`, the channel `ops`, the
/// cluster `orders`.
pub fn two_regions() -> Sim {
    let sim = Sim::new();
    let spec = super::record_content::RecordSpec {
        domain: "www.example.com.".into(),
        zone: "example.com.".into(),
        kind: "A".into(),
        ttl: 60,
        targets: [("eu-west", "192.0.2.10"), ("us-east", "198.51.100.10")]
            .map(|(region, target)| (region.to_owned(), target.to_owned()))
            .into(),
    };
    sim.dns.add("www", spec, &["pdns-eu", "pdns-us"], "eu-west");
    for region in ["eu-west", "us-east"] {
        sim.http.set("shop", region, http::healthy(20_000));
        let keys = if region == "eu-west" { 40 } else { 0 };
        sim.cache.add("sessions", region, (0..keys).map(|n| (format!("session:{n}"), None)));
    }
    sim.notify.add("ops");
    sim.postgres.add("orders", &["eu-west", "us-east"]);
    sim
}
