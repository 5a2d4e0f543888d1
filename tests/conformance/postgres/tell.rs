//! What several cases do and ask.

use super::stage::Stage;
use crate::conformance::table::Said;
use crate::support::pg::until;
use crate::support::port::{facts, handover, scope};
use crate::support::world::{permit, source, target};
use mrctl::step::{Judgement, Standing};
use mrctl::world::postgres::{Altered, Handover, Postgres, ServerFacts};
use mrctl::world::{Known, Member, Reply};

pub fn port<S: Stage>(stage: &S) -> &dyn Postgres {
    &*stage.world().postgres
}

pub fn told(told: bool) -> &'static str {
    if told { "told that it is committed" } else { "not committed" }
}

/// The whole reason where the guard of one statement gives it.
pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Acknowledged { .. } => "acknowledged".into(),
        Reply::More { .. } => "more".into(),
        Reply::Refused { .. } => "refused".into(),
        Reply::Lost { .. } => "lost".into(),
    }
}

/// With the reason, which both worlds give alike.
pub fn reason(reply: &Reply) -> String {
    match reply {
        Reply::Acknowledged { .. } => "acknowledged".into(),
        Reply::More { progress, .. } => progress.clone(),
        Reply::Refused { why } => format!("refused, {}", why.split(" up to ").next().unwrap_or_default()),
        Reply::Lost { why } => format!("lost, {why}"),
    }
}

/// What a kind makes of it.
pub fn judged(judged: &Judgement) -> String {
    let standing = match judged.standing {
        Standing::Reached => "reached",
        Standing::NotReached => "not reached",
        Standing::Moving => "moving",
        Standing::Blocked => "blocked",
        Standing::Unknown => "unknown",
    };
    let with = if judged.handover.is_some() { ", with a handover" } else { "" };
    let remark = judged.remark.map(|remark| format!(", {remark:?}").to_lowercase()).unwrap_or_default();
    format!("{standing}{with}{remark}")
}

pub fn yes(known: &Known<bool>) -> &'static str {
    match known {
        Known::Known(true) => "yes",
        Known::Known(false) => "no",
        Known::Unknown(_) => "unknown",
    }
}

/// Waits until a server shows it, as the engine does.
pub async fn seen<S: Stage>(
    stage: &S,
    at: &Member,
    what: &str,
    test: impl Fn(&ServerFacts) -> bool,
) -> ServerFacts {
    until(what, || async { port(stage).look(at, &scope()).await.get().filter(|seen| test(seen)).cloned() })
        .await
}

pub async fn system<S: Stage>(stage: &S) -> String {
    facts(port(stage), &source()).await.system
}

/// Frozen, and every session from before still there.
pub async fn freeze<S: Stage>(stage: &S, said: &mut Said) {
    let system = system(stage).await;
    let done = port(stage).freeze(&permit("read_only", 1), &source(), &system, None).await;
    seen(stage, &source(), "frozen", |facts| facts.read_only.on).await;
    said.line("a freeze", reply(&done));
}

/// Frozen, and every session from before ended.
pub async fn close<S: Stage>(stage: &S, said: &mut Said) {
    let system = system(stage).await;
    let done = port(stage).freeze(&permit("read_only", 1), &source(), &system, Some(&scope())).await;
    let closed = |facts: &ServerFacts| {
        facts.read_only.on && facts.sessions.is(|sessions| sessions.older == 0 && sessions.writing == 0)
    };
    seen(stage, &source(), "frozen and empty", closed).await;
    said.line("a freeze that ends sessions", reply(&done));
}

pub async fn thaw<S: Stage>(stage: &S, prior: Altered) -> String {
    let system = system(stage).await;
    let done = port(stage).unfreeze(&permit("read_only", 2), &source(), &system, &prior).await;
    seen(stage, &source(), "put back", |facts| facts.read_only.altered == Known::Known(prior.clone())).await;
    reply(&done)
}

/// Waits until the target has everything that the source has on disk.
pub async fn caught_up<S: Stage>(stage: &S) {
    until("the target has everything", || async {
        let (from, to) = (facts(port(stage), &source()).await, facts(port(stage), &target()).await);
        let (primary, standby) = (from.primary().unwrap(), to.standby().unwrap());
        (primary.all_flushed() && standby.replayed.is(|to| *to >= primary.flushed)).then_some(())
    })
    .await;
}

/// What a catch-up would hand over, once everything has arrived.
pub async fn handed_over<S: Stage>(stage: &S) -> Handover {
    caught_up(stage).await;
    handover(port(stage)).await
}

pub async fn promote<S: Stage>(stage: &S, handover: &Handover) -> Reply {
    port(stage).promote(&permit("promote", 1), &target(), handover).await
}

/// Waits until the target is a primary.
pub async fn promoted<S: Stage>(stage: &S) -> ServerFacts {
    seen(stage, &target(), "promoted", |facts| !facts.in_recovery()).await
}
