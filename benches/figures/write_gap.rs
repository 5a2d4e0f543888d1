//! How long nobody can write: mrctl with its journal and its proofs, against the shortest sequence that can be written by hand.
//! Both are watched from outside in the same way, by clients of the application that never stop trying.

use super::{Samples, program, say, verdict};
use mrctl::lab::{Lab, Options, Region, Role, Session};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pairs of switches, one of each kind.
const PAIRS: usize = 24;
/// Clients that write to the source.
const CLIENTS: usize = 4;
const MILLISECOND: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

const RUNBOOK: &str = "mrctl: 1
name: gap
title: The writer alone
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
";

pub fn gap() -> bool {
    tokio::runtime::Runtime::new().unwrap().block_on(measure())
}

async fn measure() -> bool {
    let folder = tempfile::Builder::new().prefix("mrctl-bench-").tempdir().unwrap();
    // The servers' account has to pass through it.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let options = Options::new(folder.path().join("lab")).unwrap().program(program());
    let lab = Lab::up(options).await.unwrap();
    let runbook = folder.path().join("gap.yaml");
    std::fs::write(&runbook, RUNBOOK).unwrap();
    let owner = lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    owner.batch_execute("CREATE TABLE gap (n int); GRANT ALL ON gap TO PUBLIC").await.unwrap();
    drop(owner);
    let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
    let mut from = Region::EuWest;
    for pair in 0..PAIRS {
        // By turns first and second, so that each kind goes in both directions.
        for turn in 0..2 {
            let hand = (pair + turn) % 2 == 0;
            let gap = if hand {
                switch(&lab, from, |begin| hand_written(&lab, from, begin)).await
            } else {
                let command = with_mrctl(&lab, &runbook, folder.path(), from);
                switch(&lab, from, |begin| run(command, begin)).await
            };
            if hand {
                by_hand.push(gap)
            } else {
                ours.push(gap)
            }
            lab.rejoin().await.unwrap();
            from = from.other();
        }
    }
    lab.down().await.unwrap();
    let (by_hand, ours) = (Samples::sorted(by_hand), Samples::sorted(ours));
    say(&format!("no write possible, hand-written optimum: {by_hand}"));
    say(&format!("no write possible, mrctl: {ours}"));
    let ratio = ours.median().as_secs_f64() / by_hand.median().as_secs_f64();
    verdict("the write gap is", ratio, 1.25, " times the optimum")
}

/// Lets clients try to write on both sides while `act` runs: from the last commit on the source to the first on the target.
async fn switch<F: Future<Output = ()>>(
    lab: &Lab,
    from: Region,
    act: impl FnOnce(Arc<AtomicBool>) -> F,
) -> Duration {
    let begin = Arc::new(AtomicBool::new(false));
    let arrived = Arc::new(AtomicBool::new(false));
    let mut leaving = Vec::new();
    for _ in 0..CLIENTS {
        let session = lab.connect(from, Role::App).await.unwrap();
        leaving.push(tokio::spawn(last_commit(session, Arc::clone(&begin))));
    }
    let session = lab.connect(from.other(), Role::App).await.unwrap();
    let arriving = tokio::spawn(first_commit(session, Arc::clone(&arrived)));
    act(Arc::clone(&begin)).await;
    let mut last = None;
    for client in leaving {
        last = last.max(client.await.unwrap());
    }
    arrived.store(true, Ordering::Relaxed);
    let first = arriving.await.unwrap();
    first.duration_since(last.unwrap())
}

/// Commits until the server ends the session or refuses.
async fn last_commit(session: Session, begin: Arc<AtomicBool>) -> Option<Instant> {
    let mut last = None;
    while session.batch_execute("INSERT INTO gap VALUES (1)").await.is_ok() {
        last = Some(Instant::now());
        begin.store(true, Ordering::Relaxed);
        tokio::time::sleep(MILLISECOND).await;
    }
    last
}

/// Tries until a commit succeeds.
async fn first_commit(session: Session, given_up: Arc<AtomicBool>) -> Instant {
    let mut waited = None;
    loop {
        let tried = session.batch_execute("INSERT INTO gap VALUES (1)").await;
        if tried.is_ok() {
            return Instant::now();
        }
        // Long after the switch has ended, this is an error of the benchmark and not a gap.
        if given_up.load(Ordering::Relaxed) {
            let since = *waited.get_or_insert_with(Instant::now);
            assert!(since.elapsed() < PATIENCE, "the target was never writable: {tried:?}");
        }
        tokio::time::sleep(MILLISECOND).await;
    }
}

/// Freeze, end the sessions, wait for the replay, promote, look each millisecond: over sessions that are open already, with no
/// journal, no second look, no guard and no proof.
async fn hand_written(lab: &Lab, from: Region, begin: Arc<AtomicBool>) {
    let source = lab.connect(from, Role::Superuser).await.unwrap();
    let target = lab.connect(from.other(), Role::Superuser).await.unwrap();
    while !begin.load(Ordering::Relaxed) {
        tokio::time::sleep(MILLISECOND).await;
    }
    source.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    source.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'app'";
    source.batch_execute(end).await.unwrap();
    let row = source.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap();
    let position: String = row.get(0);
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn");
    until(&target, &replayed).await;
    target.batch_execute("SELECT pg_promote(false)").await.unwrap();
    until(&target, "SELECT NOT pg_is_in_recovery()").await;
}

async fn until(session: &Session, question: &str) {
    let begun = Instant::now();
    loop {
        let row = session.query_one(question, &[]).await.unwrap();
        if row.get(0) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "never so: {question}");
        tokio::time::sleep(MILLISECOND).await;
    }
}

/// A planned failover with every approval given, as a CI job would.
fn with_mrctl(lab: &Lab, runbook: &std::path::Path, folder: &std::path::Path, from: Region) -> Command {
    let base = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(arguments).arg("--inventory").arg(lab.inventory());
        command.arg("--state-dir").arg(folder.join("state")).arg("--runbook").arg(runbook);
        command.arg("--from").arg(from.to_string()).arg("--to").arg(from.other().to_string());
        command.arg("--output").arg("json").stdin(Stdio::null());
        command
    };
    let seen = base(&["drill", "--dry-run"]).output().unwrap();
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    let text = String::from_utf8(seen.stdout).unwrap();
    let event: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let digest = event["digest"].as_str().unwrap().to_owned();
    base(&["failover", "--yes", "--approve", "step:promote", "--plan-digest", &digest])
}

async fn run(mut command: Command, begin: Arc<AtomicBool>) {
    while !begin.load(Ordering::Relaxed) {
        tokio::time::sleep(MILLISECOND).await;
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
