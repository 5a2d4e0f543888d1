//! The traps of warming a cache from another, R1 to R10.

use super::stage::{Stage, real, simulated, source, target};
use crate::conformance::table::Said;
use crate::traffic::permit;
use mrctl::world::Reply;
use mrctl::world::cache::Pace;

cases! { Redis;
    r1 "Keys arrive with the time that they have left, and those without stay for ever."
    r2 "A key that is there already stays as it is, and copying once more changes nothing."
    r3 "Keys with a prefix that is left out are not copied."
    r4 "A side that answers nothing is unknown, and a copy is refused before a key was read."
    r5 "A key that stays is copied, whatever comes and goes beside it between two slices."
    r6 "A target that is a replica is refused."
    r7 "A target that is nearly full is refused at once, and one that pushes keys out with the next slice."
    r8 "One server under two names is refused."
    r9 "A restart of either side ends the copy: a cursor means nothing to another process."
    r10 "A cursor that cannot be read is refused."
}

fn pace(rate: u64) -> Pace {
    Pace { rate, ramp_ms: 0, skip: vec!["lock:".into()] }
}

pub(super) async fn slice(stage: &impl Stage, rate: u64, cursor: &str) -> Reply {
    stage.cache().copy(&permit(), &source(), &target(), &pace(rate), cursor).await
}

/// All slices from here to the end.
pub(super) async fn copy(stage: &impl Stage, from: &str) -> Reply {
    let mut cursor = from.to_string();
    loop {
        match slice(stage, 100_000, &cursor).await {
            Reply::More { cursor: next, .. } => cursor = next,
            done => return done,
        }
    }
}

/// What was counted, or why not, without names and numbers of bytes.
pub(super) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Acknowledged { note } => note.split_once(": ").unwrap().1.into(),
        Reply::More { .. } => "more".into(),
        Reply::Refused { why } => format!("refused, {}", why.split([':', '(']).next().unwrap().trim()),
        Reply::Lost { .. } => "lost".into(),
    }
}

pub(super) async fn fill(stage: &impl Stage, count: usize) {
    for n in 0..count {
        stage.set(&source(), &format!("session:{n:02}"), None).await;
    }
}

async fn known(stage: &impl Stage, region: &mrctl::world::Member) -> &'static str {
    if stage.cache().look(region).await.get().is_some() { "known" } else { "unknown" }
}

/// The first slice of a copy that needs more than one.
async fn begun(stage: &impl Stage, said: &mut Said) -> String {
    fill(stage, 60).await;
    let first = slice(stage, 50, "").await;
    said.line("the first slice", reply(&first));
    match first {
        Reply::More { cursor, .. } => cursor,
        other => panic!("{other:?}"),
    }
}

async fn r1(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.set(&source(), "session:1", Some(500_000)).await;
    stage.set(&source(), "session:2", None).await;
    said.line("a copy", reply(&copy(stage, "").await));
    for key in ["session:1", "session:2", "session:3"] {
        said.line(key, stage.life(&target(), key).await);
    }
    let seen = stage.cache().look(&target()).await;
    let seen = seen.get().unwrap();
    said.line("the target", format!("{}, {} keys, {} pushed out", seen.role, seen.keys, seen.evicted));
    said.line("its limit in bytes", seen.limit_bytes);
    said
}

async fn r2(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.set(&source(), "session:1", None).await;
    stage.set(&source(), "session:2", None).await;
    stage.set(&target(), "session:1", Some(500_000)).await;
    said.line("a copy", reply(&copy(stage, "").await));
    said.line("the key that was there", stage.life(&target(), "session:1").await);
    stage.delete(&source(), "session:2").await;
    said.line("once more", reply(&copy(stage, "").await));
    said.line("the key that the source has no more", stage.life(&target(), "session:2").await);
    said
}

async fn r3(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    for key in ["lock:1", "lock", "session:lock:1"] {
        stage.set(&source(), key, None).await;
    }
    said.line("a copy", reply(&copy(stage, "").await));
    for key in ["lock:1", "lock", "session:lock:1"] {
        said.line(key, stage.life(&target(), key).await);
    }
    said
}

async fn r4(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    // The first is silent before the second is, so that each is alone in it on a real server.
    stage.silence(&target()).await;
    said.line("a silent target", known(stage, &target()).await);
    let done = slice(stage, 50, "").await;
    said.line("a copy", if matches!(done, Reply::Refused { .. }) { "refused" } else { "not refused" });
    stage.silence(&source()).await;
    said.line("a silent source", known(stage, &source()).await);
    let done = slice(stage, 50, "").await;
    said.line("a copy", if matches!(done, Reply::Refused { .. }) { "refused" } else { "not refused" });
    said
}

async fn r5(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let cursor = begun(stage, &mut said).await;
    for n in 0..10 {
        stage.delete(&source(), &format!("session:{n:02}")).await;
        stage.set(&source(), &format!("another:{n:02}"), None).await;
    }
    let done = copy(stage, &cursor).await;
    said.line(
        "the rest",
        if matches!(done, Reply::Acknowledged { .. }) { "acknowledged" } else { "not done" },
    );
    let mut there = 0;
    for n in 10..60 {
        there += usize::from(stage.life(&target(), &format!("session:{n:02}")).await == "for ever");
    }
    said.line("those that stayed, of 50", there);
    said
}

async fn r6(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    stage.make_replica().await;
    said.line("the target", &stage.cache().look(&target()).await.get().unwrap().role);
    said.line("a copy", reply(&slice(stage, 50, "").await));
    said.line("the key", stage.life(&target(), "session:00").await);
    said
}

async fn r7(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let cursor = begun(stage, &mut said).await;
    stage.evict().await;
    said.line("one that pushed a key out", reply(&slice(stage, 50, &cursor).await));
    stage.fill().await;
    said.line("one that is nearly full", reply(&slice(stage, 50, "").await));
    said
}

async fn r8(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    stage.be_the_same().await;
    said.line("a copy", reply(&slice(stage, 50, "").await));
    said
}

async fn r9(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let cursor = begun(stage, &mut said).await;
    stage.restart(&target()).await;
    said.line("after a restart of the target", reply(&slice(stage, 50, &cursor).await));
    said.line("what it had", stage.life(&target(), "session:00").await);
    let cursor = begun(stage, &mut said).await;
    stage.restart(&source()).await;
    said.line("after a restart of the source", reply(&slice(stage, 50, &cursor).await));
    said.line("from the beginning", reply(&copy(stage, "").await));
    said
}

async fn r10(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    said.line("a copy", reply(&slice(stage, 50, "17").await));
    said.line("the key", stage.life(&target(), "session:00").await);
    said
}
