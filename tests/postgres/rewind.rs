//! The old primary after it wrote on its own: what brings it back, and what only seems to.

use crate::support::kinds::{catch_up, freeze, judge, promote, step};
use crate::support::pg::{Pair, Wishes, signal, until};
use crate::support::port::facts;
use crate::support::world::{postgres, source, target, world};
use mrctl::step::Remark;
use mrctl::world::Known;
use mrctl::world::postgres::{Finding, Postgres as _};
use rustix::process::Signal;

/// A switch, after which somebody ignores the freeze of the old primary.
async fn diverged(pair: &Pair) {
    let world = world(postgres(pair));
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
    assert_eq!(judged.remark, Some(Remark::Divergence), "{}", judged.evidence);
}

async fn finding(pair: &Pair, check: &str) -> Finding {
    let found = postgres(pair).preflight(&source(), false, "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    found.into_iter().find(|finding| finding.check == check).unwrap()
}

#[tokio::test]
async fn f10_a_diverged_primary_is_rewound_but_only_after_a_checkpoint_of_the_new_one() {
    let pair = Pair::start().await;
    assert_eq!(finding(&pair, "rewind").await.fine, Known::Known(true));
    let checkpointer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
    let checkpointer = pair.standby.sql(checkpointer).await;
    signal(&checkpointer, Signal::STOP);
    diverged(&pair).await;
    // The trap: until a checkpoint the new primary's control file names the old timeline. We name the one that it writes.
    assert_eq!(pair.standby.sql("SELECT timeline_id FROM pg_control_checkpoint()").await, "1");
    let port = postgres(&pair);
    assert_eq!(facts(&port, &target()).await.primary().unwrap().timeline, 2);
    pair.primary.stop_cleanly();
    let (fine, said) = pair.primary.rewind(&pair.standby);
    // Version 16 and later read the history instead.
    if facts(&port, &target()).await.version < 160_000 {
        assert!(fine && said.contains("no rewind required"), "{said}");
    }
    signal(&checkpointer, Signal::CONT);
    pair.standby.sql("CHECKPOINT").await;
    let (fine, said) = pair.primary.rewind(&pair.standby);
    assert!(fine && !said.contains("no rewind required"), "{said}");
    pair.primary.follow(&pair.standby);
    pair.primary.start_again("").await;
    until("it follows", || async {
        let sql = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND received_tli = 2";
        (pair.primary.sql(sql).await == "1").then_some(())
    })
    .await;
    assert_eq!(pair.primary.sql("SELECT count(*) FROM orders").await, "0", "what split off is gone");
    let seen = facts(&port, &source()).await;
    assert!(seen.in_recovery());
    // Our freeze is gone with the copied files; it would have come back with the old ones.
    assert!(!seen.read_only.on, "{:?}", seen.read_only);
}

#[tokio::test]
async fn f10_without_hints_and_checksums_it_is_refused_and_the_preflight_says_so() {
    let pair = Pair::with(Wishes { primary: "wal_log_hints=off", ..Wishes::default() }).await;
    let found = finding(&pair, "rewind").await;
    assert!(found.fine == Known::Known(false) && !found.fatal, "{found:?}");
    diverged(&pair).await;
    pair.standby.sql("CHECKPOINT").await;
    pair.primary.stop_cleanly();
    let (fine, said) = pair.primary.rewind(&pair.standby);
    assert!(!fine && said.contains("wal_log_hints"), "{said}");
}
