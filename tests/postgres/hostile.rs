//! Sessions that mean to write through a freeze: each is bound, ended, named as one that cannot be, or holds the promotion back by what
//! it has written.

use crate::support::kinds::{both, catch_up, freeze, judge, kind, preflight, promote, step};
use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{bad, facts, refused, said};
use crate::support::world::{permit, postgres, source, target, world};
use mrctl::step::postgres::freeze::Freeze;
use mrctl::step::{Kind as _, Standing};
use mrctl::world::postgres::Postgres as _;
use serde_json::json;

/// A new session that lifts the freeze for itself as it connects.
async fn lifted(pair: &Pair, role: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(pair.primary.port).user(role).dbname("postgres");
    config.options("-c default_transaction_read_only=off");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Leaves nobody alone.
fn freeze_of_all() -> Freeze {
    let mut pair = both();
    pair["others"] = json!([target()]);
    kind(json!({ "pair": pair, "keep": [] }))
}

#[tokio::test]
async fn a_new_session_that_lifts_the_freeze_holds_the_promotion_back_and_is_named() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let mut handover = None;
    step(&world, &freeze(), &mut handover).await.unwrap();
    let hostile = lifted(&pair, "app").await;
    // Idle it cannot be told from a plain one.
    step(&world, &catch_up(), &mut handover).await.unwrap();
    let given = handover.unwrap();
    let (prior, judged) = judge(&world, &promote(), "promote", Some(&given)).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    hostile.batch_execute("INSERT INTO orders (note) VALUES ('through')").await.unwrap();
    let judged = judge(&world, &promote(), "promote", Some(&given)).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    for word in
        ["took 1 transactions after the handover, in spite of the freeze", "app: 1", "stop the source"]
    {
        assert!(judged.evidence.contains(word), "{word}: {}", judged.evidence);
    }
    // Whoever looked before it wrote is refused right before the promotion is sent.
    let reply = promote().apply("promote", &permit("promote", 1), &prior, Some(&given), "", &world).await;
    assert!(refused(&reply) && said(&reply).contains("in spite of the freeze"), "{reply:?}");
    let port = postgres(&pair);
    assert!(facts(&port, &target()).await.in_recovery());
    // In the midst of a write it is seen, and ended.
    hostile.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('open')").await.unwrap();
    let (prior, judged) = judge(&world, &freeze(), "sessions", None).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    freeze().apply("sessions", &permit("sessions", 1), &prior, None, "", &world).await;
    until("it is ended", || async { hostile.simple_query("SELECT 1").await.is_err().then_some(()) }).await;
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "1");
}

#[tokio::test]
async fn roles_and_databases_that_lift_the_freeze_forbid_it_before_and_behind_it() {
    let pair = Pair::start().await;
    let (port, world) = (postgres(&pair), world(postgres(&pair)));
    pair.primary.sql("CREATE DATABASE other").await;
    for (set, reset, named) in [
        (
            "ALTER ROLE app SET default_transaction_read_only = off",
            "ALTER ROLE app RESET default_transaction_read_only",
            "role app: default_transaction_read_only=off",
        ),
        (
            "ALTER DATABASE other SET default_transaction_read_only = 'no'",
            "ALTER DATABASE other RESET default_transaction_read_only",
            "database other: default_transaction_read_only=off",
        ),
    ] {
        pair.primary.sql(set).await;
        assert_eq!(bad(&port, &source()).await, ["overrides"]);
        let before = judge(&world, &freeze(), "read_only", None).await.1;
        assert_eq!(before.standing, Standing::Blocked, "{}", before.evidence);
        assert!(before.evidence.contains(named), "{}", before.evidence);
        pair.primary.sql(reset).await;
    }
    // Set when it was frozen already: whoever comes in with it is not bound.
    let mut handover = None;
    step(&world, &freeze(), &mut handover).await.unwrap();
    let root = lifted(&pair, "postgres").await;
    root.batch_execute("ALTER ROLE app SET default_transaction_read_only = off").await.unwrap();
    let behind = judge(&world, &freeze(), "sessions", None).await.1;
    assert_eq!(behind.standing, Standing::Blocked, "{}", behind.evidence);
    assert!(behind.evidence.contains("role app: default_transaction_read_only=off"), "{}", behind.evidence);
    pair.primary.client("app").await.batch_execute("INSERT INTO orders (note) VALUES ('x')").await.unwrap();
    // Our own database: the setting hides what others get, and that is not taken for a freeze.
    root.batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = off").await.unwrap();
    let hidden = judge(&postgres_again(&pair), &freeze(), "read_only", None).await.1;
    assert_eq!(hidden.standing, Standing::Unknown, "{}", hidden.evidence);
}

/// On connections that are made now.
fn postgres_again(pair: &Pair) -> mrctl::world::World {
    world(postgres(pair))
}

#[tokio::test]
async fn a_session_of_a_superuser_is_named_before_the_freeze_and_keeps_it_from_being_proved() {
    let pair = Pair::start().await;
    let (port, world) = (postgres(&pair), world(postgres(&pair)));
    let root = pair.primary.client("postgres").await;
    let found = port.preflight(&source(), false, "mrctl.probe").await;
    let found = found.get().unwrap().iter().find(|one| one.check == "superusers").unwrap().clone();
    assert!(!found.fatal && found.seen == "postgres: 1", "{found:?}");
    let checked = judge(&world, &preflight(), "look", None).await.1;
    assert!(checked.evidence.contains("superusers in eu-west: postgres: 1"), "{}", checked.evidence);
    let before = judge(&world, &freeze_of_all(), "read_only", None).await.1;
    assert!(
        before.evidence.contains("1 of superusers, which only a superuser can end"),
        "{}",
        before.evidence
    );
    root.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    crate::support::port::freeze(&port).await;
    let prior = judge(&world, &freeze_of_all(), "sessions", None).await.0;
    let scope = mrctl::world::postgres::Scope::default();
    let system = facts(&port, &source()).await.system;
    port.end_sessions(&permit("sessions", 1), &source(), &system, &scope).await;
    assert!(prior.source.get().is_some());
    // It stays, it writes, and the freeze is not proved.
    root.batch_execute("INSERT INTO orders (note) VALUES ('through')").await.unwrap();
    let behind = judge(&world, &freeze_of_all(), "sessions", None).await.1;
    assert_eq!(behind.standing, Standing::NotReached, "{}", behind.evidence);
    assert!(
        behind.evidence.contains("1 of superusers, which only a superuser can end"),
        "{}",
        behind.evidence
    );
    // A superuser that is kept is not waited for, and what it writes holds the promotion back.
    let mut handover = None;
    step(&world, &freeze(), &mut handover).await.unwrap();
    step(&world, &catch_up(), &mut handover).await.unwrap();
    root.batch_execute("INSERT INTO orders (note) VALUES ('again')").await.unwrap();
    let judged = judge(&world, &promote(), "promote", handover.as_ref()).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    assert!(judged.evidence.contains("in spite of the freeze"), "{}", judged.evidence);
}

#[tokio::test]
async fn the_servers_own_processes_are_no_workers_of_extensions() {
    let wishes = Wishes { primary: "autovacuum=on archive_mode=on", ..Wishes::default() };
    let pair = Pair::with(wishes).await;
    let port = postgres(&pair);
    for at in [source(), target()] {
        let found = port.preflight(&at, at == target(), "mrctl.probe").await;
        let worker = found.get().unwrap().iter().find(|one| one.check == "extension_workers");
        assert!(worker.is_none_or(|one| !one.fatal && one.seen == "none"), "{at}: {worker:?}");
        assert_eq!(worker.is_some(), at == source());
    }
}
