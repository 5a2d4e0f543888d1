//! Nothing is rewound against what is seen, in the wrong direction, or beside a newer primary.

use super::*;

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
