//! Counterexamples of a rehearsal, once more: in the simulated world with the truth after each happening, and on real servers. Runbooks
//! that are bad on purpose stand in `fixtures/rehearsal/bad`; each begins with what is bad about it.

mod servers;
mod table;

use crate::lab::program;
use crate::support::terminal::Terminal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use table::{CASES, Case, ONLY};

fn bad(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rehearsal/bad").join(format!("{name}.yaml"))
}

/// The command with the shipped inventory: of production, with secrets that are not set.
fn command(runbook: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .arg("rehearse")
        .arg(runbook)
        .args(["--from", "eu-west", "--faults", "1"])
        .args(more)
        .arg("--inventory")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/mrctl.yaml"))
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "100");
    command
}

fn run(runbook: &Path, more: &[&str]) -> Output {
    command(runbook, more).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    format!("{:?}\n{}\n{}", output.status.code(), out(output), String::from_utf8_lossy(&output.stderr))
}

/// The JSON document of this event.
fn document(output: &Output, event: &str) -> Value {
    let documents = out(output);
    let mut documents = documents.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    documents.find(|document| document["event"] == event).unwrap_or_else(|| panic!("{}", said(output)))
}

/// Causes a counterexample for real; everything must be as its row of the table says.
fn reproduced(case: &Case) {
    let output = run(&bad(case.runbook), &["--replay", case.id, "--real", "--output", "json"]);
    let staged = document(&output, "staged");
    assert_eq!(
        (&staged["outcome"], output.status.code()),
        (&"reproduced".into(), Some(0)),
        "{}",
        said(&output)
    );
    assert_eq!(staged["invariant"], case.invariant, "{staged}");
    let faults = staged["faults"].as_array().unwrap();
    let faults: Vec<(&str, &str)> =
        faults.iter().map(|one| (one["fault"].as_str().unwrap(), one["how"].as_str().unwrap())).collect();
    assert_eq!(faults, case.faults, "{staged}");
    assert_eq!(staged["model"], staged["lab"], "{staged}");
    let truth = staged["lab"]["truth"].as_str().unwrap();
    assert!(truth.contains(case.truth), "{truth}");
}

fn case(id: &str) -> &'static Case {
    CASES.iter().find(|case| case.id == id).unwrap()
}

#[test]
fn users_who_are_sent_back_behind_the_end_of_a_run_are_so_for_real() {
    reproduced(case("39ac2e"));
}

#[test]
fn users_who_are_left_behind_when_somebody_asks_to_stop_are_so_for_real() {
    reproduced(case("947817"));
}

#[test]
fn users_who_are_left_behind_by_a_silent_name_server_are_so_for_real() {
    reproduced(case("414cc0"));
}

#[test]
fn users_of_whom_one_name_server_was_told_and_the_other_not_are_so_for_real() {
    reproduced(case("018cfa"));
}

#[test]
fn a_run_that_is_killed_and_rolled_back_by_a_wrong_undo_ends_so_for_real() {
    reproduced(case("1d6d58"));
}

#[test]
fn a_standby_that_stays_behind_turns_a_run_back_by_a_wrong_undo_for_real() {
    reproduced(case("247a91"));
}

#[test]
fn a_write_through_the_freeze_turns_a_run_back_by_a_wrong_undo_for_real() {
    reproduced(case("a6e066"));
}

#[test]
fn at_night_every_counterexample_of_the_table_is_reproduced() {
    // Each was looked at by hand once; those above are reproduced in every run of the tests.
    let nightly = std::env::var_os("MRCTL_TEST_NIGHTLY").is_some();
    let all: Vec<&Case> = CASES.iter().filter(|case| nightly && !case.always).collect();
    all.into_iter().for_each(reproduced);
    assert!(CASES.iter().filter(|case| case.always).count() >= 5);
}

#[test]
fn what_no_proxy_can_cause_is_told_as_of_the_model_only() {
    for (runbook, id, why) in ONLY {
        let output = run(&bad(runbook), &["--replay", id, "--real"]);
        assert_eq!(output.status.code(), Some(10), "{}", said(&output));
        assert!(out(&output).contains("model only: ") && out(&output).contains(why), "{}", said(&output));
        let output = run(&bad(runbook), &["--replay", id, "--real", "--output", "json"]);
        let staged = document(&output, "staged");
        assert_eq!((&staged["outcome"], output.status.code()), (&"model_only".into(), Some(10)), "{staged}");
    }
}

/// A file that the runbook's command would make.
#[test]
fn no_command_of_the_runbook_is_run_for_real() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let text = std::fs::read_to_string(bad("undo-is-a-change")).unwrap();
    let touch = |text: String, word: &str| {
        text.replace(
            &format!("[pool, {word}]"),
            &format!("[/usr/bin/touch, {}]", made.with_extension(word).display()),
        )
    };
    let text = ["drain", "reset", "restore"].into_iter().fold(text, touch);
    let runbook = folder.path().join("runbook.yaml");
    std::fs::write(&runbook, text.replace("[pool, ", "[/usr/bin/false, ")).unwrap();
    let output = run(&runbook, &["--replay", "1d6d58", "--real"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(out(&output).contains("the runbook's commands were not run"), "{}", said(&output));
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["runbook.yaml"]);
}

#[test]
fn what_the_lab_has_not_is_told_as_of_the_model_only() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/mrctl.yaml");
    let inventory = std::fs::read_to_string(shipped).unwrap().replace("  www:\n", "  shopfront:\n");
    let own = folder.path().join("mrctl.yaml");
    std::fs::write(&own, inventory).unwrap();
    let text = std::fs::read_to_string(bad("users-sent-back")).unwrap();
    let runbook = folder.path().join("runbook.yaml");
    std::fs::write(&runbook, text.replace("dns.shift: www", "dns.shift: shopfront")).unwrap();
    let mut command = Command::new(program());
    command.args(["rehearse", "--from", "eu-west", "--faults", "1", "--replay", "39ac2e", "--real"]);
    let output = command.arg(&runbook).arg("--inventory").arg(&own).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    assert!(out(&output).contains("the lab has not what the runbook names"), "{}", said(&output));
    assert!(out(&output).contains("shopfront"), "{}", said(&output));
}

#[test]
fn every_counterexample_of_the_bad_runbooks_replays_as_it_was_found() {
    let folder = bad("x").parent().unwrap().to_path_buf();
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let runbook = entry.unwrap().path();
        let found = document(&run(&runbook, &["--output", "json"]), "rehearsal");
        let found = found["report"]["counterexamples"].as_array().unwrap().clone();
        assert!(!found.is_empty(), "{} is not bad", runbook.display());
        for one in &found {
            let output = run(&runbook, &["--replay", one["id"].as_str().unwrap(), "--output", "json"]);
            let again = document(&output, "replay");
            let moments = again["moments"].as_array().unwrap();
            let told: Vec<&Value> =
                moments.iter().map(|moment| &moment["text"]).filter(|text| *text != "").collect();
            let story: Vec<&Value> =
                one["story"].as_array().unwrap().iter().map(|line| &line["text"]).collect();
            assert_eq!(told[..story.len()], story, "{}", runbook.display());
            let truths: Vec<&str> = moments.iter().map(|moment| moment["truth"].as_str().unwrap()).collect();
            assert!(truths.last().unwrap().contains(one["truth"].as_str().unwrap()), "{again}");
            replayed += 1;
        }
    }
    assert!(replayed >= 30, "only {replayed} were replayed");
}

#[test]
fn truth_stands_beside_belief_where_they_part() {
    let output = run(&bad("users-sent-back"), &["--replay", "39ac2e"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = out(&output);
    let (before, after) = text.split_once("promote/promote: make").unwrap();
    assert!(before.contains("true now:     writes to orders: nowhere"), "{text}");
    assert!(after.contains("true now:     writes to orders: us-east"), "{text}");
    assert!(after.contains("the run says: of promote/promote: primary on timeline 2"), "{text}");
}

#[test]
fn at_a_terminal_it_goes_step_by_step_until_one_leaves() {
    let mut terminal = Terminal::start(command(&bad("users-sent-back"), &["--replay", "39ac2e"]), 40, 100);
    terminal.wait_for("Enter: what happens next; q: leave", 1);
    terminal.wait_until("the heading, and nothing yet", |lines| {
        lines.text().contains("I10 completed") && !lines.text().contains("mrctl starts")
    });
    terminal.type_line("");
    terminal.wait_for("1 mrctl starts, and goes on", 1);
    terminal.wait_for("true now:     writes to orders: eu-west", 1);
    terminal.type_line("");
    terminal.wait_for("2 freeze/read_only: not reached", 1);
    terminal.type_line("q");
    assert_eq!(terminal.ended(), 1);
    assert!(!terminal.lines().text().contains("  3 "), "{}", terminal.lines().text());
}

#[test]
fn nobody_goes_on_with_a_run_that_failed() {
    // Its time to live cannot be put back while a name server is silent: then the run has failed, and is closed.
    let folder = tempfile::tempdir().unwrap();
    let runbook = folder.path().join("runbook.yaml");
    let steps = "  - { id: short_ttl, dns.ttl: { record: www, ttl: 1s }, temporary: true }\n  \
                 - { id: shift, dns.shift: www, best_effort: true }\n";
    std::fs::write(&runbook, format!("mrctl: 1\nname: own\ntitle: Own\nsteps:\n{steps}")).unwrap();
    let found = document(&run(&runbook, &["--output", "json"]), "rehearsal");
    assert!(found["report"]["counts"]["ends"]["failed"].as_u64().unwrap() > 0, "{found}");
    for one in found["report"]["counterexamples"].as_array().unwrap() {
        let story = one["story"].as_array().unwrap();
        let failed =
            story.iter().position(|line| line["text"].as_str().unwrap().starts_with("ended: failed"));
        assert!(failed.is_none_or(|at| at + 1 == story.len()), "{one}");
    }
}
