//! The journal's disk becomes full behind any record of a run, of the program itself.

use super::{Night, lines, nightly};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_full_behind_any_record_leaves_a_run_with_a_way_out() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let (mut after, mut tried) = (1, BTreeSet::new());
    loop {
        night.digest();
        let before = night.site.journals();
        let mut running = night.press_without_signal();
        let pid = Pid::from_raw(i32::try_from(running.0.id()).unwrap());
        let limit = Rlimit { current: Some(1), maximum: None };
        let mut journal = None;
        while running.0.try_wait().unwrap().is_none() {
            journal = journal
                .or_else(|| night.site.journals().into_iter().find(|journal| !before.contains(journal)));
            if journal.as_deref().is_some_and(|journal| lines(journal).len() >= after) {
                // It may have ended a moment ago.
                let _gone = prlimit(pid, Resource::Fsize, limit);
                break;
            }
            // Shorter than a record takes to be on disk; without a pause the poll itself would keep a processor from the run.
            std::thread::sleep(Duration::from_micros(if journal.is_some() { 300 } else { 2_000 }));
        }
        let ended = running.end().await;
        let records = lines(&journal.unwrap());
        let case = format!("full behind record {}", records.len());
        if ended.code == 0 {
            // Every record had found its place before.
            assert!(records.last().is_some_and(|line| line["type"] == "ended"), "{case}: {ended}");
            assert_eq!(night.writers().await, [night.to], "{case}: {ended}");
            break;
        }
        tried.insert(records.len());
        assert_eq!(ended.code, 9, "{case}: {ended}");
        assert!(ended.stderr.contains("What could not be written:"), "{case}: {ended}");
        night.told(&case, true).await;
        // Asked for, it may have come about: then there is only forward.
        let asked = |line: &serde_json::Value| line["type"] == "intent" && line["step"] == "promote";
        let (out, code, writer) = match records.iter().any(asked) {
            true => (night.resume().await, 0, night.to),
            false => (night.rollback(&[]).await, 3, night.from),
        };
        assert_eq!(out.code, code, "{case}: {out}");
        assert_eq!(night.told(&case, false).await, [writer], "{case}: {out}");
        night.again().await;
        after = records.len() + if nightly() { 1 } else { 4 };
    }
    measured(&tried);
    assert!(tried.len() >= 4, "{tried:?}");
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

/// For the figures of `docs/reliability.md`.
#[expect(clippy::disallowed_macros, reason = "a test has no checklist that it could disturb")]
fn measured(tried: &BTreeSet<usize>) {
    eprintln!("full behind {} records: {tried:?}", tried.len());
}
