//! What is kept of a run on real servers: a mirror beside the journal, and what is left when the journal cannot be written any more.

use super::{Ended, Site};
use crate::lab::until;
use mrctl::lab::{Fault, Region};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FREEZE_AND_SHIFT: &str = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
    timeout: 60s
  - id: promote
    postgres.promote: orders
";

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_holds_the_same_run_and_a_broken_one_only_warns() {
    let site = Site::up().await;
    let runbook = site.runbook(FREEZE_AND_SHIFT);
    let mirror = site.folder.path().join("mirror");
    let (mut from, mut to) = (Region::EuWest, Region::UsEast);
    for broken in [false, true] {
        if broken {
            std::fs::remove_dir_all(&mirror).unwrap();
            std::fs::write(&mirror, "").unwrap();
        }
        let mut arguments = site.approved(&runbook, from, to);
        arguments.extend(["--mirror-dir".into(), mirror.display().to_string()]);
        let ended = site.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.code, 0, "{ended}");
        assert_eq!(ended.stderr.contains("warning: there is no mirror"), broken, "{ended}");
        assert_eq!(ended.stderr.contains("mirror: not whole"), broken, "{ended}");
        let journal = site.journals().pop().unwrap();
        if !broken {
            let copy = mirror.join(journal.parent().unwrap().file_name().unwrap());
            for file in ["plan.json", "journal.jsonl"] {
                let (here, there) = (
                    std::fs::read_to_string(journal.with_file_name(file)),
                    std::fs::read_to_string(copy.join(file)),
                );
                assert_eq!(here.unwrap(), there.unwrap(), "{file}");
            }
            let secrets = std::fs::read_dir(site.folder.path().join("secrets")).unwrap().flatten();
            for secret in secrets.map(|entry| std::fs::read_to_string(entry.path()).unwrap()) {
                for file in std::fs::read_dir(&copy).unwrap().flatten() {
                    assert!(!std::fs::read_to_string(file.path()).unwrap().contains(secret.trim()));
                }
            }
            let run = journal.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let verified =
                site.mrctl(&["audit", "verify", &run, "--mirror-dir", &mirror.display().to_string()]);
            assert!(verified.code == 0 && verified.stdout.contains("has the same"), "{verified}");
            site.lab.rejoin().await.unwrap();
            (from, to) = (to, from);
        }
    }
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_stops_the_run_and_tells_what_stands() {
    let site = Site::up().await;
    let runbook = site.runbook(FREEZE_AND_SHIFT);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    // The freeze is done, and the catch-up waits for its mark until the receiver is let go.
    until("nothing happens, so that a mark is needed", async || site.is_quiet().await).await;
    site.lab.inflict(Fault::Receiver).await.unwrap();
    let mrctl = site.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // Past the limit a write fails, as on a full disk, instead of ending the process.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(mrctl.get_program()).args(mrctl.get_args());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("USER", "ada");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let marked = || {
        let journal = site.journals().pop().and_then(|path| std::fs::read_to_string(path).ok());
        journal.is_some_and(|text| {
            let replied =
                |line: &str| line.contains("\"effect\":\"mark\"") && line.contains("\"type\":\"replied\"");
            text.lines().any(replied)
        })
    };
    while !marked() {
        assert!(Instant::now() < deadline, "no mark was written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: Some(1), maximum: None }).unwrap();
    site.lab.heal(Fault::Receiver).await.unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 9, "{ended}");
    for said in [
        "stopped before the next effect",
        "What could not be written:",
        "still in force: ",
        "ALTER SYSTEM RESET default_transaction_read_only",
    ] {
        assert!(ended.stderr.contains(said), "{said} is missing in {ended}");
    }
    assert!(!site.writable(Region::EuWest).await && !site.writable(Region::UsEast).await);
    // With room again, whoever comes next knows what is so.
    let back = site.mrctl(&["rollback", "--reason", "the disk has room again"]);
    assert_eq!(back.code, 3, "{back}");
    assert!(site.writable(Region::EuWest).await);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_blocks_until_it_is_abandoned_and_the_world_is_looked_at_first() {
    let site = Site::up().await;
    let runbook = site.runbook(super::RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(super::killed::killed_after(&site, &arguments, 5), "the run ended before its fifth record");
    let journal = site.journals().pop().unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let blocked = site.mrctl(&arguments);
    assert!(blocked.code == 8 && blocked.stderr.contains("mrctl abandon"), "{blocked}");
    let abandoned = site.mrctl(&["abandon", "--reason", "the disk was bad"]);
    assert!(abandoned.code == 1 && abandoned.stderr.contains("writes: eu-west"), "{abandoned}");
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
    let ended = site.mrctl(&arguments);
    assert_eq!(ended.code, 0, "{ended}");
    site.lab.down().await.unwrap();
}
