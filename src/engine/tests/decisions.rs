//! What only a person can decide: to go on in spite of a divergence, to vouch for a member that cannot be seen, and what becomes of
//! a second data set when the first is promoted.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Purpose, Record, Verdict};
use crate::engine::state::Stage;
use crate::step::Standing;
use crate::world::Member;
use crate::world::sim::{Fault, two_regions};
use std::time::Duration;

fn why(trial: &Trial) -> String {
    match &trial.state.stage {
        Stage::Paused { why, .. } => why.clone(),
        other => format!("{other:?}"),
    }
}

fn place(trial: impl Fn() -> Trial, what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = trial();
    trial.process(Choice::Continue, Kill::Never);
    trial.records.iter().position(what).unwrap() + 1
}

fn one_set() -> Trial {
    Trial::new("trial.yaml")
}

fn two_sets() -> Trial {
    let sim = two_regions();
    sim.postgres.add("billing", &["eu-west", "us-east"]);
    Trial::in_world("two-data-sets.yaml", "two-data-sets-inventory.yaml", sim)
}

fn intends(record: &Record, of: &str) -> bool {
    matches!(record, Record::Intent { step, undo: false, .. } if step == of)
}

fn promoted(record: &Record, of: &str) -> bool {
    matches!(record, Record::Looked { step, purpose: Purpose::After, standing: Standing::Reached, .. } if step == of)
}

#[test]
fn a_divergence_pauses_once_and_never_ends_as_completed() {
    let mut trial = one_set();
    let sent = place(one_set, |r| matches!(r, Record::Replied { step, .. } if step == "promote"));
    trial.at(sent, |trial| {
        // Somebody who sets what the freeze has set.
        assert!(trial.sim.postgres.write("orders", "eu-west", "beside", true));
    });
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Paused), "{}", trial.story());
    assert!(why(&trial).contains("divergence"), "{}", why(&trial));
    assert!(!trial.records.iter().any(|r| intends(r, "shift")), "users were sent there unasked");
    // A person has seen it: users are better off where writes are possible. It stays what it is.
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::Unknown, "{}", trial.story());
    assert!(trial.world_line().contains("traffic: 100% us-east"), "{}", trial.world_line());
    let Some(Record::Ended { why, .. }) = trial.records.last() else { unreachable!() };
    assert!(why.contains("both sides took commits") && why.contains("mrctl abandon"), "{why}");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
}

/// Killed after the promotion was intended, and then the target is gone.
fn armed(fault: Fault) -> Trial {
    let intent = place(one_set, |r| intends(r, "promote"));
    let mut trial = one_set();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(intent)), None);
    let call = trial.calls + 1;
    trial.fault = Some((call, fault));
    assert_eq!(trial.process(Choice::Continue, Kill::Call(call)), None);
    trial
}

fn vouch(trial: &mut Trial) {
    trial.append(&Record::Attested {
        member: Member::new("orders", "us-east"),
        how: "destroyed".into(),
        by: "ada".into(),
        reason: "the rack burnt".into(),
    });
}

#[test]
fn a_promotion_of_what_is_destroyed_is_disarmed_by_a_persons_word() {
    let mut trial = armed(Fault::LostAbsent);
    trial.sim.postgres.faults.silence("orders in us-east");
    // Without it there is no way back, and writes stay stopped.
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::Paused), "{}", trial.story());
    assert!(trial.state.armed(&trial.plan));
    assert!(trial.sim.postgres.writable("orders").is_empty());
    vouch(&mut trial);
    assert!(!trial.state.armed(&trial.plan));
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"]);
}

#[test]
fn a_word_that_is_not_so_makes_no_second_primary() {
    // The target answers again, and has become a primary meanwhile.
    let mut trial = armed(Fault::LostApplied);
    trial.sim.clock.advance(Duration::from_secs(60));
    assert_eq!(trial.sim.postgres.writable("orders"), ["us-east"]);
    vouch(&mut trial);
    let verdict = trial.process(Choice::RollBack, Kill::Never).unwrap();
    assert!(!verdict.closes(), "{verdict:?}\n{}", trial.story());
    assert_eq!(trial.sim.postgres.writable("orders"), ["us-east"]);
}

#[test]
fn a_promotion_that_its_guard_refused_is_disarmed() {
    let intent = place(one_set, |r| intends(r, "promote"));
    let call = {
        let mut trial = one_set();
        trial.process(Choice::Continue, Kill::Record(intent));
        assert!(trial.state.armed(&trial.plan));
        trial.calls + 1
    };
    // Heard by the process that asked: it proves that nothing came about.
    let mut trial = one_set();
    trial.fault = Some((call, Fault::Refuse));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert!(!trial.state.armed(&trial.plan));
    assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"]);
}

#[test]
fn a_promotion_is_disarmed_when_its_server_was_restarted_and_is_in_recovery() {
    for fault in [Fault::LostAbsent, Fault::LostApplied] {
        // Asked for, and before it came about the server was restarted, which forgets it.
        let intent = place(one_set, |r| intends(r, "promote"));
        let mut trial = one_set();
        assert_eq!(trial.process(Choice::Continue, Kill::Record(intent)), None);
        trial.fault = Some((trial.calls + 1, fault.clone()));
        trial.sim.postgres.with("orders", "us-east", |server| server.slow = true);
        assert_eq!(trial.process(Choice::Continue, Kill::Call(trial.calls + 1)), None);
        assert!(trial.state.armed(&trial.plan));
        trial.sim.postgres.restart("orders", "us-east");
        trial.sim.postgres.with("orders", "us-east", |server| server.slow = false);
        let ended = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(ended, Some(Verdict::RolledBack), "{fault:?}\n{}", trial.story());
        assert!(!trial.state.armed(&trial.plan), "{fault:?}");
        assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"], "{fault:?}");
        trial.sim.clock.advance(Duration::from_secs(3_600));
        assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"], "{fault:?}: it came about after all");
    }
}

#[test]
fn a_promotion_that_is_not_seen_and_whose_server_was_not_restarted_stays_armed() {
    let mut trial = armed(Fault::LostAbsent);
    trial.sim.postgres.faults.silence("orders in us-east");
    trial.process(Choice::Continue, Kill::Never);
    assert!(trial.state.armed(&trial.plan), "{}", trial.story());
    assert!(trial.sim.postgres.writable("orders").is_empty());
}

#[test]
fn a_second_data_set_keeps_its_clock_after_the_first_is_promoted() {
    let first = place(two_sets, |r| promoted(r, "promote"));
    let mut trial = two_sets();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(first)), None);
    assert!(trial.state.passed(&trial.plan) && trial.state.gap_runs(&trial.plan), "{}", trial.story());
    let record = Record::Expired { allowed_ms: 30_000 };
    trial.at(trial.records.len() + 2, |_| ());
    trial.append(&record);
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::Completed, "{}", trial.story());
    assert_eq!(trial.sim.postgres.writable("billing"), ["us-east"]);
}

#[test]
fn the_gap_of_a_second_data_set_runs_out_into_a_pause_that_is_told_once() {
    let first = place(two_sets, |r| promoted(r, "promote"));
    let mut trial = two_sets();
    trial.process(Choice::Continue, Kill::Record(first));
    trial.append(&Record::Expired { allowed_ms: 30_000 });
    let wanted = crate::engine::decide(&trial.plan, &trial.state);
    let crate::engine::Task::Turn(turning) = wanted.first().unwrap() else { panic!("{wanted:?}") };
    assert_eq!(turning.to, crate::engine::record::Turn::Pause, "there is no way back for it alone");
    let (to, step, unknown, why) = (turning.to, String::new(), false, turning.why.clone());
    trial.append(&Record::Turned { to, step, unknown, why });
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
}

#[test]
fn the_handover_of_a_second_data_set_dies_with_a_pause_and_that_of_the_first_is_kept() {
    let first = place(two_sets, |r| promoted(r, "promote"));
    let mut trial = two_sets();
    trial.process(Choice::Continue, Kill::Record(first));
    assert_eq!(trial.state.handovers.len(), 2);
    let turned = crate::engine::record::Turn::Pause;
    trial.append(&Record::Turned { to: turned, step: String::new(), unknown: false, why: "a test".into() });
    assert_eq!(trial.state.handovers.keys().collect::<Vec<_>>(), ["orders"]);
    // It is proved again, and consented to again, before the second one is promoted.
    let before = trial.records.len();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let later = &trial.records[before..];
    let proof = later
        .iter()
        .position(|r| matches!(r, Record::Looked { step, handover: Some(_), .. } if step == "catch_up"));
    let promotion = later.iter().position(|r| intends(r, "promote_billing"));
    let consent = later.iter().position(|r| matches!(r, Record::Answered { yes: true, .. }));
    assert!(
        proof.unwrap() < promotion.unwrap() && consent.unwrap() < promotion.unwrap(),
        "{}",
        trial.story()
    );
    assert!(!later.iter().any(|r| intends(r, "promote")), "promoted twice");
}

#[test]
fn two_data_sets_killed_after_any_record_both_arrive_and_neither_is_promoted_twice() {
    let mut whole = two_sets();
    assert_eq!(whole.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", whole.story());
    for record in 1..whole.records.len() {
        let mut trial = two_sets();
        assert_eq!(trial.process(Choice::Continue, Kill::Record(record)), None);
        let ended = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(ended, Some(Verdict::Completed), "killed after {record}\n{}", trial.story());
        for cluster in ["orders", "billing"] {
            assert_eq!(trial.sim.postgres.writable(cluster), ["us-east"], "killed after {record}");
            let timeline = trial.sim.postgres.with(cluster, "us-east", |server| server.timeline);
            assert_eq!(timeline, Some(2), "killed after {record}: {cluster} was promoted twice");
        }
    }
}
