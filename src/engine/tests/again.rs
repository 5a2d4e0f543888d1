//! What a second process or decision may not take for granted: tries that are used up, what was seen before, and calls that nobody
//! holds any more and that may still come about.

use super::{Kill, Trial};
use crate::engine::decide::{Task, decide};
use crate::engine::record::{Choice, Purpose, Record, Verdict};
use crate::world::Reply;
use crate::world::clock::Clock as _;
use crate::world::postgres::Altered;
use crate::world::sim::exec::Script;
use crate::world::sim::postgres::Session;
use crate::world::sim::{Fault, two_regions};
use std::time::Duration;

pub(super) fn trial() -> Trial {
    of("again.yaml")
}

fn of(runbook: &str) -> Trial {
    let sim = two_regions();
    let shown = || Some("shown".to_string());
    sim.exec.script("banner show", Script { sets: shown(), ..Script::default() });
    sim.exec.script("banner look", Script { asks: shown(), ..Script::default() });
    let hides = Script { clears: shown(), sets: Some("hidden".into()), ..Script::default() };
    sim.exec.script("banner hide", hides);
    sim.exec.script("banner gone", Script { asks: Some("hidden".into()), ..Script::default() });
    Trial::in_world(runbook, "production.yaml", sim)
}

/// The target never catches up: the run rolls back.
fn behind() -> Trial {
    let trial = trial();
    trial.sim.postgres.with("orders", "us-east", |server| server.behind = 3);
    trial.sim.postgres.write("orders", "eu-west", "not replayed", false);
    trial
}

/// The number of the first record of a whole run that is so.
fn place(trial: impl Fn() -> Trial, what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = trial();
    trial.process(Choice::Continue, Kill::Never);
    trial.records.iter().position(what).unwrap_or_else(|| panic!("{}", trial.story())) + 1
}

fn intended(record: &Record, of: &str, back: bool) -> bool {
    matches!(record, Record::Intent { step, undo, .. } if step == of && *undo == back)
}

fn looked(record: &Record, of: &str, which: &str, why: Purpose) -> bool {
    matches!(record, Record::Looked { step, effect, purpose, .. } if step == of && effect == which && *purpose == why)
}

fn ran(trial: &Trial, command: &str) -> usize {
    trial.sim.exec.ran().into_iter().filter(|ran| ran.argv.join(" ") == command).count()
}

#[test]
fn whoever_asks_for_a_rollback_again_gets_all_its_tries_again() {
    let turned = place(behind, |record| matches!(record, Record::Turned { .. }));
    for fault in [Fault::Refuse, Fault::LostAbsent] {
        let mut trial = behind();
        let breaks = fault.clone();
        trial.at(turned, move |trial| {
            for _ in 0..3 {
                trial.sim.postgres.faults.push(breaks.clone());
            }
        });
        let verdict = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(verdict, Some(Verdict::RollbackFailed), "{fault:?}\n{}", trial.story());
        assert!(trial.sim.postgres.writable("orders").is_empty());
        // The cause is mended.
        let verdict = trial.process(Choice::RollBack, Kill::Never);
        assert_eq!(verdict, Some(Verdict::RolledBack), "{fault:?}\n{}", trial.story());
        assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"]);
    }
}

#[test]
fn an_undo_that_was_made_and_could_not_be_seen_is_looked_at_before_it_is_sent_again() {
    let hidden =
        |record: &Record| matches!(record, Record::Replied { step, undo: true, .. } if step == "banner");
    let hidden = place(behind, hidden);
    let mut trial = behind();
    trial.at(hidden, |trial| trial.sim.exec.faults.silence("banner look"));
    let verdict = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(verdict, Some(Verdict::RollbackFailed), "{}", trial.story());
    trial.sim.exec.faults.unsilence("banner look");
    let before = trial.records.len();
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert!(
        !trial.records[before..].iter().any(|record| intended(record, "banner", true)),
        "{}",
        trial.story()
    );
    assert_eq!(ran(&trial, "banner hide"), 1);
}

#[test]
fn what_a_later_step_has_taken_away_is_not_made_again() {
    let there_and_back = || of("there-and-back.yaml");
    let told = place(there_and_back, |record| intended(record, "tell", false));
    let mut trial = there_and_back();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(told)), None);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let made = |record: &&Record| matches!(record, Record::Intent { step, .. } if step != "tell");
    let again: Vec<_> = trial.records[told..].iter().filter(made).collect();
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn rolled_back_is_only_said_of_a_world_that_was_seen_and_is_as_before() {
    let thawed = place(behind, |record| looked(record, "freeze", "read_only", Purpose::Undone));
    let mut trial = behind();
    trial.at(thawed, |trial| trial.sim.postgres.faults.silence("orders in eu-west"));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    trial.sim.postgres.faults.unsilence("orders in eu-west");
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());

    let mut trial = behind();
    trial.at(thawed, |trial| {
        // Promoted by somebody else, and frozen: nobody can write there yet.
        trial.sim.postgres.with("orders", "us-east", |server| {
            (server.recovery, server.timeline) = (false, 2);
            (server.altered, server.loaded) = (Altered::To("on".into()), Altered::To("on".into()));
        });
    });
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    let Some(Record::Ended { why, .. }) = trial.records.last() else { unreachable!() };
    assert!(why.contains("orders in us-east is a primary by now"), "{why}");
}

#[test]
fn what_was_acknowledged_and_is_not_seen_is_taken_back_all_the_same() {
    let said = place(trial, |record| matches!(record, Record::Replied { step, .. } if step == "freeze"));
    let mut trial = trial();
    // Written, acknowledged, and not loaded by anybody.
    trial.at(said, |trial| {
        trial.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::Unset);
    });
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert!(trial.records.iter().any(|record| intended(record, "freeze", true)), "{}", trial.story());
    let altered = trial.sim.postgres.with("orders", "eu-west", |server| server.altered.clone());
    assert_eq!(altered, Some(Altered::Unset));
}

#[test]
fn sessions_are_looked_at_again_when_the_freeze_has_to_be() {
    let said = place(trial, |record| matches!(record, Record::Replied { step, .. } if step == "freeze"));
    let older = |trial: &Trial| {
        trial.sim.postgres.with("orders", "eu-west", |server| {
            server.sessions.push(Session { older: true, ..Session::app() });
        });
    };
    let stubborn = || {
        let mut trial = trial();
        trial.at(said, older);
        trial
    };
    let ended = place(stubborn, |record| looked(record, "freeze", "sessions", Purpose::After));
    let mut trial = stubborn();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(ended)), None);
    // While nobody drives, the freeze is taken back and set again by hand: who came meanwhile is older than it.
    older(&trial);
    let before = trial.records.len();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let again = |record: &Record| matches!(record, Record::Intent { step, effect, .. } if step == "freeze" && effect == "sessions");
    assert!(trial.records[before..].iter().any(again), "{}", trial.story());
}

#[test]
fn the_clock_of_the_write_gap_runs_while_a_step_waits_to_be_tried_again() {
    let mut whole = behind();
    whole.process(Choice::Continue, Kill::Never);
    let mut waited = 0;
    for record in 2..whole.records.len() {
        let mut trial = behind();
        trial.process(Choice::Continue, Kill::Record(record));
        let wanted = decide(&trial.plan, &trial.state);
        if wanted.iter().any(|task| matches!(task, Task::Backoff(_))) {
            waited += 1;
            assert!(wanted.contains(&Task::Gap), "{wanted:?}\n{}", trial.story());
        }
    }
    assert_eq!(waited, 3, "a wait before each try but the first");
}

#[test]
fn what_was_adopted_is_looked_at_again() {
    let there = || {
        let trial = trial();
        // The users are there already.
        let moved = {
            let mut other = super::again::trial();
            other.process(Choice::Continue, Kill::Never);
            other.sim.dns.sets("www", "pdns-eu")
        };
        trial.sim.dns.overwrite("www", "pdns-eu", moved);
        trial
    };
    let adopted = place(
        there,
        |record| matches!(record, Record::Answered { question, .. } if question.starts_with("adopt:shift/")),
    );
    let mut trial = there();
    let before = two_regions().dns.sets("www", "pdns-eu");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(adopted)), None);
    trial.sim.dns.overwrite("www", "pdns-eu", before);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert!(trial.world_line().contains("traffic: 100% us-east"), "{}", trial.world_line());
}

#[test]
fn a_check_from_before_the_first_change_is_made_again_and_one_from_before_a_freeze_is_not() {
    let ready = |record: &Record| looked(record, "ready", "look", Purpose::Before);
    for (killed_at, again) in [
        (place(trial, ready), true),
        (place(trial, |record| looked(record, "freeze", "read_only", Purpose::After)), false),
    ] {
        let mut trial = trial();
        assert_eq!(trial.process(Choice::Continue, Kill::Record(killed_at)), None);
        let verdict = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(verdict, Some(Verdict::Completed), "{}", trial.story());
        assert_eq!(trial.records[killed_at..].iter().any(ready), again, "{}", trial.story());
    }
}

/// A command goes on when mrctl is killed.
fn orphaned() -> Trial {
    let mut trial = behind();
    trial.fault = Some((1, Fault::Late(Duration::from_secs(20))));
    assert_eq!(trial.process(Choice::Continue, Kill::Call(1)), None);
    assert!(!trial.sim.exec.marked("shown"));
    trial
}

#[test]
fn a_command_that_may_still_run_is_waited_for_before_it_is_taken_back() {
    let mut trial = orphaned();
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    trial.sim.clock.advance(Duration::from_secs(60));
    assert!(!trial.sim.exec.marked("shown"), "{}", trial.story());
    assert_eq!(ran(&trial, "banner hide"), 1);
}

#[test]
fn a_change_that_is_seen_at_one_server_is_waited_for_at_the_others_before_it_is_taken_back() {
    let mut trial = Trial::in_world("short-ttl.yaml", "two-name-servers.yaml", two_regions());
    trial.fault = Some((1, Fault::Late(Duration::from_millis(1_300))));
    assert_eq!(trial.process(Choice::Continue, Kill::Call(1)), None);
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    trial.sim.clock.advance(Duration::from_secs(60));
    assert!(trial.untouched(), "{}", trial.story());
}

#[test]
fn who_was_held_up_between_intent_and_call_does_not_make_it() {
    let frozen = place(trial, |record| intended(record, "freeze", false));
    let mut trial = trial();
    trial.at(frozen, |trial| trial.sim.clock.advance(Duration::from_secs(600)));
    trial.process(Choice::Continue, Kill::Never);
    let held_up = |record: &Record| matches!(record, Record::Replied { reply: Reply::Refused { why }, .. } if why.contains("held up"));
    assert!(trial.records.iter().any(held_up), "{}", trial.story());
}

#[test]
fn a_command_that_has_ended_is_not_waited_for() {
    let shown = place(behind, |record| looked(record, "banner", "run", Purpose::After));
    let mut trial = behind();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(shown)), None);
    // Somebody else hides it while nobody drives.
    trial.sim.exec.unmark("shown");
    let begun = trial.sim.clock.now();
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    assert!(trial.sim.clock.now().since(begun) < Duration::from_secs(30), "{}", trial.story());
}

#[test]
fn a_command_that_may_still_run_is_not_run_beside_itself() {
    let mut trial = orphaned();
    trial.sim.postgres.with("orders", "us-east", |server| server.behind = 0);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(ran(&trial, "banner show"), 1, "{}", trial.story());
}

#[test]
fn a_promotion_is_looked_at_again_after_its_consent() {
    // A resume asks for the consent again, at the promotion: the person may take long.
    let caught_up = place(trial, |record| looked(record, "catch_up", "mark", Purpose::Before));
    let mut trial = trial();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(caught_up)), None);
    let before = trial.records.len();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let at = |what: &dyn Fn(&Record) -> bool| {
        let place = trial.records[before..].iter().rposition(what);
        place.unwrap_or_else(|| panic!("{}", trial.story()))
    };
    let answered =
        at(&|record| matches!(record, Record::Answered { question, .. } if question == "freeze/consent"));
    let seen = at(&|record| looked(record, "promote", "promote", Purpose::Before));
    let sent = at(&|record| intended(record, "promote", false));
    assert!(answered < seen && seen < sent, "{}", trial.story());
}

#[test]
fn what_others_took_away_behind_the_last_step_is_seen_before_a_run_is_called_completed() {
    use crate::engine::record::Turn;
    use crate::world::dns::RecordName;
    let whole = || of("trial.yaml");
    let finished = place(whole, |record| matches!(record, Record::Turned { to: Turn::Finish, .. }));
    let why = |trial: &Trial| match trial.records.last() {
        Some(Record::Ended { why, .. }) => why.clone(),
        _ => String::new(),
    };
    let mut trial = whole();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(finished)), None);
    for server in trial.plan.records["www"].clone() {
        trial.sim.dns.changed_by_others(&RecordName { record: "www".into(), server }, false);
    }
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    assert!(why(&trial).contains("shift is not so any more"), "{}", why(&trial));
    // What does not answer is not said to be gone.
    let put_back = place(whole, |record| looked(record, "short_ttl", "ttl", Purpose::Undone));
    let mut trial = whole();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(put_back)), None);
    for server in trial.plan.records["www"].clone() {
        trial.sim.dns.faults.silence(&server);
    }
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    assert!(why(&trial).contains("shift cannot be told to be so still"), "{}", why(&trial));
}

/// Contents and time to live are each their own. What others did to the one does not keep the other from being put back.
#[test]
fn a_time_to_live_that_others_changed_is_left_alone_by_the_rollback_and_told() {
    let there_and_back = || of("there-and-back.yaml");
    let shifted = place(there_and_back, |record| looked(record, "shift", "50", Purpose::After));
    for theirs in [None, Some(300)] {
        let mut trial = there_and_back();
        let before = trial.sim.dns.sets("www", "pdns-eu");
        assert_eq!(trial.process(Choice::Continue, Kill::Record(shifted)), None);
        let mut sets = trial.sim.dns.sets("www", "pdns-eu");
        assert_ne!(sets, before, "{}", trial.story());
        if let Some(ttl) = theirs {
            sets.iter_mut().for_each(|set| set.ttl = ttl);
            trial.sim.dns.overwrite("www", "pdns-eu", sets);
        }
        let verdict = trial.process(Choice::RollBack, Kill::Never);
        assert_eq!(verdict, Some(Verdict::RolledBack), "{}", trial.story());
        let mut after = trial.sim.dns.sets("www", "pdns-eu");
        assert_eq!(after[0].ttl, theirs.unwrap_or(before[0].ttl), "{}", trial.story());
        after.iter_mut().for_each(|set| set.ttl = before[0].ttl);
        assert_eq!(after, before, "{}", trial.story());
        let told = trial.records.iter().rev().find_map(|record| match record {
            Record::Looked { step, effect, purpose: Purpose::Undone, evidence, remark, .. }
                if step == "shift" && effect == "50" =>
            {
                Some((evidence.clone(), *remark))
            }
            _ => None,
        });
        let (evidence, remark) = told.unwrap_or_else(|| panic!("{}", trial.story()));
        let note = "the time to live was 60 s before the shift; 300 s were found, and left alone";
        assert_eq!((evidence.contains(note), remark), (theirs.is_some(), None), "{evidence}");
    }
}
