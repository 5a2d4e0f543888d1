//! What is true of real servers, and that the real port sees it so.

use crate::support::pg::{CANARY, Pair, Wishes, signal, until};
use crate::support::world::{RUN, Reach, permit, postgres, reach, source, target};
use mrctl::world::postgres::{Altered, Commits, Handover, HandoverBy, Postgres, Scope, ServerFacts};
use mrctl::world::{Known, Member, Reply};

fn scope() -> Scope {
    Scope { keep: vec!["monitoring".into()], run: RUN.into() }
}

async fn facts(port: &dyn Postgres, at: &Member) -> ServerFacts {
    match port.look(at, &scope()).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{at}: {why}"),
    }
}

fn said(reply: &Reply) -> &str {
    match reply {
        Reply::Acknowledged { note } => note,
        Reply::More { progress, .. } => progress,
        Reply::Refused { why } | Reply::Lost { why } => why,
    }
}

fn acknowledged(reply: &Reply) -> bool {
    matches!(reply, Reply::Acknowledged { .. })
}

fn refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused { .. })
}

#[tokio::test]
async fn a_look_tells_a_primary_from_a_standby() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let primary = facts(&port, &source()).await;
    let standby = facts(&port, &target()).await;
    assert_eq!(primary.system, standby.system);
    assert!(!primary.in_recovery() && standby.in_recovery());
    let seen = primary.primary().unwrap();
    assert_eq!(seen.timeline, 1);
    assert!(seen.senders.is(|senders| senders.len() == 1 && senders[0].name == "us_east"), "{seen:?}");
    assert_eq!(primary.read_only.altered, Known::Known(Altered::Unset));
    let follows = standby.standby().unwrap();
    assert!(
        follows.receiver.is(|receiver| receiver.status == "streaming" && receiver.timeline == 1),
        "{follows:?}"
    );
    assert_eq!((follows.replay.as_str(), follows.apply_delay_ms), ("not paused", 0));
}

/// Freezes and waits until a fresh connection sees it.
async fn freeze(port: &dyn Postgres) {
    let system = facts(port, &source()).await.system;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system).await;
    assert!(acknowledged(&reply), "{reply:?}");
    until("frozen", || async { facts(port, &source()).await.read_only.on.then_some(()) }).await;
}

/// What a catch-up would hand over now, without its checks.
async fn handover(port: &dyn Postgres) -> Handover {
    let (from, to) = (facts(port, &source()).await, facts(port, &target()).await);
    let primary = from.primary().unwrap();
    Handover {
        system: from.system.clone(),
        timeline: primary.timeline,
        position: primary.flushed,
        next_transaction: primary.next_transaction,
        activity: primary.activity,
        source_started: from.started.clone(),
        target_started: to.started,
        by: HandoverBy::Soft,
    }
}

async fn promoted(port: &dyn Postgres) -> ServerFacts {
    until("promoted", || async {
        let facts = port.look(&target(), &scope()).await;
        facts.get().filter(|facts| !facts.in_recovery()).cloned()
    })
    .await
}

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
    let other = port.freeze(&permit("read_only", 1), &source(), "1").await;
    assert!(refused(&other) && said(&other).contains("belongs to system"), "{other:?}");
    let system = facts(&port, &source()).await.system;
    let standby = port.freeze(&permit("read_only", 1), &target(), &system).await;
    assert!(refused(&standby) && said(&standby).contains("in recovery"), "{standby:?}");
    assert!(!facts(&port, &source()).await.read_only.on);
}

#[tokio::test]
async fn without_rights_facts_are_unknown_and_changes_are_refused() {
    let pair = Pair::start().await;
    let weak = reach(&pair, Reach { user: "weak", password: "", ..Reach::default() });
    let seen = facts(&weak, &source()).await;
    assert!(seen.sessions.get().is_none() && seen.primary().unwrap().senders.get().is_none(), "{seen:?}");
    assert!(facts(&weak, &target()).await.standby().unwrap().receiver.get().is_none());
    let reply = weak.freeze(&permit("read_only", 1), &source(), &seen.system).await;
    assert!(refused(&reply) && said(&reply).contains("42501"), "{reply:?}");
    let reply = weak.promote(&permit("promote", 1), &target(), &handover(&postgres(&pair)).await).await;
    assert!(refused(&reply), "{reply:?}");
    let findings = weak.preflight(&target(), true, "mrctl.probe").await;
    let Known::Known(findings) = findings else { panic!("{findings:?}") };
    for name in ["monitor", "signal", "reload", "alter_system", "promote"] {
        let finding = findings.iter().find(|finding| finding.check == name).unwrap();
        assert!(finding.fatal && finding.fine == Known::Known(false), "{finding:?}");
    }
}

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

#[tokio::test]
async fn f11_the_promotion_is_refused_until_everything_is_as_the_handover_says() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    freeze(&port).await;
    let good = handover(&port).await;
    pair.caught_up().await;
    let attempt = |handover: Handover| {
        let port = &port;
        async move { port.promote(&permit("promote", 1), &target(), &handover).await }
    };
    let table = [
        ("another cluster", Handover { system: "1".into(), ..good.clone() }),
        ("restarted", Handover { target_started: "1".into(), ..good.clone() }),
        ("another timeline", Handover { timeline: 7, ..good.clone() }),
        ("replayed only", Handover { position: "FF/0".parse().unwrap(), ..good.clone() }),
        (
            "replayed only",
            Handover { position: "FF/0".parse().unwrap(), by: HandoverBy::Shutdown, ..good.clone() },
        ),
    ];
    for (why, handover) in table {
        let reply = attempt(handover).await;
        assert!(refused(&reply) && said(&reply).contains(why), "{why}: {reply:?}");
    }
    pair.standby.sql("SELECT pg_wal_replay_pause()").await;
    let paused = attempt(good.clone()).await;
    assert!(refused(&paused) && said(&paused).contains("paused"), "{paused:?}");
    pair.standby.sql("SELECT pg_wal_replay_resume()").await;
    assert!(facts(&port, &target()).await.in_recovery(), "nothing of this promoted it");

    assert!(acknowledged(&attempt(good.clone()).await));
    let seen = promoted(&port).await;
    assert_eq!(seen.primary().unwrap().timeline, 2);
    assert!(!seen.read_only.on);
    // F8: once more is refused by the guard, not an error to guess about.
    let again = attempt(good).await;
    assert!(refused(&again) && said(&again).contains("not in recovery"), "{again:?}");
    // F9: both would take commits now; the freeze is what holds the old one.
    assert!(!facts(&port, &source()).await.in_recovery());
}

#[tokio::test]
async fn f14_a_promotion_that_was_acknowledged_can_still_vanish() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let good = handover(&port).await;
    pair.caught_up().await;
    let startup = pair.standby.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'").await;
    signal(&startup, rustix::process::Signal::STOP);
    let reply = port.promote(&permit("promote", 1), &target(), &good).await;
    assert!(acknowledged(&reply), "{reply:?}");
    assert!(facts(&port, &target()).await.in_recovery());
    pair.standby.crash_stopped(&startup);
    pair.standby.start_again("").await;
    let seen = facts(&port, &target()).await;
    assert!(seen.in_recovery(), "a reply is no proof");
    assert_ne!(seen.started, good.target_started, "the restart kills the handover");
    assert!(!pair.standby.data.join("promote").exists());
    let late = port.promote(&permit("promote", 2), &target(), &good).await;
    assert!(refused(&late) && said(&late).contains("restarted"), "{late:?}");
}

#[tokio::test]
async fn a_promotion_whose_answer_is_lost_happens_nevertheless() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let good = handover(&port).await;
    pair.caught_up().await;
    let startup = pair.standby.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'").await;
    signal(&startup, rustix::process::Signal::STOP);
    // The classic: a client that waits is cancelled, is told of an error, and the server is promoted all the same.
    let client = pair.standby.client("postgres").await;
    let error = client
        .batch_execute("SET statement_timeout = '50ms'")
        .await
        .and(client.batch_execute("SELECT pg_promote(true, 60)").await);
    assert!(error.is_err());
    assert!(facts(&port, &target()).await.in_recovery());
    signal(&startup, rustix::process::Signal::CONT);
    assert_eq!(promoted(&port).await.primary().unwrap().timeline, good.timeline + 1);
}

#[tokio::test]
async fn a_recovery_target_is_found_and_refused() {
    let pair = Pair::with(Wishes { standby: "recovery_target_name=never", ..Wishes::default() }).await;
    let port = postgres(&pair);
    assert_eq!(
        facts(&port, &target()).await.standby().unwrap().recovery_targets,
        ["recovery_target_name = never"]
    );
    let good = handover(&port).await;
    pair.caught_up().await;
    let reply = port.promote(&permit("promote", 1), &target(), &good).await;
    assert!(refused(&reply) && said(&reply).contains("recovery target"), "{reply:?}");
    assert!(bad(&port, &target()).await.contains(&"recovery_target".to_string()));
    assert!(!pair.standby.ended());
}

/// Names of the fatal findings.
async fn bad(port: &dyn Postgres, at: &Member) -> Vec<String> {
    let found = port.preflight(at, *at == target(), "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    found.into_iter().filter(|f| f.fatal && f.fine != Known::Known(true)).map(|f| f.check).collect()
}

#[tokio::test]
async fn a_sound_pair_has_no_fatal_finding() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(bad(&port, &source()).await, Vec::<String>::new());
    assert_eq!(bad(&port, &target()).await, Vec::<String>::new());
}

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
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
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
async fn a_freeze_that_leaked_by_alter_database_is_found() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    pair.primary.sql("ALTER DATABASE postgres SET default_transaction_read_only = on").await;
    pair.primary
        .sql(
            "SET default_transaction_read_only = off; ALTER ROLE app SET default_transaction_read_only = off",
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
async fn a_lock_is_held_once_and_is_seen_to_be_lost() {
    let pair = Pair::start().await;
    let (port, other) = (postgres(&pair), postgres(&pair));
    for member in [source(), target()] {
        assert_eq!(port.lock(&member, RUN).await, Known::Known(true));
        assert_eq!(port.lock(&member, RUN).await, Known::Known(true), "our own lock is ours");
        assert_eq!(other.lock(&member, RUN).await, Known::Known(false));
        assert_eq!(port.lock_held(&member).await, Known::Known(true));
    }
    pair.primary
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/lock'")
        .await;
    until("the loss", || async { (port.lock_held(&source()).await == Known::Known(false)).then_some(()) })
        .await;
    assert_eq!(port.lock(&source(), RUN).await, Known::Known(true), "it can be taken again");
}

#[tokio::test]
async fn a_silent_server_is_unknown_within_the_deadline() {
    let pair = Pair::start().await;
    let port = reach(&pair, Reach { timeout: std::time::Duration::from_millis(700), ..Reach::default() });
    facts(&port, &source()).await;
    let postmaster = std::fs::read_to_string(pair.primary.data.join("postmaster.pid")).unwrap();
    let postmaster = postmaster.lines().next().unwrap().to_string();
    let backends = pair
        .primary
        .sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/look'")
        .await;
    let backends = || backends.split(' ');
    assert!(backends().count() > 1, "the one that looked, and spares");
    backends().for_each(|backend| signal(backend, rustix::process::Signal::STOP));
    // The kept connections are silent: a new one is tried, which answers.
    facts(&port, &source()).await;
    signal(&postmaster, rustix::process::Signal::STOP);
    port.freeze(&permit("read_only", 1), &source(), "x").await;
    let begun = std::time::Instant::now();
    let seen = port.look(&source(), &scope()).await;
    backends().for_each(|backend| signal(backend, rustix::process::Signal::CONT));
    signal(&postmaster, rustix::process::Signal::CONT);
    assert!(seen.why().is_some_and(|why| why.contains("did not answer within")), "{seen:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn passwords_are_never_in_what_is_said() {
    let pair = Pair::start().await;
    let wrong = reach(&pair, Reach { password: "canary-wr0ng", ..Reach::default() });
    let seen = wrong.look(&source(), &scope()).await;
    let text = format!("{seen:?} {seen:?}");
    assert!(text.contains("password authentication failed"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    let reply = wrong.freeze(&permit("read_only", 1), &source(), "1").await;
    assert!(refused(&reply), "no connection was made, so nothing was sent: {reply:?}");
    assert!(!format!("{reply:?}").contains("canary"));
    let port = postgres(&pair);
    let _ = port.look(&source(), &scope()).await;
    pair.primary.stop_cleanly();
    let gone = port.look(&source(), &scope()).await;
    assert!(gone.why().is_some_and(|why| why.contains("refused")), "{gone:?}");
    assert!(!format!("{gone:?}").contains(CANARY));
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
