//! Those who write without being asked: logical replication, prepared transactions, roles that may not log in any more.

use crate::support::kinds::{catch_up, freeze, judge, preflight};
use crate::support::pg::{Pair, until};
use crate::support::port::{self, bad, facts};
use crate::support::world::{permit, postgres, source, world};
use mrctl::step::{Kind as _, Standing};
use mrctl::world::Reply;
use mrctl::world::postgres::Postgres as _;

#[tokio::test]
async fn f2_a_role_without_login_goes_on_writing_in_the_sessions_that_it_has() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let app = pair.primary.client("app").await;
    app.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    pair.primary.sql("ALTER ROLE app NOLOGIN").await;
    port::freeze(&postgres(&pair)).await;
    // The trap: no login, a frozen server, and it writes.
    app.batch_execute("INSERT INTO orders (note) VALUES ('still there')").await.unwrap();
    let (prior, judged) = judge(&world, &freeze(), "sessions", None).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    assert!(judged.evidence.contains("app: 1"), "{}", judged.evidence);
    freeze().apply("sessions", &permit("sessions", 1), &prior, None, "", &world).await;
    until("no session is left", || async {
        (judge(&world, &freeze(), "sessions", None).await.1.standing == Standing::Reached).then_some(())
    })
    .await;
    assert!(app.batch_execute("INSERT INTO orders (note) VALUES ('late')").await.is_err());
}

#[tokio::test]
async fn a_prepared_transaction_commits_through_the_freeze() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let app = pair.primary.client("app").await;
    app.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('two-phase'); PREPARE TRANSACTION 'tm-1'")
        .await
        .unwrap();
    assert_eq!(bad(&port, &source()).await, ["prepared"]);
    let world = world(postgres(&pair));
    let before = judge(&world, &freeze(), "read_only", None).await.1;
    assert_eq!(before.standing, Standing::Blocked, "{}", before.evidence);
    // Somebody else freezes all the same.
    port::freeze(&port).await;
    for (judged, what) in [
        (judge(&world, &freeze(), "sessions", None).await.1, "sessions"),
        (judge(&world, &catch_up(), "mark", None).await.1, "catch up"),
    ] {
        assert_eq!(judged.standing, Standing::Blocked, "{what}: {}", judged.evidence);
        assert!(judged.evidence.contains("tm-1"), "{what}: {}", judged.evidence);
    }
    // The trap.
    pair.primary.client("app").await.batch_execute("COMMIT PREPARED 'tm-1'").await.unwrap();
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "1");
}

/// `orders` of the pair's primary subscribes to that of another server.
async fn subscribed(pair: &Pair, publisher: &Pair) {
    publisher.primary.sql("CREATE PUBLICATION feed FOR TABLE orders").await;
    let subscription = format!(
        "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port={} user=postgres dbname=postgres' PUBLICATION feed",
        publisher.primary.port
    );
    pair.primary.sql(&subscription).await;
    publisher.primary.sql("INSERT INTO orders (note) VALUES ('first')").await;
    arrived(pair, "1").await;
}

async fn arrived(pair: &Pair, orders: &str) {
    until("it arrives", || async {
        (pair.primary.sql("SELECT count(*) FROM orders").await == orders).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_apply_worker_writes_through_the_freeze_and_blocks_it() {
    let (pair, publisher) = (Pair::start().await, Pair::start().await);
    subscribed(&pair, &publisher).await;
    let port = postgres(&pair);
    assert_eq!(bad(&port, &source()).await, ["subscriptions"]);
    let world = world(postgres(&pair));
    let judged = judge(&world, &preflight(), "look", None).await.1;
    assert!(judged.evidence.contains("subscriptions in eu-west: feed"), "{}", judged.evidence);
    // Nothing is frozen for a switch that cannot be finished.
    let before = judge(&world, &freeze(), "read_only", None).await.1;
    assert_eq!(before.standing, Standing::Blocked, "{}", before.evidence);
    port::freeze(&port).await;
    // The trap.
    publisher.primary.sql("INSERT INTO orders (note) VALUES ('through')").await;
    arrived(&pair, "2").await;
    for (judged, what) in [
        (judge(&world, &freeze(), "sessions", None).await.1, "sessions"),
        (judge(&world, &catch_up(), "mark", None).await.1, "catch up"),
    ] {
        assert_eq!(judged.standing, Standing::Blocked, "{what}: {}", judged.evidence);
        assert!(judged.evidence.contains("subscription"), "{what}: {}", judged.evidence);
    }
    // Disabled it blocks nothing. The freeze binds whoever disables it, too.
    let root = pair.primary.client("postgres").await;
    root.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    root.batch_execute("ALTER SUBSCRIPTION feed DISABLE").await.unwrap();
    drop(root);
    until("no worker", || async {
        let seen = facts(&port, &source()).await.sessions;
        seen.is(|sessions| sessions.workers == 0).then_some(())
    })
    .await;
    assert_eq!(bad(&port, &source()).await, Vec::<String>::new());
    let system = facts(&port, &source()).await.system;
    let reply = port.end_sessions(&permit("sessions", 1), &source(), &system, &Default::default()).await;
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_subscription_whose_publisher_is_away_will_write_when_it_is_back() {
    let (pair, publisher) = (Pair::start().await, Pair::start().await);
    subscribed(&pair, &publisher).await;
    publisher.primary.stop_cleanly();
    let port = postgres(&pair);
    until("no worker runs", || async {
        let running = "SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL";
        (pair.primary.sql(running).await == "0").then_some(())
    })
    .await;
    assert_eq!(bad(&port, &source()).await, ["subscriptions"]);
    let world = world(postgres(&pair));
    let judged = judge(&world, &freeze(), "read_only", None).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
}
