//! The real port as the tests use it: facts or a failure, a freeze, a handover.

use crate::support::pg::until;
use crate::support::world::{RUN, permit, source, target};
use mrctl::world::postgres::{Handover, HandoverBy, Postgres, Scope, ServerFacts};
use mrctl::world::{Known, Member, Reply};

pub fn scope() -> Scope {
    Scope { keep: vec!["monitoring".into()], run: RUN.into() }
}

pub async fn facts(port: &dyn Postgres, at: &Member) -> ServerFacts {
    match port.look(at, &scope()).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{at}: {why}"),
    }
}

pub fn said(reply: &Reply) -> &str {
    match reply {
        Reply::Acknowledged { note } => note,
        Reply::More { progress, .. } => progress,
        Reply::Refused { why } | Reply::Lost { why } => why,
    }
}

pub fn acknowledged(reply: &Reply) -> bool {
    matches!(reply, Reply::Acknowledged { .. })
}

pub fn refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused { .. })
}

/// Freezes and waits until a fresh connection sees it.
pub async fn freeze(port: &dyn Postgres) {
    let system = facts(port, &source()).await.system;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, None).await;
    assert!(acknowledged(&reply), "{reply:?}");
    until("frozen", || async { facts(port, &source()).await.read_only.on.then_some(()) }).await;
}

/// What a catch-up would hand over now, without its checks.
pub async fn handover(port: &dyn Postgres) -> Handover {
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
        counted: None,
    }
}

pub async fn promoted(port: &dyn Postgres) -> ServerFacts {
    until("promoted", || async {
        let facts = port.look(&target(), &scope()).await;
        facts.get().filter(|facts| !facts.in_recovery()).cloned()
    })
    .await
}

/// Names of the fatal findings.
pub async fn bad(port: &dyn Postgres, at: &Member) -> Vec<String> {
    let found = port.preflight(at, *at == target(), "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    found.into_iter().filter(|f| f.fatal && f.fine != Known::Known(true)).map(|f| f.check).collect()
}
