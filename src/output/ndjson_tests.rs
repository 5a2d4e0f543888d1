use super::events::{COMMON, EVENTS};
use super::events_page::page;
use super::ndjson::*;
use super::sample::*;
use super::streams::Output;
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::engine::record::{Choice, Purpose, Turn, Verdict};
use crate::engine::{Asked, AskedKind, Progress};
use crate::error::escape::is_unsafe;
use crate::plan::AskKind;
use crate::step::Standing;
use crate::world::Reply;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// One of each variant. A new one does not compile in `name_of` until it is added there, and fails here until it has a sample.
fn samples() -> Vec<Record> {
    vec![
        created(),
        Record::Rehearsed {
            covered: None,
            why: "never rehearsed".into(),
            required: true,
            waived: "the region is on fire".into(),
        },
        opened(Choice::Continue),
        Record::Required { step: "warm".into(), holds: None, evidence: "no data".into() },
        looked("freeze", "read_only", Purpose::Before, Standing::NotReached, "writable"),
        surprised("freeze", "read_only"),
        answered("people/item_1", true),
        intent("freeze", "read_only", false),
        replied("freeze", "read_only", false, Reply::acknowledged("ok")),
        Record::Retrying { step: "warm".into(), try_number: 2 },
        Record::Expired { allowed_ms: 30_000 },
        Record::Breached { watch: "errors".into(), silent: true, evidence: "no data".into() },
        Record::Signalled { signal: "SIGTERM".into() },
        Record::LockLost {
            what: "orders in us-east".into(),
            step: "freeze".into(),
            effect: "read_only".into(),
            undo: false,
        },
        Record::Attested {
            member: crate::world::Member::new("orders", "us-east"),
            how: "fenced".into(),
            by: "bob".into(),
            reason: "power is off".into(),
        },
        Record::Switched {
            from: "a".into(),
            plan: "b".into(),
            to: Box::new(super::sample::plan()),
            by: "bob".into(),
            reason: "the region is gone".into(),
        },
        Record::Handled {
            step: "warm".into(),
            how: crate::engine::by_hand::Handling::Skip,
            by: "bob".into(),
            reason: "it is empty".into(),
            looked: false,
            evidence: String::new(),
        },
        Record::Waived { step: "people".into(), by: "bob".into(), reason: "known".into() },
        turned(Turn::Pause, "warm", true, "why"),
        surveyed("writes: eu-west", &["note"]),
        ended(Verdict::Paused, "why", "writes: eu-west"),
        Record::Abandoned { operator: "bob".into(), reason: "test".into(), world: "w".into() },
    ]
}

fn name_of(record: &Record) -> &'static str {
    match record {
        Record::Created { .. } => "run_created",
        Record::Rehearsed { .. } => "rehearsed",
        Record::Opened { .. } => "run_started",
        Record::Required { .. } => "step_required",
        Record::Looked { .. } => "step_looked",
        Record::Surprised { .. } => "surprised",
        Record::Answered { .. } => "answered",
        Record::Intent { .. } => "intent",
        Record::Replied { .. } => "reply",
        Record::Retrying { .. } => "retrying",
        Record::Expired { .. } => "expired",
        Record::Breached { .. } => "breached",
        Record::Signalled { .. } => "signalled",
        Record::LockLost { .. } => "lock_lost",
        Record::Attested { .. } => "attested",
        Record::Switched { .. } => "switched",
        Record::Handled { .. } => "handled",
        Record::Waived { .. } => "waived",
        Record::Turned { .. } => "turned",
        Record::Surveyed { .. } => "surveyed",
        Record::Ended { .. } => "ended",
        Record::Abandoned { .. } => "abandoned",
    }
}

fn asked() -> Asked {
    Asked {
        id: "freeze/consent".into(),
        step: "freeze".into(),
        role: "commander".into(),
        text: "Go on with: Move the writer?".into(),
        facts: vec!["eu-west is primary".into()],
        kind: AskedKind::Planned(AskKind::Typed("us-east".into())),
    }
}

#[test]
fn a_question_that_waits_says_who_is_asked_and_what_would_answer_it() {
    let plan = plan();
    let (output, out, err) = Output::captured();
    let reader = Ndjson::new(&plan, [], "0197f3".into(), &output, Arc::new(|| BEGIN));
    reader.waiting(&asked());
    let event: Value = serde_json::from_str(out.text().trim()).unwrap();
    assert_eq!((event["event"].as_str(), event["kind"].as_str()), (Some("waiting"), Some("consent")));
    assert_eq!((event["role"].as_str(), &event["answers"]), (Some("commander"), &json!(["us-east", "no"])));
    let beforehand = format!("--approve step:promote --plan-digest {}", plan.digest());
    assert_eq!(
        (&event["beforehand"], &event["at"]),
        (&json!([beforehand]), &json!("2026-07-28T10:00:00.000Z"))
    );
    let by_hand: Rc<super::summary::ByHand> = Rc::new(|_, _, _| Vec::new());
    let frame = super::checklist::Frame { run: "0197f3".into(), journal: "j".into() };
    let log = super::plain::Plain::new(&plan, [], frame, by_hand, &output, Arc::new(|| BEGIN));
    log.waiting(&asked());
    assert!(
        err.text().contains(
            "freeze: waiting for commander at the terminal (us-east, no): Go on with: Move the writer?"
        ),
        "{}",
        err.text()
    );
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_record_gives_its_event_with_exactly_the_documented_fields() {
    let plan = plan();
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (output, out, _) = Output::captured();
    let reader = Ndjson::new(&plan, [], "0197f3".into(), &output, Arc::new(|| BEGIN));
    let records: Vec<(i64, Record)> = samples().into_iter().map(|record| (BEGIN, record)).collect();
    feed(&reader, &plan, &[completed(), records.clone()].concat());
    reader.progress(&Progress { step: "warm".into(), effect: "keys".into(), evidence: "1 of 2".into() });
    reader.waiting(&asked());
    for line in out.text().lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        seen.insert(value["event"].as_str().unwrap().to_string(), keys(&value));
    }
    let names: BTreeSet<&str> = samples().iter().map(name_of).collect();
    assert_eq!(names.len(), samples().len(), "one sample of each");
    let derived = BTreeSet::from(["step_started", "step_ended", "progress", "waiting"]);
    let documented: BTreeSet<&str> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(names.union(&derived).copied().collect::<BTreeSet<_>>(), documented);
    for event in EVENTS {
        let wanted: BTreeSet<String> =
            COMMON.iter().chain(event.fields()).map(|field| field.name.to_string()).collect();
        assert_eq!(seen.get(event.name), Some(&wanted), "{}", event.name);
    }
}

#[test]
fn an_ending_tells_how_what_is_left_is_taken_back_by_hand() {
    let mut model = crate::output::model::Model::of(Arc::new(plan()), std::iter::empty());
    for record in [
        created(),
        opened(Choice::Continue),
        looked("freeze", "read_only", Purpose::Before, Standing::NotReached, "writable"),
        intent("freeze", "read_only", false),
        replied("freeze", "read_only", false, Reply::acknowledged("ok")),
    ] {
        events(&mut model, "r", BEGIN, &record);
    }
    let by_hand = |_: usize, _: usize, _: &crate::step::Facts| vec!["SELECT pg_reload_conf();".to_string()];
    let told = |model: &_| crate::output::taking_back::changes(model, &by_hand, Verdict::RollbackFailed);
    // Nobody has seen that the target is no primary: a program that takes the freeze back could make two.
    assert_eq!(told(&model), json!([]));
    let surveyed = |unknown, promoted: &[&str]| Record::Surveyed {
        world: String::new(),
        notes: Vec::new(),
        frozen: Vec::new(),
        diverged: Vec::new(),
        unknown,
        promoted: promoted.iter().map(ToString::to_string).collect(),
        waiting: Vec::new(),
    };
    for (unknown, promoted) in [(true, &[][..]), (false, &["orders"])] {
        events(&mut model, "r", BEGIN, &surveyed(unknown, promoted));
        assert_eq!(told(&model), json!([]));
    }
    events(&mut model, "r", BEGIN, &surveyed(false, &[]));
    let commands = json!([{ "change": "freeze/read_only", "commands": ["SELECT pg_reload_conf();"] }]);
    assert_eq!(told(&model), commands);
}

#[test]
fn the_page_lists_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/events.md");
    let page = page();
    #[expect(clippy::disallowed_methods, reason = "a developer asks for the page to be written")]
    if std::env::var("MRCTL_BLESS").is_ok() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/reference/events.md is out of date: run the tests with MRCTL_BLESS=1");
}

#[test]
fn a_line_is_safe_to_show_and_loses_nothing() {
    let text = "a\u{1b}[2J\u{7f}\u{9b}b\u{202e}c\u{e0041}\nd";
    let line = line("r", 7, BEGIN, "progress", json!({ "evidence": text }));
    assert!(!line.chars().any(is_unsafe), "{line:?}");
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((value["evidence"].as_str(), value["seq"].as_u64()), (Some(text), Some(7)));
    assert!(
        line.starts_with(
            "{\"schema\":1,\"event\":\"progress\",\"seq\":7,\"at\":\"2026-07-28T10:00:00.000Z\""
        )
    );
}

#[test]
fn the_end_says_what_programs_need() {
    let plan = plan();
    let (output, out, _) = Output::captured();
    let reader = Ndjson::new(&plan, [], "0197f3".into(), &output, Arc::new(|| BEGIN));
    feed(&reader, &plan, &unknown());
    let last: Value = serde_json::from_str(out.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["verdict"], "unknown");
    assert_eq!(last["exit_code"], 6);
    assert_eq!(last["write_gap_ms"], Value::Null, "unknown is not zero");
    assert_eq!(last["frozen_since"], "2026-07-28T10:00:20.100Z");
    assert_eq!(last["standing"], json!(["freeze/read_only", "promote/promote"]));
}

#[test]
fn progress_does_not_flood() {
    let plan = plan();
    let (output, out, _) = Output::captured();
    let reader = Ndjson::new(&plan, [], "0197f3".into(), &output, Arc::new(|| BEGIN));
    for number in 0..10_000 {
        reader.progress(&Progress {
            step: "warm".into(),
            effect: "keys".into(),
            evidence: number.to_string(),
        });
    }
    assert_eq!(out.text().lines().count(), 1);
}
