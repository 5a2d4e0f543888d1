//! A plan and the records of its runs, for the tests of this room.

use crate::engine::record::{Choice, Purpose, Record, Turn, Verdict};
use crate::engine::state::RunState;
use crate::journal::chain::Line;
use crate::plan::{Ask, AskKind, Drill, Mode, Objectives, OnFailure, Plan, PlannedEffect, Step};
use crate::step::{Action, Class, Effect, Facts, Pace, Standing};
use crate::world::dns::{RecordFacts, RecordName};
use crate::world::plausible::{Case, Observed, Place};
use crate::world::postgres::{Handover, HandoverBy};
use crate::world::{Known, Reply};
use std::collections::BTreeMap;

/// 2026-07-28T10:00:00Z.
pub const BEGIN: i64 = 1_785_232_800_000;

pub fn facts() -> Facts {
    serde_json::from_value(serde_json::json!({ "checklist": {} })).unwrap()
}

fn action() -> Action {
    serde_json::from_value(serde_json::json!({ "checklist": { "role": "", "items": ["x"] } })).unwrap()
}

fn effect(id: &str, class: Class) -> PlannedEffect {
    let mut effect = Effect::of(id, class, Pace::new(10_000, 200));
    if id == "read_only" {
        effect.freezes = Some("orders".into());
    }
    if id == "handover" {
        effect.makes = Some("orders".into());
    }
    if id == "promote" {
        effect.needs = Some("orders".into());
    }
    PlannedEffect { name: id.into(), action: action(), effect }
}

pub fn step(id: &str, section: usize, title: &str, effects: Vec<PlannedEffect>) -> Step {
    Step {
        id: id.into(),
        section,
        title: title.into(),
        kind: "checklist".into(),
        parallel: None,
        skipped: None,
        takes_back: None,
        require: None,
        questions: Vec::new(),
        effects,
        on_failure: OnFailure::Default,
        on_unknown: OnFailure::Default,
        best_effort: false,
        temporary: false,
        retries: 0,
        retry_every_ms: 1000,
        keep_because: None,
        marks: None,
    }
}

pub fn ask(id: &str, role: &str, text: &str, kind: AskKind) -> Ask {
    Ask { id: id.into(), kind, role: role.into(), text: text.into(), within_ms: 0, section: false }
}

pub fn plan() -> Plan {
    let mut people = step("people", 0, "Checklist of 2 lines", vec![]);
    people.questions = vec![
        ask("people/item_1", "commander", "Incident channel is open", AskKind::Item),
        ask("people/item_2", "commander", "Support has been told", AskKind::Item),
    ];
    let mut drill =
        step("drill_note", 0, "Say that this is a drill", vec![effect("say", Class::ForwardOnly)]);
    drill.skipped = Some("only in a drill".into());
    let mut warm = step("warm", 0, "Warm sessions in us-east", vec![effect("keys", Class::ForwardOnly)]);
    warm.best_effort = true;
    let mut freeze =
        step("freeze", 1, "Stop writes on orders in eu-west", vec![effect("read_only", Class::Undoable)]);
    freeze.questions =
        vec![ask("freeze/consent", "commander", "Move orders to us-east?", AskKind::Typed("us-east".into()))];
    let catch_up =
        step("catch_up", 1, "Wait until us-east has everything", vec![effect("handover", Class::Looks)]);
    let promote = step("promote", 1, "Promote orders in us-east", vec![effect("promote", Class::Pivot)]);
    let shift = step(
        "shift",
        2,
        "Shift www from eu-west to us-east",
        vec![effect("50", Class::Undoable), effect("100", Class::Undoable)],
    );
    let mut users = step("users", 2, "Check shop as users see it", vec![effect("look", Class::Looks)]);
    users.marks = Some("service_restored".into());
    Plan {
        format: 1,
        runbook: "orders-failover".into(),
        title: "Move Orders from eu-west to us-east".into(),
        environment: "production".into(),
        runbook_sha256: "00".repeat(32),
        inventory_sha256: "11".repeat(32),
        from: "eu-west".into(),
        to: "us-east".into(),
        mode: Mode::Planned,
        drill: Drill::Real,
        parameters: BTreeMap::from([("warm_rate".into(), "500".into())]),
        objectives: Objectives { rto_ms: Some(120_000), rpo_ms: Some(0), write_gap_ms: 30_000 },
        roles: BTreeMap::from([("commander".into(), "Decides go or no-go".into())]),
        sections: vec![
            "Before anyone touches anything".into(),
            "Move the writer".into(),
            "Move the traffic".into(),
        ],
        steps: vec![people, drill, warm, freeze, catch_up, promote, shift, users],
        watches: vec![],
        resources: vec!["dns_records/www".into(), "postgres/orders".into()],
        clusters: BTreeMap::from([("orders".into(), vec!["eu-west".into(), "us-east".into()])]),
        records: BTreeMap::new(),
        identity: BTreeMap::from([("orders/system".into(), "7521".into())]),
        kinds: BTreeMap::from([("postgres.freeze".into(), 1)]),
    }
}

pub fn created() -> Record {
    Record::Created {
        run: "0197f3a2-7c11-7000-8000-000000000001".into(),
        plan: "ab".repeat(32),
        format: 1,
        since: None,
        starts: BTreeMap::new(),
    }
}

pub fn opened(choice: Choice) -> Record {
    Record::Opened {
        version: "0.1.0".into(),
        operator: "alice".into(),
        host: "ops-1".into(),
        pid: 4242,
        terminal: true,
        choice,
        reason: String::new(),
        torn: 0,
    }
}

pub fn looked(step: &str, effect: &str, purpose: Purpose, standing: Standing, evidence: &str) -> Record {
    let handover = (effect == "handover" && standing == Standing::Reached).then(|| Handover {
        system: "7521".into(),
        timeline: 1,
        position: serde_json::from_value(serde_json::json!("0/5000000")).unwrap(),
        next_transaction: 900,
        activity: Default::default(),
        source_started: "a".into(),
        target_started: "b".into(),
        by: HandoverBy::Soft,
        counted: None,
    });
    Record::Looked {
        step: step.into(),
        effect: effect.into(),
        purpose,
        standing,
        evidence: evidence.into(),
        facts: facts(),
        handover,
        remark: None,
    }
}

pub fn surprised(step: &str, effect: &str) -> Record {
    let facts = |serial: u32| {
        Observed::DnsRecord(RecordFacts {
            sets: vec![],
            shares: Known::unknown("foreign content"),
            ttl: Known::Known(60),
            serial: Known::Known(serial),
            transferred: Known::Known(true),
            answers: Known::Known(vec![]),
            sampled: Known::unknown("no answer in time"),
        })
    };
    let at = RecordName { record: "www".into(), server: "pdns-eu".into() };
    let mut case = Case {
        rule: "dns.serial".into(),
        place: Place::DnsRecord(at),
        what: String::new(),
        before: Some(facts(9)),
        now: facts(2),
    };
    case.what = case.broken().map(|(_, what)| what).unwrap_or_default();
    Record::Surprised {
        step: step.into(),
        effect: effect.into(),
        purpose: Purpose::Before,
        case: Box::new(case),
    }
}

pub fn answered(question: &str, yes: bool) -> Record {
    Record::Answered {
        question: question.into(),
        yes,
        by: "alice".into(),
        how: "terminal".into(),
        substance: String::new(),
        reason: String::new(),
    }
}

pub fn intent(step: &str, effect: &str, undo: bool) -> Record {
    let attempt = if undo { 2 } else { 1 };
    Record::Intent { step: step.into(), effect: effect.into(), attempt, undo, prior: facts() }
}

pub fn replied(step: &str, effect: &str, undo: bool, reply: Reply) -> Record {
    let attempt = if undo { 2 } else { 1 };
    Record::Replied { step: step.into(), effect: effect.into(), attempt, undo, reply }
}

pub fn turned(to: Turn, step: &str, unknown: bool, why: &str) -> Record {
    Record::Turned { to, step: step.into(), unknown, why: why.into() }
}

pub fn ended(verdict: Verdict, why: &str, world: &str) -> Record {
    Record::Ended { verdict, why: why.into(), world: world.into() }
}

pub fn surveyed(world: &str, notes: &[&str]) -> Record {
    Record::Surveyed {
        world: world.into(),
        notes: notes.iter().map(ToString::to_string).collect(),
        frozen: vec![],
        diverged: vec![],
        unknown: false,
        promoted: vec![],
        waiting: vec![],
    }
}

/// A change that works: look, intent, reply, look.
fn change(at: i64, step: &str, effect: &str, evidence: &str) -> Vec<(i64, Record)> {
    vec![
        (at, looked(step, effect, Purpose::Before, Standing::NotReached, "not so yet")),
        (at + 100, intent(step, effect, false)),
        (at + 300, replied(step, effect, false, Reply::acknowledged("ok"))),
        (at + 400, looked(step, effect, Purpose::After, Standing::Reached, evidence)),
    ]
}

/// Up to and with the freeze, whose intent is 20.1 s after the beginning.
pub fn until_frozen() -> Vec<(i64, Record)> {
    let mut records = vec![(0, created()), (100, opened(Choice::Continue))];
    records.extend([(4000, answered("people/item_1", true)), (9000, answered("people/item_2", true))]);
    records.extend(change(9000, "warm", "keys", "40 000 of 40 000 keys are warm"));
    records.push((10_000, looked("freeze", "read_only", Purpose::Before, Standing::NotReached, "writable")));
    records.push((20_000, answered("freeze/consent", true)));
    records.extend(change(20_000, "freeze", "read_only", "orders refuses new writes in eu-west"));
    at_begin(records)
}

/// The world line of a run that moved everything.
pub const MOVED: &str = "writes: us-east · old primary: frozen · traffic: 100% us-east · undo: not possible";

/// A run that completes.
pub fn completed() -> Vec<(i64, Record)> {
    let mut records = Vec::new();
    let evidence = "us-east has replayed 0/5000000, everything that eu-west wrote";
    records.push((20_900, looked("catch_up", "handover", Purpose::Before, Standing::Reached, evidence)));
    records.extend(change(20_900, "promote", "promote", "us-east is primary on timeline 2"));
    records.extend(change(21_400, "shift", "50", "50% eu-west, 50% us-east"));
    records.extend(change(22_000, "shift", "100", "100% us-east at both servers"));
    let evidence = "200 from 198.51.100.10 in 38 ms";
    records.push((24_000, looked("users", "look", Purpose::Before, Standing::Reached, evidence)));
    records.push((24_000, turned(Turn::Finish, "", false, "all steps are done")));
    let note =
        "the old primary of orders in eu-west is only frozen by its setting: stop it, or make it a standby";
    records.push((24_300, surveyed(MOVED, &[note])));
    records.push((24_300, ended(Verdict::Completed, "", MOVED)));
    [until_frozen(), at_begin(records)].concat()
}

/// A run that cannot catch up and rolls back.
pub fn rolled_back() -> Vec<(i64, Record)> {
    let why = "catch_up: us-east is 48 MiB behind and does not come closer; its receiver has been disconnected since 09:58:12";
    let world = "writes: eu-west · standby: standby · traffic: 100% eu-west · undo: nothing to undo";
    let records = vec![
        (30_500, looked("catch_up", "handover", Purpose::Before, Standing::NotReached, &why[10..])),
        (30_500, turned(Turn::RollBack, "catch_up", false, why)),
        (
            30_600,
            looked("freeze", "read_only", Purpose::Undo, Standing::NotReached, "still as this run left it"),
        ),
        (30_600, intent("freeze", "read_only", true)),
        (30_700, replied("freeze", "read_only", true, Reply::acknowledged("ok"))),
        (
            30_900,
            looked(
                "freeze",
                "read_only",
                Purpose::Undone,
                Standing::Reached,
                "orders takes writes in eu-west",
            ),
        ),
        (31_200, surveyed(world, &[])),
        (31_200, ended(Verdict::RolledBack, why, world)),
    ];
    [until_frozen(), at_begin(records)].concat()
}

/// A run whose promotion is never answered: it pauses, and cannot tell.
pub fn unknown() -> Vec<(i64, Record)> {
    let why = "promote: us-east does not answer: connection timed out after 5 s";
    let world = "writes: unknown · old primary: frozen · undo: not while the promotion is armed";
    let evidence = "us-east has replayed 0/5000000, everything that eu-west wrote";
    let records = vec![
        (20_900, looked("catch_up", "handover", Purpose::Before, Standing::Reached, evidence)),
        (21_000, looked("promote", "promote", Purpose::Before, Standing::NotReached, "standby")),
        (21_100, intent("promote", "promote", false)),
        (26_100, replied("promote", "promote", false, Reply::lost("timed out after 5 s"))),
        (56_100, looked("promote", "promote", Purpose::After, Standing::Unknown, &why[9..])),
        (56_100, turned(Turn::Pause, "promote", true, why)),
        (57_000, surveyed(world, &["orders cannot be written anywhere that was seen"])),
        (57_000, ended(Verdict::Unknown, why, world)),
    ];
    [until_frozen(), at_begin(records)].concat()
}

pub fn at_begin(records: Vec<(i64, Record)>) -> Vec<(i64, Record)> {
    records.into_iter().map(|(at, record)| (at + BEGIN, record)).collect()
}

/// As a reader gets them.
pub fn feed(reader: &dyn crate::engine::driver::Reader, plan: &Plan, records: &[(i64, Record)]) {
    let mut state = RunState::new(plan);
    for (seq, (at, record)) in records.iter().enumerate() {
        state.fold(plan, record);
        let line = Line { seq: seq as u64, at: *at, hash: String::new(), body: serde_json::Map::new() };
        reader.record(&line, record, &state);
    }
}
