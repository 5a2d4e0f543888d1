//! Positions: what is flushed, what is received, and what neither says.

use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{acknowledged, facts, freeze};
use crate::support::world::{permit, postgres, source, target};
use mrctl::world::Known;
use mrctl::world::postgres::Postgres as _;

#[tokio::test]
async fn f4_a_cut_receiver_makes_lag_unknown_and_never_zero() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    pair.cut_receiver().await;
    pair.primary.sql("INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 1000)").await;
    let standby = facts(&port, &target()).await;
    let seen = standby.standby().unwrap();
    let (Known::Known(received), Known::Known(replayed)) = (&seen.received, &seen.replayed) else {
        panic!("{seen:?}")
    };
    let flushed = facts(&port, &source()).await.primary().unwrap().flushed;
    // The trap: the standby itself sees (nearly) nothing missing, and lacks a thousand rows.
    assert!(
        received.bytes_since(*replayed) < 8192 && flushed.bytes_since(*replayed) > 100_000,
        "{seen:?} {flushed}"
    );
    assert!(seen.receiver.get().is_none());
    assert!(facts(&port, &source()).await.primary().unwrap().senders.is(Vec::is_empty));
}

#[tokio::test]
async fn f6_a_header_at_a_segment_boundary_is_not_waited_for() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    freeze(&port).await;
    pair.primary.sql("SELECT pg_switch_wal()").await;
    pair.caught_up().await;
    let seen = facts(&port, &source()).await;
    assert!(seen.primary().unwrap().all_flushed(), "{:?}", seen.primary());
}

#[tokio::test]
async fn a_mark_flushes_commits_that_were_only_told_of() {
    let pair = Pair::with(Wishes { primary: "wal_writer_delay=10s", ..Wishes::default() }).await;
    let port = postgres(&pair);
    let app = pair.primary.client("app").await;
    app.batch_execute("SET synchronous_commit = off").await.unwrap();
    let unflushed = until("a commit that is not on disk", || async {
        app.batch_execute("INSERT INTO orders (note) VALUES ('told')").await.unwrap();
        let seen = facts(&port, &source()).await.primary().cloned().unwrap();
        (!seen.all_flushed()).then_some(seen.inserted)
    })
    .await;
    let system = facts(&port, &source()).await.system;
    let reply = port.mark(&permit("mark", 1), &source(), &system).await;
    assert!(acknowledged(&reply), "{reply:?}");
    assert!(facts(&port, &source()).await.primary().unwrap().flushed >= unflushed);
}
