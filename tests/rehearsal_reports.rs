//! What `mrctl rehearse --report` writes for other programs.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(name)
}

/// Rehearses runbooks of a folder from within it.
fn rehearsed(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mrctl"))
        .arg("rehearse")
        .args(arguments)
        .args(["--faults", "1", "--from", "eu-west"])
        .current_dir(folder)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const MOVES: &str = "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
                     - { id: promote, postgres.promote: orders }\n";

/// A folder with runbooks: one in which users can be stranded, one with an opaque step, one that is fine, one that is none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::copy(shipped("mrctl.yaml"), folder.path().join("mrctl.yaml")).unwrap();
    let runbook = |name: &str, steps: &str| {
        write(&format!("{name}.yaml"), &format!("mrctl: 1\nname: {name}\ntitle: Own\nsteps:\n{steps}"));
    };
    runbook("stranded", &format!("{MOVES}  - {{ id: shift, dns.shift: www, best_effort: true }}\n"));
    runbook(
        "opaque",
        "  - { id: cdn, exec: { command: [purge, \"<a>&\\\"b\\\"\"], effect: the CDN is empty } }\n",
    );
    runbook("fine", "  - { id: shift, dns.shift: www }\n");
    runbook(
        "late",
        &MOVES.replace(
            "  - { id: promote",
            "  - { id: writable, postgres.verify_writable: orders }\n  - { id: promote",
        ),
    );
    write("none.yaml", "mrctl: 1\nname: none\ntitle: Own\nsteps:\n  - { id: a, postgres.fly: orders }\n");
    folder
}

fn sarif(folder: &Path, arguments: &[&str]) -> (Output, Value) {
    let output = rehearsed(folder, &[arguments, &["--report", "sarif=found.sarif"]].concat());
    let text =
        std::fs::read_to_string(folder.join("found.sarif")).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output, serde_json::from_str(&text).unwrap())
}

/// What the schema of SARIF 2.1.0 requires of the objects that we write, and what GitHub requires beyond it.
fn is_sarif(document: &Value, rules: &mut Vec<String>) {
    let text = |value: &Value| !value.as_str().unwrap_or_default().is_empty();
    assert_eq!(document["version"], "2.1.0");
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "mrctl");
    for rule in driver["rules"].as_array().unwrap() {
        assert!(text(&rule["id"]) && text(&rule["shortDescription"]["text"]), "{rule}");
        assert!(
            ["error", "warning", "note"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap())
        );
        let id = rule["id"].as_str().unwrap().to_owned();
        assert!(!rules.contains(&id), "{id} is there twice");
        rules.push(id);
    }
    for invocation in runs[0]["invocations"].as_array().unwrap() {
        assert!(invocation["executionSuccessful"].is_boolean());
    }
    let place = |location: &Value| {
        let physical = &location["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.contains([' ', '\\', '%']) && uri.ends_with(".yaml"), "{uri}");
        assert!(physical["region"]["startLine"].as_u64().unwrap() > 0, "{location}");
    };
    let mut fingerprints = Vec::new();
    for result in runs[0]["results"].as_array().unwrap() {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap().to_owned()), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()), "{result}");
        assert!(text(&result["message"]["text"]), "{result}");
        let locations = result["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1);
        place(&locations[0]);
        let prints = result["partialFingerprints"].as_object().unwrap();
        assert!(prints.values().all(text), "{result}");
        assert!(!fingerprints.contains(&prints), "{prints:?} is there twice");
        fingerprints.push(prints);
        for flow in result["codeFlows"].as_array().into_iter().flatten() {
            for thread in flow["threadFlows"].as_array().unwrap() {
                let steps = thread["locations"].as_array().unwrap();
                assert!(!steps.is_empty());
                for step in steps {
                    assert!(text(&step["location"]["message"]["text"]), "{step}");
                    assert!(
                        ["essential", "important", "unimportant"]
                            .contains(&step["importance"].as_str().unwrap())
                    );
                    place(&step["location"]);
                }
            }
        }
        for suppression in result["suppressions"].as_array().into_iter().flatten() {
            assert_eq!(suppression["kind"], "external");
        }
    }
}

#[test]
fn sarif_has_each_counterexample_at_the_step_on_which_it_turns() {
    let folder = folder();
    let (output, document) = sarif(folder.path(), &["stranded.yaml", "fine.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let mut rules = Vec::new();
    is_sarif(&document, &mut rules);
    assert!(
        ["I1", "I10", "I11", "I14", "not-covered"].iter().all(|id| rules.contains(&(*id).to_owned())),
        "{rules:?}"
    );
    let run = &document["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let results: Vec<&Value> =
        run["results"].as_array().unwrap().iter().filter(|one| one["level"] == "error").collect();
    assert!(results.len() > 1, "{document:#}");
    for result in results {
        assert_eq!(result["ruleId"], "I10");
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            (&physical["artifactLocation"]["uri"], &physical["region"]["startLine"]),
            (&"stranded.yaml".into(), &8.into())
        );
        let steps = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
        assert_eq!(
            steps.iter().filter(|step| step["importance"] == "essential").count(),
            1,
            "one fault: {result:#}"
        );
    }
    let first = run["results"][0]["message"]["text"].as_str().unwrap();
    for part in [
        "True now: writes to orders: us-east",
        "The run says: completed",
        "Why: step shift has `best_effort`",
        "take `best_effort` from step shift (line 8)",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    // The same every time: whoever compares two of them sees only what has changed.
    let (_, again) = sarif(folder.path(), &["stranded.yaml", "fine.yaml"]);
    assert_eq!(again, document);
}

#[test]
fn sarif_warns_of_what_is_not_covered_and_knows_what_is_accepted() {
    let folder = folder();
    let find = |document: &Value| {
        is_sarif(document, &mut Vec::new());
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        results.into_iter().find(|one| one["ruleId"] == "not-covered").unwrap()
    };
    let (output, document) = sarif(folder.path(), &["opaque.yaml"]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    let open = find(&document);
    assert_eq!((&open["level"], open.get("suppressions")), (&"warning".into(), None));
    assert_eq!(open["locations"][0]["physicalLocation"]["region"]["startLine"], 5);
    let (output, document) = sarif(folder.path(), &["opaque.yaml", "--accept-not-covered", "cdn"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(find(&document)["suppressions"][0]["kind"], "external");
}

#[test]
fn a_runbook_that_cannot_be_rehearsed_is_no_success_in_any_form() {
    let folder = folder();
    let arguments = ["none.yaml", "fine.yaml", "--report", "junit=found.xml"];
    let (output, document) = sarif(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    is_sarif(&document, &mut Vec::new());
    assert_eq!(document["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let xml = read_xml(&folder.path().join("found.xml"));
    assert_eq!((xml.attribute("errors"), xml.attribute("failures")), ("1", "0"));
    let errors = xml.all("error");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].attribute("message").contains("has errors"), "{errors:?}");
}

/// An element of a document.
#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    inner: Vec<Element>,
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every element of a name, at any depth.
    fn all(&self, name: &str) -> Vec<&Element> {
        let mut found: Vec<&Element> = self.inner.iter().filter(|inner| inner.name == name).collect();
        found.extend(self.inner.iter().flat_map(|inner| inner.all(name)));
        found
    }
}

fn unescaped(text: &str) -> String {
    assert!(!text.contains('<'), "{text}");
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#10;", "\n")]
        .iter()
        .fold(text.to_owned(), |text, (reference, plain)| text.replace(reference, plain));
    assert!(plain.match_indices('&').all(|(at, _)| plain[at..].starts_with("&amp;")), "{plain}");
    plain.replace("&amp;", "&")
}

/// Reads a document as strictly as XML asks for: every element is closed by its own name, every attribute is in quotes.
fn read_xml(path: &Path) -> Element {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
    let mut open = vec![Element::default()];
    while let Some(at) = rest.find('<') {
        open.last_mut().unwrap().text += &unescaped(&rest[..at]);
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().unwrap();
            assert_eq!(closed.name, name, "{text}");
            open.last_mut().unwrap().inner.push(closed);
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.trim_start().split_once("=\"").unwrap();
            let (value, after) = value.split_once('"').unwrap();
            assert!(!element.attributes.iter().any(|(other, _)| other == key), "{key} is there twice: {tag}");
            element.attributes.push((key.to_owned(), unescaped(value)));
            attributes = after;
        }
        if empty {
            open.last_mut().unwrap().inner.push(element);
        } else {
            open.push(element);
        }
    }
    assert_eq!((rest.trim(), open.len()), ("", 1), "{text}");
    open.pop().unwrap().inner.remove(0)
}

#[test]
fn junit_has_a_suite_for_each_runbook_and_a_case_for_each_invariant() {
    let folder = folder();
    let arguments = ["stranded.yaml", "opaque.yaml", "fine.yaml", "late.yaml", "--report", "junit=found.xml"];
    let output = rehearsed(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let xml = read_xml(&folder.path().join("found.xml"));
    assert_eq!(xml.name, "testsuites");
    let suites = xml.all("testsuite");
    assert_eq!(suites.len(), 4);
    for suite in &suites {
        let (cases, count) = (suite.all("testcase"), |name: &str| suite.all(name).len().to_string());
        assert_eq!(suite.attribute("tests"), cases.len().to_string());
        assert_eq!(
            (suite.attribute("failures"), suite.attribute("skipped")),
            (count("failure").as_str(), count("skipped").as_str())
        );
        for name in ["completes alone", "covered", "I1 two writable primaries", "I11 it does not end"] {
            assert!(cases.iter().any(|case| case.attribute("name") == name), "{name}");
        }
        assert!(cases.iter().all(|case| !case.attribute("classname").is_empty()));
    }
    let sum = |name: &str| {
        suites.iter().map(|suite| suite.attribute(name).parse::<usize>().unwrap()).sum::<usize>()
    };
    for name in ["tests", "failures", "errors", "skipped"] {
        assert_eq!(xml.attribute(name), sum(name).to_string(), "{name}");
    }
    let suite =
        |name: &str| suites.iter().find(|suite| suite.attribute("name").starts_with(name)).copied().unwrap();
    let failed = |name: &str| -> Vec<String> {
        let cases = suite(name).all("testcase").into_iter().filter(|case| !case.all("failure").is_empty());
        cases.map(|case| case.attribute("name").to_owned()).collect()
    };
    assert_eq!(failed("stranded"), ["I10 completed, and users are sent where they cannot write"]);
    let story = &suite("stranded").all("failure")[0].text;
    assert!(
        story.contains("← fault") && story.contains("true now:") && story.contains("take `best_effort`"),
        "{story}"
    );
    assert_eq!(failed("opaque"), ["covered"]);
    assert!(failed("fine").is_empty() && suite("fine").all("skipped").is_empty());
    // What was not tried has not passed.
    assert_eq!(failed("late"), ["completes alone"]);
    let passed = suite("late").all("testcase").into_iter().filter(|case| case.inner.is_empty());
    let passed: Vec<&str> = passed.map(|case| case.attribute("name")).collect();
    assert_eq!(passed, ["covered"]);
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    let folder = folder();
    let output = rehearsed(folder.path(), &["fine.yaml", "--report", "sarif=no/such/folder.sarif"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("no/such/folder.sarif cannot be written"), "{}", said(&output));
    for (given, with) in [
        ("html=x", "`html` is no form of a report: write sarif=FILE or junit=FILE"),
        ("sarif", "there is no file: write sarif=FILE"),
        ("junit=", "there is no file: write junit=FILE"),
        ("junit=-", "give a file"),
    ] {
        let output = rehearsed(folder.path(), &["fine.yaml", "--report", given]);
        assert_eq!(output.status.code(), Some(2), "{given}: {}", said(&output));
        assert!(said(&output).contains(with), "{given}: {}", said(&output));
    }
}
