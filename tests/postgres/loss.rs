//! The experiment: the order that seems right loses what was told as committed, in the same situation in which ours does not.

use crate::support::kinds::{catch_up, freeze, judge, promote, step};
use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{self, handover};
use crate::support::world::{postgres, world};
use mrctl::step::{Remark, Standing};
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// Notes of the orders that a server has.
async fn orders(client: &Client) -> BTreeSet<String> {
    let rows = client.query("SELECT note FROM orders", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A transaction that is open across the switch, in a session that was there before.
async fn in_flight(pair: &Pair) -> Client {
    let app = pair.primary.client("app").await;
    app.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('in flight')").await.unwrap();
    app
}

/// A commit that was told of and is not on disk. Needs a lazy writer of the log.
async fn told(pair: &Pair) -> Client {
    let app = pair.primary.client("app").await;
    app.batch_execute("SET synchronous_commit = off").await.unwrap();
    until("a commit that is not on disk", || async {
        app.batch_execute("INSERT INTO orders (note) VALUES ('told')").await.unwrap();
        let unflushed = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() > 60";
        (pair.primary.sql(unflushed).await == "t").then_some(())
    })
    .await;
    app
}

const LAZY: Wishes<'static> = Wishes { primary: "wal_writer_delay=10s", standby: "", tls: None };

#[tokio::test]
async fn f13_read_only_and_caught_up_is_not_enough_for_a_transaction_in_flight() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let app = in_flight(&pair).await;
    // The setting, and nothing about sessions.
    port::freeze(&postgres(&pair)).await;
    pair.caught_up().await;
    // Here the naive order promotes. Ours does not go on, whatever is asked.
    let sessions = judge(&world, &freeze(), "sessions", None).await.1;
    assert_eq!(sessions.standing, Standing::NotReached, "{}", sessions.evidence);
    let caught_up = judge(&world, &catch_up(), "mark", None).await.1;
    assert_eq!(caught_up.standing, Standing::NotReached, "{}", caught_up.evidence);
    assert!(caught_up.evidence.contains("1 writing"), "{}", caught_up.evidence);
    let naive = handover(&postgres(&pair)).await;
    pair.standby.sql("SELECT pg_promote(true, 30)").await;
    app.batch_execute("COMMIT").await.unwrap();
    assert!(orders(&pair.primary.client("postgres").await).await.contains("in flight"));
    assert!(!orders(&pair.standby.client("postgres").await).await.contains("in flight"), "the trap: lost");
    // And we say so: without a handover it is not our promotion, with the naive one it is divergence.
    let without = judge(&world, &promote(), "promote", None).await.1;
    assert_eq!(without.standing, Standing::Blocked, "{}", without.evidence);
    let with = judge(&world, &promote(), "promote", Some(&naive)).await.1;
    assert_eq!(with.remark, Some(Remark::Divergence), "{}", with.evidence);
}

#[tokio::test]
async fn f13_a_flushed_position_is_not_enough_for_a_commit_that_was_only_told_of() {
    let pair = Pair::with(LAZY).await;
    let world = world(postgres(&pair));
    let _app = told(&pair).await;
    let told = orders(&pair.primary.client("postgres").await).await.len();
    let before = pair.primary.sql("SELECT count(*) FROM orders").await;
    // The naive order reads the flushed position and waits for it.
    pair.caught_up().await;
    let port = postgres(&pair);
    let seen = crate::support::port::facts(&port, &crate::support::world::source()).await;
    assert!(!seen.primary().unwrap().all_flushed(), "we see that something is missing: {seen:?}");
    pair.standby.sql("SELECT pg_promote(true, 30)").await;
    let after = pair.standby.sql("SELECT count(*) FROM orders").await;
    assert!(told == 1 && after != before, "the trap: {after} of {before} that were told as committed");
    drop(world);
}

#[tokio::test]
async fn f13_our_order_loses_neither() {
    let pair = Pair::with(LAZY).await;
    let world = world(postgres(&pair));
    let open = in_flight(&pair).await;
    let _app = told(&pair).await;
    let told = pair.primary.sql("SELECT count(*) FROM orders").await;
    let mut handover = None;
    step(&world, &freeze(), &mut handover).await.unwrap();
    step(&world, &catch_up(), &mut handover).await.unwrap();
    step(&world, &promote(), &mut handover).await.unwrap();
    // Whoever was in flight was told that it failed.
    assert!(open.batch_execute("COMMIT").await.is_err());
    assert_eq!(pair.standby.sql("SELECT count(*) FROM orders").await, told);
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, told);
    // F9: sequences jump, since a server logs them ahead; they never go back.
    let next =
        |server| async move { crate::support::pg::Server::sql(server, NEXT).await.parse::<i64>().unwrap() };
    assert!(next(&pair.standby).await > next(&pair.primary).await);
}

const NEXT: &str = "SELECT last_value FROM orders_id_seq";
