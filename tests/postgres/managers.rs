//! Patroni, repmgr and pg_auto_failover, by what each leaves on a server: found by the checks, by the look of every kind, and in the
//! statement of a promotion.

use crate::support::kinds::{both, catch_up, freeze, judge, kind, promote};
use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{self, acknowledged, bad, facts, handover, refused, said};
use crate::support::world::{permit, postgres, source, target, world};
use mrctl::step::Standing;
use mrctl::step::postgres::fence::Fence;
use mrctl::step::postgres::stop::Stop;
use mrctl::world::postgres::Postgres as _;
use serde_json::json;

/// A session of this name, as long as it is held.
async fn session(port: u16, name: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user("postgres").dbname("postgres").application_name(name);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn each_manager_is_found_by_what_it_leaves_and_so_is_nothing_where_there_is_none() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(facts(&port, &source()).await.managers, Vec::<String>::new());
    let mut sessions = Vec::new();
    for name in ["Patroni heartbeat", "repmgrd", "pg_auto_failover"] {
        sessions.push(session(pair.primary.port, name).await);
    }
    for (statement, _) in TRACES {
        pair.primary.sql(statement).await;
    }
    // Names are anybody's: an exporter's, an application's.
    let _exporter = session(pair.primary.port, "patroni_exporter").await;
    let app = pair.primary.client("app").await;
    app.batch_execute("SET application_name = 'Patroni'").await.unwrap();
    let seen = facts(&port, &source()).await.managers;
    assert_eq!(seen, ["Patroni heartbeat", "pg_auto_failover", "repmgrd"]);
    // What may be left of one that is gone is for the preflight: a look of a standby whose primary has died is not held up by it.
    let found = port.preflight(&source(), false, "mrctl.probe").await.get().cloned().unwrap();
    let manager = found.iter().find(|finding| finding.check == "manager").unwrap();
    for (_, trace) in TRACES {
        assert!(manager.seen.contains(trace), "{trace}: {}", manager.seen);
    }
    assert_eq!(bad(&port, &source()).await, ["manager"]);
    drop(sessions);
    until("they have left", || async { facts(&port, &source()).await.managers.is_empty().then_some(()) })
        .await;
    assert_eq!(bad(&port, &source()).await, ["manager"]);
    // What is in the database is replicated.
    pair.caught_up().await;
    assert_eq!(facts(&port, &target()).await.managers, Vec::<String>::new());
    assert_eq!(bad(&port, &target()).await, ["manager"]);
}

const TRACES: [(&str, &str); 4] = [
    ("CREATE SCHEMA repmgr", "schema repmgr"),
    ("CREATE DATABASE repmgr", "database repmgr"),
    ("CREATE ROLE pgautofailover_monitor LOGIN", "role pgautofailover_monitor"),
    (
        "SELECT pg_create_physical_replication_slot('pgautofailover_standby_2')",
        "slot pgautofailover_standby_2",
    ),
];

#[tokio::test]
async fn a_server_that_patroni_has_started_is_known_by_its_command_line_while_patroni_is_away() {
    let started = "cluster_name=orders wal_level=logical hot_standby=on max_connections=40 max_wal_senders=10 \
        max_prepared_transactions=5 max_locks_per_transaction=64 track_commit_timestamp=off max_replication_slots=10 max_worker_processes=8";
    let pair = Pair::with(Wishes { standby: started, ..Wishes::default() }).await;
    let port = postgres(&pair);
    assert_eq!(facts(&port, &target()).await.managers, ["Patroni's command line"]);
    assert_eq!(bad(&port, &target()).await, ["manager"]);
    assert_eq!(bad(&port, &source()).await, Vec::<String>::new());
    // Some of these are anybody's who starts a server by hand.
    let by_hand = "cluster_name=orders wal_level=logical hot_standby=on max_connections=40";
    let pair = Pair::with(Wishes { standby: by_hand, ..Wishes::default() }).await;
    let port = postgres(&pair);
    assert_eq!(facts(&port, &target()).await.managers, Vec::<String>::new());
}

#[tokio::test]
async fn a_manager_forbids_the_freeze_the_fence_the_handover_and_the_promotion() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    port::freeze(&port).await;
    pair.caught_up().await;
    let handover = handover(&port).await;
    // The server itself writes now and then, and this handover waits for nobody.
    pair.caught_up().await;
    let patroni = session(pair.standby.port, "Patroni").await;
    let world = world(postgres(&pair));
    let fence: Fence = kind(json!({ "pair": both(), "keep": [], "rungs": [], "fenced": null }));
    let lost: mrctl::step::postgres::catch_up::CatchUp =
        kind(json!({ "pair": both(), "keep": [], "unplanned": true }));
    // It comes right before the promotion: its look and its statement refuse.
    let judged = judge(&world, &promote(), "promote", Some(&handover)).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    assert!(judged.evidence.contains("another manager is in charge of orders in us-east (Patroni)"));
    let sent = port.promote(&permit("promote", 1), &target(), &handover).await;
    assert!(
        refused(&sent) && said(&sent).contains("another manager is in charge of it: Patroni"),
        "{sent:?}"
    );
    assert!(facts(&port, &target()).await.in_recovery());
    // In an unplanned run nothing is fenced, and nothing handed over.
    let missed = judge(&world, &fence, "missed", None).await.1;
    assert_eq!(missed.standing, Standing::Blocked);
    assert!(missed.evidence.contains("another manager"), "{}", missed.evidence);
    pair.primary.crash();
    let given = judge(&world, &lost, "look", None).await.1;
    assert_eq!(given.standing, Standing::Blocked);
    assert!(given.evidence.contains("another manager"), "{}", given.evidence);
    // It goes: the statement of the promotion passes.
    drop(patroni);
    until("it has left", || async { facts(&port, &target()).await.managers.is_empty().then_some(()) }).await;
    let sent = port.promote(&permit("promote", 2), &target(), &handover).await;
    assert!(acknowledged(&sent), "{sent:?}");
}

#[tokio::test]
async fn a_manager_of_the_source_forbids_the_freeze() {
    let pair = Pair::start().await;
    let _patroni = session(pair.primary.port, "Patroni restapi").await;
    let world = world(postgres(&pair));
    let judged = judge(&world, &freeze(), "read_only", None).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    assert!(judged.evidence.contains("Patroni restapi"), "{}", judged.evidence);
    let command = json!({ "argv": ["/bin/false"], "env": {}, "pass": [], "timeout_ms": 1000 });
    let stop: Stop = kind(json!({
        "pair": both(), "keep": [], "stop": command, "start": null, "control_data": command,
    }));
    let judged = judge(&world, &stop, "stop", None).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    assert!(judged.evidence.contains("Patroni restapi"), "{}", judged.evidence);
    // The catch-up is about positions alone.
    let judged = judge(&world, &catch_up(), "mark", None).await.1;
    assert!(!judged.evidence.contains("Patroni"), "{}", judged.evidence);
}
