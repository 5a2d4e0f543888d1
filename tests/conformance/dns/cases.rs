//! The traps of records with shares, D1 to D15.

use super::stage::{Stage, at, real, set, simulated};
use crate::conformance::table::Said;
use crate::traffic::permit;
use mrctl::world::dns::{RecordAim, RecordFacts, RecordSet, Shares};
use mrctl::world::record_content::words;
use mrctl::world::{Known, Reply};

cases! { PowerDns;
    d1 "Writing what stands there would move the serial: nothing is sent, also when the expectation is stale; what others write moves it, whatever it is."
    d2 "A change is refused when somebody else has changed what stands there, and nothing is written."
    d3 "Mixed shares are one LUA set in the place of the plain one, answered in proportion."
    d4 "A region that gets nothing is not in the content and is never answered."
    d5 "What would answer nothing, does not sum to everything or names a region without a target is refused before it is sent."
    d6 "A new time to live keeps the content, and new shares keep the time to live."
    d7 "A server that answers nothing is unknown, and a change of it is refused before anything was sent."
    d8 "A content that is no target of the inventory is answered, foreign, and never rewritten for shares; its time to live may be changed."
    d9 "LUA that mrctl did not write may stand there and answer nothing: the answers are unknown, and it is not rewritten."
    d10 "A name that is gone is an empty answer, and can be written anew."
    d11 "Several plain targets are all in every answer and share evenly; a write replaces the whole set."
    d12 "A record whose zone the server does not have is unknown, and refused."
    d13 "A disabled content answers nothing, is foreign, and an undo puts it back disabled."
    d14 "The API may work while nobody answers by DNS: the sets are known, the answers unknown, and a write is done."
    d15 "Targets compare in the server's form: addresses in their shortest, names in lower case with a dot; an alias has no shares between nothing and everything."
}

pub(super) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Acknowledged { note } if note.starts_with("already") => "already so".into(),
        Reply::Acknowledged { .. } => "acknowledged".into(),
        Reply::More { .. } => "more".into(),
        Reply::Refused { why } => format!("refused, {}", why.split(':').next().unwrap_or_default()),
        Reply::Lost { .. } => "lost".into(),
    }
}

pub(super) fn shares(list: &[(&str, u32)]) -> RecordAim {
    RecordAim::Shares(list.iter().map(|(region, share)| ((*region).into(), *share)).collect())
}

pub(super) fn tenth() -> RecordAim {
    shares(&[("eu-west", 9_000), ("us-east", 1_000)])
}

pub(super) fn moved() -> RecordAim {
    shares(&[("us-east", 10_000)])
}

pub(super) async fn look(stage: &impl Stage, record: &str) -> RecordFacts {
    match stage.dns().look(&at(record)).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{record}: {why}"),
    }
}

pub(super) async fn swap(
    stage: &impl Stage,
    record: &str,
    expected: &[RecordSet],
    aim: &RecordAim,
) -> String {
    reply(&stage.dns().swap(&permit(), &at(record), expected, aim).await)
}

fn in_words(sets: &[RecordSet]) -> String {
    let words = |set: &RecordSet| format!("{} {} {}", set.kind, set.ttl, set.contents.join(", "));
    if sets.is_empty() { "nothing".into() } else { sets.iter().map(words).collect::<Vec<_>>().join("; ") }
}

fn known<T>(seen: &Known<T>, tell: impl Fn(&T) -> String) -> String {
    match seen {
        Known::Known(seen) => tell(seen),
        Known::Unknown(why) if why.starts_with("foreign content") => "foreign".into(),
        Known::Unknown(_) => "unknown".into(),
    }
}

/// What stands there and is answered, without chance: whose answers were seen, not how often.
pub(super) fn tell(said: &mut Said, what: &str, seen: &RecordFacts) {
    said.line(what, in_words(&seen.sets));
    said.line("  shares", known(&seen.shares, |shares: &Shares| words(shares)));
    said.line("  answers", known(&seen.answers, |answers| format!("{answers:?}")));
    said.line("  answered", known(&seen.sampled, |seen| format!("{:?}", seen.keys().collect::<Vec<_>>())));
}

async fn d1(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    said.line("what stands there", swap(stage, "www", &start.sets, &shares(&[("eu-west", 10_000)])).await);
    said.line("with a stale expectation", swap(stage, "www", &[], &shares(&[("eu-west", 10_000)])).await);
    said.line("the serial stays", look(stage, "www").await.serial == start.serial);
    stage.overwrite("www", &start.sets).await;
    let now = look(stage, "www").await;
    said.line("written by somebody else, the sets are the same", now.sets == start.sets);
    said.line("the serial stays", now.serial == start.serial);
    said
}

async fn d2(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    stage.overwrite("www", &[set("A", 60, &["192.0.2.10", "203.0.113.7"])]).await;
    for (what, aim) in [("shares", tenth()), ("a time to live", RecordAim::Ttl(5)), ("everything", moved())] {
        said.line(what, swap(stage, "www", &start.sets, &aim).await);
    }
    said.line("sets", swap(stage, "www", &[], &RecordAim::Sets(start.sets.clone())).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d3(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    said.line("a tenth", swap(stage, "www", &start.sets, &tenth()).await);
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    let sampled = now.sampled.get().unwrap();
    let total: u32 = sampled.values().sum();
    said.line("questions", total);
    // Expected 40, standard deviation 6: beyond six of them it is no chance.
    let tenth = sampled.get("us-east").copied().unwrap_or(0);
    said.line("in proportion", (4..=76).contains(&tenth));
    said.line("the serial stays", now.serial == start.serial);
    said
}

async fn d4(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    let all = shares(&[("eu-west", 0), ("us-east", 10_000)]);
    said.line("everything", swap(stage, "www", &start.sets, &all).await);
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    said.line("questions", now.sampled.get().unwrap().values().sum::<u32>());
    said
}

async fn d5(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    for (what, aim) in [
        ("no sets", RecordAim::Sets(vec![])),
        ("an empty set", RecordAim::Sets(vec![set("A", 60, &[])])),
        ("no shares", shares(&[])),
        ("shares of nothing", shares(&[("eu-west", 0), ("us-east", 0)])),
        ("half", shares(&[("eu-west", 5_000)])),
        ("an unknown region", shares(&[("mars", 10_000)])),
    ] {
        said.line(what, swap(stage, "www", &start.sets, &aim).await);
    }
    let now = look(stage, "www").await;
    said.line("all is as before", (&now.sets, &now.serial) == (&start.sets, &start.serial));
    said
}

async fn d6(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    said.line("ten seconds", swap(stage, "www", &start.sets, &RecordAim::Ttl(10)).await);
    let short = look(stage, "www").await;
    tell(&mut said, "there", &short);
    said.line("moved", swap(stage, "www", &short.sets, &moved()).await);
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    said.line("time to live", known(&now.ttl, ToString::to_string));
    said.line("back", swap(stage, "www", &now.sets, &RecordAim::Sets(start.sets.clone())).await);
    said.line("as before", look(stage, "www").await.sets == start.sets);
    said
}

async fn d7(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    stage.silence().await;
    said.line("a look", known(&stage.dns().look(&at("www")).await, |_| "known".into()));
    let done = stage.dns().swap(&permit(), &at("www"), &start.sets, &moved()).await;
    said.line("moved", if matches!(done, Reply::Refused { .. }) { "refused" } else { "not refused" });
    said
}

async fn d8(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.overwrite("www", &[set("A", 60, &["203.0.113.99"])]).await;
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    said.line("shares", swap(stage, "www", &now.sets, &moved()).await);
    said.line("a time to live", swap(stage, "www", &now.sets, &RecordAim::Ttl(5)).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d9(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.overwrite("www", &[set("LUA", 60, &["A \"nonsense({{\""])]).await;
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    said.line("shares", swap(stage, "www", &now.sets, &moved()).await);
    let back = RecordAim::Sets(vec![set("A", 60, &["192.0.2.10"])]);
    said.line("sets", swap(stage, "www", &now.sets, &back).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d10(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.overwrite("www", &[]).await;
    tell(&mut said, "there", &look(stage, "www").await);
    said.line("a time to live of nothing", swap(stage, "www", &[], &RecordAim::Ttl(5)).await);
    said.line("anew", swap(stage, "www", &[], &tenth()).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d11(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.overwrite("www", &[set("A", 60, &["192.0.2.10", "198.51.100.10"])]).await;
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    let counts: Vec<_> = now.sampled.get().unwrap().values().collect();
    said.line("each as often", format!("{counts:?}"));
    said.line("moved", swap(stage, "www", &now.sets, &moved()).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d12(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    for record in ["away", "unheard"] {
        let seen = stage.dns().look(&at(record)).await;
        said.line(record, known(&seen, |_| "known".into()));
        let done = stage.dns().swap(&permit(), &at(record), &[], &moved()).await;
        said.line("moved", if matches!(done, Reply::Refused { .. }) { "refused" } else { "not refused" });
    }
    said
}

async fn d13(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = [set("A", 60, &["192.0.2.10", "disabled: 198.51.100.10"])];
    stage.overwrite("www", &start).await;
    let now = look(stage, "www").await;
    tell(&mut said, "there", &now);
    said.line("shares", swap(stage, "www", &now.sets, &moved()).await);
    stage.overwrite("www", &[set("A", 60, &["192.0.2.10"])]).await;
    let plain = look(stage, "www").await;
    said.line("an undo", swap(stage, "www", &plain.sets, &RecordAim::Sets(start.to_vec())).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d14(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.break_answers().await;
    let start = look(stage, "www").await;
    tell(&mut said, "there", &start);
    said.line("moved", swap(stage, "www", &start.sets, &moved()).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn d15(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let eu = shares(&[("eu-west", 10_000)]);
    for record in ["new", "six", "alias"] {
        said.line(record, swap(stage, record, &[], &eu).await);
        let now = look(stage, record).await;
        tell(&mut said, "there", &now);
        said.line("a tenth", swap(stage, record, &now.sets, &tenth()).await);
        let now = look(stage, record).await;
        said.line("moved", swap(stage, record, &now.sets, &moved()).await);
        tell(&mut said, "there", &look(stage, record).await);
    }
    // As others write it.
    for (record, sets) in [
        ("six", [set("AAAA", 60, &["2001:0DB8:0000::1"])]),
        ("alias", [set("CNAME", 60, &["EU.example.NET."])]),
    ] {
        stage.overwrite(record, &sets).await;
        let now = look(stage, record).await;
        said.line(
            &format!("{record} of somebody else, shares"),
            known(&now.shares, |shares: &Shares| words(shares)),
        );
        said.line("  answers", known(&now.answers, |answers| format!("{answers:?}")));
    }
    said
}
