//! Writing one row as an application would, and calls that hang.

use crate::support::pg::{PATIENCE, Pair, Wishes, until};
use crate::support::port::{acknowledged, facts, freeze, refused, said};
use crate::support::world::{RUN, permit, postgres, source, target};
use mrctl::world::postgres::Postgres as _;
use mrctl::world::{Known, Reply};

#[tokio::test]
async fn a_commit_that_hangs_on_an_absent_synchronous_standby_is_told_apart() {
    let pair = Pair::with(Wishes { primary: "synchronous_standby_names=ghost", ..Wishes::default() }).await;
    let port = postgres(&pair);
    let begun = std::time::Instant::now();
    let reply = port.write_probe(&permit("write", 1), &source(), "mrctl.probe").await;
    assert!(
        matches!(reply, Reply::Lost { .. }) && said(&reply).contains("synchronous standby (ghost)"),
        "{reply:?}"
    );
    assert!(begun.elapsed() < PATIENCE);
    // The cancelled commit is committed here all the same: the row alone proves nothing.
    until("the row", || async {
        (port.read_probe(&source(), "mrctl.probe", RUN).await == Known::Known(true)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_probe_row_is_written_and_read_back() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(port.read_probe(&source(), "mrctl.probe", RUN).await, Known::Known(false));
    let reply = port.write_probe(&permit("write", 1), &source(), "mrctl.probe").await;
    assert!(acknowledged(&reply), "{reply:?}");
    assert_eq!(port.read_probe(&source(), "mrctl.probe", RUN).await, Known::Known(true));
    freeze(&port).await;
    let frozen = port.write_probe(&permit("write", 2), &source(), "mrctl.probe").await;
    assert!(refused(&frozen) && said(&frozen).contains("25006"), "{frozen:?}");
    let standby = port.write_probe(&permit("write", 2), &target(), "mrctl.probe").await;
    assert!(refused(&standby), "{standby:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_at_the_server() {
    let pair = Pair::with(Wishes { primary: "synchronous_standby_names=ghost", ..Wishes::default() }).await;
    let port = postgres(&pair);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let permit = permit("write", 1);
    {
        let (at, table) = (source(), "mrctl.probe");
        let call = port.write_probe(&permit, &at, table);
        let hangs = until("it hangs", || async { (pair.primary.sql(waiting).await == "1").then_some(()) });
        tokio::select! { reply = call => panic!("{reply:?}"), () = hangs => {} }
    }
    until("it is cancelled", || async { (pair.primary.sql(waiting).await == "0").then_some(()) }).await;
}

#[tokio::test]
async fn a_change_is_seen_under_its_name_while_it_is_at_work() {
    let pair = Pair::with(Wishes { primary: "synchronous_standby_names=ghost", ..Wishes::default() }).await;
    let port = postgres(&pair);
    let (permit, at) = (permit("write", 7), source());
    let call = port.write_probe(&permit, &at, "mrctl.probe");
    let seen = until("its session", || async {
        facts(&port, &source()).await.ours.get().filter(|ours| !ours.is_empty()).cloned()
    });
    tokio::select! {
        reply = call => panic!("{reply:?}"),
        seen = seen => assert_eq!(seen, [permit.session()]),
    }
}
