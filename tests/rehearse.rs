//! `mrctl rehearse` as its users start it. It connects to nothing: no server runs, and no secret is set.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(name)
}

fn mrctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mrctl"))
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", out(output), String::from_utf8_lossy(&output.stderr))
}

/// A runbook beside a copy of the shipped inventory.
fn runbook(steps: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(shipped("mrctl.yaml"), folder.path().join("mrctl.yaml")).unwrap();
    let path = folder.path().join("runbook.yaml");
    let text = format!("mrctl: 1\nname: own\ntitle: Own\nsteps:\n{steps}");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

const MOVES: &str = "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
                     - { id: promote, postgres.promote: orders }\n";

#[test]
fn a_shipped_runbook_is_rehearsed_in_every_direction() {
    let path = shipped("postgres-planned-failover.yaml");
    let output = mrctl(&["rehearse", path.to_str().unwrap(), "--faults", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = out(&output);
    for direction in ["eu-west → us-east", "us-east → eu-west"] {
        assert!(text.contains(direction), "{text}");
    }
    assert_eq!(text.matches("complete for up to 1 fault of").count(), 2, "{text}");
}

#[test]
fn for_programs_it_is_one_document_a_direction() {
    let path = shipped("dns-drain.yaml");
    let output = mrctl(&[
        "rehearse",
        path.to_str().unwrap(),
        "--faults",
        "1",
        "--from",
        "eu-west",
        "--output",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = out(&output);
    let documents: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [document] = documents.as_slice() else { panic!("{text}") };
    let report = &document["report"];
    assert_eq!((&document["event"], &report["from"]), (&"rehearsal".into(), &"eu-west".into()));
    assert_eq!(report["complete_for"], 1);
    assert!(report["counts"]["states"].as_u64().unwrap() > 100, "{report}");
    assert!(report["counts"]["ends"]["rolled_back"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn what_the_model_cannot_know_is_never_green_unless_it_is_accepted() {
    let (_folder, path) = runbook("  - { id: cdn, exec: { command: [purge], effect: the CDN is empty } }\n");
    let output = mrctl(&["rehearse", &path, "--faults", "1"]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    assert!(out(&output).contains("NOT COVERED: cdn"), "{}", said(&output));
    let output = mrctl(&["rehearse", &path, "--faults", "1", "--accept-not-covered", "cdn"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_counterexample_is_a_story_that_can_be_told_whole() {
    // Users stay where nobody can write any more, and the run calls it a warning.
    let steps = format!("{MOVES}  - {{ id: shift, dns.shift: www, best_effort: true }}\n");
    let (_folder, path) = runbook(&steps);
    let output = mrctl(&["rehearse", &path, "--faults", "1", "--from", "eu-west"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = out(&output);
    assert!(text.contains("I10 completed, and users are sent where they cannot write"), "{text}");
    assert!(text.contains("as planned: freeze, catch_up, promote"), "{text}");
    // One story for one cause; the others are counted, and told when they are asked for.
    assert_eq!((text.matches("← fault").count(), text.matches("I10 ").count()), (1, 1), "{text}");
    assert!(text.contains("same cause:   5 more counterexamples"), "{text}");
    assert!(text.contains("true now:") && text.contains("the run says:"), "{text}");
    assert!(
        text.contains("smallest change that removes it: take `best_effort` from step shift (line 8)"),
        "{text}"
    );
    let id = text.split("--replay").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let all = out(&mrctl(&["rehearse", &path, "--faults", "1", "--from", "eu-west", "--all"]));
    assert_eq!((all.matches("I10 ").count(), all.matches(&format!("as {id}")).count()), (6, 5), "{all}");
    let again = ["rehearse", &path, "--faults", "1", "--from", "eu-west", "--replay", id];
    let whole = out(&mrctl(&again));
    assert!(whole.contains("freeze/read_only: make") && !whole.contains("as planned:"), "{whole}");
}

#[test]
fn what_does_not_even_end_well_alone_is_told_first() {
    let (_folder, path) = runbook("  - { id: wait, wait: { until: error_rate(to) > 5%, for: 1m } }\n");
    std::fs::write(
        Path::new(&path).with_file_name("mrctl.yaml"),
        "mrctl: 1\nname: t\nregions: { eu-west: {}, us-east: {} }\nmetrics_servers:\n  m: { prometheus: { url: \"https://m.example.com\" } }\n\
         signals:\n  error_rate: { prometheus: { server: m, query: \"vector(0)\" } }\n",
    )
    .unwrap();
    let output = mrctl(&["rehearse", &path, "--from", "eu-west"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(out(&output).contains("it does not complete even when nothing goes wrong"), "{}", said(&output));
}

#[test]
fn nonsense_is_refused_with_what_to_do() {
    let path = shipped("dns-drain.yaml").display().to_string();
    for (arguments, with) in [
        (vec!["rehearse", &path, "--from", "mars"], "error[MR0501]: there is no region `mars`"),
        (vec!["rehearse", &path, "--set", "x"], "`--set x` has no `=`"),
        (vec!["rehearse", &path, "--faults", "1", "--replay", "abc"], "no counterexample `abc` was found"),
        (vec!["rehearse", &path, "--faults", "9"], "9 is not in 0..=4"),
        (
            vec!["rehearse", &path, "--from", "eu-west", "--to", "eu-west"],
            "there is no direction to rehearse",
        ),
        (vec!["rehearse"], "<RUNBOOK>"),
    ] {
        let output = mrctl(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(with), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn an_unplanned_run_is_rehearsed_with_everything_that_its_source_may_be_like() {
    let (path, state) = (shipped("postgres-failover.yaml"), tempfile::tempdir().unwrap());
    let (path, state) = (path.to_str().unwrap(), state.path().join("state"));
    let kept = ["--state-dir", state.to_str().unwrap()];
    let asked = ["rehearse", path, "--mode", "unplanned", "--from", "eu-west", "--faults", "1"];
    let output = mrctl(&[&asked[..], &kept].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = out(&output).replace("\n      ", " ").replace("\n  ", " ");
    assert_eq!(text.matches("eu-west → us-east").count(), 5, "{text}");
    assert_eq!(text.matches("resume of an unplanned run without a terminal").count(), 5, "{text}");
    for start in [
        "is dead",
        "and its host are gone",
        "hangs",
        "only mrctl cannot reach",
        "mrctl and the standbys cannot",
    ] {
        assert!(text.contains(start), "{start}: {text}");
    }
    // One certificate for all of them, and none for the planned run.
    let certificates: Vec<_> = std::fs::read_dir(state.join("rehearsals")).unwrap().collect();
    assert_eq!(certificates.len(), 1);
    let certificate = std::fs::read_to_string(certificates[0].as_ref().unwrap().path()).unwrap();
    assert!(certificate.contains("\"mode\": \"unplanned\""), "{certificate}");
    let refused = mrctl(&[&asked[..], &["--real", "--replay", "abc"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("not caused on a lab"), "{}", said(&refused));
}
