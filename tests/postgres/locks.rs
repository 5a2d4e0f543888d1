//! The advisory lock on real servers: who holds it, that its loss is noticed, and that it is had again.

use crate::support::pg::{CANARY, Pair, until};
use crate::support::world::{RUN, Reach, postgres, reach, source, target};
use mrctl::world::Known;
use mrctl::world::postgres::Postgres as _;
use std::time::Duration;

#[tokio::test]
async fn a_lock_whose_session_ended_is_noticed_and_retaken_unless_another_run_has_it() {
    let pair = Pair::start().await;
    let (ours, others) = (postgres(&pair), postgres(&pair));
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(true));
    assert_eq!(others.lock(&source(), "another").await, Known::Known(false));
    assert_eq!(ours.lock_held(&source()).await, Known::Known(true));
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/lock'";
    pair.primary.sql(end).await;
    until("the loss", || async { (ours.lock_held(&source()).await == Known::Known(false)).then_some(()) })
        .await;
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(true), "nobody else has it");
    pair.primary.sql(end).await;
    until("the loss", || async { (ours.lock_held(&source()).await == Known::Known(false)).then_some(()) })
        .await;
    until("free", || async { (others.lock(&source(), "another").await == Known::Known(true)).then_some(()) })
        .await;
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(false), "another run has it");
}

#[tokio::test]
async fn steps_that_run_together_do_not_take_the_lock_from_each_other() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let at = source();
    let guard = async || match port.lock_held(&at).await {
        Known::Known(false) => port.lock(&at, RUN).await,
        held => held,
    };
    // Not held yet, held, and lost: each time both ask at once, and both have it.
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/lock'";
    // Often: whether the client knows already that the session has ended when it is told why is a race.
    for round in 0..40 {
        let both = futures_util::future::join(guard(), guard()).await;
        assert_eq!(both, (Known::Known(true), Known::Known(true)), "round {round}");
        if round % 2 == 1 {
            pair.primary.sql(end).await;
        }
    }
}

#[tokio::test]
async fn a_silent_server_is_not_asked_for_its_lock_before_every_effect() {
    let pair = Pair::start().await;
    let port = reach(&pair, Reach { timeout: Duration::from_secs(2), ..Reach::default() });
    pair.primary.signal(rustix::process::Signal::STOP);
    assert!(port.lock(&source(), RUN).await.get().is_none());
    assert_eq!(port.lock_held(&source()).await, Known::unknown("the lock could not be taken"));
    pair.primary.signal(rustix::process::Signal::CONT);
}

#[tokio::test]
async fn a_server_that_was_down_and_runs_again_is_asked_for_its_lock_which_another_may_have() {
    let pair = Pair::start().await;
    let (ours, others) = (postgres(&pair), postgres(&pair));
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(true));
    pair.primary.stop_cleanly();
    until("the loss", || async { (ours.lock_held(&source()).await == Known::Known(false)).then_some(()) })
        .await;
    assert!(ours.lock(&source(), RUN).await.get().is_none(), "it is down");
    pair.primary.start_again("").await;
    until("another", || async {
        (others.lock(&source(), "another").await == Known::Known(true)).then_some(())
    })
    .await;
    assert_eq!(ours.lock_held(&source()).await, Known::Known(false), "it answers again");
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(false), "another run has it");
}

#[tokio::test]
async fn whoever_is_refused_learns_who_holds_the_lock_from_where_and_since_when() {
    let pair = Pair::start().await;
    let ours = postgres(&pair).held_by("ada on bastion-1, process 7 */ SELECT 1; /*");
    let others = postgres(&pair);
    assert_eq!(ours.lock(&source(), RUN).await, Known::Known(true));
    let Known::Known(free) = others.lock_sight(&target(), "another").await else { panic!("unread") };
    assert_eq!(free.holder, None, "the lock of the other member");
    // Also after it was asked whether it is alive, which is another statement.
    for _ in 0..2 {
        assert_eq!(others.lock(&source(), "another").await, Known::Known(false));
        let Known::Known(seen) = others.lock_sight(&source(), "another").await else { panic!("unread") };
        let holder = seen.holder.expect("somebody holds it");
        assert_eq!(holder.name, "mrctl/00000000feed/lock");
        assert_eq!(holder.says, "ada on bastion-1, process 7    SELECT 1;");
        assert_eq!(holder.from, "127.0.0.1");
        assert!(holder.age_ms < 60_000, "{holder:?}");
        assert_eq!(seen.others, []);
        assert_eq!(ours.lock_held(&source()).await, Known::Known(true));
    }
}

#[tokio::test]
async fn sessions_of_changes_of_other_runs_are_seen_and_those_of_looks_and_of_our_own_are_not() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(pair.primary.port).user("mrctl").password(CANARY).dbname("postgres");
    let (held_up, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for (name, seen_by_others) in [
        ("mrctl/aaaaaaaaaaaa/promote/1", true),
        ("mrctl/aaaaaaaaaaaa/-read_only/2", true),
        ("mrctl/aaaaaaaaaaaa/look", false),
        ("psql", false),
    ] {
        held_up.batch_execute(&format!("SET application_name = '{name}'")).await.unwrap();
        let sight = async |run: &str| match port.lock_sight(&source(), run).await {
            Known::Known(sight) => sight.others,
            Known::Unknown(why) => panic!("{why}"),
        };
        let others = sight(RUN).await;
        assert_eq!(others.iter().any(|other| other.name == name), seen_by_others, "{name}: {others:?}");
        assert_eq!(sight("0193a5b0-0000-7000-8000-aaaaaaaaaaaa").await, [], "{name} is its own");
    }
}
