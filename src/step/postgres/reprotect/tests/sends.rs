//! Who is protected: the old one, and nobody else, by a slot that holds; and what is waited for.

use super::*;
use crate::world::postgres::PrimaryFacts;

fn slot(change: impl FnOnce(&mut Slot)) -> Facts {
    with_slot(follows(), change)
}

fn with_slot(mut facts: Facts, change: impl FnOnce(&mut Slot)) -> Facts {
    if let Known::Known(kept) = &mut facts.kept {
        change(&mut kept.slots[0]);
    }
    facts
}

fn new(facts: &mut Facts) -> &mut PrimaryFacts {
    match &mut facts.new {
        Known::Known(new) => examples::primary_of(new),
        Known::Unknown(_) => panic!("unknown"),
    }
}

fn ahead(mut facts: Facts) -> Facts {
    new(&mut facts).flushed = "0/6000000".parse().unwrap();
    facts
}

#[test]
fn that_somebody_streams_is_no_protection_by_the_old_one() {
    assert_eq!(standing("protected", &follows()), Standing::Reached);
    // Its slot's sender only catches up, and another one streams.
    for state in [Some("catchup"), Some("startup"), None] {
        let facts = slot(|slot| slot.sender = state.map(str::to_owned));
        assert_eq!(standing("protected", &facts), Standing::NotReached, "{state:?}");
    }
    // Through no slot: it has to have what was written.
    let idle = |facts: Facts| with_slot(facts, |slot| (slot.active, slot.sender) = (false, None));
    assert_eq!(standing("protected", &idle(follows())), Standing::Reached);
    assert_eq!(standing("protected", &idle(ahead(follows()))), Standing::NotReached);
    let mut unknown = idle(follows());
    if let Known::Known(old) = &mut unknown.old {
        examples::standby_of(old).received = Known::unknown("nothing was received");
    }
    assert_eq!(standing("protected", &unknown), Standing::Unknown);
}

#[test]
fn a_slot_counts_only_if_it_holds() {
    let silent = |change: fn(&mut Slot)| with_slot(stopped(), change);
    let unfit: [fn(&mut Slot); 4] = [
        |slot| slot.physical = false,
        |slot| slot.reserved = false,
        |slot| slot.lost = true,
        |slot| slot.doomed = true,
    ];
    for change in unfit {
        let facts = silent(change);
        let said = judged("slot", &facts);
        assert_eq!(said.standing, Standing::Blocked, "{}", said.evidence);
        assert!(said.evidence.contains("pg_drop_replication_slot('eu_west')"), "{}", said.evidence);
        assert!(reprotect().no_slot(&facts).is_some());
    }
    let used = silent(|slot| slot.active = true);
    assert_eq!(standing("slot", &used), Standing::Moving);
    assert!(reprotect().no_slot(&used).is_some());
    let gone = Facts { kept: kept(2, &[("us_east", false)]), ..stopped() };
    assert_eq!(standing("slot", &gone), Standing::NotReached);
    assert!(reprotect().no_slot(&gone).is_some());
    assert_eq!(reprotect().no_slot(&stopped()), None);
    // It is told what it keeps, and how to be rid of it.
    let said = judged("slot", &stopped());
    assert!(said.evidence.contains("pg_drop_replication_slot('eu_west')"), "{}", said.evidence);
}

#[test]
fn a_standby_of_the_same_timeline_is_waited_for_and_not_rewound() {
    let mut unseen = follows();
    new(&mut unseen).senders = Known::Known(vec![]);
    let lost = standby(|old| {
        let old = examples::standby_of(old);
        (old.timeline, old.receiver) = (Known::Known(2), Known::unknown(NO_RECEIVER));
    });
    for facts in [unseen, lost] {
        let said = judged("rejoin", &facts);
        assert_eq!(said.standing, Standing::Moving, "{}", said.evidence);
        assert_eq!(standing("protected", &facts), Standing::NotReached);
    }
}

#[test]
fn a_freeze_is_gone_only_where_the_configuration_was_seen_without_it() {
    let seen = |altered: Known<Altered>, on: bool, source: &str| {
        let facts = standby(|old| {
            old.read_only.altered = altered;
            (old.read_only.on, old.read_only.source) = (on, source.into());
        });
        standing("thaw", &facts)
    };
    let to = |value: &str| Known::Known(Altered::To(value.into()));
    assert_eq!(seen(to("on"), false, "database"), Standing::NotReached);
    assert_eq!(seen(to("true"), false, "configuration file"), Standing::NotReached);
    assert_eq!(seen(to("off"), false, "configuration file"), Standing::Reached);
    assert_eq!(seen(Known::unknown("cannot be seen"), false, "default"), Standing::Unknown);
    assert_eq!(seen(Known::Known(Altered::Unset), false, "user"), Standing::Unknown);
    assert_eq!(seen(Known::Known(Altered::Unset), true, "command line"), Standing::Blocked);
}

#[test]
fn only_what_is_as_it_was_when_it_was_judged_is_ended() {
    let changed = |change: fn(&mut ServerFacts)| reprotect().changed(&back(|_| {}), &back(change));
    assert_eq!(changed(|_| {}), None);
    // Autovacuum takes a number, and counts itself.
    let upkeep = |old: &mut ServerFacts| {
        let old = examples::primary_of(old);
        (old.next_transaction, old.activity.upkeep) = (901, 4);
    };
    assert_eq!(changed(upkeep), None);
    let wrote = |old: &mut ServerFacts| {
        let old = examples::primary_of(old);
        (old.next_transaction, old.activity.rows) = (901, 5001);
    };
    assert!(changed(wrote).is_some_and(|why| why.contains("took 1 transactions")));
    assert!(changed(|old| old.started = "101".into()).is_some());
    let promoted = reprotect().changed(&follows(), &back(|_| {}));
    assert!(promoted.is_some());
    assert!(reprotect().changed(&back(|_| {}), &stopped()).is_some());
    assert!(reprotect().changed(&stopped(), &back(|_| {})).is_some());
    assert_eq!(reprotect().changed(&stopped(), &stopped()), None);
}

#[test]
fn rights_are_asked_for_before_anything_is_begun() {
    let may = |recorded: u32, checkpoint: bool, replicate: bool, slots: &[(&str, bool)]| {
        let kept = kept(recorded, slots).map(|kept| crate::world::postgres::Protection {
            may_checkpoint: checkpoint,
            may_replicate: replicate,
            ..kept
        });
        judged("checkpoint", &Facts { kept, ..stopped() })
    };
    assert_eq!(may(1, true, true, &[]).standing, Standing::NotReached);
    let refused = may(1, false, true, &[]);
    assert_eq!(refused.standing, Standing::Blocked);
    assert!(refused.evidence.contains("GRANT pg_checkpoint TO mrctl"), "{}", refused.evidence);
    let refused = may(2, true, false, &[]);
    assert_eq!(refused.standing, Standing::Blocked);
    assert!(refused.evidence.contains("ALTER ROLE mrctl REPLICATION"), "{}", refused.evidence);
    // What is there already needs no right.
    assert_eq!(may(2, false, false, &[("eu_west", false)]).standing, Standing::Reached);
}
