//! Killed at every point, a run that is resumed comes to the same end, and does nothing twice.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Record, Verdict};

/// The uninterrupted run.
fn whole() -> Trial {
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed));
    trial
}

/// After a resume: the same end as the uninterrupted run.
fn same_end(trial: &Trial, whole: &Trial, what: &str) {
    let story = || format!("{what}\n{}", trial.story());
    assert_eq!(trial.world_line(), whole.world_line(), "{}", story());
    let timeline = trial.sim.postgres.with("orders", "us-east", |server| server.timeline);
    assert_eq!(timeline, Some(2), "promoted more than once: {}", story());
    let done = trial.sim.postgres.done();
    let mut names = done.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), done.len(), "the same change twice: {done:?} {}", story());
    let sent = trial.sim.notify.sent();
    assert!(sent.iter().all(|message| message.key == sent[0].key), "{}", story());
    assert_eq!(trial.warmed(), 40, "{}", story());
}

fn resumed(kill: Kill, whole: &Trial) {
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, kill), None, "{kill:?} was never reached");
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(ended, Some(Verdict::Completed), "{kill:?}\n{}", trial.story());
    same_end(&trial, whole, &format!("{kill:?}"));
    // A message is sent at least once: only when its reply was lost it is sent again, under the key by which copies are dropped.
    let copies = trial.sim.notify.sent().len();
    let between = matches!(kill, Kill::Call(call) if trial.told_at == Some(call));
    assert_eq!(copies, if between { 2 } else { 1 }, "{kill:?}\n{}", trial.story());
}

#[test]
fn killed_after_any_record_a_run_resumes_to_the_same_end() {
    let whole = whole();
    // The last record is the verdict: after it there is nothing to resume.
    for record in 1..whole.records.len() {
        resumed(Kill::Record(record), &whole);
    }
    assert!(whole.records.len() > 40);
}

#[test]
fn killed_between_any_call_and_its_reply_a_run_resumes_to_the_same_end() {
    let whole = whole();
    for call in 1..=whole.calls {
        resumed(Kill::Call(call), &whole);
    }
    assert!(whole.calls >= 9);
}

#[test]
fn killed_twice_it_still_comes_to_the_same_end() {
    let whole = whole();
    for first in (1..whole.records.len()).step_by(3) {
        for more in [2, 3, 5] {
            let mut trial = Trial::new("trial.yaml");
            assert_eq!(trial.process(Choice::Continue, Kill::Record(first)), None);
            if trial.process(Choice::Continue, Kill::Record(first + more)).is_none() {
                let ended = trial.process(Choice::Continue, Kill::Never);
                assert_eq!(ended, Some(Verdict::Completed), "{first} + {more}\n{}", trial.story());
            }
            same_end(&trial, &whole, &format!("{first} + {more}"));
        }
    }
}

/// Before the promotion is intended, everything can be taken back, wherever it was killed; and taking back can be killed too.
#[test]
fn killed_before_the_pivot_a_run_can_be_rolled_back_even_if_that_is_killed_again() {
    let whole = whole();
    let pivot = whole
        .records
        .iter()
        .position(|record| matches!(record, Record::Intent { step, .. } if step == "promote"))
        .unwrap();
    for record in 1..=pivot {
        let mut trial = Trial::new("trial.yaml");
        assert_eq!(trial.process(Choice::Continue, Kill::Record(record)), None);
        let rolled = trial.process(Choice::RollBack, Kill::Never);
        assert_eq!(rolled, Some(Verdict::RolledBack), "killed after {record}\n{}", trial.story());
        assert!(trial.untouched(), "killed after {record}\n{}", trial.story());
        let end = trial.records.len();
        for again in record + 1..end {
            let mut trial = Trial::new("trial.yaml");
            assert_eq!(trial.process(Choice::Continue, Kill::Record(record)), None);
            assert_eq!(trial.process(Choice::RollBack, Kill::Record(again)), None);
            // Whoever resumes goes on with the rollback that was begun.
            let rolled = trial.process(Choice::RollBack, Kill::Never);
            assert_eq!(rolled, Some(Verdict::RolledBack), "{record}, then {again}\n{}", trial.story());
            assert!(trial.untouched(), "{record}, then {again}\n{}", trial.story());
        }
    }
}

/// The named cases of the promises, so that each can be found by its name.
mod named {
    use super::{Choice, Kill, Record, Trial, Verdict, resumed, whole};

    fn after(what: impl Fn(&Record) -> bool) -> Kill {
        let whole = whole();
        Kill::Record(whole.records.iter().position(what).unwrap() + 1)
    }

    #[test]
    fn between_two_effects_of_a_step() {
        resumed(
            after(|r| matches!(r, Record::Replied { step, effect, .. } if step == "shift" && effect == "10")),
            &whole(),
        );
        resumed(
            after(|r| matches!(r, Record::Looked { step, effect, .. } if step == "shift" && effect == "10")),
            &whole(),
        );
    }

    #[test]
    fn after_the_promotions_intent_and_before_it_is_sent() {
        let kill = after(|r| matches!(r, Record::Intent { step, .. } if step == "promote"));
        resumed(kill, &whole());
        // Armed: it can go forward and not back, although nothing was sent.
        let mut trial = Trial::new("trial.yaml");
        assert_eq!(trial.process(Choice::Continue, kill), None);
        assert!(trial.state.armed(&trial.plan));
    }

    #[test]
    fn after_the_promotions_reply_and_before_traffic() {
        resumed(after(|r| matches!(r, Record::Replied { step, .. } if step == "promote")), &whole());
    }

    #[test]
    fn after_an_undos_intent() {
        let mut trial = Trial::new("trial.yaml");
        let freeze = after(
            |r| matches!(r, Record::Replied { step, effect, .. } if step == "freeze" && effect == "read_only"),
        );
        assert_eq!(trial.process(Choice::Continue, freeze), None);
        let Kill::Record(before) = freeze else { unreachable!() };
        let undo = (before..before + 20).find(|at| {
            let mut trial = Trial::new("trial.yaml");
            trial.process(Choice::Continue, freeze);
            trial.process(Choice::RollBack, Kill::Record(*at));
            matches!(trial.records.last(), Some(Record::Intent { undo: true, .. }))
        });
        assert_eq!(trial.process(Choice::RollBack, Kill::Record(undo.unwrap())), None);
        assert_eq!(
            trial.sim.postgres.writable("orders"),
            Vec::<String>::new(),
            "the undo was intended and not made"
        );
        assert_eq!(
            trial.process(Choice::RollBack, Kill::Never),
            Some(Verdict::RolledBack),
            "{}",
            trial.story()
        );
        assert!(trial.untouched());
    }

    #[test]
    fn between_the_last_standing_and_the_verdict() {
        let kill = Kill::Record(whole().records.len() - 1);
        resumed(kill, &whole());
    }
}
