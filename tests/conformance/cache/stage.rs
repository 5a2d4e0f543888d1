//! What happens to two caches besides our calls, the same in both worlds.

use crate::conformance::postgres::stage::{LATE, fault};
use crate::conformance::wire::{Lose, Wire};
use crate::support::pg::until;
use crate::traffic::servers::{Redis, free_port};
use crate::traffic::{GENEROUS, SHORT, addresses};
use mrctl::world::Member;
use mrctl::world::cache::Cache;
use mrctl::world::real::cache::{RealCache, Redis as Settled, Settings};
use mrctl::world::sim::Sim;
use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::time::Duration;

pub fn source() -> Member {
    Member::new("sessions", "eu-west")
}

pub fn target() -> Member {
    Member::new("sessions", "us-east")
}

pub trait Stage {
    fn cache(&self) -> &dyn Cache;
    /// Somebody sets a key, with milliseconds to live or for ever.
    async fn set(&self, at: &Member, key: &str, ttl: Option<u64>);
    async fn delete(&self, at: &Member, key: &str);
    /// How long a key will live: in minutes, for ever, or it is not there.
    async fn life(&self, at: &Member, key: &str) -> String;
    /// It starts again with nothing.
    async fn restart(&self, at: &Member);
    /// The target becomes a replica of another server.
    async fn make_replica(&self);
    /// The target is filled to nine tenths of its limit.
    async fn fill(&self);
    /// The target has to push keys out.
    async fn evict(&self);
    /// Both names lead to one server from here on.
    async fn be_the_same(&self);
    /// From here on this side answers nothing.
    async fn silence(&self, at: &Member);
    /// The next keys on their way to the target meet this.
    fn lose(&self, how: Lose);
    /// What is late has arrived.
    fn arrive(&self);
}

fn minutes(ms: u64) -> String {
    format!("{} minutes", ms.div_ceil(60_000))
}

pub struct Simulated(Sim);

pub fn simulated() -> Simulated {
    let sim = Sim::new();
    for region in ["eu-west", "us-east"] {
        sim.cache.add("sessions", region, []);
    }
    Simulated(sim)
}

impl Simulated {
    fn with<T>(&self, at: &Member, change: impl FnOnce(&mut mrctl::world::sim::cache::Server) -> T) -> T {
        self.0.cache.with(&at.resource, &at.region, change).unwrap()
    }
}

impl Stage for Simulated {
    fn cache(&self) -> &dyn Cache {
        &*self.0.cache
    }

    async fn set(&self, at: &Member, key: &str, ttl: Option<u64>) {
        self.with(at, |server| server.keys.insert(key.into(), ttl));
    }

    async fn delete(&self, at: &Member, key: &str) {
        self.with(at, |server| server.keys.remove(key));
    }

    async fn life(&self, at: &Member, key: &str) -> String {
        match self.with(at, |server| server.keys.get(key).copied()) {
            None => "not there".into(),
            Some(None) => "for ever".into(),
            Some(Some(ms)) => minutes(ms),
        }
    }

    async fn restart(&self, at: &Member) {
        self.0.cache.restart(&at.resource, &at.region);
    }

    async fn make_replica(&self) {
        self.with(&target(), |server| server.role = "slave".into());
    }

    async fn fill(&self) {
        self.with(&target(), |server| {
            server.keys.extend((0..9).map(|n| (format!("theirs:{n}"), None)));
            server.room = 10;
        });
    }

    async fn evict(&self) {
        self.with(&target(), |server| server.evicted += 1);
    }

    async fn be_the_same(&self) {
        let identity = self.with(&source(), |server| server.server.clone());
        self.with(&target(), |server| server.server = identity);
    }

    async fn silence(&self, at: &Member) {
        self.0.cache.faults.silence(&at.to_string());
    }

    fn lose(&self, how: Lose) {
        self.0.cache.faults.push(fault(how));
    }

    fn arrive(&self) {
        self.0.clock.advance(LATE);
    }
}

pub struct Real {
    eu: RefCell<Redis>,
    us: RefCell<Redis>,
    /// To both; to the first alone; with a side that takes connections, and that is all.
    ports: [RealCache; 4],
    now: Cell<usize>,
    wire: Wire,
    _deaf: TcpListener,
}

fn port(eu: u16, us: u16, timeout: Duration) -> RealCache {
    let members = [("eu-west", eu), ("us-east", us)]
        .map(|(region, port)| (region.to_string(), ("127.0.0.1".to_string(), port)))
        .into();
    let cache = Settled { members, user: None, password: None, database: 0, tls: None, timeout };
    RealCache::new(Settings { caches: [("sessions".to_string(), cache)].into(), addresses: addresses() })
}

pub async fn real() -> Real {
    let (first, second) = (Redis::start(&[]), Redis::start(&[]));
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let (eu, us, nobody) = (first.port, second.port, deaf.local_addr().unwrap().port());
    let wire = Wire::to(us).await;
    let ports = [
        port(eu, wire.port, GENEROUS),
        port(eu, eu, GENEROUS),
        port(nobody, us, SHORT),
        port(eu, nobody, SHORT),
    ];
    Real { eu: first.into(), us: second.into(), ports, now: Cell::new(0), wire, _deaf: deaf }
}

impl Real {
    fn server(&self, at: &Member) -> &RefCell<Redis> {
        if *at == source() { &self.eu } else { &self.us }
    }

    async fn ask<T: redis::FromRedisValue>(&self, at: &Member, words: &[&str]) -> T {
        let url = format!("redis://127.0.0.1:{}/", self.server(at).borrow().port);
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
    }

    async fn limit(&self, bytes: u64) {
        let _: String = self.ask(&target(), &["CONFIG", "SET", "maxmemory", &bytes.to_string()]).await;
    }

    async fn used(&self) -> u64 {
        let info: String = self.ask(&target(), &["INFO", "memory"]).await;
        info.lines().find_map(|line| line.trim().strip_prefix("used_memory:")).unwrap().parse().unwrap()
    }
}

impl Stage for Real {
    fn cache(&self) -> &dyn Cache {
        &self.ports[self.now.get()]
    }

    async fn set(&self, at: &Member, key: &str, ttl: Option<u64>) {
        let _: String = match ttl {
            None => self.ask(at, &["SET", key, "theirs"]).await,
            Some(ms) => self.ask(at, &["SET", key, "theirs", "PX", &ms.to_string()]).await,
        };
    }

    async fn delete(&self, at: &Member, key: &str) {
        let _: u64 = self.ask(at, &["DEL", key]).await;
    }

    async fn life(&self, at: &Member, key: &str) -> String {
        match self.ask::<i64>(at, &["PTTL", key]).await {
            -2 => "not there".into(),
            -1 => "for ever".into(),
            ms => minutes(ms.unsigned_abs()),
        }
    }

    async fn restart(&self, at: &Member) {
        self.server(at).borrow_mut().restart();
    }

    async fn make_replica(&self) {
        let _: String = self.ask(&target(), &["REPLICAOF", "127.0.0.1", &free_port().to_string()]).await;
    }

    async fn fill(&self) {
        for n in 0..9 {
            self.set(&target(), &format!("theirs:{n}"), None).await;
        }
        self.limit(self.used().await * 10 / 9).await;
    }

    async fn evict(&self) {
        let _: String = self.ask(&target(), &["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]).await;
        let evicted = async || -> bool {
            let info: String = self.ask(&target(), &["INFO", "stats"]).await;
            !info.contains("evicted_keys:0\r")
        };
        self.limit(1).await;
        until("a key was pushed out", || async { evicted().await.then_some(()) }).await;
        self.limit(0).await;
    }

    async fn be_the_same(&self) {
        self.now.set(1);
    }

    async fn silence(&self, at: &Member) {
        self.now.set(if *at == source() { 2 } else { 3 });
    }

    fn lose(&self, how: Lose) {
        self.wire.lose("RESTORE", how);
    }

    fn arrive(&self) {
        self.wire.release();
    }
}
