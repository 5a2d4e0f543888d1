//! What kinds rely on besides: guards, sessions, transactions that are open, locks, stops, and what others do.

mod by_others;

use super::real::real;
use super::stage::{Stage, simulated};
use super::tell::{
    caught_up, close, freeze, handed_over, judged, port, promote, promoted, reason, reply, seen, system,
    told, yes,
};
use crate::conformance::table::Said;
use crate::support::kinds::{self, catch_up, check_lag, judge};
use crate::support::pg::until;
use crate::support::port::{facts, scope};
use crate::support::world::{RUN, permit, source, target};
use by_others::{p15, p17, p18, p19};
use mrctl::step::Kind as _;
use mrctl::world::Known;
use mrctl::world::postgres::{Altered, Commits, Handover, HandoverBy, Lsn, ServerFacts};

cases! { PostgreSql;
    p1 "Every change of a primary is refused at another cluster and at a standby, and changes nothing there."
    p2 "The end of sessions ends those from before and those that write; it spares who is kept, and names superusers."
    p3 "A freeze ends the sessions from before in the same call, and what they had not committed is gone."
    p4 "A lone open writer is not shown by transaction numbers, only by its session; no promotion passes it."
    p5 "A prepared transaction belongs to no session, and commits through the freeze."
    p6 "A commit may be told of and not be on disk; a mark flushes it."
    p7 "A clean stop ships everything and a last record, and the control file says so."
    p8 "A restart ends sessions and locks, and a freeze survives it."
    p9 "While replay is paused nothing arrives, the lag is seen, and a promotion is refused."
    p10 "A lock whose session ended is noticed, and had again unless another run has it."
    p11 "A commit that waits for an absent synchronous standby hangs, and is there all the same."
    p12 "A recovery target is seen, and a promotion with one is refused."
    p13 "A setting of a role lifts the freeze for its sessions, and is seen."
    p14 "A transaction number that wrote nothing is told apart from a write."
    p15 "A server that does not answer is unknown, and a change of it is refused before anything was sent."
    p16 "A probe row is refused by a standby and by a frozen primary, and proves nothing about another region."
    p17 "What other automation does is seen by the next look: a thaw, a promotion."
    p18 "A receiver that hangs looks as if it streamed; the bytes that are missing show it, and a promotion is refused."
    p19 "A setting that is written and not loaded is neither in force nor seen, until something loads it."
    p23 "What a standby needs is made on a primary of its cluster only, and a slot once."
}

async fn p1<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let system = system(stage).await;
    let (port, from, to) = (port(stage), &source(), &target());
    for (what, at, system) in [("another cluster", from, "1"), ("a standby", to, system.as_str())] {
        let call = permit("call", 1);
        said.line(&format!("a freeze of {what}"), reply(&port.freeze(&call, at, system, None).await));
        said.line(
            &format!("an end of sessions of {what}"),
            reply(&port.end_sessions(&call, at, system, &scope()).await),
        );
        said.line(&format!("a mark of {what}"), reply(&port.mark(&call, at, system).await));
    }
    let thawed = port.unfreeze(&permit("call", 1), from, "1", &Altered::Unset).await;
    said.line("a thaw of another cluster", reply(&thawed));
    for (what, at) in [("source", from), ("target", to)] {
        let now = facts(port, at).await;
        said.line(&format!("the {what} is read-only"), now.read_only.on);
        said.line("sessions there", now.sessions.get().unwrap().total());
    }
    said.line("a plain write", told(stage.write(false).await));
    said
}

async fn p2<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.session("monitoring").await;
    stage.session("postgres").await;
    freeze(stage, &mut said).await;
    // One that came later and is idle goes or stays, as it happens: a connection of ours that was idle during the freeze loads the
    // configuration only with its next question, and takes everybody before that for older.
    stage.begin().await;
    let system = system(stage).await;
    let done = port(stage).end_sessions(&permit("sessions", 1), &source(), &system, &scope()).await;
    said.line("the end", crate::support::port::said(&done));
    let left = |facts: &ServerFacts| facts.sessions.is(|sessions| sessions.total() == 1);
    let now = seen(stage, &source(), "they are gone", left).await.sessions.get().cloned().unwrap();
    said.line("left, besides those that are kept", format!("{:?}", now.clients));
    said.line("from before", now.older);
    said.line("writing", now.writing);
    said.line("of superusers", now.superusers);
    said.line("the transaction", told(stage.commit().await));
    said
}

async fn p3<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.begin().await;
    let system = system(stage).await;
    let done = port(stage).freeze(&permit("read_only", 1), &source(), &system, Some(&scope())).await;
    said.line("a freeze", crate::support::port::said(&done));
    let now = facts(port(stage), &source()).await.sessions.get().cloned().unwrap();
    said.line("sessions right after", format!("{:?}", now.clients));
    said.line("the transaction from before", told(stage.commit().await));
    said.line("rows", stage.rows(&source()).await);
    said
}

async fn p4<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    let (prior, ready) = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await;
    said.line("promoted", judged(&ready));
    stage.begin().await;
    let now = facts(port(stage), &source()).await;
    let primary = now.primary().unwrap();
    said.line("numbers since", primary.next_transaction - good.next_transaction);
    said.line("oldest is next", primary.oldest_transaction == primary.next_transaction);
    said.line("writing", now.sessions.get().unwrap().writing);
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    let attempt = permit("promote", 1);
    let done = kinds::promote().apply("promote", &attempt, &prior, Some(&good), "", stage.world()).await;
    said.line("a promotion", reply(&done));
    said.line("it commits", told(stage.commit().await));
    let now = facts(port(stage), &source()).await.primary().cloned().unwrap();
    said.line("numbers since", now.next_transaction - good.next_transaction);
    said
}

async fn p5<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.prepare("tm-1").await;
    let kind = kinds::freeze();
    said.line("read-only", judged(&judge(stage.world(), &kind, "read_only", None).await.1));
    close(stage, &mut said).await;
    said.line("no sessions", judged(&judge(stage.world(), &kind, "sessions", None).await.1));
    said.line("caught up", judged(&judge(stage.world(), &catch_up(), "mark", None).await.1));
    let prepared = facts(port(stage), &source()).await.primary().unwrap().prepared.clone();
    said.line("prepared", format!("{prepared:?}"));
    said.line("it commits", told(stage.commit_prepared("tm-1").await));
    said.line("rows", stage.rows(&source()).await);
    said
}

async fn p6<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.told_only().await;
    let inserted = facts(port(stage), &source()).await.primary().unwrap().inserted;
    let system = system(stage).await;
    said.line("a mark", reply(&port(stage).mark(&permit("mark", 1), &source(), &system).await));
    let primary = facts(port(stage), &source()).await.primary().cloned().unwrap();
    said.line("what was told of is on disk", primary.flushed >= inserted);
    caught_up(stage).await;
    let standby = facts(port(stage), &target()).await.standby().cloned().unwrap();
    said.line("and at the target", standby.replayed.is(|to| *to >= inserted));
    said
}

async fn p7<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    said.line("a plain write", told(stage.write(false).await));
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    stage.stop_source().await;
    let at = source();
    until("it is stopped", || async { port(stage).look(&at, &scope()).await.get().is_none().then_some(()) })
        .await;
    said.line("the source", "unknown");
    let text = stage.control_data().await;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').unwrap().1.trim().to_string()
    };
    said.line("its state", field("Database cluster state"));
    said.line("its timeline", field("Latest checkpoint's TimeLineID"));
    said.line("the same system", field("Database system identifier") == good.system);
    let next = format!("0:{}", good.next_transaction);
    said.line("nothing was written since", field("Latest checkpoint's NextXID") == next);
    let checkpoint: Lsn = field("Latest checkpoint location").parse().unwrap();
    seen(stage, &target(), "the last record", |facts| {
        facts.standby().is_some_and(|standby| standby.replayed.is(|to| *to > checkpoint))
    })
    .await;
    said.line("the target has replayed the last record", true);
    let stopped = Handover { position: checkpoint, by: HandoverBy::Shutdown, ..good };
    said.line("a promotion", reason(&promote(stage, &stopped).await));
    promoted(stage).await;
    said.line("rows", stage.rows(&target()).await);
    said
}

async fn p8<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    said.line("the lock", yes(&port(stage).lock(&source(), RUN).await));
    freeze(stage, &mut said).await;
    let before = facts(port(stage), &source()).await.started;
    stage.restart_source().await;
    let now = seen(stage, &source(), "it is there again", |facts| facts.started != before).await;
    said.line("read-only", now.read_only.on);
    said.line("sessions", now.sessions.get().unwrap().total());
    said.line("a plain write", told(stage.write(false).await));
    let held = until("the lock's session is gone", || async {
        let held = port(stage).lock_held(&source()).await;
        (held != Known::Known(true)).then_some(held)
    })
    .await;
    said.line("the lock is held", yes(&held));
    said
}

async fn p9<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.pause_replay(true).await;
    said.line("a plain write", told(stage.write(false).await));
    close(stage, &mut said).await;
    let good = crate::support::port::handover(port(stage)).await;
    said.line("rows of the target", stage.rows(&target()).await);
    let standby = facts(port(stage), &target()).await.standby().cloned().unwrap();
    said.line("replay", &standby.replay);
    said.line("receiver", if standby.receiver.get().is_some() { "there" } else { "unknown" });
    said.line("lag", judged(&judge(stage.world(), &check_lag(0), "look", None).await.1));
    said.line("caught up", judged(&judge(stage.world(), &catch_up(), "mark", None).await.1));
    said.line("a promotion", reason(&promote(stage, &good).await));
    stage.pause_replay(false).await;
    caught_up(stage).await;
    said.line("rows of the target once it goes on", stage.rows(&target()).await);
    said
}

async fn p10<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let (port, at) = (port(stage), source());
    said.line("held at first", yes(&port.lock_held(&at).await));
    said.line("taken", yes(&port.lock(&at, RUN).await));
    said.line("taken once more", yes(&port.lock(&at, RUN).await));
    for another in [false, true] {
        stage.lose_lock(another).await;
        said.line("lost, and held", yes(&port.lock_held(&at).await));
        let what = if another { "taken from another run" } else { "taken again" };
        said.line(what, yes(&port.lock(&at, RUN).await));
    }
    said
}

async fn p11<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.wait_for_a_ghost().await;
    let now = facts(port(stage), &source()).await;
    said.line("names", &now.synchronous_names);
    said.line("commits wait", now.lacks_synchronous().is(Option::is_some));
    said.line(
        "a probe",
        reply(&port(stage).write_probe(&permit("write", 1), &source(), "mrctl.probe").await),
    );
    let at = source();
    until("its row", || async {
        (port(stage).read_probe(&at, "mrctl.probe", RUN).await == Known::Known(true)).then_some(())
    })
    .await;
    said.line("its row", "there");
    said
}

async fn p12<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.restart_target_with_aim().await;
    close(stage, &mut said).await;
    let streams = |facts: &ServerFacts| facts.standby().is_some_and(|s| s.receiver.get().is_some());
    let now = seen(stage, &target(), "it streams", streams).await;
    said.line("targets", format!("{:?}", now.standby().unwrap().recovery_targets));
    let good = handed_over(stage).await;
    said.line("a promotion", reason(&promote(stage, &good).await));
    said.line("in recovery", facts(port(stage), &target()).await.in_recovery());
    said
}

async fn p13<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.lift_freeze_for_app().await;
    said.line("settings", format!("{:?}", facts(port(stage), &source()).await.overrides));
    let seen = judge(stage.world(), &kinds::freeze(), "read_only", None).await.1;
    said.line("read-only", judged(&seen));
    freeze(stage, &mut said).await;
    said.line("a plain write", told(stage.write(false).await));
    said
}

async fn p14<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let alone = |facts: &ServerFacts| facts.primary().is_some_and(|primary| primary.activity.complete);
    seen(stage, &source(), "nobody else is there", alone).await;
    let before = handed_over(stage).await;
    let since = async || {
        let now = seen(stage, &source(), "nobody else is there", alone).await;
        match before.commits_since(now.primary().unwrap()) {
            Commits::None => "nothing".to_string(),
            Commits::Upkeep(count) => format!("{count} of nobody"),
            Commits::Writes(_) => "a client may have written".to_string(),
        }
    };
    said.line("at first", since().await);
    stage.use_a_number().await;
    said.line("a number that wrote nothing", since().await);
    said.line("a write that asks for READ WRITE", told(stage.write(true).await));
    said.line("then", since().await);
    said
}

async fn p16<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let probe = async |at| reply(&port(stage).write_probe(&permit("write", 1), at, "mrctl.probe").await);
    let there = async |at| yes(&port(stage).read_probe(at, "mrctl.probe", RUN).await);
    let (from, to) = (source(), target());
    said.line("the row at first", there(&from).await);
    said.line("a probe of the standby", probe(&to).await);
    said.line("a probe of the primary", probe(&from).await);
    said.line("the row of the primary", there(&from).await);
    caught_up(stage).await;
    said.line("replicated, and read for the standby", there(&to).await);
    freeze(stage, &mut said).await;
    said.line("a probe of the frozen primary", probe(&from).await);
    said
}

async fn p23<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let system = system(stage).await;
    let (port, from, to) = (port(stage), &source(), &target());
    let call = permit("call", 1);
    for (what, at, system) in [("another cluster", from, "1"), ("a standby", to, system.as_str())] {
        said.line(&format!("a checkpoint of {what}"), reply(&port.checkpoint(&call, at, system).await));
        said.line(&format!("a slot of {what}"), reply(&port.create_slot(&call, at, system, "spare").await));
    }
    for what in ["a slot", "the same again"] {
        said.line(what, reply(&port.create_slot(&call, from, &system, "spare").await));
    }
    said.line("a checkpoint", reply(&port.checkpoint(&call, from, &system).await));
    for (what, at) in [("source", from), ("target", to)] {
        let kept = port.protection(at).await;
        let kept = kept.get().unwrap();
        said.line(&format!("the control file of the {what} names timeline"), kept.recorded);
        let spare = kept.slots.iter().filter(|slot| slot.name == "spare").count();
        said.line("slots of that name there", spare);
    }
    said
}
