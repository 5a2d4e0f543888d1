//! The plan holds for the servers, roles and values that were seen when it was made; and the locks hold until the call.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Purpose, Record, Verdict};
use crate::world::postgres::Altered;
use crate::world::sim::Fault;
use std::time::Duration;

fn why(trial: &Trial) -> String {
    match trial.records.last() {
        Some(Record::Ended { why, .. }) => why.clone(),
        other => panic!("not ended: {other:?}"),
    }
}

/// Ends as it must before the freeze: refused when nothing was changed, else rolled back.
fn stops_before_the_freeze(change: impl Fn(&Trial), expected: &str) {
    let mut trial = Trial::new("trial.yaml");
    change(&trial);
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::RolledBack, "{}", trial.story());
    assert!(why(&trial).contains(expected), "{}", why(&trial));
    assert!(!trial.sim.postgres.done().iter().any(|name| name.contains("read_only")));
}

#[test]
fn another_cluster_behind_the_address_stops_the_run_with_a_difference() {
    let both = ["eu-west", "us-east"];
    stops_before_the_freeze(
        |trial| {
            for region in both {
                trial.sim.postgres.with("orders", region, |server| server.system = "system-of-others".into());
            }
        },
        "postgres/orders/eu-west/system was system-of-orders, is system-of-others; plan again",
    );
}

#[test]
fn a_value_that_undo_would_restore_and_that_somebody_changed_stops_the_run() {
    stops_before_the_freeze(
        |trial| {
            trial.sim.postgres.with("orders", "eu-west", |server| {
                server.altered = Altered::To("off".into());
                server.loaded = Altered::To("off".into());
            });
        },
        "default_transaction_read_only was unset, is off",
    );
}

#[test]
fn what_this_run_changed_itself_is_no_difference() {
    // The second stage of the shift finds what the first one wrote, and the promotion a frozen source.
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed));
}

#[test]
fn a_lock_that_another_run_took_pauses_before_the_call() {
    let mut trial = Trial::new("trial.yaml");
    trial.sim.postgres.steal_lock("orders", "us-east", "another run");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Paused), "{}", trial.story());
    assert!(why(&trial).contains("the lock on orders in us-east was lost"), "{}", why(&trial));
    assert!(trial.untouched() && trial.sim.postgres.done().is_empty());
    assert!(!trial.state.changed(), "an intent whose call was not made counts as a change");
}

#[test]
fn a_lock_that_was_lost_for_a_while_is_retaken_and_the_world_looked_at_again() {
    // Until the intent of the freeze; then its session ends, and somebody freezes by hand.
    let freeze = {
        let mut trial = Trial::new("trial.yaml");
        trial.process(Choice::Continue, Kill::Never);
        trial
            .records
            .iter()
            .position(|r| matches!(r, Record::Intent { step, .. } if step == "freeze"))
            .unwrap()
            + 1
    };
    let mut trial = Trial::new("trial.yaml");
    trial.at(freeze, |trial| {
        trial.sim.postgres.restart("orders", "eu-west");
        trial.sim.postgres.with("orders", "eu-west", |server| server.prepared = vec!["a transaction".into()]);
    });
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::RolledBack, "{}", trial.story());
    assert!(why(&trial).contains("was lost for a while, and then: prepared transactions"), "{}", why(&trial));
    assert!(!trial.sim.postgres.done().iter().any(|name| name.contains("read_only")));
}

/// Keeps what was shown with the question that has to be answered by typing.
struct Shown(std::cell::RefCell<Vec<String>>);

impl super::Person for Shown {
    fn ask<'a>(&'a self, asked: &'a super::Asked) -> super::Answer<'a, super::Answered> {
        if let super::AskedKind::Planned(crate::plan::AskKind::Typed(_)) = &asked.kind {
            self.0.borrow_mut().clone_from(&asked.facts);
        }
        super::Willing.ask(asked)
    }
}

#[test]
fn consent_is_asked_with_every_member_as_it_is_now() {
    let mut trial = Trial::new("trial.yaml");
    let person = std::rc::Rc::new(Shown(std::cell::RefCell::default()));
    trial.person = std::rc::Rc::clone(&person) as _;
    trial.sim.postgres.with("orders", "us-east", |server| server.behind = 1);
    trial.sim.postgres.write("orders", "eu-west", "one more", false);
    trial.process(Choice::Continue, Kill::Never);
    assert_eq!(
        *person.0.borrow(),
        [
            "orders in eu-west: primary on timeline 1, 1 client sessions",
            "orders in us-east: standby, 256 bytes behind",
        ]
    );
}

/// The place of a record in the uninterrupted run, counted from 1.
fn place(what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = Trial::new("trial.yaml");
    trial.process(Choice::Continue, Kill::Never);
    trial.records.iter().position(what).unwrap() + 1
}

#[test]
fn a_refused_second_attempt_does_not_disprove_the_first() {
    // Killed after the promotion was asked for, which takes a minute; the second attempt is refused.
    let intent = place(|r| matches!(r, Record::Intent { step, .. } if step == "promote"));
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(intent)), None);
    let call = trial.calls + 1;
    trial.fault = Some((call, Fault::Late(Duration::from_secs(600))));
    assert_eq!(trial.process(Choice::Continue, Kill::Call(call)), None);
    trial.fault = Some((call + 1, Fault::Refuse));
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert!(!verdict.closes(), "{verdict:?}\n{}", trial.story());
    assert!(trial.state.armed(&trial.plan), "{}", trial.story());
    assert_eq!(trial.sim.postgres.writable("orders"), Vec::<String>::new(), "the source was thawed");
    // The first one comes about; whoever resumes finds it, and nothing is promoted twice.
    trial.sim.clock.advance(Duration::from_secs(900));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
}

#[test]
fn a_rollback_that_comes_too_late_pauses_and_never_goes_forward() {
    let reply =
        place(|r| matches!(r, Record::Looked { step, purpose: Purpose::After, .. } if step == "promote"));
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(reply)), None);
    let verdict = trial.process(Choice::RollBack, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::Paused, "{}", trial.story());
    assert!(why(&trial).contains("no way back"), "{}", why(&trial));
    assert!(trial.sim.notify.sent().is_empty());
}

#[test]
fn a_pause_while_writes_are_stopped_ends_in_a_rollback_when_nobody_decides() {
    for terminal in [false, true] {
        // A lock is lost right after the freeze: that pauses.
        let frozen = place(
            |r| matches!(r, Record::Looked { step, effect, .. } if step == "freeze" && effect == "sessions"),
        );
        let mut trial = Trial::new("trial.yaml");
        trial.terminal = terminal;
        trial.person = std::rc::Rc::new(Gone);
        trial.at(frozen, |trial| trial.sim.postgres.steal_lock("orders", "us-east", "another run"));
        let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
        assert!(trial.records.iter().any(|r| matches!(r, Record::LockLost { .. })), "{}", trial.story());
        // The lock is not had again, so what is to be undone cannot be undone either: that is said, and not left as a pause.
        assert_eq!(verdict, Verdict::RollbackFailed, "terminal: {terminal}\n{}", trial.story());
        assert!(!trial.state.survey.as_ref().unwrap().frozen.is_empty());
    }
}

/// Says yes, and is gone when a pause asks.
struct Gone;

impl super::Person for Gone {
    fn ask<'a>(&'a self, asked: &'a super::Asked) -> super::Answer<'a, super::Answered> {
        match &asked.kind {
            super::AskedKind::Paused { .. } => crate::world::ready(super::Answered {
                yes: false,
                by: String::new(),
                how: "gone".into(),
                choice: Choice::Leave,
                reason: String::new(),
            }),
            _ => super::Willing.ask(asked),
        }
    }
}

#[test]
fn whoever_wakes_up_when_another_run_has_come_and_gone_changes_nothing_not_even_beside_the_cluster() {
    let intent = |record: &Record| matches!(record, Record::Intent { step, .. } if step == "short_ttl");
    let place = {
        let mut trial = Trial::new("trial.yaml");
        trial.process(Choice::Continue, Kill::Never);
        trial.records.iter().position(intent).unwrap() + 1
    };
    let mut trial = Trial::new("trial.yaml");
    trial.at(place, |trial| {
        trial.sim.postgres.lose_lock("orders", "us-east");
        trial.sim.postgres.with("orders", "eu-west", |server| {
            (server.altered, server.loaded) = (Altered::To("on".into()), Altered::To("on".into()));
        });
        trial
            .sim
            .postgres
            .with("orders", "us-east", |server| (server.recovery, server.timeline) = (false, 2));
    });
    let before = trial.sim.dns.all_sets();
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert!(ended.is_some_and(|verdict| verdict != Verdict::Completed), "{}", trial.story());
    assert_eq!(trial.sim.dns.all_sets(), before, "{}", trial.story());
    assert!(
        trial.story().contains("orders in us-east is a primary by now, and not by this run"),
        "{}",
        trial.story()
    );
    assert!(trial.sim.postgres.done().is_empty(), "{:?}", trial.sim.postgres.done());
}
