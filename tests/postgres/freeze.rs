//! Stopping writes: whom a freeze binds, whom it does not, and what comes along with it.

use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{acknowledged, bad, facts, freeze, handover, refused, said, scope};
use crate::support::world::{RUN, permit, postgres, source, target};
use mrctl::world::Known;
use mrctl::world::postgres::{Altered, Commits, Postgres as _};

#[tokio::test]
async fn f1_a_freeze_by_setting_binds_only_those_who_let_it() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let before = pair.primary.client("app").await;
    before.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('before')").await.unwrap();
    freeze(&port).await;
    let fresh = pair.primary.client("app").await;
    assert!(fresh.batch_execute("INSERT INTO orders (note) VALUES ('refused')").await.is_err());
    fresh
        .batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('through'); COMMIT")
        .await
        .unwrap();
    // The look sees the transaction that is open across the freeze, and that it is older than the freeze.
    let seen = facts(&port, &source()).await.sessions;
    assert!(seen.is(|sessions| sessions.writing == 1 && sessions.older >= 1), "{seen:?}");
    before.batch_execute("COMMIT").await.unwrap();
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "2");
}

#[tokio::test]
async fn a_lone_open_writer_is_seen_although_the_snapshot_hides_it() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let app = pair.primary.client("app").await;
    app.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('open')").await.unwrap();
    let seen = facts(&port, &source()).await;
    // The trap: the only running transaction has the number that the snapshot calls next, so oldest equals next.
    let primary = seen.primary().unwrap();
    assert_eq!(primary.oldest_transaction, primary.next_transaction);
    assert!(seen.sessions.is(|sessions| sessions.writing == 1), "{:?}", seen.sessions);
}

#[tokio::test]
async fn ending_sessions_spares_the_kept_and_our_own_and_names_superusers() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let (app, kept) = (pair.primary.client("app").await, pair.primary.client("monitoring").await);
    let root = pair.primary.client("postgres").await;
    assert_eq!(port.lock(&source(), RUN).await, Known::Known(true));
    freeze(&port).await;
    let system = facts(&port, &source()).await.system;
    let reply = port.end_sessions(&permit("sessions", 1), &source(), &system, &scope()).await;
    assert!(acknowledged(&reply), "{reply:?}");
    assert_eq!(said(&reply), "1 ended, 1 of superusers cannot be ended by this role: postgres");
    until("only the superuser is left", || async {
        let seen = facts(&port, &source()).await.sessions;
        seen.is(|sessions| sessions.clients == [("postgres".to_string(), 1)] && sessions.older == 1)
            .then_some(())
    })
    .await;
    assert!(app.simple_query("SELECT 1").await.is_err());
    kept.simple_query("SELECT 1").await.unwrap();
    root.simple_query("SELECT 1").await.unwrap();
    assert_eq!(port.lock_held(&source()).await, Known::Known(true));
}

#[tokio::test]
async fn a_freeze_ends_the_sessions_from_before_in_the_same_call() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let (app, kept) = (pair.primary.client("app").await, pair.primary.client("monitoring").await);
    app.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('open')").await.unwrap();
    let system = facts(&port, &source()).await.system;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, Some(&scope())).await;
    assert!(acknowledged(&reply) && said(&reply).ends_with("reloaded, 1 ended"), "{reply:?}");
    // Nothing more is asked of the server: the call itself waited for them to go.
    let seen = facts(&port, &source()).await;
    assert!(seen.read_only.on && seen.sessions.is(|sessions| sessions.older == 0 && sessions.writing == 0));
    assert!(app.simple_query("SELECT 1").await.is_err());
    kept.simple_query("SELECT 1").await.unwrap();
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "0");
}

#[tokio::test]
async fn a_freeze_that_is_not_in_force_ends_nobody() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let app = pair.primary.client("app").await;
    // Hides the setting from every session of ours, as a freeze that was not loaded would be.
    pair.primary.sql("ALTER ROLE mrctl SET default_transaction_read_only = off").await;
    let system = facts(&port, &source()).await.system;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, Some(&scope())).await;
    assert!(acknowledged(&reply) && said(&reply).ends_with("reloaded"), "{reply:?}");
    app.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_writer_that_came_after_the_freeze_is_ended_too() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    freeze(&port).await;
    let hostile = pair.primary.client("app").await;
    hostile.batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('x')").await.unwrap();
    let system = facts(&port, &source()).await.system;
    port.end_sessions(&permit("sessions", 1), &source(), &system, &scope()).await;
    until("no writer", || async {
        facts(&port, &source()).await.sessions.is(|sessions| sessions.writing == 0).then_some(())
    })
    .await;
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "0");
}

#[tokio::test]
async fn f3_our_own_calls_work_on_a_frozen_server_and_what_stood_before_is_put_back() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf()").await;
    until("loaded", || async {
        (facts(&port, &source()).await.read_only.altered == Known::Known(Altered::To("off".into())))
            .then_some(())
    })
    .await;
    freeze(&port).await;
    let system = facts(&port, &source()).await.system;
    assert!(acknowledged(&port.mark(&permit("mark", 1), &source(), &system).await));
    assert_eq!(port.lock(&source(), RUN).await, Known::Known(true));
    let prior = Altered::To("off".into());
    assert!(acknowledged(&port.unfreeze(&permit("read_only", 2), &source(), &system, &prior).await));
    until("thawed", || async {
        let seen = facts(&port, &source()).await.read_only;
        (!seen.on && seen.altered == Known::Known(Altered::To("off".into()))).then_some(())
    })
    .await;
    assert!(acknowledged(&port.unfreeze(&permit("read_only", 3), &source(), &system, &Altered::Unset).await));
    until("reset", || async {
        (facts(&port, &source()).await.read_only.altered == Known::Known(Altered::Unset)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_guards_of_a_freeze_refuse_another_cluster_and_a_standby() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let other = port.freeze(&permit("read_only", 1), &source(), "1", None).await;
    assert!(refused(&other) && said(&other).contains("belongs to system"), "{other:?}");
    let system = facts(&port, &source()).await.system;
    let standby = port.freeze(&permit("read_only", 1), &target(), &system, None).await;
    assert!(refused(&standby) && said(&standby).contains("in recovery"), "{standby:?}");
    assert!(!facts(&port, &source()).await.read_only.on);
}

#[tokio::test]
async fn a_freeze_that_leaked_by_alter_database_is_found() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    pair.primary.sql("ALTER DATABASE postgres SET default_transaction_read_only = on").await;
    pair.primary
        .sql(
            "SET default_transaction_read_only = off; ALTER ROLE app SET default_transaction_read_only = 'false'",
        )
        .await;
    pair.caught_up().await;
    let seen = facts(&port, &target()).await;
    assert_eq!(
        seen.overrides,
        [
            "database postgres: default_transaction_read_only=on",
            "role app: default_transaction_read_only=off"
        ]
    );
    assert!(seen.read_only.on && seen.read_only.altered.get().is_none(), "{:?}", seen.read_only);
    assert!(bad(&port, &target()).await.contains(&"leaked_freeze".to_string()));
    assert!(bad(&port, &source()).await.contains(&"overrides".to_string()));
}

#[tokio::test]
async fn autovacuum_goes_on_under_a_freeze_and_uses_transaction_numbers() {
    let wishes = Wishes { primary: "autovacuum=on autovacuum_naptime=1s", ..Wishes::default() };
    let pair = Pair::with(wishes).await;
    let port = postgres(&pair);
    pair.primary.sql("INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 20000)").await;
    freeze(&port).await;
    let before = handover(&port).await;
    let seen = until("a transaction of autovacuum", || async {
        let facts = facts(&port, &source()).await.primary().cloned().unwrap();
        (facts.next_transaction > before.next_transaction).then_some(facts)
    })
    .await;
    // It may have begun before the freeze and be counted already: then nothing explains it, and it counts as a write.
    assert_eq!(seen.activity.rows, before.activity.rows);
    let hostile = pair.primary.client("app").await;
    hostile.batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('x'); COMMIT").await.unwrap();
    drop(hostile);
    until("the row is counted", || async {
        let facts = facts(&port, &source()).await.primary().cloned().unwrap();
        matches!(before.commits_since(&facts), Commits::Writes(_)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn autovacuum_in_another_database_is_told_apart_from_a_write_there() {
    let wishes = Wishes { primary: "autovacuum_naptime=1s", ..Wishes::default() };
    let pair = Pair::with(wishes).await;
    let port = postgres(&pair);
    pair.primary.sql("CREATE DATABASE other").await;
    let other = pair.primary.client_of("postgres", "other").await;
    other.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 20000) AS n").await.unwrap();
    drop(other);
    // Nothing to do for it in our own database: only the other one explains what follows.
    for setting in
        ["autovacuum_analyze_threshold", "autovacuum_vacuum_threshold", "autovacuum_vacuum_insert_threshold"]
    {
        pair.primary.sql(&format!("ALTER SYSTEM SET {setting} = 15000")).await;
    }
    freeze(&port).await;
    let alone = || async {
        let seen = facts(&port, &source()).await.primary().cloned().unwrap();
        seen.activity.complete.then_some(seen)
    };
    until("nobody else is there", alone).await;
    let before = handover(&port).await;
    pair.primary.sql("ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()").await;
    let seen = until("a transaction of autovacuum", || async {
        alone().await.filter(|seen| seen.next_transaction > before.next_transaction)
    })
    .await;
    assert_eq!(seen.activity.upkeep, before.activity.upkeep, "it ran elsewhere: {seen:?}");
    assert!(matches!(before.commits_since(&seen), Commits::Upkeep(_)), "{before:?} {seen:?}");
    // A client writes there: the same numbers move, and its session was counted.
    let hostile = pair.primary.client_of("postgres", "other").await;
    hostile.batch_execute("BEGIN READ WRITE; INSERT INTO t VALUES (0); COMMIT").await.unwrap();
    drop(hostile);
    let seen = until("it has left", || async {
        alone().await.filter(|seen| seen.activity.elsewhere_sessions > before.activity.elsewhere_sessions)
    })
    .await;
    assert!(matches!(before.commits_since(&seen), Commits::Writes(_)), "{before:?} {seen:?}");
}

#[tokio::test]
async fn a_change_of_tables_without_a_row_counts_as_a_write_and_a_number_that_wrote_nothing_does_not() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    freeze(&port).await;
    let alone = || async {
        let seen = facts(&port, &source()).await.primary().cloned().unwrap();
        seen.activity.complete.then_some(seen)
    };
    let before = handover(&port).await;
    // A transaction number is all that this takes.
    pair.primary.sql("SELECT pg_current_xact_id()").await;
    let seen = until("it has left", alone).await;
    assert_eq!(before.commits_since(&seen), Commits::Upkeep(1));
    let root = pair.primary.client("postgres").await;
    root.batch_execute("BEGIN READ WRITE; ALTER TABLE orders ADD COLUMN extra text; COMMIT").await.unwrap();
    let seen = facts(&port, &source()).await.primary().cloned().unwrap();
    assert!(!seen.activity.complete, "somebody is there who may not have reported");
    assert!(matches!(before.commits_since(&seen), Commits::Writes(_)));
    drop(root);
    let seen = until("it has left", alone).await;
    assert!(matches!(before.commits_since(&seen), Commits::Writes(_)), "{before:?} {seen:?}");
}

#[tokio::test]
async fn a_setting_that_is_refused_loads_nothing_that_others_have_not_finished() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let system = facts(&port, &source()).await.system;
    let app = pair.primary.client("app").await;
    // Somebody has written a change, and has reasons not to load it yet.
    pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on").await;
    pair.primary.sql("REVOKE ALTER SYSTEM ON PARAMETER default_transaction_read_only FROM mrctl").await;
    let loaded = pair.primary.sql("SELECT pg_conf_load_time()").await;
    let scope = scope();
    for ending in [None, Some(&scope)] {
        let reply = port.freeze(&permit("read_only", 1), &source(), &system, ending).await;
        assert!(refused(&reply) && !said(&reply).contains("reloaded"), "{reply:?}");
    }
    let reply = port.unfreeze(&permit("read_only", 2), &source(), &system, &Altered::Unset).await;
    assert!(refused(&reply) && !said(&reply).contains("reloaded"), "{reply:?}");
    // Nobody was frozen, and nobody was ended.
    app.batch_execute("INSERT INTO orders (note) VALUES ('goes on')").await.unwrap();
    assert_eq!(pair.primary.sql("SELECT pg_conf_load_time()").await, loaded);
}
