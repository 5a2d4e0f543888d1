//! What a reprotection makes of what is seen.

use super::*;
use crate::step::postgres::control_data::{self, ControlData};
use crate::step::postgres::examples;
use crate::world::postgres::Protection;
use crate::world::postgres::{NO_RECEIVER, REFUSES, Receiver, Slot};

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
    let slots = slots.iter().map(|(name, active)| Slot { name: (*name).into(), active: *active }).collect();
    Known::Known(Protection { system: "7301".into(), recorded, slots })
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
    let mut unseen = follows();
    if let Known::Known(new) = &mut unseen.new {
        examples::primary_of(new).senders = Known::Known(vec![]);
    }
    assert_eq!(standing("rejoin", &unseen), Standing::NotReached);
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

#[test]
fn a_word_counts_only_where_nobody_sees_anything() {
    let vouched = |facts: Facts| Facts { vouched: vec!["eu-west".into()], ..facts };
    let unknown = || Known::unknown("cannot tell");
    let silent = |stopped, fenced| vouched(Facts { stopped, fenced, ..self::stopped() });
    assert_eq!(standing("rejoin", &silent(unknown(), unknown())), Standing::NotReached);
    assert_eq!(standing("rejoin", &silent(Known::Known(false), unknown())), Standing::Unknown);
    assert_eq!(standing("rejoin", &silent(unknown(), Known::Known(false))), Standing::Unknown);
    let refuses = Known::Unknown(format!("{REFUSES}too many clients (53300)"));
    let refusing = Facts { old: refuses, ..silent(unknown(), unknown()) };
    assert_eq!(standing("rejoin", &refusing), Standing::Unknown);
    // A live primary that takes writes, whoever vouches for it.
    let open = vouched(back(|old| old.read_only = examples::primary().read_only));
    let writing = vouched(back(|old| {
        if let Known::Known(sessions) = &mut old.sessions {
            sessions.writing = 1;
        }
    }));
    for (facts, wanted) in [(open, Standing::Blocked), (writing, Standing::Moving)] {
        assert_eq!(standing("rejoin", &facts), wanted, "{facts:?}");
        assert_eq!(standing("checkpoint", &facts), wanted, "{facts:?}");
    }
}

#[tokio::test]
async fn a_persons_word_is_kept_apart_from_the_proof() {
    let sim = crate::world::sim::Sim::new();
    sim.postgres.add("orders", &["eu-west", "us-east"]);
    let mut world = sim.world();
    world.fenced = std::rc::Rc::new([Member::new("orders", "eu-west")].into());
    let facts = reprotect().see(&world, "run").await;
    assert!(facts.old.is(|old| old.primary().is_some()) && facts.vouches("eu-west"), "{facts:?}");
    // No such command is known there: nothing is proved.
    assert!(facts.fenced.why().is_some(), "{facts:?}");
}

#[test]
fn a_silent_one_is_only_rewound_where_its_control_file_is_older() {
    let silent = |control| Facts { control, ..stopped() };
    let timeline = |number: u32| left_on_disk("TimeLineID:       1", &format!("TimeLineID:       {number}"));
    let standby = |number: u32| {
        let control = left_on_disk("shut down", "shut down in recovery");
        control.map(|control| ControlData { timeline: number, ..control })
    };
    for (control, wanted) in [
        (timeline(1), Standing::NotReached),
        // Promoted, and stopped since: the other one is the old primary.
        (timeline(2), Standing::Blocked),
        (timeline(3), Standing::Blocked),
        // A standby writes nothing: one that was being rewound names the new timeline.
        (standby(2), Standing::NotReached),
        (standby(3), Standing::Blocked),
        (
            left_on_disk("shut down", "in crash recovery")
                .map(|control| ControlData { timeline: 2, ..control }),
            Standing::Blocked,
        ),
        (left_on_disk("7301", "7302"), Standing::Blocked),
        (Known::unknown("the member has no `control_data`"), Standing::Unknown),
    ] {
        for proof in [
            silent(control.clone()),
            Facts { fenced: Known::Known(true), ..silent(control.clone()) },
            Facts {
                stopped: Known::unknown("?"),
                vouched: vec!["eu-west".into()],
                ..silent(control.clone())
            },
        ] {
            for effect in ["rejoin", "checkpoint", "slot"] {
                let facts = match effect {
                    "rejoin" => proof.clone(),
                    _ => Facts { kept: kept(1, &[]), ..proof.clone() },
                };
                assert_eq!(standing(effect, &facts), wanted, "{effect}: {facts:?}");
            }
        }
    }
}

#[test]
fn a_standby_of_a_newer_timeline_is_not_rewound() {
    let at = |timeline: Known<u32>, received: Option<u32>| {
        standby(|old| {
            let old = examples::standby_of(old);
            old.timeline = timeline;
            old.receiver = match received {
                Some(timeline) => {
                    Known::Known(Receiver { status: "waiting".into(), timeline, silent_ms: 10 })
                }
                None => Known::unknown(NO_RECEIVER),
            };
        })
    };
    for (timeline, received, wanted) in [
        (Known::Known(1), None, Standing::NotReached),
        (Known::Known(3), None, Standing::Blocked),
        (Known::Known(1), Some(3), Standing::Blocked),
        (Known::unknown("its control file cannot be read"), None, Standing::Unknown),
    ] {
        let facts = at(timeline, received);
        assert_eq!(standing("rejoin", &facts), wanted, "{facts:?}");
        let fresh = Facts { kept: kept(1, &[]), ..facts };
        assert_eq!(standing("checkpoint", &fresh), wanted, "{fresh:?}");
    }
}

#[test]
fn every_other_member_is_looked_at() {
    let with = |seen: Known<ServerFacts>, vouched: &[&str]| Facts {
        others: vec![("ap-south".into(), seen)],
        vouched: vouched.iter().map(ToString::to_string).collect(),
        ..stopped()
    };
    let primary = |timeline: u32| {
        let mut other = examples::primary();
        examples::primary_of(&mut other).timeline = timeline;
        Known::Known(other)
    };
    let standby = |timeline: u32| {
        let mut other = examples::standby();
        examples::standby_of(&mut other).timeline = Known::Known(timeline);
        Known::Known(other)
    };
    let stranger = Known::Known(ServerFacts { system: "7302".into(), ..examples::standby() });
    let silent = || Known::unknown("no answer");
    let refuses = || Known::Unknown(format!("{REFUSES}too many clients (53300)"));
    for (facts, wanted) in [
        (with(standby(1), &[]), Standing::NotReached),
        (with(standby(2), &[]), Standing::NotReached),
        (with(standby(3), &[]), Standing::Blocked),
        // The old one's history, or somebody's: not this run's to judge, and not newer.
        (with(primary(1), &[]), Standing::NotReached),
        (with(primary(2), &[]), Standing::Blocked),
        (with(primary(3), &["ap-south"]), Standing::Blocked),
        (with(silent(), &[]), Standing::Unknown),
        (with(silent(), &["ap-south"]), Standing::NotReached),
        (with(silent(), &["eu-west"]), Standing::Unknown),
        (with(refuses(), &["ap-south"]), Standing::Unknown),
        (with(stranger, &[]), Standing::Unknown),
    ] {
        assert_eq!(standing("rejoin", &facts), wanted, "{facts:?}");
        let begun = Facts { kept: kept(1, &[]), ..facts };
        assert_eq!(standing("checkpoint", &begun), wanted, "{begun:?}");
        assert_eq!(standing("slot", &begun), wanted, "{begun:?}");
    }
}

#[test]
fn without_the_new_control_file_nothing_is_rewound() {
    let unread = Facts { kept: Known::unknown("permission denied"), ..stopped() };
    assert_eq!(standing("rejoin", &unread), Standing::Unknown);
    let change = |change: fn(&mut Protection)| {
        let mut facts = stopped();
        if let Known::Known(kept) = &mut facts.kept {
            change(kept);
        }
        facts
    };
    let other = change(|kept| kept.system = "7302".into());
    for effect in ["checkpoint", "slot", "rejoin"] {
        assert_eq!(standing(effect, &other), Standing::Blocked, "{effect}");
    }
    assert_eq!(standing("rejoin", &change(|kept| kept.recorded = 3)), Standing::Blocked);
}
