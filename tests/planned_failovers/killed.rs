//! The same, with mrctl killed after a record, while applications write: whoever resumes moves the writer once, and nothing is lost.

use super::{Operator, words, writable};
use crate::support::pg::{PATIENCE, Pair};
use std::process::Stdio;
use std::time::{Duration, Instant};

impl Operator {
    fn journal(&self) -> Option<String> {
        let mut runs = std::fs::read_dir(self.folder.path().join("state/runs")).ok()?.flatten();
        std::fs::read_to_string(runs.next()?.path().join("journal.jsonl")).ok()
    }

    /// Begins a failover and kills it once its journal has this many records. False if it ended before.
    async fn killed_after(&self, records: usize, digest: &str) -> bool {
        let mut command = self.command(&given("failover", digest));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        loop {
            if self.journal().is_some_and(|journal| journal.matches('\n').count() >= records) {
                child.kill().unwrap();
                child.wait().unwrap();
                return true;
            }
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            // Shorter than a record takes to be on disk.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn given<'a>(command: &'a str, digest: &'a str) -> Vec<&'a str> {
    vec![command, "--yes", "--approve", "step:promote", "--plan-digest", digest]
}

#[tokio::test]
async fn killed_under_load_whoever_resumes_loses_nothing_and_promotes_once() {
    // Each third record on an ordinary day, all of them at night.
    let every = if std::env::var_os("MRCTL_TEST_NIGHTLY").is_some() { 1 } else { 3 };
    let mut killed = 0;
    tokio::task::LocalSet::new()
        .run_until(async {
            for records in (1..).step_by(every) {
                let pair = Pair::start().await;
                let operator = Operator::of(&pair);
                let digest = operator.digest().await;
                let was_killed = std::cell::Cell::new(false);
                let switch = super::switch(&pair, || async {
                    was_killed.set(operator.killed_after(records, &digest).await);
                    let resumed = operator.mrctl(&given("resume", &digest)).await;
                    let said = words(&resumed);
                    let closed = resumed.status.code() == Some(2) && said.contains("there is no open run");
                    assert!(closed || resumed.status.success(), "killed after record {records}: {said}");
                })
                .await;
                let what = format!("killed after record {records}");
                assert!(switch.lost.is_empty(), "{what}: lost {:?} of {}", switch.lost, switch.told);
                assert!(!writable(&pair.primary).await, "{what}: the old primary takes writes");
                let timeline = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
                assert_eq!(pair.standby.sql(timeline).await, "00000002", "{what}: promoted more than once");
                let intents =
                    operator.journal().unwrap().lines().filter(|line| sends(line, "promote")).count();
                assert!((1..=2).contains(&intents), "{what}: {intents} promotions were intended");
                super::no_surprise(operator.folder.path());
                killed += 1;
                if !was_killed.get() {
                    break;
                }
            }
        })
        .await;
    super::say(&format!(
        "killed under load after {killed} different records and resumed: 0 lost, 0 promoted twice"
    ));
    assert!(killed > 5, "{killed}");
}

fn sends(line: &str, step: &str) -> bool {
    line.contains("\"type\":\"intent\"") && line.contains(&format!("\"step\":\"{step}\""))
}
