//! The kinds that move a writer, against real servers, while applications write.

use crate::support::kinds::{catch_up, freeze, judge, preflight, promote, step, verify};
use crate::support::pg::{PATIENCE, Pair, Wishes, until};
use crate::support::world::{RUN, permit, postgres, source, target, world};
use mrctl::step::{Aim, Kind, Sight, Standing};
use mrctl::world::Reply;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

/// Commits until its server refuses, and notes what it was told is committed.
fn writer(
    pair: &Pair,
    name: &'static str,
    settings: &'static str,
    told: &Rc<RefCell<BTreeSet<String>>>,
) -> Writer {
    let (port, told) = (pair.primary.port, Rc::clone(told));
    tokio::task::spawn_local(async move {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("app").dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(settings).await.unwrap();
        for number in 0.. {
            let note = format!("{name}-{number}");
            // Half of them stay open for a while: such transactions are the ones that a naive switch loses.
            let nap = if number % 20 == 0 { "SELECT pg_sleep(0.2);" } else { "" };
            let write = format!("BEGIN; INSERT INTO orders (note) VALUES ('{note}'); {nap} COMMIT");
            if client.batch_execute(&write).await.is_err() {
                return;
            }
            told.borrow_mut().insert(note);
        }
    })
}

type Writer = tokio::task::JoinHandle<()>;

#[tokio::test]
async fn a_planned_switch_under_load_loses_nothing() {
    tokio::task::LocalSet::new()
        .run_until(async {
            let pair = Pair::start().await;
            let world = world(postgres(&pair));
            let told = Rc::new(RefCell::new(BTreeSet::new()));
            let writers = [
                writer(&pair, "plain", "SELECT 1", &told),
                writer(&pair, "told", "SET synchronous_commit = off", &told),
                writer(&pair, "more", "SELECT 1", &told),
            ];
            until("writes", || async { (told.borrow().len() > 200).then_some(()) }).await;
            let mut handover = None;
            step(&world, &preflight(), &mut handover).await.unwrap();
            let begun = Instant::now();
            step(&world, &freeze(), &mut handover).await.unwrap();
            let frozen = begun.elapsed();
            step(&world, &catch_up(), &mut handover).await.unwrap();
            let caught_up = begun.elapsed();
            step(&world, &promote(), &mut handover).await.unwrap();
            let gap = begun.elapsed();
            step(&world, &verify(target()), &mut handover).await.unwrap();
            for writer in writers {
                writer.await.unwrap();
            }
            let there = pair.standby.client("postgres").await;
            let rows = there.query("SELECT note FROM orders", &[]).await.unwrap();
            let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
            let lost: Vec<_> = told.borrow().difference(&there).cloned().collect();
            assert!(lost.is_empty(), "lost {} of {}: {lost:?}", lost.len(), told.borrow().len());
            let told = told.borrow().len();
            assert!(
                gap < 2 * PATIENCE,
                "{told} writes; frozen {frozen:?}, caught up {caught_up:?}, promoted {gap:?}"
            );
        })
        .await;
}

#[tokio::test]
async fn an_open_transaction_of_a_kept_role_keeps_the_catch_up_from_passing() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let kept = pair.primary.client("monitoring").await;
    kept.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('kept')").await.unwrap();
    let (prior, _) = judge(&world, &freeze(), "read_only", None).await;
    freeze().apply("read_only", &permit("read_only", 1), &prior, None, "", &world).await;
    until("frozen", || async {
        (judge(&world, &freeze(), "read_only", None).await.1.standing == Standing::Reached).then_some(())
    })
    .await;
    pair.caught_up().await;
    let judged = judge(&world, &catch_up(), "mark", None).await.1;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    kept.batch_execute("ROLLBACK").await.unwrap();
    until("caught up", || async {
        (judge(&world, &catch_up(), "mark", None).await.1.standing == Standing::Reached).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_frozen_is_thawed_exactly_as_it_was() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let before = std::fs::read_to_string(pair.primary.data.join("postgresql.auto.conf")).unwrap();
    let (prior, _) = judge(&world, &freeze(), "read_only", None).await;
    step(&world, &freeze(), &mut None).await.unwrap();
    assert_ne!(std::fs::read_to_string(pair.primary.data.join("postgresql.auto.conf")).unwrap(), before);
    let reply = freeze().undo("read_only", &permit("read_only", 2), &prior, &world).await;
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
    let starts = Default::default();
    until("thawed", || async {
        let facts = freeze().observe("read_only", Sight { world: &world, run: RUN, starts: &starts }).await;
        let judged = freeze().judge("read_only", &facts, Aim::Restored(&prior), None);
        (judged.standing == Standing::Reached && judged.remark.is_none()).then_some(())
    })
    .await;
    assert_eq!(std::fs::read_to_string(pair.primary.data.join("postgresql.auto.conf")).unwrap(), before);
    pair.primary
        .client("app")
        .await
        .batch_execute("INSERT INTO orders (note) VALUES ('again')")
        .await
        .unwrap();
}

#[tokio::test]
async fn it_stays_frozen_when_the_target_was_promoted_by_somebody_else() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let (prior, _) = judge(&world, &freeze(), "read_only", None).await;
    step(&world, &freeze(), &mut None).await.unwrap();
    pair.standby.sql("SELECT pg_promote(true, 30)").await;
    let reply = freeze().undo("read_only", &permit("read_only", 2), &prior, &world).await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("two primaries")), "{reply:?}");
    assert_eq!(pair.primary.sql("SHOW default_transaction_read_only").await, "on");
}

#[tokio::test]
async fn a_promoted_server_whose_commits_would_hang_is_not_writable() {
    let pair = Pair::with(Wishes { primary: "synchronous_standby_names=ghost", ..Wishes::default() }).await;
    let world = world(postgres(&pair));
    let trouble = step(&world, &verify(source()), &mut None).await.unwrap_err();
    assert_eq!(trouble.standing, Standing::Blocked);
    assert!(trouble.evidence.contains("(ghost)"), "{}", trouble.evidence);
}

#[tokio::test]
async fn commits_on_the_old_primary_after_the_promotion_are_divergence() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let mut handover = None;
    step(&world, &freeze(), &mut handover).await.unwrap();
    step(&world, &catch_up(), &mut handover).await.unwrap();
    step(&world, &promote(), &mut handover).await.unwrap();
    let hostile = pair.primary.client("app").await;
    hostile
        .batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('split'); COMMIT")
        .await
        .unwrap();
    let judged = judge(&world, &promote(), "promote", handover.as_ref()).await.1;
    assert_eq!(judged.remark, Some(mrctl::step::Remark::Divergence), "{}", judged.evidence);
}
