//! `mrctl audit verify`: what the files prove, and what they cannot.

use super::setup::{Format, Setup};
use crate::exit_code::ExitCode;
use crate::journal::chain::Line;
use crate::journal::file::{OpenError, read_intact, read_lines};
use crate::store::abandoned::Found;
use crate::store::{Run, Store, StoreError};
use crate::world::clock::Moment;
use std::path::Path;

/// What was found.
struct Report {
    /// Lines of what holds, or what is known at least.
    lines: Vec<String>,
    /// What is wrong.
    wrong: Vec<String>,
    records: usize,
    head: String,
}

/// Checks a run. `head`: one that was kept elsewhere.
pub(super) fn verify(setup: &Setup, store: &Store, id: &str, head: Option<&str>) -> ExitCode {
    let mut report = match store.read(id) {
        Ok(run) => sound(&run),
        Err(error) => unsound(store, id, &error),
    };
    let folder = store.runs_folder().join(id);
    let lines = read_intact(&folder.join("journal.jsonl")).map(|(lines, _)| lines).unwrap_or_default();
    if let Some(head) = head {
        against_head(&lines, head.trim(), &mut report);
    }
    if let Some(root) = &setup.mirror {
        against_mirror(&lines, &root.join(id), &mut report);
    }
    if report.wrong.is_empty() {
        report.lines.push(
            "proves: since the head was written, nothing before it was changed, added, removed or moved"
                .into(),
        );
        report.lines.push(
            "does not prove: that nothing was cut off behind the head, or that the whole was not written anew; compare \
             count and head with what was kept elsewhere (--head HASH, a mirror)"
                .into(),
        );
    }
    tell(setup, id, &report);
    if report.wrong.is_empty() { ExitCode::Completed } else { ExitCode::Failed }
}

fn tell(setup: &Setup, id: &str, report: &Report) {
    match setup.format {
        Format::Json => setup.data(
            &serde_json::json!({
                "schema": 1, "event": "audit_verify", "run": id, "sound": report.wrong.is_empty(), "records": report.records,
                "head": report.head, "wrong": report.wrong,
            })
            .to_string(),
        ),
        Format::Text => {
            report.wrong.iter().for_each(|line| setup.say(&format!("mrctl: {line}")));
            report.lines.iter().for_each(|line| setup.data(line));
        }
    }
}

fn sound(run: &Run) -> Report {
    let head = run.lines.last().map_or("none", |(line, _)| line.hash.as_str()).to_string();
    let mut lines = vec![
        format!("{} records, unbroken chain, plan digest as recorded", run.lines.len()),
        format!("head {head}"),
    ];
    let ended = if run.open() { "open" } else { "closed" };
    if let Some((last, _)) = run.lines.last() {
        let (first, last) = (Moment(run.began()).rfc3339(), Moment(last.at).rfc3339());
        lines.push(format!("from {first} to {last}; the run is {ended}: {}", run.word().replace('_', " ")));
    }
    if let Ok((_, _, torn @ 1..)) = read_lines(&run.folder.join("journal.jsonl")) {
        lines.push(format!(
            "the last line is torn ({torn} bytes): its process died while writing; it does not count"
        ));
    }
    Report { lines, wrong: Vec::new(), records: run.lines.len(), head }
}

fn unsound(store: &Store, id: &str, error: &StoreError) -> Report {
    let folder = store.runs_folder().join(id);
    let intact = read_intact(&folder.join("journal.jsonl")).map(|(lines, _)| lines).unwrap_or_default();
    let head = intact.last().map_or("none", |line| line.hash.as_str()).to_string();
    let mut lines = Vec::new();
    if matches!(error, StoreError::Journal(OpenError::Damaged { .. })) {
        lines.push(format!("{} records before the damage are as they were written", intact.len()));
        lines.push(format!("their head {head}"));
    }
    let remains = store.remains(id);
    lines.extend(remains.abandoned.as_ref().map(abandoned));
    Report { lines, wrong: vec![error.to_string()], records: intact.len(), head }
}

/// An abandonment in a line.
pub(super) fn abandoned(found: &Found) -> String {
    let (says, at) = (&found.says, Moment(found.at).rfc3339());
    let stands = match found.stands {
        true => "journal and plan are as they were then",
        false => "but journal or plan were changed since, so it closes nothing",
    };
    let reason = crate::error::escape::outside(&says.reason, 400);
    format!("abandoned as it is at {at} by {} on {}: {reason}; {stands}", says.operator, says.host)
}

fn against_head(lines: &[Line], head: &str, report: &mut Report) {
    match lines.iter().position(|line| line.hash == head) {
        Some(at) if at + 1 == lines.len() => report.lines.push("the head is the one that was kept".into()),
        Some(at) => report
            .lines
            .push(format!("the head that was kept is that of record {}: it went on since", at + 1)),
        None => report.wrong.push(format!(
            "the head that was kept, {}, is not in this journal: its end was cut off, or it was written anew",
            crate::error::escape::outside(head, 80)
        )),
    }
}

fn against_mirror(lines: &[Line], folder: &Path, report: &mut Report) {
    let shown = folder.display();
    let Ok((copy, damage)) = read_intact(&folder.join("journal.jsonl")) else {
        report.lines.push(format!("the mirror has no copy in {shown}"));
        return;
    };
    let same = copy.iter().zip(lines).take_while(|(there, here)| there.hash == here.hash).count();
    match (copy.len(), lines.len()) {
        (there, here) if same < there && same < here => {
            report.wrong.push(format!("the mirror {shown} differs from record {} on", same + 1));
        }
        (there, here) if there > here => report.wrong.push(format!(
            "the mirror {shown} has {} records more: the end was cut off or damaged here",
            there - here
        )),
        (there, here) if there < here => {
            report.lines.push(format!("the mirror {shown} has the first {there} of them"));
        }
        _ => report.lines.push(format!("the mirror {shown} has the same")),
    }
    if let Some(error) = damage {
        report.lines.push(format!("the mirror itself is damaged: {error}"));
    }
}
