//! The main path, with the program itself, on real servers: a planned failover under load, rehearsed, refused, killed, resumed.

mod blocked;
mod by_hand;
mod counted;
mod faults;
mod haproxy;
mod hostile;
mod kept;
mod killed;
mod locked;
mod looked;
mod managed;
mod rehearsed;
mod reprotect;
mod surprised;
mod taken_over;
mod unplanned;
mod vouched;

use crate::lab::{Folder, lab, until};
use mrctl::lab::{Fault, Lab, Load, LoadOptions, Region, Role};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The program under test.
fn program() -> PathBuf {
    std::env::var_os("MRCTL_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_mrctl").into(), PathBuf::from)
}

const RUNBOOK: &str = include_str!("../runbooks/postgres-planned-failover.yaml");

/// A lab with the means to run mrctl against it.
struct Site {
    lab: Lab,
    folder: Folder,
}

impl Site {
    async fn up() -> Self {
        let (lab, folder) = lab().await;
        Self { lab, folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state-of-tests")
    }

    fn runbook(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("runbook.yaml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .arg("--inventory")
            .arg(self.lab.inventory())
            .arg("--state-dir")
            .arg(self.state())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("USER", "ada")
            .stdin(Stdio::null());
        command
    }

    /// Runs mrctl to its end.
    fn mrctl(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// The digest of the plan as a dry run gives it.
    fn digest(&self, runbook: &Path, from: Region, to: Region) -> String {
        let (runbook, from, to) = (runbook.display().to_string(), from.to_string(), to.to_string());
        let arguments =
            ["drill", "--dry-run", "--output", "json", "--runbook", &runbook, "--from", &from, "--to", &to];
        let ended = self.mrctl(&arguments);
        assert_eq!(ended.code, 0, "{ended}");
        ended.events().last().unwrap()["digest"].as_str().unwrap().to_string()
    }

    /// Arguments of a failover with every approval given.
    fn approved(&self, runbook: &Path, from: Region, to: Region) -> Vec<String> {
        self.approved_as(&self.digest(runbook, from, to), runbook, from, to)
    }

    /// The same, when the digest is known.
    fn approved_as(&self, digest: &str, runbook: &Path, from: Region, to: Region) -> Vec<String> {
        ["failover", "--output", "json", "--yes", "--approve", "step:promote", "--plan-digest", digest]
            .iter()
            .map(ToString::to_string)
            .chain(["--runbook".into(), runbook.display().to_string()])
            .chain(["--from".into(), from.to_string(), "--to".into(), to.to_string()])
            // Where tests go back and forth, or break a standby first, it is needed.
            .chain(["--reason".into(), "a test".into()])
            .chain(["--in-spite-of".into(), "turning-around:orders".into()])
            .chain(["--in-spite-of".into(), "unprotected:orders".into()])
            .collect()
    }

    fn failover(&self, runbook: &Path, from: Region, to: Region) -> Ended {
        let arguments = self.approved(runbook, from, to);
        self.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn journals(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.state().join("runs"))
            .map(|entries| entries.flatten().map(|entry| entry.path().join("journal.jsonl")).collect())
            .unwrap_or_default();
        found.sort();
        found
    }

    /// Whether new transactions of the application can write there.
    async fn writable(&self, region: Region) -> bool {
        let Ok(session) = self.lab.connect(region, Role::App).await else { return false };
        session.simple_query("CREATE TEMP TABLE probe_of_the_test (n int)").await.is_ok()
    }
}

impl Drop for Site {
    /// Behind a promotion a surprise stops nothing and would go unnoticed: on healthy servers there must be none at all.
    fn drop(&mut self) {
        let surprises = |path: PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines = text.lines().filter(|line| line.contains("\"type\":\"surprised\""));
            lines.map(String::from).collect::<Vec<_>>()
        };
        if !std::thread::panicking() {
            let found: Vec<String> = self.journals().into_iter().flat_map(surprises).collect();
            assert!(found.is_empty(), "a rule fires on what healthy servers do: {found:#?}");
        }
    }
}

impl Site {
    /// Whether us-east has replayed everything that eu-west wrote, the last of it some seconds ago.
    async fn is_quiet(&self) -> bool {
        let (Ok(source), Ok(target)) = (
            self.lab.connect(Region::EuWest, Role::Superuser).await,
            self.lab.connect(Region::UsEast, Role::Superuser).await,
        ) else {
            return false;
        };
        let Ok(flushed) = source.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await else {
            return false;
        };
        let quiet = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn \
             AND clock_timestamp() - pg_last_xact_replay_timestamp() > interval '2 s'";
        let row = target.query_one(quiet, &[&flushed.get::<_, String>(0)]).await;
        row.is_ok_and(|row| row.get::<_, Option<bool>>(0) == Some(true))
    }
}

/// How a command ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn events(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn last(&self, event: &str) -> Value {
        self.events()
            .into_iter()
            .rfind(|line| line["event"] == event)
            .unwrap_or_else(|| panic!("no {event} in {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

fn load() -> LoadOptions {
    // A hundred orders a second: enough to meet every moment of a freeze, and the processors are for the run.
    LoadOptions { clients: 3, long_writers: 3, pace: Duration::from_millis(20), ..LoadOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_failovers_under_load_back_and_forth_lose_nothing() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let rounds =
        std::env::var_os("MRCTL_TEST_FAILOVERS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(4_usize);
    let (mut from, mut to) = (Region::EuWest, Region::UsEast);
    for round in 0..rounds {
        let load = Load::start(&site.lab, &load()).unwrap();
        load.wait_for(60, Duration::from_secs(30)).await.unwrap();
        let ended = site.failover(&runbook, from, to);
        assert_eq!(ended.code, 0, "round {round}: {ended}");
        load.wait_for(60, Duration::from_secs(30)).await.unwrap();
        let report = load.stop().await.unwrap();
        assert!(report.lost.is_empty(), "round {round}: {report}");
        assert_eq!(site.lab.primary().await.unwrap(), to);
        assert!(!site.writable(from).await, "round {round}: the old primary takes writes");
        // Two primaries, one of them frozen: which way is the next is not guessed, and what to do is said.
        let status = site.mrctl(&["status"]).stdout;
        let undecided = format!("{from} (frozen)");
        assert!(
            status.contains(&undecided) && status.contains("make the old one a standby again"),
            "{status}"
        );
        site.lab.rejoin().await.unwrap();
        (from, to) = (to, from);
    }
    site.lab.down().await.unwrap();
}

const SHUTDOWN: &str = include_str!("../runbooks/postgres-shutdown-failover.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_stops_the_old_primary_loses_nothing_and_leaves_it_stopped() {
    let site = Site::up().await;
    let runbook = site.runbook(SHUTDOWN);
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    let ended = site.failover(&runbook, Region::EuWest, Region::UsEast);
    assert_eq!(ended.code, 0, "{ended}");
    let world = ended.last("ended")["world"].as_str().unwrap().to_string();
    assert!(world.starts_with("writes: us-east · old primary: stopped · "), "{world}");
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert!(report.lost.is_empty(), "{report}");
    assert!(site.lab.connect(Region::EuWest, Role::App).await.is_err(), "it runs");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_after_which_the_target_lacks_something_is_taken_back() {
    let site = Site::up().await;
    // Without the checks before, and impatient: the stop itself must be what finds it.
    let runbook = site.runbook(
        "mrctl: 1\nname: short\ntitle: Short\nsteps:\n  - id: freeze\n    postgres.freeze: orders\n  - id: stop\n    \
         postgres.stop: orders\n    timeout: 3s\n  - id: promote\n    postgres.promote: orders\n",
    );
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    crate::lab::pause_replay(&site.lab, Region::UsEast).await;
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let ended = site.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.code, 3, "{ended}");
    assert!(site.writable(Region::EuWest).await, "stopped or frozen after a rollback");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    assert!(load.stop().await.unwrap().lost.is_empty());
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_every_approval_must_be_given_before_the_first_change() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let refused =
        site.mrctl(&["failover", "--runbook", &runbook, "--from", "eu-west", "--to", "us-east", "--yes"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("--approve step:promote"), "{refused}");
    let digest = "0".repeat(64);
    let wrong = site.mrctl(&[
        "failover",
        "--runbook",
        &runbook,
        "--from",
        "eu-west",
        "--to",
        "us-east",
        "--yes",
        "--approve",
        "step:promote",
        "--plan-digest",
        &digest,
    ]);
    assert_eq!(wrong.code, 5, "{wrong}");
    assert!(wrong.stderr.contains("not the one that was approved"), "{wrong}");
    let undecided = site.mrctl(&["failover", "--runbook", &runbook, "--yes"]);
    assert_eq!(undecided.code, 2, "{undecided}");
    assert!(site.journals().is_empty() && site.writable(Region::EuWest).await);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_cannot_catch_up_ends_in_a_rollback_with_writes_restored() {
    let site = Site::up().await;
    // Preflight and lag are left out on purpose: the catch-up itself must be what finds it.
    let runbook = site.runbook(
        "mrctl: 1\nname: short\ntitle: Short\nsteps:\n  - id: freeze\n    postgres.freeze: orders\n  - id: catch_up\n    \
         postgres.catch_up: orders\n    timeout: 2s\n  - id: promote\n    postgres.promote: orders\n",
    );
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    site.lab.inflict(Fault::Receiver).await.unwrap();
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let ended = site.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.code, 3, "{ended}");
    assert!(site.writable(Region::EuWest).await, "frozen after a rollback");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    assert!(load.stop().await.unwrap().lost.is_empty());
    site.lab.heal(Fault::Receiver).await.unwrap();
    // Nobody writes now, so the target lacks nothing; and nothing would reach it.
    for hangs in [Fault::Receiver, Fault::Startup] {
        until("the standby has everything, and nothing happens", async || site.is_quiet().await).await;
        site.lab.inflict(hangs).await.unwrap();
        let ended = site.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.code, 3, "{hangs:?}: {ended}");
        assert!(site.writable(Region::EuWest).await, "{hangs:?}: frozen after a rollback");
        site.lab.heal(hangs).await.unwrap();
    }
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_printed_or_written() {
    let site = Site::up().await;
    let secrets: Vec<String> = std::fs::read_dir(site.folder.path().join("secrets"))
        .unwrap()
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap().trim().to_string())
        .filter(|secret| secret.len() >= 8)
        .collect();
    assert!(secrets.len() >= 3, "the lab has secrets");
    let runbook = site.runbook(RUNBOOK);
    let mut texts = vec![site.failover(&runbook, Region::EuWest, Region::UsEast).to_string()];
    texts.push(site.mrctl(&["status"]).to_string());
    // A wrong password and a server that is not there, so that errors speak too.
    site.lab.inflict(Fault::Dns(Region::EuWest)).await.unwrap();
    texts.push(site.mrctl(&["status"]).to_string());
    for journal in site.journals() {
        let beside = std::fs::read_dir(journal.parent().unwrap()).unwrap().flatten();
        let files: Vec<_> = beside.map(|entry| entry.path()).collect();
        for name in ["journal.jsonl", "plan.json", "samples.jsonl", "debug.log"] {
            assert!(files.contains(&journal.with_file_name(name)), "{name} is missing: {files:?}");
        }
        texts.extend(files.iter().map(|file| std::fs::read_to_string(file).unwrap()));
    }
    assert!(texts.iter().all(|text| !text.is_empty()), "nothing to look into");
    for secret in &secrets {
        for text in &texts {
            assert!(!text.contains(secret.as_str()), "a secret is in: {}", &text[..text.len().min(2000)]);
        }
    }
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_of_a_failover_verifies_and_a_changed_one_does_not() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let ended = site.failover(&runbook, Region::EuWest, Region::UsEast);
    assert_eq!(ended.code, 0, "{ended}");
    let end = ended.last("ended");
    assert_eq!(end["verdict"], "completed", "{end}");
    let journal = site.journals().pop().unwrap();
    let run = journal.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let verified = site.mrctl(&["audit", "verify", &run]);
    assert_eq!(verified.code, 0, "{verified}");
    let shown = site.mrctl(&["audit", "show", &run]);
    assert!(shown.stdout.contains("promote"), "{shown}");
    let export = site.folder.path().join("run.json");
    assert_eq!(site.mrctl(&["export", &run, "--to", &export.display().to_string()]).code, 0);
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("\"yes\":true", "\"yes\":null", 1)).unwrap();
    let changed = site.mrctl(&["audit", "verify", &run]);
    assert_eq!(changed.code, 1, "{changed}");
    assert!(changed.stderr.contains("was changed after it was written"), "{changed}");
    std::fs::remove_dir_all(journal.parent().unwrap()).unwrap();
    assert_eq!(site.mrctl(&["import", &export.display().to_string()]).code, 0);
    assert_eq!(site.mrctl(&["audit", "verify", &run]).code, 0);
    site.lab.down().await.unwrap();
}
