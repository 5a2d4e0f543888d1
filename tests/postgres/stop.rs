//! Stopping by the operator's own command, with the proof that the control file gives, and starting again.

use crate::support::kinds::{both, judge, kind, step};
use crate::support::pg::{Pair, until};
use crate::support::world::{RUN, permit, postgres, target, world};
use mrctl::step::postgres::promote::Promote;
use mrctl::step::postgres::stop::{Facts, Stop};
use mrctl::step::{Aim, Judgement, Kind, Sight, Standing};
use mrctl::world::real::exec::{RealExec, Settings};
use mrctl::world::{Reply, World};
use serde_json::json;
use std::rc::Rc;

/// The real port, and commands that are really run.
fn real(pair: &Pair) -> World {
    let mut world = world(postgres(pair));
    world.exec = Rc::new(RealExec::new(Settings {
        variables: Rc::new(|_| None),
        redactor: Default::default(),
        environment: "test".into(),
    }));
    world
}

fn stop(pair: &Pair) -> Stop {
    let command =
        |argv: &[String]| json!({ "argv": argv, "env": { "LC_ALL": "C" }, "pass": [], "timeout_ms": 30_000 });
    let mut both = both();
    both["others"] = json!([target()]);
    let [stop, start, control] = pair.primary.commands();
    kind(json!({
        "pair": both, "keep": [], "stop": command(&stop), "start": command(&start), "control_data": command(&control),
    }))
}

/// With the proof that a stopped source is still stopped.
fn promote(pair: &Pair) -> Promote {
    let [.., control] = pair.primary.commands();
    let control = json!({ "argv": control, "env": { "LC_ALL": "C" }, "pass": [], "timeout_ms": 30_000 });
    kind(json!({ "pair": both(), "keep": [], "control_data": control }))
}

/// Stopped, with what was there before.
async fn stopped(world: &World, pair: &Pair) -> Facts {
    let (prior, _) = judge(world, &stop(pair), "stop", None).await;
    step(world, &stop(pair), &mut None).await.unwrap();
    pair.primary.reap();
    prior
}

async fn restored(world: &World, pair: &Pair, prior: &Facts) -> Judgement {
    let starts = Default::default();
    let facts = stop(pair).observe("stop", Sight { world, run: RUN, starts: &starts }).await;
    stop(pair).judge("stop", &facts, Aim::Restored(prior), None)
}

async fn undo(world: &World, pair: &Pair, prior: &Facts) -> Reply {
    stop(pair).undo("stop", &permit("stop", 2), prior, world).await
}

#[tokio::test]
async fn a_clean_stop_hands_over_and_the_old_primary_can_come_back_without_a_rewind() {
    let pair = Pair::start().await;
    let world = real(&pair);
    pair.primary.sql("INSERT INTO orders (note) SELECT 'row' FROM generate_series(1, 1000)").await;
    let mut handover = None;
    step(&world, &stop(&pair), &mut handover).await.unwrap();
    assert!(handover.is_some());
    step(&world, &promote(&pair), &mut handover).await.unwrap();
    assert_eq!(pair.standby.sql("SELECT count(*) FROM orders").await, "1000");
    pair.primary.reap();
    // Right after, as a standby of the new primary: nothing was written that it would have to forget.
    pair.primary.follow(&pair.standby);
    pair.primary.start_again("").await;
    until("it follows", || async {
        let sql = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND received_tli = 2";
        (pair.primary.sql(sql).await == "1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_source_that_was_started_again_and_lets_nobody_in_is_not_taken_for_stopped() {
    let pair = Pair::start().await;
    let world = real(&pair);
    let mut handover = None;
    step(&world, &stop(&pair), &mut handover).await.unwrap();
    pair.primary.reap();
    let handover = handover.unwrap();
    let access = pair.primary.data.join("pg_hba.conf");
    let before = std::fs::read_to_string(&access).unwrap();
    std::fs::write(&access, format!("host all mrctl all reject\nlocal all mrctl reject\n{before}")).unwrap();
    pair.primary.start_again("").await;
    let (prior, judged) = judge(&world, &promote(&pair), "promote", Some(&handover)).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    let reply =
        promote(&pair).apply("promote", &permit("promote", 1), &prior, Some(&handover), "", &world).await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("in production")), "{reply:?}");
    assert_eq!(pair.standby.sql("SELECT pg_is_in_recovery()::text").await, "true");
}

#[tokio::test]
async fn a_stopped_primary_is_started_again_and_takes_writes_as_before() {
    let pair = Pair::start().await;
    let world = real(&pair);
    let prior = stopped(&world, &pair).await;
    let judged = restored(&world, &pair, &prior).await;
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    let reply = undo(&world, &pair, &prior).await;
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
    until("it runs", || async {
        (restored(&world, &pair, &prior).await.standing == Standing::Reached).then_some(())
    })
    .await;
    let app = pair.primary.client("app").await;
    app.batch_execute("INSERT INTO orders (note) VALUES ('again')").await.unwrap();
    until("it is replicated", || async {
        (pair.standby.sql("SELECT count(*) FROM orders").await == "1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stopped_primary_stays_stopped_when_another_member_was_promoted() {
    let pair = Pair::start().await;
    let world = real(&pair);
    let prior = stopped(&world, &pair).await;
    pair.standby.sql("SELECT pg_promote(true, 30)").await;
    let judged = restored(&world, &pair, &prior).await;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    let reply = undo(&world, &pair, &prior).await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("two primaries")), "{reply:?}");
    assert!(!pair.primary.data.join("postmaster.pid").exists());
    // Somebody starts it by hand: that is two primaries, and not what was there before.
    pair.primary.start_again("").await;
    let judged = restored(&world, &pair, &prior).await;
    assert!(
        judged.standing == Standing::Blocked && judged.evidence.starts_with("two primaries"),
        "{}",
        judged.evidence
    );
}

#[tokio::test]
async fn a_stopped_primary_stays_stopped_while_another_member_is_silent() {
    let pair = Pair::start().await;
    let world = real(&pair);
    let prior = stopped(&world, &pair).await;
    pair.standby.stop_cleanly();
    let judged = restored(&world, &pair, &prior).await;
    assert_eq!(judged.standing, Standing::Unknown, "{}", judged.evidence);
    let reply = undo(&world, &pair, &prior).await;
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("could not be seen")), "{reply:?}");
    assert!(!pair.primary.data.join("postmaster.pid").exists());
    // It answers again: then it is started.
    pair.standby.start_again("").await;
    assert!(matches!(undo(&world, &pair, &prior).await, Reply::Acknowledged { .. }));
    until("it runs", || async {
        (restored(&world, &pair, &prior).await.standing == Standing::Reached).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_primary_that_crashed_is_never_taken_for_stopped() {
    let pair = Pair::start().await;
    let world = real(&pair);
    pair.primary.crash();
    let (_, judged) = judge(&world, &stop(&pair), "stop", None).await;
    assert_eq!(judged.standing, Standing::Unknown, "{}", judged.evidence);
    assert!(judged.evidence.contains("in production") && judged.handover.is_none(), "{}", judged.evidence);
}
