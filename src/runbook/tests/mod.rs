//! Tests of the room as a whole: texts in, problems out.

mod discovery;
mod hostile;
mod inventory;
mod kinds;
mod runbook;
mod schema;
mod values;
mod writer;

use super::check::{Context, InventoryContext};
use super::discovery::{Loaded, load};
use super::parse::{Draft, parse};
use super::{check, parameter};
use crate::error::{Problems, Severity, Sources};
use kinds::Kinds;
use std::path::{Path, PathBuf};

/// A file of `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What was found, one a line: `code message`, warnings marked.
fn lines(problems: &Problems) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            let warning = if problem.severity == Severity::Warning { "warning " } else { "" };
            format!("{warning}{} {}", problem.code, problem.message)
        })
        .collect()
}

/// Reads and checks a runbook's text against an inventory.
fn check_text(text: &str, inventory: Option<&Loaded>) -> (Option<Draft>, Problems) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let file = sources.add("runbook.yaml", text);
    let draft = parse(file, text, &Kinds, &mut problems);
    if let Some(draft) = &draft {
        check::runbook(&Context { draft, kinds: &Kinds, inventory }, &mut problems);
    }
    (draft, problems)
}

/// Reads and checks an inventory file.
fn check_inventory(path: &Path) -> (Option<Loaded>, Problems) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = load(path, &mut sources, &mut problems);
    if let Some(loaded) = &loaded {
        check::inventory(&InventoryContext { loaded, leaving: None }, &mut problems);
    }
    (loaded, problems)
}

/// Reads and checks an inventory's text.
fn check_inventory_text(text: &str) -> (Option<Loaded>, Problems) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mrctl.yaml");
    std::fs::write(&path, text).unwrap();
    check_inventory(&path)
}

/// The inventory of the design's example.
fn production() -> Loaded {
    check_inventory(&fixture("production.yaml")).0.unwrap()
}

/// Whether some line begins so.
#[track_caller]
fn assert_has(problems: &Problems, beginning: &str) {
    let lines = lines(problems);
    assert!(lines.iter().any(|line| line.starts_with(beginning)), "no `{beginning}` in {lines:#?}");
}
