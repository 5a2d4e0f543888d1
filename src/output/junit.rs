//! Rehearsals as JUnit XML, which every CI server shows: a suite for each runbook and direction, a case for each invariant.

use super::rehearsal::{in_words, plain};
use super::sarif::Rehearsed;
use super::words::count;
use crate::rehearse::invariants::INVARIANTS;
use crate::rehearse::report::{Counterexample, Report};
use std::collections::BTreeSet;

/// How a case ended.
enum Outcome {
    Passed,
    /// In one line, and whole.
    Failed(String, String),
    /// Why it says nothing.
    Skipped(String),
}

struct Case {
    name: String,
    outcome: Outcome,
}

/// One document for all of them. `accepted`: steps that are not covered, and with which that is accepted; `invalid`: files that could
/// not be rehearsed.
pub fn junit(all: &[Rehearsed<'_>], accepted: &BTreeSet<&str>, invalid: &[String]) -> String {
    let suites: Vec<(&Rehearsed<'_>, Vec<Case>)> =
        all.iter().map(|one| (one, cases(one.report, accepted))).collect();
    let cases = || suites.iter().flat_map(|(_, cases)| cases);
    let (tests, failures, skipped) = numbers(cases());
    let elapsed: u64 = all.iter().map(|one| one.report.elapsed_ms).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut put = |line: String| xml.extend([line.as_str(), "\n"]);
    put(format!(
        "<testsuites name=\"mrctl rehearse\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{}\">",
        tests + invalid.len(),
        invalid.len(),
        seconds(elapsed)
    ));
    for (one, cases) in &suites {
        let Rehearsed { report, file } = one;
        let (tests, failures, skipped) = numbers(cases.iter());
        put(format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{}\" file=\"{}\">",
            escaped(&format!("{} · {} → {}", report.runbook, report.from, report.to)),
            seconds(report.elapsed_ms),
            escaped(file)
        ));
        for case in cases {
            let class = escaped(&format!("{}.{}-{}", report.runbook, report.from, report.to));
            let head = format!(
                "    <testcase name=\"{}\" classname=\"{class}\" time=\"0.000\"",
                escaped(&case.name)
            );
            match &case.outcome {
                Outcome::Passed => put(format!("{head}/>")),
                Outcome::Failed(message, text) => put(format!(
                    "{head}>\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>",
                    escaped(message),
                    escaped(case.name.split(' ').next().unwrap_or_default()),
                    escaped(text)
                )),
                Outcome::Skipped(why) => {
                    put(format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why)));
                }
            }
        }
        put("  </testsuite>".to_owned());
    }
    for file in invalid {
        let name = escaped(file);
        put(format!(
            "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0.000\">\n    \
             <testcase name=\"can be rehearsed\" classname=\"{name}\" time=\"0.000\">\n      \
             <error message=\"the runbook or its inventory has errors: see mrctl check\" type=\"invalid\"/>\n    </testcase>\n  </testsuite>"
        ));
    }
    put("</testsuites>".to_owned());
    xml
}

fn numbers<'a>(cases: impl Iterator<Item = &'a Case>) -> (usize, usize, usize) {
    cases.fold((0, 0, 0), |(tests, failures, skipped), case| match case.outcome {
        Outcome::Passed => (tests + 1, failures, skipped),
        Outcome::Failed(..) => (tests + 1, failures + 1, skipped),
        Outcome::Skipped(_) => (tests + 1, failures, skipped + 1),
    })
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn cases(report: &Report, accepted: &BTreeSet<&str>) -> Vec<Case> {
    let alone = match &report.fails_alone {
        None => Outcome::Passed,
        Some(why) => {
            let remedy = report.remedy.as_ref();
            let remedy = remedy.map_or_else(String::new, |remedy| {
                format!("\nsmallest change that removes it: {}", in_words(remedy))
            });
            Outcome::Failed(why.clone(), format!("{why}{remedy}"))
        }
    };
    let mut cases = vec![Case { name: "completes alone".into(), outcome: alone }];
    let all = INVARIANTS.iter().map(|one| (one.id, one.title)).chain([("I11", "it does not end")]);
    for (id, title) in all {
        cases.push(Case { name: format!("{id} {title}"), outcome: invariant(report, id) });
    }
    cases.push(Case { name: "covered".into(), outcome: covered(report, accepted) });
    cases
}

fn invariant(report: &Report, id: &str) -> Outcome {
    let broken: Vec<&Counterexample> =
        report.counterexamples.iter().filter(|one| one.invariant == id).collect();
    if let Some(first) = broken.first() {
        let told = broken.iter().filter(|one| one.same_as.is_none());
        let text: Vec<String> =
            told.map(|one| format!("{} (replay: {})\n{}", one.what, one.id, plain(report, one))).collect();
        return Outcome::Failed(first.what.clone(), text.join("\n\n"));
    }
    // What was not tried has not passed.
    let tried = report.complete_for.map_or(0, |faults| faults + 1).min(report.bound);
    if report.counts.cut {
        Outcome::Skipped("given up: there were too many states".into())
    } else if report.clean() || (report.fails_alone.is_none() && tried == report.bound) {
        Outcome::Passed
    } else {
        let faults = count(usize::try_from(tried).unwrap_or(usize::MAX), "fault");
        Outcome::Skipped(format!("tried with up to {faults} only: what was found comes first"))
    }
}

fn covered(report: &Report, accepted: &BTreeSet<&str>) -> Outcome {
    let open: Vec<String> = report
        .not_covered
        .iter()
        .filter(|one| !accepted.contains(one.step.as_str()))
        .map(|one| format!("NOT COVERED: {}: {}", one.step, one.why))
        .collect();
    match (open.first(), report.not_covered.is_empty()) {
        (Some(first), _) => Outcome::Failed(first.clone(), open.join("\n")),
        (None, true) => Outcome::Passed,
        (None, false) => {
            let steps: Vec<&str> = report.not_covered.iter().map(|one| one.step.as_str()).collect();
            Outcome::Skipped(format!("not covered, and accepted: {}", steps.join(", ")))
        }
    }
}

/// Text for an element or an attribute in double quotes. What XML 1.0 cannot hold, not even as a reference, is spelled out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            c if crate::error::escape::is_unsafe(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                safe.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn hostile_text_stays_text() {
        for (text, expected) in [
            ("</failure><script a=\"1\">&amp;", "&lt;/failure&gt;&lt;script a=&quot;1&quot;&gt;&amp;amp;"),
            ("]]>", "]]&gt;"),
            ("a\u{0}b\u{1b}[2J\u{8}\rc\td", "a\\u{0}b\\u{1b}[2J\\u{8}\\u{d}c\\u{9}d"),
            ("\u{202e}x\u{fffe}\u{ffff}\u{feff}\u{85}", "\\u{202e}x\\u{fffe}\\u{ffff}\\u{feff}\\u{85}"),
            ("line\nline", "line&#10;line"),
            ("Größe 日本 'x'", "Größe 日本 'x'"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
