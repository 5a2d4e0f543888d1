//! What a preflight finds before the freeze, and not after it.

use crate::support::kinds::{judge, preflight};
use crate::support::pg::{Pair, Wishes, until};
use crate::support::port::bad;
use crate::support::world::{Reach, postgres, reach, source, target, world};
use mrctl::world::postgres::{Finding, Postgres};
use mrctl::world::{Known, Member};

#[tokio::test]
async fn a_sound_pair_has_no_fatal_finding() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(bad(&port, &source()).await, Vec::<String>::new());
    assert_eq!(bad(&port, &target()).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_would_hang_or_fail_after_the_promotion_is_found_before() {
    let pair = Pair::with(Wishes { standby: "synchronous_standby_names=eu_west", ..Wishes::default() }).await;
    let port = postgres(&pair);
    pair.primary.sql("DROP TABLE mrctl.probe; ALTER ROLE app SET default_transaction_read_only = on").await;
    pair.caught_up().await;
    let bad = bad(&port, &target()).await;
    assert_eq!(bad, ["probe_table", "synchronous_names"], "a role for reports is no leak");
    pair.primary.sql("CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL)").await;
    let found = port.preflight(&source(), false, "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    assert!(found.iter().any(|f| f.seen == "no SELECT, INSERT and UPDATE on it"), "{found:?}");
}

/// The finding of a check on a side.
async fn found(port: &dyn Postgres, at: &Member, check: &str) -> Finding {
    let found = port.preflight(at, *at == target(), "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    found.into_iter().find(|finding| finding.check == check).unwrap()
}

#[tokio::test]
async fn an_archive_that_fails_is_told_with_what_waits_for_it() {
    let pair = Pair::with(Wishes { primary: "archive_mode=on", ..Wishes::default() }).await;
    pair.primary.sql("ALTER SYSTEM SET archive_command = '/bin/false'; SELECT pg_reload_conf()").await;
    let port = postgres(&pair);
    assert_eq!(found(&port, &source(), "archive").await.seen, "0 segments waiting");
    for _ in 0..2 {
        pair.primary.sql("INSERT INTO orders (note) VALUES ('x'); SELECT pg_switch_wal()").await;
    }
    let failing = until("a failed attempt", || async {
        let finding = found(&port, &source(), "archive").await;
        (finding.fine == Known::Known(false)).then_some(finding)
    })
    .await;
    assert_eq!(failing.seen, "the last attempt failed, segments waiting: 2");
    assert!(!failing.fatal);
    let world = world(postgres(&pair));
    let judged = judge(&world, &preflight(), "look", None).await.1;
    assert!(judged.evidence.contains("archive in eu-west: the last attempt failed"), "{}", judged.evidence);
    // A role that may not see the backlog does not call it empty.
    let weak = reach(&pair, Reach { user: "weak", password: "", ..Reach::default() });
    pair.primary.sql("ALTER SYSTEM SET archive_command = '/bin/true'; SELECT pg_reload_conf()").await;
    let unseen = until("archived", || async {
        let finding = found(&weak, &source(), "archive").await;
        (finding.seen != "the last attempt failed, segments waiting: unknown").then_some(finding)
    })
    .await;
    assert!(unseen.fine.why().is_some(), "{unseen:?}");
    until("nothing waits", || async {
        (found(&port, &source(), "archive").await.fine == Known::Known(true)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_running_base_backup_forbids_the_run() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    for (at, server) in [(source(), &pair.primary), (target(), &pair.standby)] {
        let backup = server.slow_backup();
        until("it runs", || async { (bad(&port, &at).await == ["base_backup"]).then_some(()) }).await;
        drop(backup);
        until("it has ended", || async { bad(&port, &at).await.is_empty().then_some(()) }).await;
    }
}

#[tokio::test]
async fn open_transactions_are_told_with_their_age_and_whether_they_wrote() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(found(&port, &source(), "long_transactions").await.seen, "none open");
    let (reader, writer) = (pair.primary.client("monitoring").await, pair.primary.client("app").await);
    reader.batch_execute("BEGIN; SELECT count(*) FROM orders").await.unwrap();
    writer.batch_execute("BEGIN; INSERT INTO orders (note) VALUES ('open')").await.unwrap();
    let finding = found(&port, &source(), "long_transactions").await;
    let mut seen: Vec<&str> = finding.seen.split(", ").collect();
    seen.sort_unstable();
    assert!(
        matches!(seen.as_slice(), [app, "has written", reader]
            if app.starts_with("app: ") && reader.starts_with("monitoring: ")),
        "{finding:?}"
    );
    assert_eq!(finding.fine, Known::Known(true), "neither is old");
    let weak = reach(&pair, Reach { user: "weak", password: "", ..Reach::default() });
    assert!(found(&weak, &source(), "long_transactions").await.fine.why().is_some());
    writer.batch_execute("PREPARE TRANSACTION 'tm-1'").await.unwrap();
    let prepared = found(&port, &source(), "prepared").await;
    assert!(prepared.fatal && prepared.seen.starts_with("tm-1 of app since 20"), "{prepared:?}");
}
