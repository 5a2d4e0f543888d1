//! A freeze of which half was done: the setting is written and not loaded, which no look shows.

use super::again::trial;
use super::{Kill, Trial};
use crate::engine::record::{Choice, Record, Verdict};
use crate::world::postgres::Altered;
use crate::world::sim::Fault;

/// The first changing call at the database is the freeze; it and the calls behind it meet these.
fn half_frozen(then: &[Fault]) -> Trial {
    let trial = trial();
    let faults = [Fault::LostHalf].into_iter().chain(then.iter().cloned());
    faults.for_each(|fault| trial.sim.postgres.faults.push(fault));
    trial
}

fn source(trial: &Trial) -> (Altered, Altered) {
    let both =
        |server: &mut crate::world::sim::postgres::Server| (server.altered.clone(), server.loaded.clone());
    trial.sim.postgres.with("orders", "eu-west", both).unwrap()
}

fn last_look(trial: &Trial) -> (&[String], &[String]) {
    let look = trial.records.iter().rev().find_map(|record| match record {
        Record::Surveyed { waiting, notes, .. } => Some((waiting.as_slice(), notes.as_slice())),
        _ => None,
    });
    look.unwrap_or_else(|| panic!("{}", trial.story()))
}

#[test]
fn half_of_a_freeze_is_taken_back_by_an_undo_that_was_acknowledged() {
    let mut trial = half_frozen(&[]);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert_eq!(source(&trial), (Altered::Unset, Altered::Unset));
    assert!(last_look(&trial).0.is_empty(), "{}", trial.story());
}

#[test]
fn half_of_a_freeze_that_is_kept_on_purpose_is_told_and_the_run_stays_open() {
    let mut trial = half_frozen(&[]);
    let freeze = trial.plan.steps.iter_mut().find(|step| step.id == "freeze").unwrap();
    freeze.keep_because = Some("by hand".into());
    // Closed, nobody would be told any more that the next reload stops writes.
    for choice in [Choice::Continue, Choice::RollBack] {
        assert_eq!(trial.process(choice, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
        let (waiting, notes) = last_look(&trial);
        assert_eq!(waiting, ["orders"]);
        assert!(notes.iter().any(|note| note.contains("By hand: Unfreeze(Unset)")), "{notes:?}");
        let Some(Record::Ended { why, .. }) = trial.records.last() else { unreachable!() };
        assert!(why.contains("the freeze of orders is kept, and may be written and not loaded"), "{why}");
    }
    assert_eq!(source(&trial), (Altered::To("on".into()), Altered::Unset), "it is kept");
}

#[test]
fn an_undo_of_half_a_freeze_is_made_until_it_is_acknowledged() {
    for lost in [Fault::LostAbsent, Fault::Refuse] {
        let mut trial = half_frozen(&[lost.clone(), lost]);
        let verdict = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(verdict, Some(Verdict::RolledBack), "{}", trial.story());
        assert_eq!(source(&trial), (Altered::Unset, Altered::Unset));
    }
}

#[test]
fn half_of_a_freeze_that_is_not_taken_back_is_told_with_the_statements_that_do_it() {
    let mut trial = half_frozen(&[Fault::LostAbsent, Fault::LostAbsent, Fault::LostAbsent]);
    let verdict = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(verdict, Some(Verdict::RollbackFailed), "{}", trial.story());
    assert_eq!(source(&trial), (Altered::To("on".into()), Altered::Unset));
    let (waiting, notes) = last_look(&trial);
    assert_eq!(waiting, ["orders"]);
    let note = notes.iter().find(|note| note.contains("may be written there and not loaded"));
    assert!(note.is_some_and(|note| note.contains("By hand: Unfreeze(Unset)")), "{notes:?}");
    let Some(Record::Ended { why, .. }) = trial.records.last() else { unreachable!() };
    assert!(why.contains("the undo was not acknowledged"), "{why}");
    // Whoever rolls back once more has it put right.
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert_eq!(source(&trial), (Altered::Unset, Altered::Unset));
    assert!(last_look(&trial).0.is_empty());
}
