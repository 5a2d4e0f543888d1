//! Runs that are killed on real servers: whoever resumes or goes back finds what is so, and does nothing twice.

use super::{SHUTDOWN, Site};
use mrctl::lab::Region;
use std::process::Stdio;
use std::time::Duration;

const SHORT: &str = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
  - id: writable
    postgres.verify_writable: orders
  - id: shift
    dns.shift: www
  - id: tell
    notify: Orders serves from ${to}
";

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_old_primary_was_stopped_a_rollback_starts_it_and_a_resume_goes_on() {
    let site = Site::up().await;
    let runbook = site.runbook(SHUTDOWN);
    let stopped =
        |journal: &str| journal.contains("\"step\":\"stop\"") && journal.contains("shut down cleanly");
    let digest = site.digest(&runbook, Region::EuWest, Region::UsEast);
    let arguments = site.approved_as(&digest, &runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(killed_when(&site, &arguments, stopped), "the run ended before");
    let back = site.mrctl(&["rollback", "--reason", "the test wants it"]);
    if back.code == 5 {
        // The promotion was intended before the kill came: then there is no way back, and it says so.
        assert!(back.stderr.contains("no way back"), "{back}");
    } else {
        assert_eq!(back.code, 3, "{back}");
        assert!(site.writable(Region::EuWest).await, "{back}");
        assert!(killed_when(&site, &arguments, stopped), "the run ended before");
    }
    let approvals = ["--yes", "--approve", "step:promote", "--plan-digest", &digest];
    let resumed = site.mrctl(&[&["resume", "--output", "json"], approvals.as_slice()].concat());
    // Its server is stopped and cannot be asked again: forward if the proof still stands, else everything back. Never in between.
    assert!(resumed.code == 0 || resumed.code == 3, "{resumed}");
    let (old, new) = (site.writable(Region::EuWest).await, site.writable(Region::UsEast).await);
    assert_eq!((old, new), (resumed.code == 3, resumed.code == 0), "{resumed}");
    site.lab.down().await.unwrap();
}

/// Starts a run and kills it as soon as its journal has this many records. False if it ended before.
pub(super) fn killed_after(site: &Site, arguments: &[&str], records: usize) -> bool {
    killed_when(site, arguments, |journal| journal.matches('\n').count() >= records)
}

/// Starts a run and kills it as soon as its journal is so. False if it ended before.
pub(super) fn killed_when(site: &Site, arguments: &[&str], ready: impl Fn(&str) -> bool) -> bool {
    let before = site.journals();
    let mut child = site.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut journal = None;
    loop {
        journal = journal.or_else(|| site.journals().into_iter().find(|journal| !before.contains(journal)));
        let written =
            journal.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        if ready(&written) {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        // Shorter than a record takes to be on disk. Without a pause the poll itself would keep a processor from the run.
        std::thread::sleep(Duration::from_micros(if journal.is_some() { 300 } else { 2_000 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_record_a_run_resumes_to_the_same_end_and_does_nothing_twice() {
    let site = Site::up().await;
    // Without the cache, whose slices only take time, and without the checks that wait for users.
    let runbook = site.runbook(SHORT);
    let (mut from, mut to) = (Region::EuWest, Region::UsEast);
    let mut records = 1;
    loop {
        let digest = site.digest(&runbook, from, to);
        let arguments = site.approved_as(&digest, &runbook, from, to);
        let notified = site.lab.notifications().unwrap().len();
        let killed = killed_after(&site, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), records);
        if killed {
            let resumed = site.mrctl(&[
                "resume",
                "--output",
                "json",
                "--yes",
                "--approve",
                "step:promote",
                "--plan-digest",
                &digest,
            ]);
            // Killed after its last record, there is nothing left to resume.
            let closed = resumed.code == 2 && resumed.stderr.contains("there is no open run");
            assert!(closed || resumed.code == 0, "killed after record {records}: {resumed}");
        }
        assert_eq!(site.lab.primary().await.unwrap(), to, "killed after record {records}");
        assert!(!site.writable(from).await, "killed after record {records}: the old primary takes writes");
        assert!(site.writable(to).await, "killed after record {records}");
        assert!(
            site.lab.notifications().unwrap().len() <= notified + 1,
            "killed after record {records}: told twice"
        );
        if !killed {
            break;
        }
        site.lab.rejoin().await.unwrap();
        (from, to) = (to, from);
        // Every second record in an ordinary run; all of them at night.
        records += if std::env::var_os("MRCTL_TEST_NIGHTLY").is_some() { 1 } else { 4 };
    }
    assert!(records > 20, "only {records} records were tried");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_may_still_happen_is_taken_back_only_when_a_person_vouches_for_the_target() {
    let site = Site::up().await;
    let runbook = site.runbook(SHORT);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let intended = |journal: &str| {
        journal
            .lines()
            .any(|line| line.contains("\"type\":\"intent\"") && line.contains("\"step\":\"promote\""))
    };
    assert!(killed_when(&site, &arguments, intended), "the run ended before");
    site.lab.kill_postgres(Region::UsEast).await.unwrap();
    // What became of the promotion cannot be seen: nobody goes back on a guess.
    let refused = site.mrctl(&["rollback"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("no way back") && refused.stderr.contains("--fenced"), "{refused}");
    assert!(!site.writable(Region::EuWest).await);
    let silent = site.mrctl(&["rollback", "--fenced", "orders/us-east"]);
    assert_eq!(silent.code, 2, "{silent}");
    assert!(silent.stderr.contains("needs a reason"), "{silent}");
    let unknown = site.mrctl(&["rollback", "--destroyed", "orders/mars", "--reason", "it is dust"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    assert!(unknown.stderr.contains("orders/eu-west, orders/us-east"), "{unknown}");
    let vouched =
        ["rollback", "--fenced", "orders/us-east", "--reason", "its power is off", "--output", "json"];
    let back = site.mrctl(&vouched);
    assert_eq!(back.code, 3, "{back}");
    let event = back.last("attested");
    assert_eq!((&event["region"], &event["by"]), (&"us-east".into(), &"ada".into()), "{back}");
    assert!(site.writable(Region::EuWest).await, "{back}");
    let audit = site.mrctl(&["audit", "verify", event["run"].as_str().unwrap()]);
    assert_eq!(audit.code, 0, "{audit}");
    site.lab.down().await.unwrap();
}
