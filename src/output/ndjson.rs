//! `--output json`: the events of a run, one JSON object a line, on standard output.

use super::events::SCHEMA;
use super::model::{Change, Model};
use super::sink::Sink;
use super::streams::Output;
use super::terminal::Now;
use super::waiting;
use super::{summary, taking_back};
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::engine::state::{RunState, find};
use crate::engine::surprise::Surprise;
use crate::engine::{Asked, Progress};
use crate::error::escape::is_unsafe;
use crate::journal::chain::Line;
use crate::plan::Plan;
use crate::world::Reply;
use crate::world::clock::Moment;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The shortest time between two notices of progress of one effect. Milliseconds.
const PROGRESS_EVERY: i64 = 1000;

/// Writes events.
pub struct Ndjson {
    inner: RefCell<Inner>,
    sink: Sink,
    now: Now,
    run: String,
    /// Gives the commands that take what stands back by hand.
    by_hand: Option<Rc<summary::ByHand>>,
}

struct Inner {
    model: Model,
    seq: u64,
    told: BTreeMap<(String, String), i64>,
}

impl Ndjson {
    /// Events on standard output. `past`: what earlier processes recorded; it is not told again. `run`: the identity as commands
    /// take it.
    pub fn new<'r>(
        plan: &Plan,
        past: impl IntoIterator<Item = (i64, &'r Record)>,
        run: String,
        output: &Output,
        now: Now,
    ) -> Self {
        let model = Model::of(Arc::new(plan.clone()), past);
        let inner = RefCell::new(Inner { model, seq: 0, told: BTreeMap::new() });
        Self { inner, sink: output.stdout.clone(), now, run, by_hand: None }
    }

    /// Also tells how what is left in the end is taken back by hand.
    pub fn taking_back(mut self, by_hand: Rc<summary::ByHand>) -> Self {
        self.by_hand = Some(by_hand);
        self
    }

    fn write(&self, run: &str, seq: u64, at: i64, name: &str, fields: Value) {
        // Nobody can be told that telling failed; the journal has it.
        let _written = self.sink.write(&format!("{}\n", line(run, seq, at, name, fields)));
    }
}

impl Reader for Ndjson {
    fn record(&self, line: &Line, record: &Record, _state: &RunState) {
        let mut inner = self.inner.borrow_mut();
        inner.seq = line.seq;
        for (name, mut fields) in events(&mut inner.model, &self.run, line.at, record) {
            if let (Some(by_hand), Record::Ended { verdict, .. }) = (&self.by_hand, record)
                && name == "ended"
            {
                fields["take_back"] = taking_back::changes(&inner.model, &**by_hand, *verdict);
            }
            self.write(&inner.model.state.run, line.seq, line.at, name, fields);
        }
    }

    fn progress(&self, progress: &Progress) {
        let mut inner = self.inner.borrow_mut();
        let now = (self.now)();
        let key = (progress.step.clone(), progress.effect.clone());
        if inner.told.get(&key).is_some_and(|last| now - last < PROGRESS_EVERY) {
            return;
        }
        inner.told.insert(key, now);
        let mut fields = step(&inner.model.plan, &progress.step);
        fields.insert("effect".into(), json!(progress.effect));
        fields.insert("evidence".into(), json!(progress.evidence));
        self.write(&inner.model.state.run, inner.seq, now, "progress", Value::Object(fields));
    }

    fn waiting(&self, asked: &Asked) {
        let inner = self.inner.borrow();
        let mut fields = step(&inner.model.plan, &asked.step);
        fields.extend([
            ("question".into(), json!(asked.id)),
            ("kind".into(), json!(waiting::kind(asked))),
            ("role".into(), json!(asked.role)),
            ("text".into(), json!(asked.text)),
            ("facts".into(), json!(asked.facts)),
            ("answers".into(), json!(waiting::answers(asked))),
            ("beforehand".into(), json!(waiting::beforehand(&inner.model.plan, asked))),
        ]);
        self.write(&inner.model.state.run, inner.seq, (self.now)(), "waiting", Value::Object(fields));
    }
}

/// The events of one record, in order: its own, then those that are derived. `run`: the identity as commands take it.
pub fn events(model: &mut Model, run: &str, at: i64, record: &Record) -> Vec<(&'static str, Value)> {
    let resumed = model.opened();
    let changes = model.record(at, record);
    let (name, own) = own(model, run, at, record, resumed);
    let mut events = vec![(name, own)];
    let (done, total) = model.counters();
    for change in changes {
        match change {
            Change::Began(s) => {
                let mut fields = step(&model.plan, &model.plan.steps[s].id);
                fields.extend([("done".into(), json!(done)), ("total".into(), json!(total))]);
                events.push(("step_started", Value::Object(fields)));
            }
            Change::Settled(s) => {
                let row = &model.rows[s];
                let elapsed =
                    row.began.zip(row.ended).map(|(began, ended)| ended - began).filter(|ms| *ms >= 0);
                let mut fields = step(&model.plan, &model.plan.steps[s].id);
                fields.extend([
                    ("state".into(), json!(row.phase.word())),
                    ("evidence".into(), json!(row.evidence)),
                    ("elapsed_ms".into(), json!(elapsed)),
                    ("done".into(), json!(done)),
                    ("total".into(), json!(total)),
                ]);
                events.push(("step_ended", Value::Object(fields)));
            }
            Change::Opened { .. }
            | Change::Section(_)
            | Change::Undoing { .. }
            | Change::UndoBegan(_)
            | Change::UndoEnded(_)
            | Change::Told(..)
            | Change::Freezing(..)
            | Change::Ended => {}
        }
    }
    events
}

/// The record's own event.
fn own(model: &Model, run: &str, at: i64, record: &Record, resumed: bool) -> (&'static str, Value) {
    let plan = &model.plan;
    let of_step = |id: &str, more: Value| {
        let mut fields = step(plan, id);
        if let Value::Object(more) = more {
            fields.extend(more);
        }
        Value::Object(fields)
    };
    match record {
        Record::Created { plan: digest, .. } => (
            "run_created",
            json!({
                "plan_digest": digest, "runbook": plan.runbook, "run_title": plan.title,
                "environment": plan.environment, "from": plan.from, "to": plan.to, "mode": plan.mode,
                "drill": plan.drill, "total": model.counters().1,
            }),
        ),
        Record::Rehearsed { covered, why, required, waived } => {
            let covered = covered.as_ref();
            (
                "rehearsed",
                json!({
                    "certificate": covered.map(|one| &one.certificate), "age_ms": covered.map(|one| one.age_ms),
                    "faults": covered.map(|one| one.faults), "version": covered.map(|one| &one.version),
                    "start": covered.map(|one| &one.start), "accepted": covered.map(|one| &one.accepted),
                    "why": why, "required": required, "waived": waived,
                }),
            )
        }
        Record::Opened { version, operator, host, pid, terminal, choice, reason, torn } => (
            "run_started",
            json!({
                "resumed": resumed, "version": version, "operator": operator, "host": host, "pid": pid,
                "terminal": terminal, "choice": choice, "reason": reason, "torn": torn,
            }),
        ),
        Record::Required { step, holds, evidence } => {
            ("step_required", of_step(step, json!({ "holds": holds, "evidence": evidence })))
        }
        Record::Looked { step, effect, purpose, standing, evidence, facts: _, handover, remark } => (
            "step_looked",
            of_step(
                step,
                json!({
                    "effect": effect, "purpose": purpose, "standing": standing, "evidence": evidence,
                    "handover": handover.as_ref().map(|handover| handover.by), "remark": remark,
                }),
            ),
        ),
        Record::Surprised { step, effect, purpose, case } => (
            "surprised",
            of_step(
                step,
                json!({
                    "effect": effect, "purpose": purpose, "rule": case.rule, "place": case.place.to_string(),
                    "what": case.what, "kept": Surprise::file(model.state.surprises.len()),
                }),
            ),
        ),
        Record::Answered { question, yes, by, how, substance, reason } => {
            let mut asks = plan.steps.iter().flat_map(|step| &step.questions);
            let text = asks.find(|ask| ask.id == *question).map_or("", |ask| ask.text.as_str());
            let choice = question.starts_with("paused:").then_some(substance);
            (
                "answered",
                json!({
                    "question": question, "text": text, "yes": yes, "by": by, "how": how, "choice": choice,
                    "reason": reason,
                }),
            )
        }
        Record::Intent { step, effect, attempt, undo, prior: _ } => {
            let class = find(plan, step, effect).map(|(s, e)| plan.steps[s].effects[e].effect.class);
            let more = json!({ "effect": effect, "attempt": attempt, "undo": undo, "class": class });
            ("intent", of_step(step, more))
        }
        Record::Replied { step, effect, attempt, undo, reply } => {
            let (said, text) = match reply {
                Reply::Acknowledged { note } => ("acknowledged", note),
                Reply::More { progress, .. } => ("more", progress),
                Reply::Refused { why } => ("refused", why),
                Reply::Lost { why } => ("lost", why),
            };
            let more =
                json!({ "effect": effect, "attempt": attempt, "undo": undo, "said": said, "text": text });
            ("reply", of_step(step, more))
        }
        Record::Retrying { step, try_number } => ("retrying", of_step(step, json!({ "try": try_number }))),
        Record::Expired { allowed_ms } => ("expired", json!({ "allowed_ms": allowed_ms })),
        Record::Breached { watch, silent, evidence } => {
            ("breached", json!({ "watch": watch, "silent": silent, "evidence": evidence }))
        }
        Record::Signalled { signal } => ("signalled", json!({ "signal": signal })),
        Record::LockLost { what, step, effect, .. } => {
            ("lock_lost", json!({ "what": what, "step": step, "effect": effect }))
        }
        Record::Attested { member, how, by, reason } => (
            "attested",
            json!({ "cluster": member.resource, "region": member.region, "how": how, "by": by, "reason": reason }),
        ),
        Record::Switched { from, plan, to, by, reason } => (
            "switched",
            json!({ "from_plan": from, "plan": plan, "mode": to.mode, "by": by, "reason": reason }),
        ),
        Record::Handled { step, how, by, reason, looked, evidence } => (
            "handled",
            of_step(
                step,
                json!({ "how": how, "by": by, "reason": reason, "looked": looked, "evidence": evidence }),
            ),
        ),
        Record::Waived { step, by, reason } => {
            ("waived", of_step(step, json!({ "by": by, "reason": reason })))
        }
        Record::Turned { to, step, unknown, why } => {
            ("turned", json!({ "to": to, "step": step, "unknown": unknown, "why": why }))
        }
        Record::Surveyed { world, notes, frozen, diverged, unknown, promoted, waiting } => (
            "surveyed",
            json!({
                "world": world, "notes": notes, "frozen": frozen, "diverged": diverged, "unknown": unknown,
                "promoted": promoted, "waiting": waiting,
            }),
        ),
        Record::Ended { verdict, why, world } => {
            let gap = model.measures.write_gap();
            let recovery = model.measures.recovery().filter(|_| model.measures.restored());
            let standing = summary::standing(model)
                .into_iter()
                .map(|(s, e, _)| format!("{}/{}", plan.steps[s].id, plan.steps[s].effects[e].name));
            let next = summary::next_commands(model, run).into_iter().map(|(command, _)| command);
            (
                "ended",
                json!({
                    "verdict": verdict, "exit_code": crate::exit_code::ExitCode::from(*verdict).number(),
                    "open": !verdict.closes(), "why": why, "world": world,
                    "elapsed_ms": model.measures.run.map_or(Some(0), |run| run.length(at)),
                    "write_gap_ms": gap.filter(|gap| gap.ended.is_some()).and_then(|gap| gap.length(at)),
                    "frozen_since": gap.filter(|gap| gap.ended.is_none()).map(|gap| Moment(gap.began).rfc3339()),
                    "data_lost": summary::lost(model).map(summary::Lost::word),
                    "counted": summary::counted(model).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
                    "service_restored_ms": recovery.and_then(|span| span.length(at)),
                    "declared": model.measures.moments.declared.map(|at| Moment(at).rfc3339()),
                    "moments": moments(model),
                    "by_hand": model.state.by_hand.lines(plan),
                    "standing": standing.collect::<Vec<_>>(), "take_back": Value::Null, "next": next.collect::<Vec<_>>(),
                }),
            )
        }
        Record::Abandoned { operator, reason, world } => {
            ("abandoned", json!({ "operator": operator, "reason": reason, "world": world }))
        }
    }
}

/// The moments of the recovery, each after the incident's declaration, else after the run's beginning.
fn moments(model: &Model) -> Vec<Value> {
    let measures = &model.measures;
    let from = measures.moments.declared.or(measures.run.map(|run| run.began)).unwrap_or_default();
    let one = |moment: &super::moments::Moment| {
        json!({
            "name": moment.name.word(), "after_ms": moment.after(from), "record": moment.record,
        })
    };
    measures.moments.reached().iter().map(one).collect()
}

/// What every event of a step has.
fn step(plan: &Plan, id: &str) -> Map<String, Value> {
    let step = plan.step_index(id).map(|index| &plan.steps[index]);
    let section = step.and_then(|step| plan.sections.get(step.section)).map_or("", String::as_str);
    Map::from_iter([
        ("step".to_string(), json!(id)),
        ("title".to_string(), json!(step.map_or("", |step| step.title.as_str()))),
        ("section".to_string(), json!(section)),
    ])
}

/// One line: the common fields first, because people read the beginning of a line.
pub fn line(run: &str, seq: u64, at: i64, name: &str, fields: Value) -> String {
    let text = fields.to_string();
    let rest = match text.strip_prefix('{') {
        Some(rest) if rest != "}" => format!(",{rest}"),
        _ => "}".to_string(),
    };
    let line = format!(
        "{{\"schema\":{SCHEMA},\"event\":{},\"seq\":{seq},\"at\":{},\"run\":{}{rest}",
        json!(name),
        json!(Moment(at).rfc3339()),
        json!(run),
    );
    safe(&line)
}

/// JSON without a character that a terminal would act on. JSON escapes give the same text to a program.
fn safe(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut units = [0_u16; 2];
    for c in line.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}
