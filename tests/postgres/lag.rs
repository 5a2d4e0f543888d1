//! Lag: the popular ways to measure it, what each of them says when it is wrong, and what the check says then.

use crate::support::kinds::{catch_up, check_lag, check_lag_time, freeze, judge, step};
use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::{bad, facts};
use crate::support::world::{postgres, target, world};
use mrctl::step::{Judgement, Standing};
use mrctl::world::World;

async fn lag(world: &World, max_bytes: u64) -> Judgement {
    judge(world, &check_lag(max_bytes), "look", None).await.1
}

/// Seconds since the last transaction that was replayed: the popular lag in time.
const NAIVE_SECONDS: &str =
    "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::numeric(9, 1)";

#[tokio::test]
async fn f5_time_passes_on_an_idle_primary_and_is_no_lag() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    pair.primary.sql("INSERT INTO orders (note) VALUES ('the last one')").await;
    pair.caught_up().await;
    // The trap: nothing is missing, and the number grows.
    until("seconds of idleness", || async {
        let seconds: f64 = pair.standby.sql(NAIVE_SECONDS).await.parse().unwrap();
        (seconds > 2.0).then_some(())
    })
    .await;
    // An idle server also writes now and then, and both sides are read at once: a look may catch it on the way.
    let judged = until("no bytes behind", || async {
        let judged = lag(&world, 0).await;
        (judged.standing == Standing::Reached).then_some(judged)
    })
    .await;
    assert!(judged.evidence.starts_with("0 bytes behind"), "{}", judged.evidence);
    let judged = until("no time behind", || async {
        let judged = judge(&world, &check_lag_time(1000), "look", None).await.1;
        (judged.standing == Standing::Reached).then_some(judged)
    })
    .await;
    assert!(judged.evidence.ends_with("0s behind (at most 1s)"), "{}", judged.evidence);
}

#[tokio::test]
async fn a_target_that_is_behind_is_behind_since_its_last_commit() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    pair.primary.sql("INSERT INTO orders (note) VALUES ('replayed')").await;
    pair.caught_up().await;
    pair.standby.pause_replay().await;
    pair.primary.sql("INSERT INTO orders (note) VALUES ('pending')").await;
    let late = until("a second behind", || async {
        let judged = judge(&world, &check_lag_time(1000), "look", None).await.1;
        (judged.standing == Standing::NotReached).then_some(judged)
    })
    .await;
    assert!(late.evidence.contains("behind (at most 1s)"), "{}", late.evidence);
    assert_eq!(lag(&world, u64::MAX).await.standing, Standing::Reached, "no time was asked for");
}

#[tokio::test]
async fn a_paused_replay_is_behind_although_the_server_reports_no_time() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    pair.standby.pause_replay().await;
    pair.primary.sql("INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 5000)").await;
    let received = pair.primary.sql("SELECT pg_current_wal_flush_lsn()").await;
    until("it is received", || async {
        let sql = format!("SELECT pg_last_wal_receive_lsn() >= '{received}'::pg_lsn");
        (pair.standby.sql(&sql).await == "t").then_some(())
    })
    .await;
    // The trap: what the primary calls lag in time is small or nothing, with everything pending.
    let reported =
        "SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::numeric(9, 1) FROM pg_stat_replication";
    assert!(pair.primary.sql(reported).await.parse::<f64>().unwrap() < 5.0);
    let judged = lag(&world, 65_536).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    pair.standby.sql("SELECT pg_wal_replay_resume()").await;
    until("close enough", || async { (lag(&world, 0).await.standing == Standing::Reached).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_restarted_standby_that_seems_to_have_received_less_than_it_replayed_is_unknown() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    pair.primary.sql("INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 100)").await;
    pair.caught_up().await;
    pair.standby.stop_cleanly();
    // Nobody answers there: the receiver asks from the start of the segment and gets nothing.
    pair.standby.start_again("primary_conninfo=port=1").await;
    let behind = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint";
    until("the trap", || async {
        // Lag as received minus replayed is negative; as flushed minus received it is large, with everything replayed.
        pair.standby.sql(behind).await.parse::<i64>().ok().filter(|bytes| *bytes < 0)
    })
    .await;
    let port = postgres(&pair);
    let seen = facts(&port, &target()).await;
    let standby = seen.standby().unwrap();
    assert!(standby.received.get() >= standby.replayed.get(), "{standby:?}");
    assert!(standby.replayed.get().is_some(), "{standby:?}");
    let judged = lag(&world, u64::MAX).await;
    assert_eq!(judged.standing, Standing::Unknown, "{}", judged.evidence);
    pair.standby.stop_cleanly();
    pair.standby.start_again("").await;
    until("close enough", || async { (lag(&world, 0).await.standing == Standing::Reached).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_cut_standby_says_that_nothing_is_missing_and_we_say_unknown() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    pair.cut_receiver().await;
    pair.primary.sql("INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 1000)").await;
    // The popular repair of the idle primary: "what is received is replayed, so the lag is 0". A part of a page may be left.
    let naive = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) < 8192";
    until("the trap", || async { (pair.standby.sql(naive).await == "t").then_some(()) }).await;
    let judged = lag(&world, u64::MAX).await;
    assert_eq!(judged.standing, Standing::Unknown, "{}", judged.evidence);
    step(&world, &freeze(), &mut None).await.unwrap();
    let judged = judge(&world, &catch_up(), "mark", None).await.1;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    assert!(judged.handover.is_none());
}

#[tokio::test]
async fn a_delayed_standby_is_found_before_and_never_passes() {
    let pair = Pair::with(Wishes { standby: "recovery_min_apply_delay=1h", ..Wishes::default() }).await;
    let port = postgres(&pair);
    assert_eq!(bad(&port, &target()).await, ["delay"]);
    assert_eq!(facts(&port, &target()).await.standby().unwrap().apply_delay_ms, 3_600_000);
    let world = world(port);
    pair.primary.sql("INSERT INTO orders (note) VALUES ('an hour late')").await;
    step(&world, &freeze(), &mut None).await.unwrap();
    let judged = judge(&world, &catch_up(), "mark", None).await.1;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
}
