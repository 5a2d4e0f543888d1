//! What no rehearsal can show is seen in the midst of a run: before the promotion it stops for it, behind it it only says so.

use super::{Cx, Kill, Starts, Task, Trial, at_once, perform};
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::record::{Choice, Purpose, Record, Turn, Verdict};
use crate::engine::surprise::Traces;
use crate::step::Standing;
use crate::world::plausible::{Case, Kept, Observed};
use crate::world::postgres::Altered;
use crate::world::sim::postgres::Server;
use crate::world::{Answer, ready};
use std::path::Path;
use std::rc::Rc;

fn why(trial: &Trial) -> String {
    match trial.records.last() {
        Some(Record::Ended { why, .. }) => why.clone(),
        other => panic!("not ended: {other:?}"),
    }
}

/// The place of a record in the uninterrupted run, counted from 1.
fn place(what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = Trial::new("trial.yaml");
    trial.process(Choice::Continue, Kill::Never);
    trial.records.iter().position(what).unwrap() + 1
}

/// Writes are stopped, and no look has seen it yet.
fn frozen(record: &Record) -> bool {
    matches!(record, Record::Replied { step, undo: false, .. } if step == "freeze")
}

fn cases<'a>(trial: &'a Trial) -> Vec<&'a Case> {
    let case = |record: &'a Record| match record {
        Record::Surprised { case, .. } => Some(&**case),
        _ => None,
    };
    trial.records.iter().filter_map(case).collect()
}

fn intended(trial: &Trial, of: &str) -> bool {
    trial.records.iter().any(|r| matches!(r, Record::Intent { step, undo: false, .. } if step == of))
}

fn server(trial: &Trial, region: &str, change: impl FnOnce(&mut Server)) {
    trial.sim.postgres.with("orders", region, change).unwrap();
}

/// A run in which somebody does this right after that record.
fn trial(record: usize, event: impl FnOnce(&Trial) + 'static) -> Trial {
    let mut trial = Trial::new("trial.yaml");
    trial.at(record, event);
    trial
}

#[test]
fn whatever_cannot_be_stops_a_run_before_the_promotion_and_the_freeze_is_taken_back() {
    let stopped = place(frozen);
    type Event = fn(&Trial);
    let table: [(&str, &str, Event); 5] = [
        ("postgres.system", "orders in us-east", |t| server(t, "us-east", |s| s.system = "other".into())),
        ("postgres.started", "orders in us-east", |t| server(t, "us-east", |s| s.started = 0)),
        ("postgres.role", "orders in eu-west", |t| {
            server(t, "eu-west", |s| s.recovery = true);
        }),
        ("postgres.timeline", "orders in eu-west", |t| server(t, "eu-west", |s| s.timeline = 0)),
        ("postgres.position", "orders in eu-west", |t| server(t, "eu-west", |s| s.position -= 0x1000)),
    ];
    for (rule, at, event) in table {
        let mut trial = trial(stopped, event);
        let verdict = trial.process(Choice::Continue, Kill::Never).unwrap();
        let found = cases(&trial);
        assert_eq!(
            (found[0].rule.as_str(), found[0].place.to_string().as_str()),
            (rule, at),
            "{}",
            trial.story()
        );
        assert!(!intended(&trial, "promote"), "{rule}: promoted\n{}", trial.story());
        let turns = trial.records.iter().filter_map(|r| match r {
            Record::Turned { to, unknown, .. } => Some((*to, *unknown)),
            _ => None,
        });
        assert_eq!(turns.collect::<Vec<_>>()[..2], [(Turn::Pause, true), (Turn::RollBack, true)], "{rule}");
        // The way back has guards of its own: with a member that is no standby of this cluster, writes stay stopped, and it is said.
        let ends = match rule {
            "postgres.system" => (Verdict::RollbackFailed, vec![]),
            // A setting alone gives writes back to nobody: the server is a standby by now, and it is said.
            "postgres.role" => (Verdict::RollbackFailed, vec![]),
            _ => (Verdict::RolledBack, vec!["eu-west".to_string()]),
        };
        assert_eq!((verdict, trial.sim.postgres.writable("orders")), ends, "{rule}\n{}", trial.story());
        let why = why(&trial);
        assert!(why.contains(at) && why.contains(rule) && why.contains("surprises/1.json"), "{why}");
    }
}

#[test]
fn with_nothing_frozen_the_run_pauses_and_goes_on_when_a_person_does() {
    let seen = place(|r| matches!(r, Record::Looked { step, .. } if step == "short_ttl"));
    let mut trial = trial(seen, |trial| trial.sim.dns.set_serial("www", "pdns-eu", 2));
    trial.sim.dns.set_serial("www", "pdns-eu", 9);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    assert!(!intended(&trial, "freeze") && !intended(&trial, "promote"), "{}", trial.story());
    assert!(
        why(&trial).contains("www at pdns-eu: the serial of its zone went back from 9 to 3"),
        "{}",
        why(&trial)
    );
    assert!(trial.state.surprised(&trial.plan).is_some());
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert!(trial.state.surprised(&trial.plan).is_none() && trial.state.surprises.len() == 1);
}

#[test]
fn behind_the_promotion_it_is_told_and_stops_nothing() {
    let promoted = place(
        |r| matches!(r, Record::Looked { step, purpose: Purpose::After, standing: Standing::Reached, .. } if step == "promote"),
    );
    let mut trial = trial(promoted, |trial| server(trial, "us-east", |s| s.timeline = 1));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let found = cases(&trial);
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "postgres.timeline"));
    assert!(!trial.records.iter().any(|r| matches!(r, Record::Turned { to: Turn::Pause, .. })));
    assert_eq!(trial.sim.postgres.writable("orders"), ["us-east"]);
}

#[test]
fn while_a_promotion_is_in_flight_it_is_told_and_the_promotion_is_looked_for() {
    let sent = place(|r| matches!(r, Record::Replied { step, .. } if step == "promote"));
    let mut trial = trial(sent, |trial| server(trial, "eu-west", |s| s.position -= 0x1000));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(cases(&trial).len(), 1, "{}", trial.story());
}

#[test]
fn what_flaps_is_told_once_for_each_rule_and_place() {
    let promoted = place(|r| matches!(r, Record::Intent { step, .. } if step == "writable"));
    let mut trial = trial(promoted, |trial| server(trial, "us-east", |s| s.position -= 0x10000));
    assert_eq!(trial.process(Choice::Continue, Kill::Record(promoted + 4)), None);
    assert_eq!(cases(&trial).len(), 1, "{}", trial.story());
    server(&trial, "us-east", |s| s.position -= 0x20000);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(cases(&trial).len(), 1, "{}", trial.story());
}

#[test]
fn a_look_that_waits_compares_what_it_sees_with_what_it_saw_a_moment_ago() {
    let asleep = place(|r| matches!(r, Record::Intent { step, .. } if step == "freeze"));
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(asleep)), None);
    // Nothing was seen of it yet in this run, and the target stays behind, so that the look at both waits.
    trial.state.traces = Traces::default();
    let on = Altered::To("on".into());
    server(&trial, "eu-west", |s| (s.altered, s.loaded, s.sessions) = (on.clone(), on, vec![]));
    server(&trial, "us-east", |s| s.stuck = true);
    assert!(trial.sim.postgres.write("orders", "eu-west", "one more", true));
    let step = trial.plan.step_index("catch_up").unwrap();
    let waits = |goes_back: bool| {
        let progress = |_| {
            if goes_back {
                server(&trial, "us-east", |s| s.started = 0);
            }
        };
        let (starts, person) = (Starts::new(), Rc::clone(&trial.person));
        let (plan, world, times) = (&trial.plan, &trial.world, &trial.times);
        let cx = Cx { plan, world, starts: &starts, person: &*person, progress: &progress, times };
        at_once(perform(&cx, &Task::Look(step, 0, Purpose::After), &trial.state, None)).unwrap()
    };
    let seen = waits(false);
    assert!(matches!(&seen, Record::Looked { standing, .. } if *standing != Standing::Reached), "{seen:?}");
    let seen = waits(true);
    assert!(matches!(&seen, Record::Surprised { case, .. } if case.rule == "postgres.started"), "{seen:?}");
}

/// Says yes, and goes on when a pause asks, with this reason.
struct Bold(&'static str);

impl Person for Bold {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        match &asked.kind {
            AskedKind::Paused { .. } => ready(Answered {
                yes: true,
                by: "ada".into(),
                how: "terminal".into(),
                choice: Choice::Continue,
                reason: self.0.into(),
            }),
            AskedKind::Planned(_) | AskedKind::Adopt => super::Willing.ask(asked),
        }
    }
}

#[test]
fn a_person_at_the_terminal_decides_while_writes_are_stopped() {
    let stopped = place(frozen);
    let mut trial = trial(stopped, |trial| server(trial, "eu-west", |s| s.position -= 0x1000));
    (trial.terminal, trial.person) = (true, Rc::new(Bold(" they put it back ")));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert!(trial.records.iter().any(
        |r| matches!(r, Record::Answered { question, reason, .. } if question.starts_with("paused:") && reason == "they put it back")
    ));
    assert_eq!(trial.sim.postgres.writable("orders"), ["us-east"]);
}

#[test]
fn a_person_at_the_terminal_does_not_go_on_without_a_reason_and_never_where_another_cluster_answers() {
    type Event = fn(&Trial);
    let table: [(&str, &'static str, Event); 3] = [
        ("postgres.position", "", |t| server(t, "eu-west", |s| s.position -= 0x1000)),
        ("postgres.position", "  ", |t| server(t, "eu-west", |s| s.position -= 0x1000)),
        ("postgres.system", "we know it", |t| server(t, "us-east", |s| s.system = "other".into())),
    ];
    for (rule, reason, event) in table {
        let mut trial = trial(place(frozen), event);
        (trial.terminal, trial.person) = (true, Rc::new(Bold(reason)));
        let verdict = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(verdict, Some(Verdict::Unknown), "{rule} {reason:?}\n{}", trial.story());
        assert_eq!(cases(&trial)[0].rule, rule);
        assert!(!intended(&trial, "promote"), "{rule}: promoted\n{}", trial.story());
        let left = |r: &Record| matches!(r, Record::Answered { yes: false, substance, reason, .. } if substance == "leave" && reason.is_empty());
        assert!(trial.records.iter().any(left), "{}", trial.story());
        assert!(trial.state.surprised(&trial.plan).is_some(), "accepted all the same: {rule}");
    }
}

#[test]
fn a_run_that_was_killed_remembers_what_it_saw() {
    let caught_up = place(|r| matches!(r, Record::Looked { step, .. } if step == "ready"));
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(caught_up)), None);
    server(&trial, "us-east", |s| s.started = 0);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    assert_eq!(cases(&trial)[0].rule, "postgres.started");
}

#[test]
fn a_restart_of_either_server_is_none() {
    for region in ["eu-west", "us-east"] {
        let stopped = place(frozen);
        let mut trial = trial(stopped, move |trial| trial.sim.postgres.restart("orders", region));
        trial.process(Choice::Continue, Kill::Never);
        assert!(cases(&trial).is_empty(), "{}", trial.story());
    }
}

#[test]
fn the_case_holds_what_was_seen_before_and_then_and_is_the_one_that_is_committed() {
    let stopped = place(frozen);
    let mut trial = trial(stopped, |trial| server(trial, "eu-west", |s| s.position -= 0x1000));
    trial.process(Choice::Continue, Kill::Never);
    let kept = Kept::of(cases(&trial)[0]);
    let flushed = |seen: &Observed| match seen {
        Observed::Postgres(facts) => facts.primary().map(|primary| primary.flushed),
        Observed::DnsRecord(_) => None,
    };
    assert!(kept.case.before.as_ref().and_then(flushed) > flushed(&kept.case.now));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/surprises/impossible/what-was-flushed-goes-back.json");
    if std::env::var_os("MRCTL_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&kept).unwrap()).unwrap();
    }
    let committed: Kept = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(committed.case, kept.case);
}
