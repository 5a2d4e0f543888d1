//! Calls whose answer is lost, L1 to L6, and what breaks off in the middle, L13 to L15.

use super::real::by_wire as real;
use super::stage::{Stage, simulated};
use super::tell::{
    close, handed_over, judged, port, promote, promoted, reason, reply, seen, system, thaw, told,
};
use crate::conformance::table::Said;
use crate::conformance::wire::Lose;
use crate::support::kinds::{self, judge};
use crate::support::pg::until;
use crate::support::port::{facts, scope};
use crate::support::world::{permit, source, target};
use mrctl::world::Reply;
use mrctl::world::postgres::{Altered, Handover, ServerFacts};

cases! { PostgreSql;
    l1 "A freeze whose answer is lost is in force."
    l2 "A promotion whose request is lost never happens, and may be asked for again."
    l3 "A freeze that is late is seen under its own name until it arrives, and then is in force."
    l4 "A promotion whose answer is lost happens."
    l5 "A freeze whose request is lost leaves nothing behind that would freeze later, when somebody loads the configuration."
    l6 "A promotion that is late happens in spite of every look that did not see it."
    l13 "A freeze that breaks off between its two statements is written and not loaded: no look shows it, and it stops writes when \
         somebody loads the configuration; its undo puts it right."
    l14 "An undo of a freeze that breaks off between its two statements leaves the freeze in force until the server is started again."
    l15 "Ending sessions that breaks off leaves the others there, where a look sees them."
}

async fn freeze<S: Stage>(stage: &S) -> Reply {
    let system = system(stage).await;
    port(stage).freeze(&permit("read_only", 1), &source(), &system, None).await
}

async fn ours<S: Stage>(stage: &S, at: &mrctl::world::Member) -> String {
    format!("{:?}", facts(port(stage), at).await.ours.get().unwrap())
}

async fn l1<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.lose(Lose::Answer);
    said.line("a freeze", reply(&freeze(stage).await));
    let now = seen(stage, &source(), "frozen", |facts| facts.read_only.on).await;
    said.line("read-only", now.read_only.on);
    said
}

async fn ready<S: Stage>(stage: &S, said: &mut Said) -> Handover {
    close(stage, said).await;
    handed_over(stage).await
}

async fn l2<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let good = ready(stage, &mut said).await;
    stage.lose(Lose::Request);
    said.line("a promotion", reply(&promote(stage, &good).await));
    let at = target();
    until("nothing of ours is under way", || async {
        facts(port(stage), &at).await.ours.is(Vec::is_empty).then_some(())
    })
    .await;
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    said.line("once more", reason(&promote(stage, &good).await));
    said.line("timeline", promoted(stage).await.primary().unwrap().timeline);
    said
}

async fn l3<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.lose(Lose::UntilLater);
    said.line("a freeze", reply(&freeze(stage).await));
    said.line("read-only", facts(port(stage), &source()).await.read_only.on);
    said.line("under way", ours(stage, &source()).await);
    let seen_now = judge(stage.world(), &kinds::freeze(), "read_only", None).await.1;
    said.line("what the freeze says of it", judged(&seen_now));
    stage.arrive();
    let now = seen(stage, &source(), "frozen, and over", |facts| {
        facts.read_only.on && facts.ours.is(Vec::is_empty)
    })
    .await;
    said.line("later, read-only", now.read_only.on);
    said
}

async fn l4<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let good = ready(stage, &mut said).await;
    stage.lose(Lose::Answer);
    said.line("a promotion", reply(&promote(stage, &good).await));
    said.line("timeline", promoted(stage).await.primary().unwrap().timeline);
    said.line("once more", reason(&promote(stage, &good).await));
    said
}

async fn l5<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.lose(Lose::Request);
    said.line("a freeze", reply(&freeze(stage).await));
    said.line("read-only", facts(port(stage), &source()).await.read_only.on);
    stage.reload_by_others().await;
    said.line("read-only once somebody has loaded", facts(port(stage), &source()).await.read_only.on);
    said.line("a plain write", told(stage.write(false).await));
    said
}

async fn l6<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let good = ready(stage, &mut said).await;
    stage.lose(Lose::UntilLater);
    said.line("a promotion", reply(&promote(stage, &good).await));
    said.line("in recovery", facts(port(stage), &target()).await.in_recovery());
    said.line("under way", ours(stage, &target()).await);
    stage.arrive();
    said.line("later, timeline", promoted(stage).await.primary().unwrap().timeline);
    said
}

/// Nothing of ours is under way at the source any more.
async fn over<S: Stage>(stage: &S) {
    until("nothing of ours is under way", || async {
        facts(port(stage), &source()).await.ours.is(Vec::is_empty).then_some(())
    })
    .await;
}

async fn l13<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.lose(Lose::Half);
    said.line("a freeze", reply(&freeze(stage).await));
    over(stage).await;
    let now = facts(port(stage), &source()).await.read_only;
    said.line("read-only", now.on);
    said.line("set", format!("{:?}", now.altered.get().unwrap()).to_lowercase());
    let seen_now = judge(stage.world(), &kinds::freeze(), "read_only", None).await.1;
    said.line("what the freeze says of it", judged(&seen_now));
    said.line("a plain write", told(stage.write(false).await));
    stage.reload_by_others().await;
    let now = seen(stage, &source(), "frozen", |facts| facts.read_only.on).await;
    said.line("read-only once somebody has loaded", now.read_only.on);
    said.line("a plain write", told(stage.write(false).await));
    said.line("its undo", thaw(stage, Altered::Unset).await);
    stage.lose(Lose::Half);
    said.line("once more", reply(&freeze(stage).await));
    over(stage).await;
    said.line("its undo", thaw(stage, Altered::Unset).await);
    stage.reload_by_others().await;
    said.line("read-only once somebody has loaded", facts(port(stage), &source()).await.read_only.on);
    said
}

async fn l14<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    said.line("a freeze", reply(&freeze(stage).await));
    let now = seen(stage, &source(), "frozen", |facts| facts.read_only.on).await;
    stage.lose(Lose::Half);
    let (permit, at) = (permit("read_only", 2), source());
    let undo = port(stage).unfreeze(&permit, &at, &now.system, &Altered::Unset).await;
    said.line("its undo", reply(&undo));
    over(stage).await;
    let now = facts(port(stage), &source()).await.read_only;
    said.line("read-only", now.on);
    said.line("set", format!("{:?}", now.altered.get().unwrap()).to_lowercase());
    said.line("a plain write", told(stage.write(false).await));
    stage.restart_source().await;
    let now = seen(stage, &source(), "started again", |_| true).await.read_only;
    said.line("started again, read-only", now.on);
    said.line("a plain write", told(stage.write(false).await));
    said
}

async fn l15<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.session("app").await;
    said.line("a freeze", reply(&freeze(stage).await));
    let older = |count: u32| {
        move |facts: &ServerFacts| facts.read_only.on && facts.sessions.is(|sessions| sessions.older == count)
    };
    let now = seen(stage, &source(), "frozen, and both sessions there", older(2)).await;
    stage.lose_half_of_ending().await;
    let end = async |attempt| {
        port(stage).end_sessions(&permit("sessions", attempt), &source(), &now.system, &scope()).await
    };
    said.line("ending the sessions from before", reply(&end(1).await));
    over(stage).await;
    let left = seen(stage, &source(), "one is gone", older(1)).await.sessions;
    said.line("left", left.get().unwrap().older);
    said.line("again", reply(&end(2).await));
    let left = seen(stage, &source(), "both are gone", older(0)).await.sessions;
    said.line("left", left.get().unwrap().older);
    said
}
