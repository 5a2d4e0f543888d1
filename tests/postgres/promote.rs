//! The promotion: refused until everything is so, and believed only when seen.

use crate::support::kinds::{catch_up, freeze as frozen, judge, promote, step};
use crate::support::pg::{Pair, Wishes, signal};
use crate::support::port::{acknowledged, bad, facts, freeze, handover, promoted, refused, said};
use crate::support::world::{RUN, permit, postgres, source, target, world};
use mrctl::step::condition::Starts;
use mrctl::step::{Kind as _, Remark, Sight, Standing};
use mrctl::world::postgres::{Handover, HandoverBy, Postgres as _};

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
    pair.standby.pause_replay().await;
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
async fn a_writer_that_is_open_is_seen_although_the_next_number_does_not_show_it() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let port = postgres(&pair);
    freeze(&port).await;
    let good = handover(&port).await;
    pair.caught_up().await;
    let (prior, judged) = judge(&world, &promote(), "promote", Some(&good)).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    let app = pair.primary.client("app").await;
    app.batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('open')").await.unwrap();
    // The trap: the number that the handover has is the one that this transaction got.
    assert_eq!(facts(&port, &source()).await.primary().unwrap().next_transaction, good.next_transaction);
    let judged = judge(&world, &promote(), "promote", Some(&good)).await.1;
    assert_eq!(judged.standing, Standing::Moving, "{}", judged.evidence);
    let reply = promote().apply("promote", &permit("promote", 1), &prior, Some(&good), "", &world).await;
    assert!(refused(&reply) && said(&reply).contains("are open on the source"), "{reply:?}");
    assert!(facts(&port, &target()).await.in_recovery());
}

#[tokio::test]
async fn f14_a_promotion_that_was_acknowledged_can_still_vanish() {
    let pair = Pair::start().await;
    let (port, world) = (postgres(&pair), world(postgres(&pair)));
    let good = handover(&port).await;
    pair.caught_up().await;
    let startup = pair.standby.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'").await;
    signal(&startup, rustix::process::Signal::STOP);
    let reply = port.promote(&permit("promote", 1), &target(), &good).await;
    assert!(acknowledged(&reply), "{reply:?}");
    assert!(facts(&port, &target()).await.in_recovery());
    let both = async || {
        promote().observe("promote", Sight { world: &world, run: RUN, starts: &Starts::new() }).await
    };
    let before = both().await;
    assert_eq!(promote().disarmed("promote", &before, Some(&good)), None, "it may still come about");
    pair.standby.crash_stopped(&startup);
    pair.standby.start_again("").await;
    let seen = facts(&port, &target()).await;
    assert!(seen.in_recovery(), "a reply is no proof");
    assert_ne!(seen.started, good.target_started, "the restart kills the handover");
    assert!(!pair.standby.data.join("promote").exists());
    // The second of the three proofs: restarted since, in recovery, no session of ours, and no request left.
    let behind = both().await;
    let proof = promote().disarmed("promote", &behind, Some(&good));
    assert!(
        proof.as_ref().is_some_and(|proof| proof.contains("was restarted since the handover")),
        "{proof:?}"
    );
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

#[tokio::test]
async fn f7_a_promotion_that_was_said_to_have_failed_happens_later() {
    let pair = Pair::start().await;
    let world = world(postgres(&pair));
    let mut handover = None;
    step(&world, &frozen(), &mut handover).await.unwrap();
    step(&world, &catch_up(), &mut handover).await.unwrap();
    let startup = pair.standby.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'").await;
    signal(&startup, rustix::process::Signal::STOP);
    // The trap: the server says no, and means not yet.
    assert_eq!(pair.standby.sql("SELECT pg_promote(true, 1)").await, "f");
    let judged = judge(&world, &promote(), "promote", handover.as_ref()).await.1;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    signal(&startup, rustix::process::Signal::CONT);
    promoted(&*world.postgres).await;
    // F8: a second call is an error, and no failure.
    let again = pair.standby.client("postgres").await.batch_execute("SELECT pg_promote(true, 1)").await;
    assert_eq!(again.unwrap_err().code().map(|code| code.code()), Some("55000"));
    let judged = judge(&world, &promote(), "promote", handover.as_ref()).await.1;
    assert_eq!(judged.standing, Standing::Reached, "{}", judged.evidence);
    // F9: the old primary would take writes; only the freeze holds it.
    pair.primary
        .client("app")
        .await
        .batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('split'); COMMIT")
        .await
        .unwrap();
    let judged = judge(&world, &promote(), "promote", handover.as_ref()).await.1;
    assert_eq!(judged.remark, Some(Remark::Divergence), "{}", judged.evidence);
}
