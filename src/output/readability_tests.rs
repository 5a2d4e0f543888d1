//! What holds for everything that is shown, whatever form it has: it fits, and what came from outside is only text.

use super::checklist::Frame;
use super::ndjson::Ndjson;
use super::plain::Plain;
use super::sample::*;
use super::show;
use super::streams::{Output, Style};
use super::terminal::Live;
use crate::engine::Progress;
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::error::escape::is_unsafe;
use crate::plan::Plan;
use console::measure_text_width;
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

const PLAIN: Style = Style { colour: false, unicode: true };
/// Clears the screen, sets the title of the window, rings, goes back, turns text around, and hides a tag.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{8}\u{9b}31m\u{202e}\u{2066}\u{e0041}\nCOMPLETED";

fn frame() -> Frame {
    Frame { run: "0197f3".into(), journal: "/var/lib/mrctl/runs/0197f3a2/journal.jsonl".into() }
}

fn by_hand(_: usize, _: usize, _: &crate::step::Facts) -> Vec<String> {
    vec!["ALTER SYSTEM RESET default_transaction_read_only;".into()]
}

fn stories() -> Vec<(&'static str, Vec<(i64, Record)>)> {
    vec![("completed", completed()), ("rolled_back", rolled_back()), ("unknown", unknown())]
}

/// Appends the hostile text to every text of a record that can come from outside: servers, people, other hosts.
fn poison(value: &mut Value) {
    const OUTSIDE: [&str; 7] = ["evidence", "why", "world", "note", "progress", "reason", "operator"];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if OUTSIDE.contains(&key.as_str()) => text.push_str(HOSTILE),
                    Value::Array(texts) if key == "notes" => texts.push(HOSTILE.into()),
                    other => poison(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(poison),
        _ => {}
    }
}

fn poisoned(records: Vec<(i64, Record)>) -> Vec<(i64, Record)> {
    let poison = |record: &Record| {
        let mut value = serde_json::to_value(record).unwrap();
        poison(&mut value);
        serde_json::from_value(value).unwrap()
    };
    records.iter().map(|(at, record)| (*at, poison(record))).collect()
}

/// A plan whose texts are hostile too: an inventory may be generated from what others wrote.
fn poisoned_plan() -> Plan {
    let mut plan = plan();
    plan.title.push_str(HOSTILE);
    plan.environment.push_str(HOSTILE);
    plan.steps.iter_mut().for_each(|step| step.title.push_str(HOSTILE));
    plan.sections.iter_mut().for_each(|section| section.push_str(HOSTILE));
    plan
}

fn assert_calm(form: &str, text: &str) {
    let wild = text.chars().find(|c| is_unsafe(*c) && *c != '\n');
    assert!(wild.is_none(), "{form} passes {wild:?} on:\n{text:?}");
    // A line feed of theirs would begin a line that looks like one of ours.
    assert!(!text.lines().any(|line| line.starts_with("COMPLETED") && !line.contains("exit code")), "{form}");
    assert!(text.contains("owned"), "{form} does not show it at all");
}

#[test]
fn what_came_from_outside_is_only_text_in_every_form() {
    let plan = poisoned_plan();
    let clock = || Arc::new(|| BEGIN + 30_000) as super::terminal::Now;
    for (name, records) in stories() {
        let records = poisoned(records);
        let refs = || records.iter().map(|(at, record)| (*at, record));
        let progress =
            Progress { step: "warm".into(), effect: "keys".into(), evidence: format!("owned {HOSTILE}") };
        let (output, out, err) = Output::captured();
        let ndjson = Ndjson::new(&plan, [], "0197f3".into(), &output, clock());
        feed(&ndjson, &plan, &records);
        ndjson.progress(&progress);
        assert_calm(&format!("{name}: events"), &out.text());
        let log = Plain::new(&plan, [], frame(), Rc::new(by_hand), &output, clock());
        feed(&log, &plan, &records);
        log.progress(&progress);
        assert_calm(&format!("{name}: log"), &err.text());
        for width in [80, 40] {
            let shown = show::checklist(&plan, refs(), &frame(), &by_hand, PLAIN, width).join("\n");
            assert_calm(&format!("{name}: show at {width}"), &shown);
        }
        let timeline = show::timeline(&plan, refs(), &by_hand, PLAIN).join("\n");
        assert_calm(&format!("{name}: timeline"), &timeline);
        let live = drawn(&plan, &records);
        assert_calm(&format!("{name}: live"), &live);
    }
}

/// What the live checklist wrote, without the few sequences with which it draws.
fn drawn(plan: &Plan, records: &[(i64, Record)]) -> String {
    let (output, _, err) = Output::captured();
    let size = Arc::new(|| (80, 200));
    let canvas = super::canvas::Canvas::on(output.stderr.clone(), size);
    let live = Live::new(plan, [], frame(), Rc::new(by_hand), PLAIN, canvas, Arc::new(|| BEGIN + 30_000));
    // Drawn in the middle too, so that what moves is there.
    let (first, second) = records.split_at(records.len() / 2);
    feed(&live, plan, first);
    live.redraw();
    feed(&live, plan, second);
    drop(live);
    let mut text = String::new();
    let all = err.text();
    let mut rest = all.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        text.push_str(&rest[..at]);
        let sequence = rest[at..].strip_prefix("\u{1b}[").expect("only sequences that draw");
        let end = sequence.find(|c: char| !c.is_ascii_digit()).unwrap();
        assert!(
            matches!(&sequence[end..=end], "A" | "B" | "C" | "D" | "K"),
            "not a sequence that draws: {:?}",
            &sequence[..=end]
        );
        rest = &sequence[end + 1..];
    }
    text.push_str(rest);
    text.replace('\r', "")
}

/// What is there to be copied is never cut or broken by us: paths, commands.
fn copied(line: &str) -> bool {
    line.trim_start().starts_with('/') || line.contains("ALTER SYSTEM") || line.contains("psql ")
}

#[test]
fn every_line_fits_at_80_and_at_40_columns() {
    for (name, records) in stories() {
        for width in [80, 40] {
            let refs = records.iter().map(|(at, record)| (*at, record));
            let lines = show::checklist(&plan(), refs, &frame(), &by_hand, PLAIN, width);
            for line in lines.iter().flat_map(|line| line.lines()).filter(|line| !copied(line)) {
                assert!(measure_text_width(line) <= width, "{name} at {width}: {line:?} is too wide");
            }
        }
    }
}

#[test]
fn every_line_of_every_snapshot_fits_the_width_that_it_is_named_after() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/output/snapshots");
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".snap").trim_end_matches("_ascii");
        let Some(width) = stem.rsplit('_').next().and_then(|width| width.parse::<usize>().ok()) else {
            continue;
        };
        looked_at += 1;
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let shown = text.split("---\n").nth(2).unwrap();
        for line in shown.lines().filter(|line| !copied(line)) {
            assert!(measure_text_width(line) <= width, "{name}: {line:?} is too wide");
        }
    }
    assert!(looked_at >= 10, "only {looked_at} snapshots name a width");
}
