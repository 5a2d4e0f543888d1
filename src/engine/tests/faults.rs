//! Every changing call is broken in every way, with and without somebody who resumes: whatever comes of it, two sides never take
//! writes, nothing that was told of is lost, nothing stays frozen without being reported, and what is closed is true.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Record, Verdict};
use crate::world::clock::Moment;
use crate::world::sim::Fault;
use std::collections::BTreeMap;
use std::time::Duration;

fn faults() -> [Fault; 5] {
    [
        Fault::Refuse,
        Fault::LostApplied,
        Fault::LostAbsent,
        Fault::Late(Duration::from_secs(1)),
        Fault::Late(Duration::from_secs(8)),
    ]
}

/// What a verdict claims must be so in the world.
fn truthful(trial: &Trial, verdict: Verdict, what: &str) {
    let writable = trial.sim.postgres.writable("orders");
    let story = || format!("{what}: {verdict:?}, writable in {writable:?}\n{}", trial.story());
    match verdict {
        Verdict::Completed => {
            assert_eq!(writable, ["us-east"], "{}", story());
            assert!(trial.world_line().contains("traffic: 100% us-east"), "{}", story());
        }
        Verdict::RolledBack | Verdict::Refused => assert!(trial.untouched(), "{}", story()),
        Verdict::Failed => assert_eq!(writable.len(), 1, "{}", story()),
        Verdict::Paused | Verdict::Unknown | Verdict::RollbackFailed => {
            let survey = trial.state.survey.as_ref().unwrap();
            if writable.is_empty() {
                let said = !survey.frozen.is_empty();
                assert!(said, "frozen and not reported: {}", story());
            }
        }
    }
}

/// Calls of the uninterrupted run.
fn calls() -> usize {
    let mut trial = Trial::new("trial.yaml");
    trial.process(Choice::Continue, Kill::Never);
    trial.calls
}

#[test]
fn whatever_happens_to_one_call_the_verdict_is_true_and_a_resume_can_finish() {
    let mut verdicts = BTreeMap::new();
    for call in 1..=calls() {
        for fault in faults() {
            let mut trial = Trial::new("trial.yaml");
            trial.fault = Some((call, fault.clone()));
            let what = format!("call {call}, {fault:?}");
            let mut verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
            *verdicts.entry(verdict.word()).or_insert(0) += 1;
            truthful(&trial, verdict, &what);
            for _ in 0..3 {
                if verdict.closes() {
                    break;
                }
                verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
                truthful(&trial, verdict, &what);
            }
            assert!(verdict.closes(), "{what}: still {verdict:?}\n{}", trial.story());
        }
    }
    // Faults are survived, and they are seen: neither all nor none end as if nothing had been.
    assert!(verdicts["completed"] > 10 && verdicts["rolled_back"] > 3, "{verdicts:?}");
}

#[test]
fn whatever_happens_to_one_call_and_then_a_kill_the_end_is_true() {
    for call in 1..=calls() {
        for fault in faults() {
            for more in [0, 2] {
                let mut trial = Trial::new("trial.yaml");
                trial.fault = Some((call, fault.clone()));
                let what = format!("call {call}, {fault:?}, killed {more} records after it");
                // Until the call, then the kill.
                let mut probe = Trial::new("trial.yaml");
                probe.fault = Some((call, fault.clone()));
                assert_eq!(probe.process(Choice::Continue, Kill::Call(call)), None);
                let at = probe.records.len() + more;
                let mut verdict = trial.process(Choice::Continue, Kill::Record(at));
                for _ in 0..4 {
                    if verdict.is_some_and(Verdict::closes) {
                        break;
                    }
                    verdict = trial.process(Choice::Continue, Kill::Never);
                }
                let verdict = verdict.unwrap();
                truthful(&trial, verdict, &what);
                assert!(verdict.closes(), "{what}: still {verdict:?}\n{}", trial.story());
            }
        }
    }
}

/// A side that falls silent at any moment: nothing is promoted that should not be, and what cannot be seen is not claimed.
#[test]
fn a_silent_side_is_never_taken_for_a_dead_one() {
    let records = {
        let mut trial = Trial::new("trial.yaml");
        trial.process(Choice::Continue, Kill::Never);
        trial.records.len()
    };
    for side in ["orders in eu-west", "orders in us-east"] {
        for record in (2..records - 1).step_by(2) {
            let mut trial = Trial::new("trial.yaml");
            assert_eq!(trial.process(Choice::Continue, Kill::Record(record)), None);
            let promoted = trial.sim.postgres.with("orders", "us-east", |server| !server.recovery).unwrap();
            trial.sim.postgres.faults.silence(side);
            let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
            let what = format!("{side} silent after record {record}");
            let now = trial.sim.postgres.with("orders", "us-east", |server| !server.recovery).unwrap();
            assert_eq!(promoted, now, "{what}: promoted while it was silent\n{}", trial.story());
            truthful(&trial, verdict, &what);
            trial.sim.postgres.faults.unsilence(side);
            if !verdict.closes() {
                let ended = trial.process(Choice::Continue, Kill::Never).unwrap();
                truthful(&trial, ended, &what);
                assert!(ended.closes(), "{what}: {ended:?}\n{}", trial.story());
            }
        }
    }
}

/// On an idle database everything that was written is there even if nothing more would arrive: the mark must find it.
#[test]
fn a_target_that_nothing_reaches_any_more_is_not_promoted_however_quiet_the_source_is() {
    let frozen = {
        let mut trial = Trial::new("trial.yaml");
        trial.process(Choice::Continue, Kill::Never);
        let said =
            |record: &Record| matches!(record, Record::Replied { effect, .. } if effect == "read_only");
        trial.records.iter().position(said).unwrap() + 1
    };
    let mut trial = Trial::new("trial.yaml");
    let hangs = |trial: &Trial| {
        trial.sim.postgres.with("orders", "us-east", |server| (server.stuck, server.quiet) = (true, true));
    };
    trial.event = Some((frozen, Box::new(hangs)));
    let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
    assert_eq!(verdict, Verdict::RolledBack, "{}", trial.story());
    assert_eq!(trial.sim.postgres.writable("orders"), ["eu-west"], "{}", trial.story());
}

/// While a freeze is taken back users wait: an undo that failed is made again as soon as nothing of it can come about any more.
#[test]
fn an_undo_whose_call_fails_is_made_again_before_a_minute_of_stopped_writes_has_passed() {
    let undo_of = |trial: &Trial| {
        trial.records.iter().position(|record| matches!(record, Record::Replied { undo: true, .. })).unwrap()
    };
    let trial = || {
        let trial = Trial::new("trial.yaml");
        trial.sim.postgres.with("orders", "us-east", |server| (server.stuck, server.quiet) = (true, true));
        trial
    };
    let call = {
        let mut probe = trial();
        assert_eq!(
            probe.process(Choice::Continue, Kill::Never),
            Some(Verdict::RolledBack),
            "{}",
            probe.story()
        );
        let before = &probe.records[..=undo_of(&probe)];
        before.iter().filter(|record| matches!(record, Record::Replied { .. })).count()
    };
    for (fault, bound) in [(Fault::LostAbsent, 3), (Fault::Refuse, 3)] {
        let mut trial = trial();
        trial.fault = Some((call, fault.clone()));
        assert_eq!(
            trial.process(Choice::Continue, Kill::Never),
            Some(Verdict::RolledBack),
            "{}",
            trial.story()
        );
        let intended = |(record, line): (&Record, &crate::journal::chain::Line)| {
            matches!(record, Record::Intent { undo: true, step, .. } if step == "freeze").then_some(line.at)
        };
        let at: Vec<_> = trial.records.iter().zip(&trial.journal.lines).filter_map(intended).collect();
        let [first, second] = at.as_slice() else { panic!("{fault:?}: {at:?}") };
        let waited = Moment(*second).since(Moment(*first));
        assert!(waited <= Duration::from_secs(bound), "{fault:?}: {waited:?}\n{}", trial.story());
    }
}

/// The last look may see what the step has given up waiting for: then nobody is told that it may still happen.
#[test]
fn a_promotion_that_comes_about_right_before_the_last_look_is_told_as_seen() {
    let slow = || {
        let trial = Trial::new("trial.yaml");
        trial.sim.postgres.with("orders", "us-east", |server| server.slow = true);
        trial
    };
    let mut probe = slow();
    assert_eq!(probe.process(Choice::Continue, Kill::Never), Some(Verdict::Paused), "{}", probe.story());
    assert!(probe.state.survey.as_ref().unwrap().promoted.is_empty(), "{}", probe.story());
    let paused = probe.records.iter().position(|record| matches!(record, Record::Turned { .. })).unwrap() + 1;
    let Record::Turned { why, .. } = &probe.records[paused - 1] else { panic!("no turn") };
    assert!(why.contains("asked for, and not seen; it may still come about"), "{why}");
    let mut trial = slow();
    let comes = |trial: &Trial| trial.sim.postgres.finish_promotion("orders", "us-east");
    trial.event = Some((paused, Box::new(comes)));
    trial.process(Choice::Continue, Kill::Never);
    assert_eq!(trial.state.survey.as_ref().unwrap().promoted, ["orders"], "{}", trial.story());
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
}

/// The mark of an idle source serves a proof and nothing else: one that was lost is written again, and a lock that was retaken meanwhile
/// does not stand in its way.
#[test]
fn a_lost_mark_is_written_again_and_a_retaken_lock_does_not_refuse_it() {
    let frozen = {
        let mut trial = Trial::new("trial.yaml");
        trial.process(Choice::Continue, Kill::Never);
        let said =
            |record: &Record| matches!(record, Record::Replied { effect, .. } if effect == "read_only");
        trial.records.iter().position(said).unwrap() + 1
    };
    let idle = |retaken: bool| {
        let mut trial = Trial::new("trial.yaml");
        let quiet = move |trial: &Trial| {
            trial.sim.postgres.with("orders", "us-east", |server| server.quiet = true);
            if retaken {
                trial.sim.postgres.steal_lock("orders", "us-east", &trial.state.run);
            }
        };
        trial.event = Some((frozen, Box::new(quiet)));
        trial
    };
    let mark = {
        let mut trial = idle(false);
        assert_eq!(
            trial.process(Choice::Continue, Kill::Never),
            Some(Verdict::Completed),
            "{}",
            trial.story()
        );
        let marked = |record: &Record| matches!(record, Record::Replied { effect, .. } if effect == "mark");
        let at = trial.records.iter().position(marked).expect("no mark was written");
        trial.records[..=at].iter().filter(|record| matches!(record, Record::Replied { .. })).count()
    };
    for fault in [Fault::LostApplied, Fault::LostAbsent] {
        let mut trial = idle(false);
        trial.fault = Some((mark, fault.clone()));
        let verdict = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(verdict, Some(Verdict::Completed), "{fault:?}\n{}", trial.story());
    }
    let mut trial = idle(true);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
}
