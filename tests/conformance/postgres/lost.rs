//! Calls whose answer is lost, L1 to L6, and what breaks off in the middle.

use super::real::by_wire as real;
use super::stage::{Stage, simulated};
use super::tell::{close, handed_over, judged, port, promote, promoted, reason, reply, seen, system, told};
use crate::conformance::table::Said;
use crate::conformance::wire::Lose;
use crate::support::kinds::{self, judge};
use crate::support::pg::until;
use crate::support::port::facts;
use crate::support::world::{permit, source, target};
use mrctl::world::Reply;
use mrctl::world::postgres::Handover;

cases! { PostgreSql;
    l1 "A freeze whose answer is lost is in force."
    l2 "A promotion whose request is lost never happens, and may be asked for again."
    l3 "A freeze that is late is seen under its own name until it arrives, and then is in force."
    l4 "A promotion whose answer is lost happens."
    l5 "A freeze whose request is lost leaves nothing behind that would freeze later, when somebody loads the configuration."
    l6 "A promotion that is late happens in spite of every look that did not see it."
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
