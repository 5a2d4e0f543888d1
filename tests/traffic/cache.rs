//! Warming one Redis from another.

use super::servers::Redis;
use super::{GENEROUS, addresses, permit};
use mrctl::world::cache::{Cache, Pace};
use mrctl::world::real::cache::{RealCache, Redis as Member_, Settings};
use mrctl::world::{Known, Member, Reply};
use std::time::Duration;

fn port(source: u16, target: u16, password: Option<&str>) -> RealCache {
    let members = [("eu-west", source), ("us-east", target)]
        .map(|(region, port)| (region.to_owned(), ("127.0.0.1".to_owned(), port)))
        .into();
    let cache = Member_ {
        members,
        user: None,
        password: password.map(|p| p.to_owned().into()),
        database: 0,
        tls: None,
        timeout: GENEROUS,
    };
    RealCache::new(Settings { caches: [("sessions".to_owned(), cache)].into(), addresses: addresses() })
}

fn source() -> Member {
    Member::new("sessions", "eu-west")
}

fn target() -> Member {
    Member::new("sessions", "us-east")
}

fn pace(rate: u64) -> Pace {
    Pace { rate, ramp_ms: 0, skip: vec!["lock:".into()] }
}

async fn fill(redis: &Redis, count: usize, bytes: usize) {
    let mut connection = redis.connection().await;
    let mut pipe = redis::pipe();
    for n in 0..count {
        pipe.cmd("SET").arg(format!("session:{n}")).arg("x".repeat(bytes)).ignore();
    }
    pipe.exec_async(&mut connection).await.unwrap();
}

/// All slices to the end.
async fn copy(port: &RealCache, pace: &Pace) -> (Reply, usize) {
    let mut cursor = String::new();
    let mut slices = 0;
    loop {
        match port.copy(&permit(), &source(), &target(), pace, &cursor).await {
            Reply::More { cursor: next, .. } => cursor = next,
            reply => return (reply, slices),
        }
        slices += 1;
    }
}

#[tokio::test]
async fn keys_arrive_with_their_time_to_live_and_existing_ones_stay() {
    let (eu, us) = (Redis::start(&[]), Redis::start(&[]));
    fill(&eu, 300, 10).await;
    let mut from = eu.connection().await;
    let mut to = us.connection().await;
    redis::pipe()
        .cmd("PEXPIRE")
        .arg("session:1")
        .arg(500_000)
        .cmd("SET")
        .arg("lock:a")
        .arg("held")
        .cmd("SADD")
        .arg("a-set")
        .arg(&["x", "y"])
        .exec_async(&mut from)
        .await
        .unwrap();
    redis::cmd("SET").arg("session:2").arg("theirs").exec_async(&mut to).await.unwrap();
    let port = port(eu.port, us.port, None);
    let (reply, _) = copy(&port, &pace(100_000)).await;
    let Reply::Acknowledged { note } = &reply else { panic!("{reply:?}") };
    assert!(note.contains("300 copied, 1 there already, 1 left out"), "{note}");
    let (ttl, forever, locked, kept, set): (i64, i64, i64, String, i64) = redis::pipe()
        .cmd("PTTL")
        .arg("session:1")
        .cmd("PTTL")
        .arg("session:3")
        .cmd("EXISTS")
        .arg("lock:a")
        .cmd("GET")
        .arg("session:2")
        .cmd("SCARD")
        .arg("a-set")
        .query_async(&mut to)
        .await
        .unwrap();
    assert!((400_000..=500_000).contains(&ttl), "{ttl}");
    assert_eq!((forever, locked, kept.as_str(), set), (-1, 0, "theirs", 2));
    let (again, _) = copy(&port, &pace(100_000)).await;
    assert!(matches!(&again, Reply::Acknowledged { note } if note.contains("0 copied")), "{again:?}");
    let facts = port.look(&target()).await;
    assert!(
        facts.is(|facts| facts.role == "master" && facts.keys == 301 && facts.limit_bytes == 0),
        "{facts:?}"
    );
}

#[tokio::test]
async fn a_slice_lasts_about_a_second_and_the_rate_is_kept() {
    let (eu, us) = (Redis::start(&[]), Redis::start(&[]));
    fill(&eu, 1_000, 10).await;
    let port = port(eu.port, us.port, None);
    let begun = std::time::Instant::now();
    let first = port.copy(&permit(), &source(), &target(), &pace(200), "").await;
    let took = begun.elapsed();
    assert!(matches!(first, Reply::More { .. }), "{first:?}");
    assert!(took > Duration::from_millis(800), "{took:?}");
    // Without a ramp the first batch still begins at a tenth, the rest goes at 200 a second. That it lasts no longer than about a second
    // is told by the keys, not by the clock: a busy machine copies fewer in that time, never more.
    let keys = port.look(&target()).await.get().unwrap().keys;
    assert!((20..=400).contains(&keys), "{keys} keys in {took:?}");
}

#[tokio::test]
async fn a_target_that_evicts_or_is_full_is_left() {
    let eu = Redis::start(&[]);
    let us = Redis::start(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"]);
    fill(&eu, 800, 10_000).await;
    let (reply, slices) = copy(&port(eu.port, us.port, None), &pace(500)).await;
    let Reply::Refused { why } = &reply else { panic!("{reply:?}") };
    assert!(why.contains("evicts") || why.contains("nearly full"), "{why}");
    assert!(slices > 0);
}

#[tokio::test]
async fn a_replica_the_same_server_and_a_restart_are_refused() {
    let (eu, mut us) = (Redis::start(&[]), Redis::start(&[]));
    fill(&eu, 2_000, 10).await;
    let here = port(eu.port, eu.port, None);
    let reply = here.copy(&permit(), &source(), &target(), &pace(10), "").await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("same server")), "{reply:?}");
    let both = port(eu.port, us.port, None);
    let Reply::More { cursor, .. } = both.copy(&permit(), &source(), &target(), &pace(50), "").await else {
        panic!()
    };
    us.restart();
    let reply = both.copy(&permit(), &source(), &target(), &pace(50), &cursor).await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("target restarted")), "{reply:?}");
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &eu.port.to_string()]);
    let reply = port(eu.port, replica.port, None).copy(&permit(), &source(), &target(), &pace(50), "").await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("replica")), "{reply:?}");
}

#[tokio::test]
async fn silence_and_a_wrong_password_are_unknown_and_show_no_secret() {
    let locked = Redis::start(&["--requirepass", "hunter22"]);
    let seen = port(locked.port, locked.port, Some("wrong-secret")).look(&source()).await;
    let why = seen.why().unwrap();
    assert!(!why.contains("wrong-secret"), "{why}");
    let seen = port(locked.port, locked.port, None).look(&source()).await;
    assert!(seen.why().unwrap().contains("NOAUTH"), "{seen:?}");
    let seen = port(locked.port, locked.port, Some("hunter22")).look(&source()).await;
    assert!(matches!(seen, Known::Known(_)), "{seen:?}");
    let gone = super::servers::free_port();
    let both = port(gone, locked.port, Some("hunter22"));
    assert!(both.look(&source()).await.why().unwrap().contains("no connection"));
    let reply = both.copy(&permit(), &source(), &target(), &pace(50), "").await;
    assert!(matches!(reply, Reply::Refused { .. }), "{reply:?}");
}
