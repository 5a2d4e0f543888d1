//! What a reprotection makes of what is seen.

use super::*;
use crate::step::postgres::control_data::{self, ControlData};
use crate::step::postgres::examples;
use crate::world::postgres::Protection;
use crate::world::postgres::{NO_RECEIVER, REFUSES, Receiver, Slot};

mod direction;
mod sends;

fn command(word: &str) -> Command {
    Command { argv: vec![word.into()], env: [].into(), pass: vec![], timeout_ms: 5_000 }
}

fn reprotect() -> Reprotect {
    Reprotect {
        pair: examples::pair(),
        keep: vec![],
        rejoin: command("rejoin"),
        slot: Some("eu_west".into()),
        look: Some(command("look")),
        fenced: Some(command("fenced")),
        control_data: Some(command("control")),
    }
}

/// Promoted, with everything that a standby needs.
fn promoted() -> ServerFacts {
    let mut new = examples::primary();
    let primary = examples::primary_of(&mut new);
    primary.timeline = 2;
    primary.senders = Known::Known(vec![]);
    new
}

fn kept(recorded: u32, slots: &[(&str, bool)]) -> Known<Protection> {
    let slots = slots
        .iter()
        .map(|(name, active)| Slot {
            name: (*name).into(),
            active: *active,
            physical: true,
            reserved: true,
            lost: false,
            doomed: false,
            sender: active.then(|| "streaming".to_owned()),
        })
        .collect();
    Known::Known(Protection {
        system: "7301".into(),
        recorded,
        slots,
        may_checkpoint: true,
        may_replicate: true,
    })
}

/// Its control file: of a primary of timeline 1 that was shut down, with one thing changed.
fn left_on_disk(from: &str, to: &str) -> Known<ControlData> {
    ControlData::parse(&control_data::stopped("7301", "0/5BE0138").replace(from, to))
}

/// The new one is ready; the old one does not answer, and is stopped.
fn stopped() -> Facts {
    Facts {
        old: Known::unknown("connection refused"),
        new: Known::Known(promoted()),
        kept: kept(2, &[("eu_west", false)]),
        left: Known::unknown("no standby yet"),
        stopped: Known::Known(true),
        fenced: Known::unknown("no `fenced`"),
        control: left_on_disk("", ""),
        others: vec![],
        vouched: vec![],
    }
}

/// It follows.
fn follows() -> Facts {
    let (mut new, mut old) = (promoted(), examples::standby());
    let mut before = examples::primary();
    examples::primary_of(&mut new).senders = examples::primary_of(&mut before).senders.clone();
    examples::standby_of(&mut old).receiver =
        Known::Known(Receiver { status: "streaming".into(), timeline: 2, silent_ms: 10 });
    Facts {
        old: Known::Known(old),
        new: Known::Known(new),
        kept: kept(2, &[("eu_west", true)]),
        left: kept(2, &[]),
        ..stopped()
    }
}

fn judged(effect: &str, facts: &Facts) -> Judgement {
    reprotect().judge(effect, facts, Aim::Applied, None)
}

fn standing(effect: &str, facts: &Facts) -> Standing {
    judged(effect, facts).standing
}

/// The old one as a primary.
fn back(change: impl FnOnce(&mut ServerFacts)) -> Facts {
    let mut old = examples::frozen();
    change(&mut old);
    Facts { old: Known::Known(old), ..stopped() }
}

#[test]
fn whoever_follows_is_left_alone() {
    let facts = follows();
    for effect in reprotect().effects() {
        let judged = judged(&effect.id, &facts);
        assert_eq!(judged.standing, Standing::Reached, "{}: {}", effect.id, judged.evidence);
    }
    // Also through no slot at all: one that nobody uses would only keep log.
    let without = Facts { kept: kept(1, &[]), ..follows() };
    assert_eq!(standing("slot", &without), Standing::Reached);
    assert_eq!(standing("checkpoint", &without), Standing::Reached);
}

#[test]
fn the_new_primary_is_made_ready_first() {
    let fresh = Facts { kept: kept(1, &[]), ..stopped() };
    assert_eq!(standing("checkpoint", &fresh), Standing::NotReached);
    assert_eq!(standing("slot", &fresh), Standing::NotReached);
    // Rewound before the checkpoint, it would find nothing to do.
    assert_eq!(standing("rejoin", &fresh), Standing::Blocked);
    let ready = stopped();
    assert_eq!(standing("checkpoint", &ready), Standing::Reached);
    assert_eq!(standing("slot", &ready), Standing::Reached);
    assert_eq!(standing("rejoin", &ready), Standing::NotReached);
}

#[test]
fn a_second_primary_that_takes_writes_is_not_ended() {
    let open = back(|old| old.read_only = examples::primary().read_only);
    let seen = judged("rejoin", &open);
    assert_eq!(seen.standing, Standing::Blocked);
    assert!(seen.evidence.contains("divergence"), "{}", seen.evidence);
    // Before anything is begun.
    assert_eq!(standing("checkpoint", &open), Standing::Blocked);
    assert_eq!(standing("rejoin", &Facts { fenced: Known::Known(true), ..open }), Standing::NotReached);
    assert_eq!(standing("rejoin", &back(|_| {})), Standing::NotReached);
    let writing = back(|old| {
        if let Known::Known(sessions) = &mut old.sessions {
            sessions.writing = 1;
        }
    });
    assert_eq!(standing("rejoin", &writing), Standing::Moving);
    let hidden = back(|old| old.sessions = Known::unknown("the role lacks pg_monitor"));
    assert_eq!(standing("rejoin", &hidden), Standing::Unknown);
}

#[test]
fn silence_proves_nothing() {
    let silent = |stopped: Known<bool>, fenced: Known<bool>| Facts { stopped, fenced, ..self::stopped() };
    let unknown = || Known::unknown("cannot tell");
    for (stopped, fenced, wanted) in [
        (Known::Known(true), unknown(), Standing::NotReached),
        (unknown(), Known::Known(true), Standing::NotReached),
        (unknown(), unknown(), Standing::Unknown),
        (Known::Known(false), unknown(), Standing::Unknown),
        (Known::Known(false), Known::Known(false), Standing::Unknown),
    ] {
        let facts = silent(stopped, fenced);
        assert_eq!(standing("rejoin", &facts), wanted, "{facts:?}");
    }
    // Users reach what is said to be stopped: one of both is wrong.
    assert_eq!(standing("rejoin", &silent(Known::Known(true), Known::Known(false))), Standing::Unknown);
    // It answers, and lets nobody in: whatever `look` says.
    let refuses = Known::Unknown(format!("{REFUSES}the database system is starting up (57P03)"));
    let facts = Facts { old: refuses, ..silent(Known::Known(true), unknown()) };
    assert_eq!(standing("rejoin", &facts), Standing::Unknown);
}

#[test]
fn the_direction_is_that_of_the_promotion() {
    let not_promoted = Facts { new: Known::Known(examples::standby()), ..stopped() };
    let same = back(|old| examples::primary_of(old).timeline = 2);
    let stranger = back(|old| old.system = "7302".into());
    for facts in [not_promoted, same, stranger] {
        for effect in ["checkpoint", "slot", "rejoin", "protected"] {
            assert_eq!(standing(effect, &facts), Standing::Blocked, "{effect}");
        }
    }
    let silent = Facts { new: Known::unknown("no answer"), ..stopped() };
    assert_eq!(standing("rejoin", &silent), Standing::Unknown);
}

fn standby(change: impl FnOnce(&mut ServerFacts)) -> Facts {
    let mut facts = follows();
    if let Known::Known(old) = &mut facts.old {
        change(old);
    }
    facts
}

#[test]
fn a_standby_that_does_not_stream_on_the_new_timeline_may_be_rejoined() {
    let alone = standby(|old| examples::standby_of(old).receiver = Known::unknown(NO_RECEIVER));
    assert_eq!(standing("rejoin", &alone), Standing::NotReached);
    let old_timeline = standby(|old| {
        examples::standby_of(old).receiver =
            Known::Known(Receiver { status: "streaming".into(), timeline: 1, silent_ms: 10 });
    });
    assert_eq!(standing("rejoin", &old_timeline), Standing::NotReached);
}

#[test]
fn our_freeze_is_taken_away_and_what_others_set_is_told() {
    let ours = standby(|old| old.read_only = examples::frozen().read_only);
    assert_eq!(standing("thaw", &ours), Standing::NotReached);
    assert_eq!(standing("protected", &ours), Standing::NotReached);
    let theirs = standby(|old| {
        old.read_only = examples::frozen().read_only;
        old.read_only.altered = Known::Known(Altered::Unset);
    });
    assert_eq!(standing("thaw", &theirs), Standing::Blocked);
    // On a primary it would open it for writes.
    assert_eq!(standing("thaw", &back(|_| {})), Standing::Blocked);
}

#[test]
fn left_slots_and_ghosts_are_told_and_hanging_commits_are_no_protection() {
    let mut facts = Facts { left: kept(2, &[("us_east", false)]), ..follows() };
    let names = |facts: &mut Facts, names: &str| {
        if let Known::Known(new) = &mut facts.new {
            new.synchronous_names = names.into();
        }
    };
    let said = judged("protected", &facts);
    assert_eq!(said.standing, Standing::Reached);
    assert!(said.evidence.contains("pg_drop_replication_slot('us_east')"), "{}", said.evidence);
    names(&mut facts, "ghost");
    assert_eq!(standing("protected", &facts), Standing::NotReached);
    if let Known::Known(new) = &mut facts.new
        && let Known::Known(senders) = &mut examples::primary_of(new).senders
    {
        senders[0].sync = "sync".into();
    }
    names(&mut facts, "FIRST 1 (US_EAST, \"ghost\")");
    let said = judged("protected", &facts);
    assert_eq!(said.standing, Standing::Reached, "{}", said.evidence);
    assert!(said.evidence.contains("names ghost, and nobody"), "{}", said.evidence);
}
