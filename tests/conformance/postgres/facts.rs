//! The facts of the reference, F1 to F14.

use super::real::real;
use super::stage::{Stage, simulated};
use super::tell::{
    caught_up, close, freeze, handed_over, judged, port, promote, promoted, reason, reply, seen, system,
    thaw, told, yes,
};
use crate::conformance::table::Said;
use crate::support::kinds::{self, catch_up, check_lag, check_lag_time, judge};
use crate::support::pg::until;
use crate::support::port::{facts, scope};
use crate::support::world::{RUN, permit, source, target};
use mrctl::step::Standing;
use mrctl::world::postgres::{Altered, Handover, HandoverBy};

cases! { PostgreSql;
    f1 "A freeze by setting binds only those who let it: a plain write is refused, one that asks for READ WRITE and a transaction from before commit."
    f2 "A role that may not log in goes on writing in the sessions that it has; only their end stops it."
    f3 "Our own calls work on a frozen server, and what stood before is put back."
    f4 "A cut receiver makes the lag unknown on both sides, and never zero."
    f5 "Time passes on an idle pair: no byte is missing, and the age of the last commit grows."
    f6 "At the start of a segment the insert position stands ahead of everything that can be flushed; nothing is missing."
    f7 "A promotion that was asked for and is not seen happens later."
    f8 "A second promotion is refused: it is in recovery no more."
    f9 "After a promotion the old primary takes writes as soon as nothing binds them, on its own timeline of the same system."
    f11 "A promotion is refused in its own statement until everything is as the handover says."
    f14 "A promotion that was acknowledged vanishes in a crash, and the restart ends the handover."
}

async fn f1<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.begin().await;
    freeze(stage, &mut said).await;
    said.line("a plain write", told(stage.write(false).await));
    said.line("a write that asks for READ WRITE", told(stage.write(true).await));
    let seen = facts(port(stage), &source()).await.sessions;
    said.line("sessions from before", seen.get().unwrap().older);
    said.line("of them writing", seen.get().unwrap().writing);
    said.line("the transaction from before", told(stage.commit().await));
    said.line("rows", stage.rows(&source()).await);
    said
}

async fn f2<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.forbid_login().await;
    freeze(stage, &mut said).await;
    said.line("a write in the session from before", told(stage.write_in_old_session().await));
    said.line("sessions", judged(&judge(stage.world(), &kinds::freeze(), "sessions", None).await.1));
    let system = system(stage).await;
    let done = port(stage).end_sessions(&permit("sessions", 1), &source(), &system, &scope()).await;
    said.line("their end", reply(&done));
    until("no session is left", || async {
        let now = judge(stage.world(), &kinds::freeze(), "sessions", None).await.1;
        (now.standing == Standing::Reached).then_some(())
    })
    .await;
    said.line("a write in the session from before", told(stage.write_in_old_session().await));
    said
}

async fn f3<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    freeze(stage, &mut said).await;
    let system = system(stage).await;
    let before = facts(port(stage), &source()).await.primary().unwrap().next_transaction;
    said.line("a mark", reply(&port(stage).mark(&permit("mark", 1), &source(), &system).await));
    let after = facts(port(stage), &source()).await.primary().unwrap().next_transaction;
    said.line("transaction numbers that it took", after - before);
    said.line("the lock", yes(&port(stage).lock(&source(), RUN).await));
    said.line("a thaw to `off`", thaw(stage, Altered::To("off".into())).await);
    said.line("read-only", facts(port(stage), &source()).await.read_only.on);
    said.line("a thaw to nothing", thaw(stage, Altered::Unset).await);
    said.line("a plain write", told(stage.write(false).await));
    said
}

async fn f4<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.cut().await;
    said.line("a plain write", told(stage.write(false).await));
    let empty = |facts: &mrctl::world::postgres::ServerFacts| {
        facts.primary().is_some_and(|primary| primary.senders.is(Vec::is_empty))
    };
    seen(stage, &source(), "no sender", empty).await;
    said.line("senders", "none");
    let standby = facts(port(stage), &target()).await.standby().cloned().unwrap();
    said.line("receiver", if standby.receiver.get().is_some() { "there" } else { "unknown" });
    said.line("lag", judged(&judge(stage.world(), &check_lag(u64::MAX), "look", None).await.1));
    close(stage, &mut said).await;
    said.line("caught up", judged(&judge(stage.world(), &catch_up(), "mark", None).await.1));
    said.line("rows of the source", stage.rows(&source()).await);
    said.line("rows of the target", stage.rows(&target()).await);
    said
}

async fn f5<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    said.line("a plain write", told(stage.write(false).await));
    caught_up(stage).await;
    stage.idle().await;
    let standby = facts(port(stage), &target()).await.standby().cloned().unwrap();
    said.line("the last commit is more than a second old", standby.replayed_ms_ago.is(|ms| *ms > 1000));
    // A real server writes a record of its own now and then.
    for (what, lag) in [("bytes", check_lag(0)), ("time", check_lag_time(1000))] {
        let seen = until(what, || async {
            let seen = judge(stage.world(), &lag, "look", None).await.1;
            (seen.standing == Standing::Reached).then_some(seen)
        })
        .await;
        said.line(&format!("no lag in {what}"), judged(&seen));
    }
    said
}

async fn f6<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let primary = until("a boundary", || async {
        stage.switch_segment().await;
        caught_up(stage).await;
        let primary = facts(port(stage), &source()).await.primary().cloned().unwrap();
        (primary.flushed.0.is_multiple_of(16 << 20)).then_some(primary)
    })
    .await;
    said.line("bytes that the insert position is ahead", primary.inserted.bytes_since(primary.flushed));
    said.line("all flushed", primary.all_flushed());
    let system = system(stage).await;
    said.line("a mark", reply(&port(stage).mark(&permit("mark", 1), &source(), &system).await));
    caught_up(stage).await;
    let seen = until("caught up", || async {
        let seen = judge(stage.world(), &catch_up(), "mark", None).await.1;
        (seen.standing == Standing::Reached).then_some(seen)
    })
    .await;
    said.line("caught up", judged(&seen));
    said
}

async fn f7<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    stage.hold_promotion().await;
    said.line("a promotion", reply(&promote(stage, &good).await));
    said.line("in recovery", facts(port(stage), &target()).await.in_recovery());
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    stage.finish_promotion().await;
    said.line("later, in recovery", facts(port(stage), &target()).await.in_recovery());
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("later, promoted", judged(&seen));
    said
}

async fn f8<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    said.line("a promotion", reason(&promote(stage, &good).await));
    let timeline = promoted(stage).await.primary().unwrap().timeline;
    said.line("timeline", timeline);
    said.line("once more", reason(&promote(stage, &good).await));
    said.line("timeline", promoted(stage).await.primary().unwrap().timeline);
    said
}

async fn f9<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    said.line("a promotion", reason(&promote(stage, &good).await));
    let to = promoted(stage).await;
    let from = facts(port(stage), &source()).await;
    said.line("the same system", from.system == to.system);
    let timelines = (from.primary().unwrap().timeline, to.primary().unwrap().timeline);
    said.line("timelines", format!("{timelines:?}"));
    said.line("a plain write at the old primary", told(stage.write(false).await));
    said.line("one that asks for READ WRITE", told(stage.write(true).await));
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    said.line("a thaw of the old primary", thaw(stage, Altered::Unset).await);
    said.line("a plain write at the old primary", told(stage.write(false).await));
    said.line("rows of the old primary", stage.rows(&source()).await);
    said.line("rows of the new one", stage.rows(&target()).await);
    said
}

async fn f11<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    let far = "FF/0".parse().unwrap();
    for (what, handover) in [
        ("of another cluster", Handover { system: "1".into(), ..good.clone() }),
        ("from before a restart", Handover { target_started: "0".into(), ..good.clone() }),
        ("of another timeline", Handover { timeline: 7, ..good.clone() }),
        ("behind", Handover { position: far, ..good.clone() }),
        ("behind a shutdown", Handover { position: far, by: HandoverBy::Shutdown, ..good.clone() }),
    ] {
        said.line(what, reason(&promote(stage, &handover).await));
    }
    let primary = port(stage).promote(&permit("promote", 1), &source(), &good).await;
    said.line("of the primary", reason(&primary));
    said.line("in recovery", facts(port(stage), &target()).await.in_recovery());
    said.line("as the handover says", reason(&promote(stage, &good).await));
    said.line("timeline", promoted(stage).await.primary().unwrap().timeline);
    said
}

async fn f14<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    stage.hold_promotion().await;
    said.line("a promotion", reply(&promote(stage, &good).await));
    stage.crash_target().await;
    let now = seen(stage, &target(), "it is there again", |facts| facts.started != good.target_started).await;
    said.line("in recovery after the crash", now.in_recovery());
    said.line("the same promotion", reason(&promote(stage, &good).await));
    said
}
