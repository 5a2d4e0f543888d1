//! Every text of a runbook and of an inventory is filled with each hostile text: it is refused at its place or it is harmless,
//! it costs little time, and it never panics. Kinds and plan are the real ones.

use super::{files, root};
use mrctl::error::{Problems, Sources, render};
use mrctl::language::tree::{self, Node, Value};
use mrctl::plan::{Drill, Mode, Plan, Request, TableOfKinds, build};
use mrctl::runbook::{Loaded, check, open_inventory, parse};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../../src/language/naughty.rs"]
mod naughty;

/// Longest time for one file, far above what it takes in an unoptimised build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn folder() -> std::path::PathBuf {
    root().join("tests/fixtures/every-field")
}

/// The places of all values and keys that are text.
fn texts(text: &str) -> Vec<std::ops::Range<usize>> {
    fn walk(node: &Node, found: &mut Vec<std::ops::Range<usize>>) {
        match &node.value {
            Value::Scalar { .. } => found.push(node.span.range()),
            Value::List(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    found.push(key.span.range());
                    walk(value, found);
                }
            }
            Value::Refused => {}
        }
    }
    let file = Sources::new().add("fixture", text);
    let (node, problems) = tree::parse(file, text, Default::default());
    assert!(problems.is_empty());
    let mut found = Vec::new();
    walk(&node.unwrap(), &mut found);
    found
}

/// Each hostile text as it stands in a file.
fn corpus() -> Vec<String> {
    let long = [
        "x".repeat(20_000),
        "e\u{301}".repeat(5_000),
        "${".repeat(5_000),
        "${to}".repeat(3_000),
        "(".repeat(5_000),
        "a.".repeat(5_000),
        "1 + ".repeat(400) + "1 > 2",
    ];
    let escapes = naughty::ESCAPES.iter().map(|escape| format!("\"a{escape}b\""));
    naughty::TEXTS
        .iter()
        .map(|text| naughty::quoted(text))
        .chain(escapes)
        .chain(long.map(|text| naughty::quoted(&text)))
        .collect()
}

/// The hostile texts for one place. All of them at every place take minutes (`MRCTL_HOSTILE=all`); otherwise each place meets every
/// twelfth, beginning with its own, so that every text meets every twelfth place.
fn hostile(corpus: &[String], place: usize) -> impl Iterator<Item = &String> {
    let all = std::env::var_os("MRCTL_HOSTILE").is_some();
    corpus
        .iter()
        .enumerate()
        .filter(move |(at, _)| all || (at + place).is_multiple_of(12))
        .map(|(_, text)| text)
}

/// What may stay in a text: blanks, and what scripts and emoji need.
fn stays(c: char) -> bool {
    matches!(c, '\n' | '\t' | '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{180b}'..='\u{180f}')
}

/// What was found is shown safely, and every error has its place.
#[track_caller]
fn harmless(problems: &Problems, sources: &Sources, what: &str) {
    for problem in problems {
        let span = problem
            .span
            .unwrap_or_else(|| panic!("{what}: {} {} has no place", problem.code, problem.message));
        assert!(sources.text(span.file).get(span.range()).is_some(), "{what}: {span:?}");
    }
    let shown = render::text(problems, sources, false, 100);
    let bad = shown.chars().find(|c| *c != '\n' && mrctl::error::escape::is_unsafe(*c));
    assert_eq!(bad, None, "{what}: {shown}");
    assert!(shown.len() < 6_000 * problems.len().max(1), "{what}: {} bytes: {shown:.3000}", shown.len());
}

/// Reads, checks and plans, in every direction.
fn whole(text: &str, inventory: &Loaded, what: &str) -> Vec<Plan> {
    let begin = Instant::now();
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let file = sources.add("runbook.yaml", text);
    let mut plans = Vec::new();
    if let Some(draft) = parse::parse(file, text, &TableOfKinds, &mut problems) {
        let context = check::Context { draft: &draft, kinds: &TableOfKinds, inventory: Some(inventory) };
        check::runbook(&context, &mut problems);
        for (from, to) in [("eu-west", "us-east"), ("us-east", "eu-west")] {
            let request = Request {
                runbook: &draft.runbook,
                runbook_sha256: String::new(),
                inventory,
                inventory_sha256: String::new(),
                from,
                to,
                mode: Mode::Planned,
                drill: Drill::Real,
                parameters: &BTreeMap::new(),
            };
            if !problems.has_errors() {
                plans.extend(build(&request, &mut problems));
            }
        }
    }
    assert!(plans.len() == 2 || problems.has_errors(), "{what}: neither a plan nor a problem");
    harmless(&problems, &sources, what);
    assert!(begin.elapsed() < PATIENCE, "{what}: {:?}", begin.elapsed());
    plans
}

fn inventory(path: &Path, what: &str) -> Option<Loaded> {
    let begin = Instant::now();
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = open_inventory(path, None, &mut sources, &mut problems);
    assert!(loaded.is_some() || problems.has_errors(), "{what}: neither an inventory nor a problem");
    harmless(&problems, &sources, what);
    assert!(begin.elapsed() < PATIENCE, "{what}: {:?}", begin.elapsed());
    loaded
}

#[test]
fn every_text_of_a_runbook_may_be_hostile() {
    let text = std::fs::read_to_string(folder().join("runbook.yaml")).unwrap();
    let loaded = inventory(&folder().join("mrctl.yaml"), "the fixture").unwrap();
    assert_eq!(whole(&text, &loaded, "the fixture").len(), 2, "the fixture passes");
    let corpus = corpus();
    for (number, place) in texts(&text).into_iter().enumerate() {
        for hostile in hostile(&corpus, number) {
            let changed = format!("{}{hostile}{}", &text[..place.start], &text[place.end..]);
            let what = format!("{} -> {hostile:.60}", &text[place.clone()]);
            for plan in whole(&changed, &loaded, &what) {
                let plan = serde_json::to_value(&plan).unwrap();
                each_text(&plan, &mut |text| {
                    let bad = text.chars().find(|c| mrctl::error::escape::is_unsafe(*c) && !stays(*c));
                    assert_eq!(bad, None, "{what}: {text:?}");
                });
            }
        }
    }
}

fn each_text(value: &serde_json::Value, see: &mut dyn FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => see(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
            see(key);
            each_text(value, see);
        }),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[test]
fn every_text_of_an_inventory_may_be_hostile() {
    let corpus = corpus();
    let scratch = tempfile::tempdir().unwrap();
    for name in ["mrctl.yaml", "more.yaml"] {
        std::fs::copy(folder().join(name), scratch.path().join(name)).unwrap();
    }
    for name in ["mrctl.yaml", "more.yaml"] {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        for (number, place) in texts(&text).into_iter().enumerate() {
            for hostile in hostile(&corpus, number) {
                let changed = format!("{}{hostile}{}", &text[..place.start], &text[place.end..]);
                std::fs::write(scratch.path().join(name), changed).unwrap();
                let what = format!("{} -> {hostile:.60}", &text[place.clone()]);
                inventory(&scratch.path().join("mrctl.yaml"), &what);
            }
        }
        std::fs::write(scratch.path().join(name), text).unwrap();
    }
}

#[test]
fn the_fixtures_have_every_key_of_the_schemas() {
    fn keys(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
        let Some(map) = value.as_object() else {
            return value.as_array().into_iter().flatten().for_each(|item| keys(item, found));
        };
        found.extend(
            map.get("properties").and_then(|p| p.as_object()).into_iter().flat_map(|p| p.keys().cloned()),
        );
        map.values().for_each(|value| keys(value, found));
    }
    for (schema, names) in [("runbook", &["runbook.yaml"][..]), ("inventory", &["mrctl.yaml", "more.yaml"])] {
        let text: String =
            names.iter().map(|name| std::fs::read_to_string(folder().join(name)).unwrap()).collect();
        let schema = std::fs::read_to_string(root().join(format!("docs/schema/{schema}.json"))).unwrap();
        let mut all = std::collections::BTreeSet::new();
        keys(&serde_json::from_str(&schema).unwrap(), &mut all);
        // `steps` at the top and `silent` and `sections` exclude others; their texts are of the same kinds.
        let missing: Vec<_> = all.iter().filter(|key| !text.contains(&format!("{key}:"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[test]
fn a_byte_that_is_no_text_is_shown_wherever_it_stands() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("runbook.yaml");
    for file in files() {
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"] {
                let mut bytes = whole.clone();
                bytes.splice(at..=at, bad.iter().copied());
                let Err(error) = std::str::from_utf8(&bytes) else { continue };
                std::fs::write(&path, &bytes).unwrap();
                let (mut sources, mut problems) = (Sources::new(), Problems::new());
                let draft = parse::read(&path, &TableOfKinds, &mut sources, &mut problems);
                assert!(draft.is_none());
                let problem = problems.iter().next().unwrap();
                assert_eq!((problem.code.as_str(), problems.len()), ("MR0005", 1), "{at}");
                let line = whole[..error.valid_up_to().min(whole.len())]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
                    + 1;
                let place = sources.line_column(problem.span.unwrap()).unwrap();
                assert_eq!(place.line, line, "{at} of {}", file.display());
                harmless(&problems, &sources, "bytes");
            }
        }
    }
}

#[test]
fn a_file_that_was_cut_is_refused_or_the_beginning_of_the_whole() {
    let shipped = inventory(&root().join("runbooks/mrctl.yaml"), "shipped").unwrap();
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let full = whole(&text, &shipped, "whole").remove(0);
        let mut accepted = 0;
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let what = format!("{} cut at {at}", file.display());
            let Some(plan) = whole(&text[..at], &shipped, &what).into_iter().next() else { continue };
            accepted += 1;
            // Whatever is left does the same as before, up to some step.
            assert!(plan.steps.len() <= full.steps.len(), "{what}");
            for (left, all) in plan.steps.iter().zip(&full.steps) {
                assert!(left.id == all.id && left.kind == all.kind, "{what}: {} {}", left.id, all.id);
            }
            // A freeze without its promotion is never accepted.
            let has = |kind: &str| plan.steps.iter().any(|step| step.kind == kind);
            assert!(!has("postgres.freeze") || has("postgres.promote"), "{what}");
        }
        assert!(accepted > 0, "{}", file.display());
    }
}

#[test]
fn a_file_of_a_gigabyte_is_refused_in_little_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("runbook.yaml");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    for arguments in [vec![path.as_os_str()], vec!["--inventory".as_ref(), path.as_os_str()]] {
        // Half of the file's size is all that the program may have, its libraries and stacks included.
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -v 524288; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_mrctl"), "check"]);
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("MR0004"), "{said}");
    }
}

#[test]
fn deep_nesting_and_bombs_are_refused_by_the_program() {
    let deep = 100_000;
    let bomb: String = (1..15)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")))
        .collect();
    for (text, code) in [
        (format!("mrctl: 1\nname: t\nsteps: {}x{}\n", "[".repeat(deep), "]".repeat(deep)), "MR0019"),
        (format!("mrctl: 1\nname: t\nsteps: {}\n", "{a: ".repeat(deep)), "MR0019"),
        (format!("mrctl: 1\nname: t\nsteps:\n  {}\n", "- ".repeat(deep)), "MR0019"),
        (format!("mrctl: 1\nname: t\na0: &a0 [x, x]\n{bomb}"), "MR0011"),
        (
            format!("mrctl: 1\nname: t\nsteps: [{{ id: a, notify: x, when: \"{}\" }}]\n", "(".repeat(deep)),
            "MR0302",
        ),
        (
            format!(
                "mrctl: 1\nname: t\nsteps: [{{ id: a, notify: x, when: \"{}true\" }}]\n",
                "not ".repeat(deep)
            ),
            "MR0302",
        ),
        (format!("mrctl: 1\nname: t\nsteps: [{{ id: a, notify: \"{}\" }}]\n", "${".repeat(deep)), "MR0201"),
    ] {
        let begin = Instant::now();
        let output = super::check(&text, &super::shipped());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(code), "{code}: {said:.2000}");
        assert!(begin.elapsed() < PATIENCE && said.len() < 200_000, "{code}: {:?}", begin.elapsed());
    }
}
