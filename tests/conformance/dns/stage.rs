//! What happens to a server's records besides our calls, the same in both worlds.

use crate::conformance::postgres::stage::{LATE, fault};
use crate::conformance::wire::{Lose, Wire};
use crate::traffic::fake::{Fake, Reply as Web};
use crate::traffic::servers::{KEY, Pdns, free_port};
use crate::traffic::{GENEROUS, SHORT, addresses, system_tls};
use mrctl::world::dns::{Dns, RecordName, RecordSet};
use mrctl::world::real::dns::{RealDns, Server, Settings};
use mrctl::world::record_content::{DISABLED, RecordSpec};
use mrctl::world::sim::Sim;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

pub trait Stage {
    fn dns(&self) -> &dyn Dns;
    /// Somebody else writes what stands at the record's name.
    async fn overwrite(&self, record: &str, sets: &[RecordSet]);
    /// From here on the API works, and nobody answers by DNS.
    async fn break_answers(&self);
    /// From here on the server answers nothing.
    async fn silence(&self);
    /// The next write meets this.
    fn lose(&self, how: Lose);
    /// What is late has arrived.
    fn arrive(&self);
}

/// The records of the inventory. `www` stands at the server and gives everything to `eu-west`; of `away` there is no zone.
fn records() -> BTreeMap<String, RecordSpec> {
    let spec = |domain: &str, zone: &str, kind: &str, targets: &[(&str, &str)]| RecordSpec {
        domain: domain.into(),
        zone: zone.into(),
        kind: kind.into(),
        ttl: 60,
        targets: targets.iter().map(|(region, target)| ((*region).into(), (*target).into())).collect(),
    };
    let (zone, four) = ("example.com.", [("eu-west", "192.0.2.10"), ("us-east", "198.51.100.10")]);
    let six = [("eu-west", "2001:DB8:0:0::1"), ("us-east", "2001:db8::2")];
    let names = [("eu-west", "Eu.Example.net"), ("us-east", "us.example.net.")];
    [
        ("www", spec("www.example.com.", zone, "A", &four)),
        ("new", spec("new.example.com.", zone, "A", &four)),
        ("six", spec("six.example.com.", zone, "AAAA", &six)),
        ("alias", spec("alias.example.com.", zone, "CNAME", &names)),
        ("away", spec("www.example.org.", "example.org.", "A", &four)),
    ]
    .map(|(name, spec)| (name.to_string(), spec))
    .into()
}

pub fn at(record: &str) -> RecordName {
    RecordName { record: record.into(), server: "pdns".into() }
}

pub fn set(kind: &str, ttl: u32, contents: &[&str]) -> RecordSet {
    RecordSet { kind: kind.into(), ttl, contents: contents.iter().map(|text| (*text).into()).collect() }
}

pub struct Simulated(Sim);

pub fn simulated() -> Simulated {
    let sim = Sim::new();
    for (name, spec) in records() {
        let servers: &[&str] = if name == "away" { &[] } else { &["pdns"] };
        sim.dns.add(&name, spec, servers, "eu-west");
        if name != "www" {
            sim.dns.overwrite(&name, "pdns", vec![]);
        }
    }
    Simulated(sim)
}

impl Stage for Simulated {
    fn dns(&self) -> &dyn Dns {
        &*self.0.dns
    }

    async fn overwrite(&self, record: &str, sets: &[RecordSet]) {
        self.0.dns.overwrite(record, "pdns", sets.to_vec());
    }

    async fn break_answers(&self) {
        self.0.dns.break_answers("pdns", "no DNS answer");
    }

    async fn silence(&self) {
        self.0.dns.faults.silence("pdns");
    }

    fn lose(&self, how: Lose) {
        self.0.dns.faults.push(fault(how));
    }

    fn arrive(&self) {
        self.0.clock.advance(LATE);
    }
}

pub struct Real {
    pdns: Pdns,
    well: RealDns,
    /// Its API, and nobody who answers by DNS.
    broken: RealDns,
    /// A server that takes connections, and that is all.
    silent: RealDns,
    _fake: Fake,
    wire: Wire,
    now: Cell<Now>,
}

#[derive(Clone, Copy)]
enum Now {
    Well,
    Broken,
    Silent,
}

fn port(url: String, dns: u16, timeout: Duration) -> RealDns {
    let server = Server {
        url,
        key: KEY.to_string().into(),
        id: "localhost".into(),
        query: format!("127.0.0.1:{dns}"),
        timeout,
        patience: timeout,
        tls: system_tls(),
    };
    let servers = [("pdns".to_string(), server)].into();
    RealDns::new(Settings { servers, records: records(), addresses: addresses() }).unwrap()
}

pub async fn real() -> Real {
    let pdns = Pdns::start(true);
    let fake = Fake::start(|_| Web::Never).await;
    let wire = Wire::to(pdns.api).await;
    Real {
        well: port(format!("http://127.0.0.1:{}", wire.port), pdns.dns, GENEROUS),
        wire,
        broken: port(pdns.url(), free_port(), GENEROUS),
        silent: port(format!("http://{}", fake.address), free_port(), SHORT),
        pdns,
        _fake: fake,
        now: Cell::new(Now::Well),
    }
}

impl Stage for Real {
    fn dns(&self) -> &dyn Dns {
        match self.now.get() {
            Now::Well => &self.well,
            Now::Broken => &self.broken,
            Now::Silent => &self.silent,
        }
    }

    async fn overwrite(&self, record: &str, sets: &[RecordSet]) {
        let name = &records()[record].domain;
        let content = |text: &String| match text.strip_prefix(DISABLED) {
            Some(text) => json!({"content": text, "disabled": true}),
            None => json!({"content": text, "disabled": false}),
        };
        let gone =
            ["A", "AAAA", "CNAME", "LUA"].into_iter().filter(|kind| sets.iter().all(|set| set.kind != *kind));
        let gone = gone.map(|kind| json!({"name": name, "type": kind, "changetype": "DELETE"}));
        let there = sets.iter().map(|set| {
            json!({"name": name, "type": set.kind, "ttl": set.ttl, "changetype": "REPLACE",
                "records": set.contents.iter().map(content).collect::<Vec<_>>()})
        });
        self.pdns.patch(Value::Array(gone.chain(there).collect())).await;
    }

    async fn break_answers(&self) {
        self.now.set(Now::Broken);
    }

    async fn silence(&self) {
        self.now.set(Now::Silent);
    }

    fn lose(&self, how: Lose) {
        self.wire.lose("\"changetype\":\"REPLACE\"", how);
    }

    fn arrive(&self) {
        self.wire.release();
    }
}
