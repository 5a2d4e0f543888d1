//! What others do to a server, and what it hides or does not answer.

use super::super::stage::Stage;
use super::super::tell::{
    caught_up, close, handed_over, judged, port, promote, promoted, reason, reply, seen, system, told,
};
use crate::conformance::table::Said;
use crate::support::kinds::{self, catch_up, check_lag, judge};
use crate::support::port::{facts, scope};
use crate::support::world::{RUN, permit, source, target};
use mrctl::world::postgres::Altered;

pub(super) async fn p15<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    let system = system(stage).await;
    stage.silence_source().await;
    let known = port(stage).look(&source(), &scope()).await;
    said.line("a look", if known.get().is_some() { "known" } else { "unknown" });
    let done = port(stage).freeze(&permit("read_only", 1), &source(), &system, None).await;
    said.line("a freeze", reply(&done));
    let done = port(stage).unfreeze(&permit("read_only", 2), &source(), &system, &Altered::Unset).await;
    said.line("a thaw", reply(&done));
    let done = port(stage).write_probe(&permit("write", 1), &source(), "mrctl.probe").await;
    said.line("a probe", reply(&done));
    let lock = port(stage).lock(&source(), RUN).await;
    said.line("the lock", if lock.get().is_some() { "known" } else { "unknown" });
    said
}

pub(super) async fn p17<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    close(stage, &mut said).await;
    let good = handed_over(stage).await;
    stage.thaw_by_others().await;
    said.line("read-only after a thaw", facts(port(stage), &source()).await.read_only.on);
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    said.line("a plain write", told(stage.write(false).await));
    stage.promote_by_others().await;
    let now = promoted(stage).await;
    said.line("timeline after a promotion", now.primary().unwrap().timeline);
    let seen = judge(stage.world(), &kinds::promote(), "promote", Some(&good)).await.1;
    said.line("promoted", judged(&seen));
    said.line("a plain write at the old primary", told(stage.write(false).await));
    said
}

pub(super) async fn p18<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    caught_up(stage).await;
    stage.hang_receiver(true).await;
    said.line("a plain write", told(stage.write(false).await));
    close(stage, &mut said).await;
    let good = crate::support::port::handover(port(stage)).await;
    let (from, to) = (facts(port(stage), &source()).await, facts(port(stage), &target()).await);
    let receiver = to.standby().unwrap().receiver.get().unwrap().status.clone();
    said.line("the receiver says", receiver);
    let sender = from.primary().unwrap().senders.get().unwrap()[0].state.clone();
    said.line("the sender says", sender);
    said.line("lag", judged(&judge(stage.world(), &check_lag(0), "look", None).await.1));
    said.line("caught up", judged(&judge(stage.world(), &catch_up(), "mark", None).await.1));
    said.line("a promotion", reason(&promote(stage, &good).await));
    stage.hang_receiver(false).await;
    caught_up(stage).await;
    said.line("rows of the target once it goes on", stage.rows(&target()).await);
    said
}

pub(super) async fn p19<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.freeze_without_loading().await;
    let now = facts(port(stage), &source()).await.read_only;
    said.line("read-only", now.on);
    said.line("set", format!("{:?}", now.altered.get().unwrap()).to_lowercase());
    said.line("a plain write", told(stage.write(false).await));
    stage.reload_by_others().await;
    let now = seen(stage, &source(), "it is loaded", |facts| facts.read_only.on).await.read_only;
    said.line("once it is loaded, set", format!("{:?}", now.altered.get().unwrap()).to_lowercase());
    said.line("a plain write", told(stage.write(false).await));
    said
}
