//! Planned failovers in numbers: the program itself, on real servers, while applications write and count what they were told is
//! committed. And the order that seems right, which loses.
//!
//! Twenty on an ordinary day, two hundred at night (`MRCTL_TEST_NIGHTLY`), or as many as `MRCTL_TEST_FAILOVERS` says. No loss in `n` of
//! them bounds the share of failovers that lose to `3 / n`, at 95 % (the rule of three).

mod killed;

use crate::support::pg::{CANARY, PATIENCE, Pair, Server, until};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

const RUNBOOK: &str = "mrctl: 1
name: writer
title: Move the writer
objectives: { rto: 2m, rpo: 0s, write_gap: 30s }
steps:
  - id: ready
    postgres.preflight: orders
  - id: close_behind
    postgres.check_lag: { cluster: orders, max: 16MiB }
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
  - id: writable
    postgres.verify_writable: orders
";

/// Told as committed before a switch begins, and again after it.
const ENOUGH: usize = 150;

/// Clients, each with what it sets for itself, and how long each twentieth transaction stays open.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("plain", "SELECT 1", ""),
    ("more", "SELECT 1", ""),
    ("told", "SET synchronous_commit = off", ""),
    ("long", "SELECT 1", "SELECT pg_sleep(0.1);"),
    ("open", "SELECT 1", "SELECT pg_sleep(0.3);"),
];

/// What applications were told: the outside counter.
#[derive(Default)]
struct Told {
    notes: RefCell<BTreeSet<String>>,
    /// When the last commit came about at the old primary, and the first at the new one.
    last: Cell<Option<Instant>>,
    first: Cell<Option<Instant>>,
    after: Cell<usize>,
    enough: Cell<bool>,
}

async fn connect(port: u16, settings: &str) -> Option<tokio_postgres::Client> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user("app").dbname("postgres").connect_timeout(PATIENCE);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.ok()?;
    tokio::task::spawn_local(async move { drop(connection.await) });
    client.batch_execute(settings).await.ok()?;
    Some(client)
}

/// Writes wherever it can, first at the old primary, until it is enough.
async fn client((name, settings, nap): (&str, &str, &str), ports: [u16; 2], told: Rc<Told>) {
    let (mut number, mut at, mut session) = (0, 0, None);
    while !told.enough.get() {
        if session.is_none() {
            session = connect(ports[at], settings).await;
        }
        let note = format!("{name}-{number}");
        number += 1;
        let nap = if number % 20 == 0 { nap } else { "" };
        let write = format!("BEGIN; INSERT INTO orders (note) VALUES ('{note}'); {nap} COMMIT");
        let done = match &session {
            Some(session) => session.batch_execute(&write).await.is_ok(),
            None => false,
        };
        if done {
            told.notes.borrow_mut().insert(note);
            match at {
                0 => told.last.set(Some(Instant::now())),
                _ => {
                    told.first.set(told.first.get().or(Some(Instant::now())));
                    told.after.set(told.after.get() + 1);
                }
            }
        } else {
            // Whether this one was committed nobody knows: it does not count. The next may go to the other side.
            (session, at) = (None, 1 - at);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What came of one switch.
struct Switch {
    told: usize,
    lost: Vec<String>,
    /// How long nobody could write, seen from outside.
    gap: Duration,
}

/// Lets applications write while `act` moves the writer; then counts.
async fn switch<F: Future<Output = ()>>(pair: &Pair, act: impl FnOnce() -> F) -> Switch {
    let told = Rc::new(Told::default());
    let ports = [pair.primary.port, pair.standby.port];
    let clients: Vec<_> =
        CLIENTS.into_iter().map(|of| tokio::task::spawn_local(client(of, ports, Rc::clone(&told)))).collect();
    until("enough writes before", || async { (told.notes.borrow().len() >= ENOUGH).then_some(()) }).await;
    act().await;
    until("enough writes after", || async { (told.after.get() >= ENOUGH).then_some(()) }).await;
    told.enough.set(true);
    for client in clients {
        client.await.unwrap();
    }
    let there: BTreeSet<String> = {
        let rows = pair.standby.client("postgres").await.query("SELECT note FROM orders", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let notes = told.notes.borrow();
    Switch {
        told: notes.len(),
        lost: notes.difference(&there).cloned().collect(),
        gap: told.first.get().unwrap().saturating_duration_since(told.last.get().unwrap()),
    }
}

/// The program with an inventory of this pair.
struct Operator {
    folder: tempfile::TempDir,
}

impl Operator {
    fn of(pair: &Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inventory = format!(
            "mrctl: 1
name: pair
regions: {{ eu-west: {{}}, us-east: {{}} }}
postgres:
  orders:
    database: postgres
    user: mrctl
    password: {{ file: password }}
    tls: {{ verify: none, insecure: true }}
    writers: remote
    applications: [app]
    keep: [monitoring, postgres]
    probe_table: mrctl.probe
    members:
      eu-west: {{ host: 127.0.0.1, port: {} }}
      us-east: {{ host: 127.0.0.1, port: {} }}
",
            pair.primary.port, pair.standby.port
        );
        std::fs::write(folder.path().join("mrctl.yaml"), inventory).unwrap();
        std::fs::write(folder.path().join("runbook.yaml"), RUNBOOK).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, CANARY).unwrap();
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(crate::lab::program());
        command.args(arguments).args(["--output", "json"]).arg("--inventory").arg(at("mrctl.yaml"));
        if arguments[0] != "resume" {
            command.args(["--from", "eu-west", "--to", "us-east"]).arg("--runbook").arg(at("runbook.yaml"));
        }
        command.arg("--state-dir").arg(at("state"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("USER", "ada");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    async fn mrctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        // The applications of this test write meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// A planned failover with every approval given, as a CI job would.
    async fn failover(&self, digest: &str) {
        let ended =
            self.mrctl(&["failover", "--yes", "--approve", "step:promote", "--plan-digest", digest]).await;
        assert!(ended.status.success(), "{}", words(&ended));
    }

    async fn digest(&self) -> String {
        let seen = self.mrctl(&["drill", "--dry-run"]).await;
        assert!(seen.status.success(), "{}", words(&seen));
        let text = String::from_utf8_lossy(&seen.stdout).into_owned();
        let event: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        event["digest"].as_str().unwrap().to_string()
    }
}

fn words(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether an application's next transaction could write there.
async fn writable(server: &Server) -> bool {
    match connect(server.port, "SELECT 1").await {
        Some(session) => session.batch_execute("CREATE TEMP TABLE probe_of_the_test (n int)").await.is_ok(),
        None => false,
    }
}

fn rounds() -> usize {
    let said = std::env::var_os("MRCTL_TEST_FAILOVERS").and_then(|n| n.to_str()?.parse().ok());
    let nightly = std::env::var_os("MRCTL_TEST_NIGHTLY").is_some();
    said.unwrap_or(if nightly { 200 } else { 20 })
}

#[expect(clippy::disallowed_macros, reason = "for whoever reads the figures: cargo nextest run --no-capture")]
fn say(line: &str) {
    println!("{line}");
}

#[tokio::test]
async fn planned_failovers_under_load_lose_nothing_that_was_told_as_committed() {
    let rounds = rounds();
    let (mut told, mut gaps) = (0, Vec::new());
    tokio::task::LocalSet::new()
        .run_until(async {
            for round in 1..=rounds {
                let pair = Pair::start().await;
                let operator = Operator::of(&pair);
                let digest = operator.digest().await;
                let switch = switch(&pair, || operator.failover(&digest)).await;
                assert!(
                    switch.lost.is_empty(),
                    "failover {round}: lost {:?} of {}",
                    switch.lost,
                    switch.told
                );
                assert!(switch.told >= 2 * ENOUGH, "failover {round}: {}", switch.told);
                assert!(!writable(&pair.primary).await, "failover {round}: the old primary takes writes");
                told += switch.told;
                gaps.push(switch.gap);
                no_surprise(operator.folder.path());
            }
        })
        .await;
    assert_eq!(gaps.len(), rounds);
    gaps.sort();
    let percent = 300.0 / rounds as f64;
    say(&format!(
        "{rounds} planned failovers under load, {told} writes told as committed: 0 lost. At 95 % fewer than {percent:.1} % of \
         failovers lose something, and fewer than {:.4} % of writes are lost. Nobody could write for {:?} (median; at most {:?}).",
        300.0 / told as f64,
        gaps[rounds / 2],
        gaps[rounds - 1],
    ));
}

/// Behind a promotion a surprise stops nothing and would go unnoticed: on healthy servers there must be none at all.
fn no_surprise(folder: &Path) {
    for run in std::fs::read_dir(folder.join("state/runs")).unwrap().flatten() {
        let journal = std::fs::read_to_string(run.path().join("journal.jsonl")).unwrap();
        assert!(
            !journal.contains("\"type\":\"surprised\""),
            "a rule fires on what healthy servers do: {journal}"
        );
    }
}

/// The same load, the same counter, and what is usual: ask the standby whether it replayed what it received, promote it, and let the
/// applications follow. Nothing is frozen, and nobody asks the primary what the standby lacks.
async fn naive(pair: &Pair) {
    let asked = "SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()";
    until("the standby says that it lags by nothing", || async {
        (pair.standby.sql(asked).await == "t").then_some(())
    })
    .await;
    assert_eq!(pair.standby.sql("SELECT pg_promote(true, 30)").await, "t");
    // The applications are moved as fast as it goes: their sessions end, and the old primary with them.
    pair.primary.end(rustix::process::Signal::QUIT);
}

#[tokio::test]
async fn the_usual_order_loses_what_was_told_as_committed_in_the_same_situation() {
    let rounds = (rounds() / 4).clamp(3, 20);
    let (mut told, mut lost, mut losing) = (0, 0, 0);
    tokio::task::LocalSet::new()
        .run_until(async {
            for _ in 0..rounds {
                let pair = Pair::start().await;
                let switch = switch(&pair, || naive(&pair)).await;
                told += switch.told;
                lost += switch.lost.len();
                losing += usize::from(!switch.lost.is_empty());
            }
        })
        .await;
    say(&format!(
        "{rounds} switches in the usual order, {told} writes told as committed: {lost} lost, in {losing} of them."
    ));
    assert!(
        losing * 2 > rounds && lost >= rounds,
        "the counter would not see a loss: {lost} in {losing} of {rounds}"
    );
}
