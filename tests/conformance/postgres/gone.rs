//! A primary that is gone, half gone, or only out of sight: what is seen of it, and what a fence does, U1 to U6.

mod night;

use super::tell::{judged, told};
use crate::conformance::table::Said;
use crate::support::kinds::{both, judge, kind};
use crate::support::pg::until;
use crate::support::port::scope;
use crate::support::world::{permit, source, target};
use mrctl::step::Kind as _;
use mrctl::step::postgres::catch_up::CatchUp;
use mrctl::step::postgres::evidence::{Says, evidence};
use mrctl::step::postgres::promote::Promote;
use mrctl::world::postgres::Handover;
use mrctl::world::{Known, Reply};
use night::{Night, real, simulated};
use serde_json::json;

cases! { PostgreSql;
    u1 "A primary that mrctl alone cannot reach takes writes and feeds its standby; nothing that is sent to it arrives, and who misses it is refused."
    u2 "A primary that hangs answers nobody; its standby hears nothing, and gives up after the receiver's timeout, which is when it says so."
    u3 "A primary that was killed refuses connections, which proves from where users come from that it is gone."
    u4 "A primary that a fence has ended is promoted over, unless a person has started it again: then it takes writes, and no promotion passes it."
    u5 "A fence command that ends well and did nothing proves nothing; the next one closes the way, and what is closed takes no write although it runs."
    u6 "Where no fence command proves anything, no promotion passes."
}

/// What a kind makes of it now.
async fn missed<N: Night>(night: &N, said: &mut Said, when: &str) {
    let (facts, missed) = judge(night.world(), &night.fence(), "missed", None).await;
    let pair = serde_json::from_value(both()).unwrap();
    let word = |says: &Says| match says {
        Says::Alive(_) => "alive",
        Says::Dead(_) => "dead",
        Says::Unknown(_) => "unknown",
    };
    let says = evidence(&pair, &facts.source, &facts.standbys, &facts.fenced);
    let says: Vec<&str> = says.iter().map(word).collect();
    said.line(&format!("{when}, what mrctl, the standby and users say"), says.join(", "));
    said.line("missed", judged(&missed));
}

async fn fenced<N: Night>(night: &N, said: &mut Said) {
    said.line("fenced", judged(&judge(night.world(), &night.fence(), "fence", None).await.1));
}

/// The whole ladder, a slice a command, as the engine goes it.
async fn ladder<N: Night>(night: &N, said: &mut Said) {
    let fence = night.fence();
    let (prior, _) = judge(night.world(), &fence, "fence", None).await;
    let (permit, mut cursor, mut replies) = (permit("fence", 1), String::new(), Vec::new());
    loop {
        let reply = fence.apply("fence", &permit, &prior, None, &cursor, night.world()).await;
        replies.push(super::tell::reply(&reply));
        match reply {
            Reply::More { cursor: next, .. } => cursor = next,
            Reply::Acknowledged { .. } | Reply::Refused { .. } | Reply::Lost { .. } => break,
        }
    }
    said.line("the ladder", replies.join(", "));
}

/// What the target has, handed over.
async fn catch_up<N: Night>(night: &N, said: &mut Said) -> Option<Handover> {
    let catch_up: CatchUp = kind(json!({ "pair": both(), "keep": [], "unplanned": true }));
    let seen = judge(night.world(), &catch_up, "look", None).await.1;
    said.line("what the target has", judged(&seen));
    seen.handover
}

async fn promote<N: Night>(night: &N, said: &mut Said, handover: &Handover) {
    let fenced = serde_json::to_value(night.fence()).unwrap()["fenced"].clone();
    let promote: Promote = kind(json!({ "pair": both(), "keep": [], "unplanned": true, "fenced": fenced }));
    let (prior, _) = judge(night.world(), &promote, "promote", Some(handover)).await;
    let permit = permit("promote", 1);
    let reply = promote.apply("promote", &permit, &prior, Some(handover), "", night.world()).await;
    said.line("a promotion", super::tell::reply(&reply));
}

async fn written<N: Night>(night: &N, said: &mut Said, when: &str) {
    said.line(&format!("{when}, a write"), told(night.write().await));
}

/// Waits until the target has so many rows.
async fn arrived<N: Night>(night: &N, said: &mut Said, rows: usize) {
    until("they arrive", || async { (night.rows().await == rows).then_some(()) }).await;
    said.line("rows on the target", rows);
}

async fn source_seen<N: Night>(night: &N, said: &mut Said) {
    let seen = night.world().postgres.look(&source(), &scope()).await;
    said.line("the source", if seen.get().is_some() { "seen" } else { "unknown" });
}

async fn receiver<N: Night>(night: &N) -> bool {
    let seen = night.world().postgres.look(&target(), &scope()).await;
    let standby = seen.get().and_then(|facts| facts.standby().cloned()).unwrap();
    matches!(standby.receiver, Known::Known(_))
}

/// The standby's receiver has given up.
async fn given_up<N: Night>(night: &N) {
    night.wait_out_the_receiver();
    until("the receiver gives up", || async { (!receiver(night).await).then_some(()) }).await;
}

async fn u1<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    night.hide().await;
    source_seen(night, &mut said).await;
    let mark = night.world().postgres.mark(&permit("mark", 1), &source(), "1").await;
    said.line("a mark", super::tell::reply(&mark));
    written(night, &mut said, "meanwhile").await;
    arrived(night, &mut said, 1).await;
    missed(night, &mut said, "then").await;
    fenced(night, &mut said).await;
    said
}

async fn u2<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    written(night, &mut said, "before").await;
    arrived(night, &mut said, 1).await;
    night.hang().await;
    said.line("a receiver right after", receiver(night).await);
    missed(night, &mut said, "right after").await;
    given_up(night).await;
    source_seen(night, &mut said).await;
    missed(night, &mut said, "later").await;
    fenced(night, &mut said).await;
    written(night, &mut said, "later").await;
    said
}

async fn u3<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    written(night, &mut said, "before").await;
    arrived(night, &mut said, 1).await;
    night.kill().await;
    until("the receiver is gone", || async { (!receiver(night).await).then_some(()) }).await;
    source_seen(night, &mut said).await;
    missed(night, &mut said, "then").await;
    fenced(night, &mut said).await;
    let handover = catch_up(night, &mut said).await.unwrap();
    promote(night, &mut said, &handover).await;
    arrived(night, &mut said, 1).await;
    said
}

async fn u4<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    night.hang().await;
    given_up(night).await;
    ladder(night, &mut said).await;
    fenced(night, &mut said).await;
    let handover = catch_up(night, &mut said).await.unwrap();
    night.start_again().await;
    written(night, &mut said, "started again").await;
    fenced(night, &mut said).await;
    promote(night, &mut said, &handover).await;
    said
}

async fn u5<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    night.part().await;
    missed(night, &mut said, "parted").await;
    night.next_command_does_nothing();
    ladder(night, &mut said).await;
    fenced(night, &mut said).await;
    written(night, &mut said, "closed").await;
    let handover = catch_up(night, &mut said).await.unwrap();
    promote(night, &mut said, &handover).await;
    said
}

async fn u6<N: Night>(night: &N) -> Said {
    let mut said = Said::default();
    night.hang().await;
    given_up(night).await;
    night.next_command_does_nothing();
    night.next_command_does_nothing();
    ladder(night, &mut said).await;
    fenced(night, &mut said).await;
    let handover = catch_up(night, &mut said).await.unwrap();
    promote(night, &mut said, &handover).await;
    said
}
