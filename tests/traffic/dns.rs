//! PowerDNS: what stands there, what is answered, and every trap that was seen.

use super::fake::{Fake, Reply as Web};
use super::servers::{KEY, Pdns, free_port};
use super::{GENEROUS, SHORT, addresses, permit, system_tls};
use mrctl::world::dns::{Dns, RecordAim, RecordFacts, RecordName, RecordSet, Shares};
use mrctl::world::real::dns::{RealDns, Server, Settings};
use mrctl::world::record_content::RecordSpec;
use mrctl::world::sim::Sim;
use mrctl::world::{Known, Reply};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

fn spec() -> RecordSpec {
    RecordSpec {
        domain: "www.example.com.".into(),
        zone: "example.com.".into(),
        kind: "A".into(),
        ttl: 60,
        targets: [("eu-west", "192.0.2.10"), ("us-east", "198.51.100.10")]
            .map(|(region, target)| (region.to_owned(), target.to_owned()))
            .into(),
    }
}

fn port(url: &str, dns: u16, key: &str, records: BTreeMap<String, RecordSpec>) -> RealDns {
    patient(GENEROUS, url, dns, key, records)
}

fn patient(
    timeout: Duration,
    url: &str,
    dns: u16,
    key: &str,
    records: BTreeMap<String, RecordSpec>,
) -> RealDns {
    let server = Server {
        url: url.to_owned(),
        key: key.to_owned().into(),
        id: "localhost".into(),
        query: format!("127.0.0.1:{dns}"),
        timeout,
        patience: timeout,
        tls: system_tls(),
    };
    RealDns::new(Settings { servers: [("pdns".to_owned(), server)].into(), records, addresses: addresses() })
        .unwrap()
}

fn real(pdns: &Pdns) -> RealDns {
    port(&pdns.url(), pdns.dns, KEY, [("www".to_owned(), spec())].into())
}

fn at() -> RecordName {
    RecordName { record: "www".into(), server: "pdns".into() }
}

async fn look(dns: &dyn Dns) -> RecordFacts {
    match dns.look(&at()).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{why}"),
    }
}

async fn swap(dns: &dyn Dns, expected: &[RecordSet], aim: &RecordAim) -> Reply {
    dns.swap(&permit(), &at(), expected, aim).await
}

fn shares(list: &[(&str, u32)]) -> RecordAim {
    RecordAim::Shares(list.iter().map(|(region, share)| ((*region).to_owned(), *share)).collect())
}

fn acknowledged(reply: &Reply) -> &str {
    match reply {
        Reply::Acknowledged { note } => note,
        other => panic!("{other:?}"),
    }
}

fn refused(reply: &Reply) -> &str {
    match reply {
        Reply::Refused { why } => why,
        other => panic!("{other:?}"),
    }
}

/// The same script for both worlds; what it gives is compared.
async fn script(dns: &dyn Dns) -> Vec<(String, Vec<RecordSet>, Known<Shares>, Known<Vec<String>>)> {
    let mut story = Vec::new();
    let start = look(dns).await;
    let tenth = shares(&[("eu-west", 9_000), ("us-east", 1_000)]);
    let all = shares(&[("us-east", 10_000)]);
    let mut before = start.clone();
    for aim in [tenth.clone(), tenth, all, RecordAim::Ttl(10), RecordAim::Sets(start.sets.clone())] {
        let reply = swap(dns, &before.sets, &aim).await;
        let preview = dns.preview(&at(), &before.sets, &aim).unwrap();
        let now = look(dns).await;
        assert_eq!(now.sets, preview, "a preview is what is written");
        let said = match &reply {
            Reply::Acknowledged { note } if note.starts_with("already") => "already",
            Reply::Acknowledged { .. } => "done",
            other => panic!("{other:?}"),
        };
        story.push((said.to_owned(), now.sets.clone(), now.shares.clone(), now.answers.clone()));
        before = now;
    }
    let stale = swap(dns, &[], &shares(&[("us-east", 10_000)])).await;
    assert!(refused(&stale).starts_with("changed by somebody else"), "{stale:?}");
    let empty = swap(dns, &before.sets, &RecordAim::Sets(Vec::new())).await;
    assert!(refused(&empty).contains("would answer nothing"), "{empty:?}");
    story
}

#[tokio::test]
async fn the_real_and_the_simulated_port_tell_the_same_story() {
    let pdns = Pdns::start(true);
    let sim = Sim::new();
    sim.dns.add("www", spec(), &["pdns"], "eu-west");
    let (seen, simulated) = (script(&real(&pdns)).await, script(&*sim.dns).await);
    assert_eq!(seen, simulated);
}

#[tokio::test]
async fn mixed_shares_are_answered_in_proportion_and_the_plain_record_is_gone() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    let start = look(&dns).await;
    assert_eq!(start.answers, Known::Known(vec!["192.0.2.10".into()]));
    assert_eq!(start.sampled, Known::Known([("eu-west".to_owned(), 12)].into()));
    acknowledged(&swap(&dns, &start.sets, &shares(&[("eu-west", 8_000), ("us-east", 2_000)])).await);
    let mixed = look(&dns).await;
    assert_eq!(mixed.sets.iter().map(|set| set.kind.as_str()).collect::<Vec<_>>(), ["LUA"]);
    let sampled = mixed.sampled.get().unwrap();
    assert_eq!(sampled.values().sum::<u32>(), 400);
    let us = sampled["us-east"];
    // Expected 80, standard deviation 8: beyond six of them it is no chance.
    assert!((32..=128).contains(&us), "{us} of 400");
}

#[tokio::test]
async fn an_identical_write_sends_nothing_because_the_server_would_raise_the_serial() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    let start = look(&dns).await;
    let reply = swap(&dns, &start.sets, &shares(&[("eu-west", 10_000)])).await;
    assert!(acknowledged(&reply).contains("nothing was sent"), "{reply:?}");
    assert_eq!(look(&dns).await.serial, start.serial);
    // The trap itself, so that we notice when a version mends it.
    pdns.patch(json!([{"name": "www.example.com.", "type": "A", "ttl": 60, "changetype": "REPLACE",
        "records": [{"content": "192.0.2.10", "disabled": false}]}]))
        .await;
    assert_ne!(look(&dns).await.serial, start.serial);
}

#[tokio::test]
async fn a_zone_that_is_copied_with_its_database_is_told_apart_from_one_that_secondaries_follow() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    assert_eq!(look(&dns).await.transferred, Known::Known(false));
    pdns.kind("Master").await;
    assert_eq!(look(&dns).await.transferred, Known::Known(true));
}

#[tokio::test]
async fn invalid_lua_is_accepted_by_the_server_and_seen_by_us() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    pdns.patch(json!([
        {"name": "www.example.com.", "type": "A", "changetype": "DELETE"},
        {"name": "www.example.com.", "type": "LUA", "ttl": 60, "changetype": "REPLACE",
            "records": [{"content": "A \"nonsense({{\"", "disabled": false}]}]))
        .await;
    let facts = look(&dns).await;
    assert!(facts.shares.why().unwrap().starts_with("foreign content"), "{facts:?}");
    assert!(facts.answers.why().unwrap().contains("SERVFAIL"), "{facts:?}");
    let reply = swap(&dns, &facts.sets, &shares(&[("eu-west", 10_000)])).await;
    assert!(refused(&reply).starts_with("foreign content"), "{reply:?}");
}

#[tokio::test]
async fn a_lua_and_a_plain_record_of_one_name_both_answer_and_are_foreign() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    pdns.patch(json!([{"name": "www.example.com.", "type": "LUA", "ttl": 60, "changetype": "REPLACE",
        "records": [{"content": "A \"pickrandom({'198.51.100.10'})\"", "disabled": false}]}]))
        .await;
    let facts = look(&dns).await;
    assert_eq!(facts.answers, Known::Known(vec!["192.0.2.10".into(), "198.51.100.10".into()]));
    assert!(facts.shares.why().unwrap().contains("A and LUA"), "{facts:?}");
}

#[tokio::test]
async fn an_answer_outside_the_inventory_is_named() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    pdns.patch(json!([{"name": "www.example.com.", "type": "A", "ttl": 60, "changetype": "REPLACE",
        "records": [{"content": "203.0.113.99", "disabled": false}]}]))
        .await;
    let facts = look(&dns).await;
    assert_eq!(facts.sampled, Known::Known([("203.0.113.99".to_owned(), 12)].into()));
}

#[tokio::test]
async fn disabled_records_and_the_other_address_family_survive_a_shift_and_its_undo() {
    let pdns = Pdns::start(true);
    let dns = real(&pdns);
    let six = "AAAA \"pickrandom({'2001:db8::1'})\"";
    pdns.patch(json!([
        {"name": "www.example.com.", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": [
            {"content": "192.0.2.10", "disabled": false}, {"content": "192.0.2.77", "disabled": true}]},
        {"name": "www.example.com.", "type": "LUA", "ttl": 60, "changetype": "REPLACE",
            "records": [{"content": six, "disabled": false}]}]))
        .await;
    let six_spec = RecordSpec { kind: "AAAA".into(), targets: BTreeMap::new(), ..spec() };
    let both =
        port(&pdns.url(), pdns.dns, KEY, [("www".to_owned(), spec()), ("www6".to_owned(), six_spec)].into());
    let start = look(&dns).await;
    assert_eq!(start.sets[0].contents, ["192.0.2.10", "disabled: 192.0.2.77"]);
    assert!(start.shares.why().unwrap().contains("disabled"), "foreign: {start:?}");
    // Somebody removes the disabled one; ours goes on.
    pdns.patch(json!([{"name": "www.example.com.", "type": "A", "ttl": 60, "changetype": "REPLACE",
        "records": [{"content": "192.0.2.10", "disabled": false}]}]))
        .await;
    let plain = look(&dns).await;
    acknowledged(&swap(&dns, &plain.sets, &shares(&[("eu-west", 9_000), ("us-east", 1_000)])).await);
    let mixed = look(&dns).await;
    acknowledged(&swap(&dns, &mixed.sets, &RecordAim::Sets(start.sets.clone())).await);
    let back = look(&dns).await;
    assert_eq!(back.sets, start.sets, "the disabled record is written as disabled");
    let other = both.look(&RecordName { record: "www6".into(), server: "pdns".into() }).await;
    assert_eq!(other.get().unwrap().sets[0].contents, [six]);
    assert_eq!(other.get().unwrap().answers, Known::Known(vec!["2001:db8::1".into()]));
}

#[tokio::test]
async fn a_long_answer_is_asked_for_again_by_tcp() {
    let pdns = Pdns::start(true);
    let records: Vec<_> =
        (1..=60).map(|n| json!({"content": format!("203.0.113.{n}"), "disabled": false})).collect();
    pdns.patch(json!([{"name": "www.example.com.", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": records}]))
        .await;
    assert_eq!(look(&real(&pdns)).await.answers.get().unwrap().len(), 60);
}

#[tokio::test]
async fn a_name_that_is_gone_is_an_empty_answer_and_foreign_zones_are_unknown() {
    let pdns = Pdns::start(true);
    pdns.patch(json!([{"name": "www.example.com.", "type": "A", "changetype": "DELETE"}])).await;
    let facts = look(&real(&pdns)).await;
    assert_eq!((facts.answers, facts.sets), (Known::Known(Vec::new()), Vec::new()));
    assert!(facts.shares.why().unwrap().starts_with("there is no A record"));
    let elsewhere = RecordSpec { domain: "www.example.org.".into(), zone: "example.org.".into(), ..spec() };
    let dns = port(&pdns.url(), pdns.dns, KEY, [("www".to_owned(), elsewhere)].into());
    assert!(dns.look(&at()).await.why().unwrap().contains("zone (404)"));
}

#[tokio::test]
async fn what_the_api_refuses_is_refused_with_its_reason() {
    let pdns = Pdns::start(true);
    let start = look(&real(&pdns)).await.sets;
    let moved = shares(&[("us-east", 10_000)]);
    let wrong_key = port(&pdns.url(), pdns.dns, "wrong", [("www".to_owned(), spec())].into());
    assert!(wrong_key.look(&at()).await.why().unwrap().contains("key was not accepted (401"));
    assert!(refused(&swap(&wrong_key, &start, &moved).await).contains("401"));
    let undotted = RecordSpec { domain: "www.example.com".into(), ..spec() };
    let dns = port(&pdns.url(), pdns.dns, KEY, [("www".to_owned(), undotted)].into());
    let reply = swap(&dns, &start, &moved).await;
    assert!(refused(&reply).contains("not canonical"), "{reply:?}");
    let nobody = port(
        &format!("http://127.0.0.1:{}", free_port()),
        pdns.dns,
        KEY,
        [("www".to_owned(), spec())].into(),
    );
    assert!(nobody.look(&at()).await.why().unwrap().contains("no connection"));
    assert!(refused(&swap(&nobody, &start, &moved).await).contains("no connection"));
}

#[tokio::test]
async fn a_server_without_lua_is_not_given_a_record_that_would_answer_nothing() {
    let pdns = Pdns::start(false);
    let dns = real(&pdns);
    let start = look(&dns).await;
    let reply = swap(&dns, &start.sets, &shares(&[("eu-west", 9_000), ("us-east", 1_000)])).await;
    assert!(refused(&reply).contains("enable-lua-records=yes"), "{reply:?}");
    assert_eq!(look(&dns).await.sets, start.sets);
    acknowledged(&swap(&dns, &start.sets, &shares(&[("us-east", 10_000)])).await);
}

/// An API that holds the plain record and answers a write as the test says.
async fn fake_api(version: &'static str, write: fn() -> Web) -> Fake {
    Fake::start(move |request| {
        let line = request.lines().next().unwrap_or_default();
        if line.starts_with("PATCH") {
            return write();
        }
        let body = if line.contains("/zones/") {
            json!({"serial": 1, "kind": "Native", "rrsets": [{"name": "www.example.com.", "type": "A", "ttl": 60,
                "records": [{"content": "192.0.2.10", "disabled": false}]}]})
        } else if line.contains("/search-data") {
            json!([])
        } else if line.contains("/config") {
            json!([{"name": "enable-lua-records", "value": "yes"}, {"name": "enable-lua-record-updates", "value": "no"}])
        } else {
            json!({"version": version})
        };
        Web::Text(200, body.to_string())
    })
    .await
}

#[tokio::test]
async fn silence_and_failures_of_the_server_during_a_write_are_lost_not_refused() {
    for write in [|| Web::Never, || Web::Text(500, "{\"error\": \"database is locked\"}".into())] {
        let api = fake_api("4.7.3", write).await;
        let (url, records) =
            (format!("http://{}", api.address), BTreeMap::from([("www".to_owned(), spec())]));
        let sets = [RecordSet { kind: "A".into(), ttl: 60, contents: vec!["192.0.2.10".into()] }];
        let mut dns = patient(SHORT, &url, free_port(), KEY, records.clone());
        let mut reply = swap(&dns, &sets, &shares(&[("us-east", 10_000)])).await;
        // On a busy machine already the look before the write may have been cut short: then with more time.
        if reply == Reply::refused("no answer in time") {
            dns = patient(GENEROUS, &url, free_port(), KEY, records.clone());
            reply = swap(&dns, &sets, &shares(&[("us-east", 10_000)])).await;
        }
        assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
        let seen = port(&url, free_port(), KEY, records).look(&at()).await;
        assert!(seen.get().unwrap().answers.why().is_some(), "nobody answers DNS there: {seen:?}");
    }
}

#[tokio::test]
async fn version_5_1_needs_a_setting_for_lua_by_api() {
    let api = fake_api("5.1.0", || Web::Text(204, String::new())).await;
    let dns = port(&format!("http://{}", api.address), free_port(), KEY, [("www".to_owned(), spec())].into());
    let sets = [RecordSet { kind: "A".into(), ttl: 60, contents: vec!["192.0.2.10".into()] }];
    let reply = swap(&dns, &sets, &shares(&[("eu-west", 5_000), ("us-east", 5_000)])).await;
    assert!(refused(&reply).contains("enable-lua-record-updates=yes"), "{reply:?}");
    assert!(!api.requests().iter().any(|request| request.starts_with("PATCH")));
    // A write that the server takes and does not do is not acknowledged.
    let reply = swap(&dns, &sets, &shares(&[("us-east", 10_000)])).await;
    assert!(matches!(&reply, Reply::Lost { why } if why.contains("after the write")), "{reply:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let api =
        Fake::start(|_| Web::With(302, vec!["Location: http://127.0.0.1:1/".into()], String::new())).await;
    let dns = port(&format!("http://{}", api.address), free_port(), KEY, [("www".to_owned(), spec())].into());
    assert!(dns.look(&at()).await.why().unwrap().contains("redirect"));
}
