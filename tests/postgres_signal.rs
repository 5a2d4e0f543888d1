//! Numbers for conditions, asked of real servers.

use crate::support::pg::{CANARY, PATIENCE, Pair, signal, until};
use crate::support::world::{RUN, Reach, permit, postgres, reach, source};
use mrctl::error::{Problems, Sources};
use mrctl::world::postgres::Postgres as _;
use mrctl::world::real::signal::Sql;
use mrctl::world::signal::SignalCall;
use mrctl::world::{Known, Reply};
use std::time::{Duration, Instant};

async fn ask_in(sql: &dyn Sql, region: &str, query: &str) -> Known<f64> {
    sql.number("orders", region, query, PATIENCE).await
}

/// Why there is no number.
async fn why(sql: &dyn Sql, query: &str) -> String {
    match ask_in(sql, "eu-west", query).await {
        Known::Unknown(why) => why,
        Known::Known(number) => panic!("{query}: {number}"),
    }
}

#[tokio::test]
async fn one_number_of_any_type_is_a_value_and_everything_else_is_unknown() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    for (query, number) in [
        ("SELECT 0.02", 0.02),
        ("SELECT -12345.6789::numeric", -12345.6789),
        ("SELECT 1e300::numeric", 1e300),
        ("SELECT count(*) FROM pg_database WHERE datname = 'postgres'", 1.0),
        ("SELECT 7::smallint", 7.0),
        ("SELECT 7::integer;", 7.0),
        ("SELECT 0.5::real", 0.5),
        ("SELECT 0.1::double precision", 0.1),
        ("SELECT extract(epoch FROM interval '90 seconds')", 90.0),
        ("SELECT pg_wal_lsn_diff('0/5000100', '0/5000000')", 256.0),
    ] {
        assert_eq!(ask_in(&port, "eu-west", query).await, Known::Known(number), "{query}");
    }
    for (query, word) in [
        ("SELECT NULL::bigint", "NULL"),
        ("SELECT 1 WHERE false", "no row"),
        ("SELECT generate_series(1, 3)", "several rows"),
        // Not even the second of many million rows is asked for twice.
        ("SELECT generate_series(1, 2000000000)", "several rows"),
        ("SELECT 1, 2", "2 columns"),
        ("SELECT", "no column"),
        ("SELECT 'many'", "a text, not a number"),
        ("SELECT true", "a bool, not a number"),
        ("SELECT now() - now()", "a interval, not a number"),
        ("SELECT 'NaN'::float8", "NaN"),
        ("SELECT 'Infinity'::numeric", "inf"),
        ("SELECT 1 / 0", "22012"),
        ("SELEKT 1", "42601"),
        ("SELECT $1::int", "parameters"),
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("DO $$ BEGIN PERFORM 1; END $$", "no column"),
        ("", "no column"),
        // The role may not read the application's table.
        ("SELECT count(*) FROM orders", "42501"),
    ] {
        let why = why(&port, query).await;
        assert!(why.contains(word), "{query}: {why}");
    }
}

#[tokio::test]
async fn a_query_that_writes_is_refused_and_writes_nothing() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    for query in [
        "INSERT INTO mrctl.probe VALUES ('signal', now()) RETURNING 1",
        "WITH w AS (INSERT INTO mrctl.probe VALUES ('signal', now()) RETURNING 1) SELECT count(*) FROM w",
        "DELETE FROM mrctl.probe",
        "CREATE TEMP TABLE t AS SELECT 1",
        // What would end the transaction, or open it for writing, cannot be followed by anything.
        "COMMIT; INSERT INTO mrctl.probe VALUES ('signal', now())",
        "SET TRANSACTION READ WRITE",
        "COMMIT",
    ] {
        let why = why(&port, query).await;
        let words = ["25006", "42501", "no column", "multiple commands"];
        assert!(words.iter().any(|word| why.contains(word)), "{query}: {why}");
    }
    assert_eq!(pair.primary.sql("SELECT count(*) FROM mrctl.probe").await, "0");
    // Nothing is left behind in a session either: each question has its own.
    let lock = "SELECT count(*) FROM (SELECT pg_advisory_lock(42)) l";
    assert_eq!(ask_in(&port, "eu-west", lock).await, Known::Known(1.0));
    until("no session of it", || async {
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mrctl//signal'";
        (pair.primary.sql(left).await == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_query_is_unknown_in_time_and_is_cancelled_at_the_server() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let limit = Duration::from_millis(700);
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let gone =
        || until("it is cancelled", || async { (pair.primary.sql(asleep).await == "0").then_some(()) });
    let begun = Instant::now();
    let slow = "SELECT 1 FROM pg_sleep(60)";
    let seen = port.number("orders", "eu-west", slow, limit).await;
    assert!(seen.why().is_some_and(|why| why.contains("did not end within")), "{seen:?}");
    assert!(begun.elapsed() < PATIENCE);
    gone().await;
    // Also when nobody waits for the answer any more.
    {
        let call = port.number("orders", "eu-west", slow, Duration::from_secs(60));
        let sleeps = until("it sleeps", || async { (pair.primary.sql(asleep).await == "1").then_some(()) });
        tokio::select! { seen = call => panic!("{seen:?}"), () = sleeps => {} }
    }
    gone().await;
    // A server that hangs as a whole.
    let postmaster = std::fs::read_to_string(pair.primary.data.join("postmaster.pid")).unwrap();
    let postmaster = postmaster.lines().next().unwrap().to_string();
    signal(&postmaster, rustix::process::Signal::STOP);
    let begun = Instant::now();
    let seen = port.number("orders", "eu-west", "SELECT 1", limit).await;
    assert!(seen.why().is_some(), "{seen:?}");
    assert!(begun.elapsed() < PATIENCE);
    signal(&postmaster, rustix::process::Signal::CONT);
}

#[tokio::test]
async fn the_member_of_the_asked_region_answers_also_a_frozen_one_and_a_standby() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let role = "SELECT pg_is_in_recovery()::int";
    assert_eq!(ask_in(&port, "eu-west", role).await, Known::Known(0.0));
    assert_eq!(ask_in(&port, "us-east", role).await, Known::Known(1.0));
    for region in ["", "orders", "ap-south"] {
        let seen = ask_in(&port, region, role).await;
        assert!(seen.why().is_some_and(|why| why.contains("eu-west, us-east")), "{region}: {seen:?}");
    }
    let seen = port.number("payments", "eu-west", role, Duration::from_secs(1)).await;
    assert!(seen.why().is_some_and(|why| why.contains("no cluster payments")), "{seen:?}");
    let system = pair.primary.sql("SELECT system_identifier FROM pg_control_system()").await;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, None).await;
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
    assert_eq!(ask_in(&port, "eu-west", role).await, Known::Known(0.0));
    // It is one of our own sessions: a freeze neither counts nor ends it.
    let scope = mrctl::world::postgres::Scope { keep: vec![], run: RUN.into() };
    let call = port.number("orders", "eu-west", "SELECT 1 FROM pg_sleep(60)", Duration::from_secs(60));
    let look = until("a look beside it", || async {
        let facts = port.look(&source(), &scope).await;
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        let facts = facts.get().cloned().unwrap();
        (pair.primary.sql(busy).await == "1" && facts.sessions.is(|s| s.older == 0 && s.clients.is_empty()))
            .then_some(())
    });
    tokio::select! { seen = call => panic!("{seen:?}"), () = look => {} }
}

#[tokio::test]
async fn passwords_are_in_no_reason() {
    let pair = Pair::start().await;
    let wrong = reach(&pair, Reach { password: "canary-wr0ng", ..Reach::default() });
    let seen = why(&wrong, "SELECT 1").await;
    assert!(seen.contains("password authentication failed") && !seen.contains("canary"), "{seen}");
    let port = postgres(&pair);
    pair.primary.stop_cleanly();
    let seen = why(&port, "SELECT 1").await;
    assert!(seen.contains("refused") && !seen.contains(CANARY), "{seen}");
}

#[tokio::test]
async fn a_signal_of_the_inventory_is_wired_to_its_cluster() {
    let pair = Pair::start().await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, CANARY).unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let inventory = format!(
        "mrctl: 1
name: test
regions: {{ eu-west: {{ title: Ireland }}, us-east: {{ title: Virginia }} }}
postgres:
  orders:
    database: postgres
    user: mrctl
    password: {{ file: password }}
    tls: {{ verify: none, insecure: true }}
    members:
      eu-west: {{ host: 127.0.0.1, port: {} }}
      us-east: {{ host: 127.0.0.1, port: {} }}
signals:
  in_recovery: {{ sql: {{ cluster: orders, query: 'SELECT pg_is_in_recovery()::int' }} }}
",
        pair.primary.port, pair.standby.port
    );
    let path = folder.path().join("mrctl.yaml");
    std::fs::write(&path, inventory).unwrap();
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    let loaded = mrctl::runbook::discovery::load(&path, &mut sources, &mut problems).unwrap();
    let world = mrctl::cli::wire::world(
        &loaded,
        &Default::default(),
        mrctl::error::Severity::Error,
        None,
        &mut problems,
    )
    .await;
    assert_eq!(problems.errors(), 0, "{problems:?}");
    let signals = world.unwrap().signals;
    for (region, number) in [("eu-west", 0.0), ("us-east", 1.0)] {
        let call = SignalCall { name: "in_recovery".into(), of: region.into() };
        assert_eq!(signals.sample(&call).await, Known::Known(number), "{region}");
    }
}
