//! Rehearsals as SARIF 2.1.0, which code review tools show beside the line that it is about.

use super::rehearsal::in_words;
use super::words::count;
use crate::rehearse::invariants::INVARIANTS;
use crate::rehearse::report::{Counterexample, Report};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A rehearsal and the runbook's file.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    /// What was found.
    pub report: &'a Report,
    /// The runbook as it was named on the command line.
    pub file: &'a str,
}

/// Rules besides the invariants: name, what is wrong, level.
const OTHERS: &[(&str, &str, &str)] = &[
    ("I11", "it does not end", "error"),
    ("alone", "it does not complete even when nothing goes wrong", "error"),
    ("given-up", "there were too many states: not everything was tried", "error"),
    ("not-covered", "the model cannot know what a step does", "warning"),
    ("never-made", "no schedule makes a change", "note"),
    ("never-taken-back", "no schedule takes a change back", "note"),
];

/// One document for all of them. `accepted`: steps that are not covered, and with which that is accepted; `whole`: whether every
/// runbook could be rehearsed.
pub fn sarif(all: &[Rehearsed<'_>], accepted: &BTreeSet<&str>, whole: bool) -> Value {
    let invariants = INVARIANTS.iter().map(|one| (one.id, one.title, "error"));
    let rules: Vec<Value> = invariants
        .chain(OTHERS.iter().copied())
        .map(|(id, title, level)| {
            json!({
                "id": id,
                "shortDescription": { "text": title },
                "defaultConfiguration": { "level": level },
            })
        })
        .collect();
    let results: Vec<Value> = all.iter().flat_map(|one| results(one, accepted)).collect();
    let rehearsals: Vec<Value> = all
        .iter()
        .map(|Rehearsed { report, file }| {
            json!({
                "file": file, "runbook": report.runbook, "from": report.from, "to": report.to, "plan": report.plan,
                "complete_for": report.complete_for, "bound": report.bound, "counts": report.counts,
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "mrctl", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "invocations": [{ "executionSuccessful": whole }],
            "results": results,
            "properties": { "rehearsals": rehearsals },
        }],
    })
}

fn results(one: &Rehearsed<'_>, accepted: &BTreeSet<&str>) -> Vec<Value> {
    let Rehearsed { report, .. } = *one;
    let mut results: Vec<Value> =
        report.counterexamples.iter().map(|counterexample| broken(one, counterexample)).collect();
    if let Some(why) = &report.fails_alone {
        let remedy = report.remedy.as_ref().map_or_else(String::new, |remedy| {
            format!("\nSmallest change that removes it: {}", in_words(remedy))
        });
        let text = format!("It does not complete even when nothing goes wrong: {why}{remedy}");
        results.push(one.result("alone", "error", &text, report.fails_line, "alone"));
    }
    if report.counts.cut {
        let text = format!("Given up after {}: not complete.", states(report));
        results.push(one.result("given-up", "error", &text, None, "given-up"));
    }
    for opaque in &report.not_covered {
        let text = format!("NOT COVERED: {}: {}", opaque.step, opaque.why);
        let mut result = one.result("not-covered", "warning", &text, opaque.line, &opaque.step);
        if accepted.contains(opaque.step.as_str()) {
            result["suppressions"] =
                json!([{ "kind": "external", "justification": "accepted with --accept-not-covered" }]);
        }
        results.push(result);
    }
    let never = [
        ("never-made", "No schedule makes", &report.never_made),
        ("never-taken-back", "No schedule takes back", &report.never_taken_back),
    ];
    for (rule, words, list) in never {
        for change in list {
            let step = change.split('/').next().unwrap_or_default();
            let line = report.lines.get(step).copied();
            results.push(one.result(rule, "note", &format!("{words} {change}."), line, change));
        }
    }
    results
}

fn states(report: &Report) -> String {
    count(usize::try_from(report.counts.states).unwrap_or(usize::MAX), "state")
}

fn broken(one: &Rehearsed<'_>, found: &Counterexample) -> Value {
    let mut text = format!("{}: {}\n", found.title, found.what);
    let mut say = |line: String| text.extend([line.as_str(), "\n"]);
    for fault in &found.faults {
        say(format!("Fault: {fault}"));
    }
    say(format!("True now: {}", found.truth));
    say(format!("The run says: {}", found.belief));
    if let Some(why) = &found.why {
        say(format!("Why: {why}"));
    }
    if let Some(precedent) = &found.precedent {
        say(format!("Precedent: {} ({})", precedent.text, precedent.source));
    }
    if let Some(remedy) = &found.remedy {
        say(format!("Smallest change that removes it: {}", in_words(remedy)));
    }
    let mut result = one.result(&found.invariant, "error", text.trim_end(), found.line, &found.id);
    // A line without a step belongs to the step before it.
    let mut line = None;
    let steps: Vec<Value> = found
        .story
        .iter()
        .map(|told| {
            line = one.report.lines.get(&told.step).copied().or(line);
            let mut location = one.location(line);
            location["message"] = json!({ "text": told.text });
            let importance = match (told.fault, told.usual) {
                (true, _) => "essential",
                (false, true) => "unimportant",
                (false, false) => "important",
            };
            json!({ "location": location, "importance": importance })
        })
        .collect();
    if !steps.is_empty() {
        result["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
    }
    result
}

impl Rehearsed<'_> {
    fn location(&self, line: Option<usize>) -> Value {
        // Without a line it would be shown nowhere.
        let region = json!({ "startLine": line.unwrap_or(1) });
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri(self.file) }, "region": region } })
    }

    fn result(&self, rule: &str, level: &str, text: &str, line: Option<usize>, name: &str) -> Value {
        let Report { runbook, from, to, .. } = self.report;
        json!({
            "ruleId": rule,
            "level": level,
            "message": { "text": format!("{runbook}, {from} to {to}: {text}") },
            "locations": [self.location(line)],
            "partialFingerprints": { "counterexample/v1": format!("{runbook}/{from}/{to}/{rule}/{name}") },
        })
    }
}

/// A path as a reference that a URI may be: relative as it was given, or `file://`.
pub fn uri(path: &str) -> String {
    let path = path.trim_start_matches("./");
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            // In the first part a colon would end a scheme.
            b':' if path[..at].contains('/') => uri.push(':'),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_becomes_a_reference() {
        for (path, expected) in [
            ("./runbooks/a.yaml", "runbooks/a.yaml"),
            ("my runbooks/ä#1?.yaml", "my%20runbooks/%C3%A4%231%3F.yaml"),
            ("/srv/a:b.yaml", "file:///srv/a:b.yaml"),
            ("a:b.yaml", "a%3Ab.yaml"),
            ("100%.yaml", "100%25.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
