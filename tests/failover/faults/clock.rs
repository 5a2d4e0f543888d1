//! The clock of the host that runs mrctl jumps in the middle of a run: libfaketime, before mrctl alone, gives it another wall clock.

use super::super::Ended;
use super::{FREEZE, GLANCE, MARK, Night, Out, PROMOTE, Running, expected, lines};
use crate::lab::until;
use crate::support::proxy::{Deed, Proxy};
use mrctl::lab::{Fault, Region};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An hour and a year, in seconds.
const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

/// The library, where Debian's package of any architecture has it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let library = |folder: std::fs::DirEntry| folder.path().join("faketime/libfaketimeMT.so.1");
    folders.map(library).find(|path| path.exists()).expect("libfaketime is missing: see tests/run")
}

impl Night {
    /// What the file says is how far mrctl's wall clock is off, from the next time on that it is read.
    fn jumps(&self, seconds: i64) {
        let at = self.site.folder.path().join("clock");
        std::fs::write(at.with_extension("new"), format!("{seconds:+}s\n")).unwrap();
        std::fs::rename(at.with_extension("new"), at).unwrap();
    }

    /// A command of mrctl whose wall clock is the file's.
    fn off(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.command(arguments);
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", self.site.folder.path().join("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DISABLE_SHM", "1")
            // Only the wall clock can be set; the one that counts from the start of the machine cannot.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        command
    }

    /// Starts a run whose message with these words is held at a region, under this clock.
    async fn held_off(&mut self, at: Region, words: &str) -> Running {
        self.jumps(0);
        self.held_off_now(at, words).await
    }

    /// The same, under the clock as it is.
    async fn held_off_now(&mut self, at: Region, words: &str) -> Running {
        let digest = self.digest();
        self.proxy(at).next(&[words], Deed::Hold);
        let runbook = self.site.runbook(self.runbook);
        let arguments = self.site.approved_as(&digest, &runbook, self.from, self.to);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = self.off(&arguments);
        let running = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        assert!(self.proxy(at).reached(Duration::from_secs(30)).await, "never said: {words}");
        running
    }

    /// Times of the newest run, as its records have them.
    fn times(&self) -> Vec<i64> {
        let journal = self.site.journals().pop().unwrap();
        lines(&journal).iter().map(|line| line["at"].as_i64().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_in_a_run_changes_neither_a_deadline_nor_a_measured_time() {
    let mut night = Night::up().await;
    let observer = night.watch();
    // That the file is what mrctl's clock follows; or nothing here would say anything.
    night.jumps(-40 * YEAR);
    let runbook = night.site.runbook(night.runbook).display().to_string();
    let declared = ["failover", "--since", "2020-01-01T00:00:00Z", "--runbook", &runbook, "--to", "us-east"];
    let behind = night.off(&declared).output().unwrap();
    let text = String::from_utf8_lossy(&behind.stderr).into_owned();
    assert!(text.contains("is not over yet"), "{text}");
    let cases = [
        // The standby never catches up: 3 s are 3 s.
        (expected("an hour back, while the standby lags", 3, "rolled_back", Out::Closed), MARK, -HOUR),
        (expected("an hour ahead, while the standby lags", 3, "rolled_back", Out::Closed), MARK, HOUR),
        // What was decided a moment ago is not stale.
        (expected("a year ahead, right before the promotion", 0, "completed", Out::Closed), GLANCE, YEAR),
        (expected("a year back, as it is sent", 0, "completed", Out::Closed), PROMOTE, -YEAR),
    ];
    for (expected, words, seconds) in cases {
        let lags = words == MARK;
        let at = if words == PROMOTE { night.to } else { night.from };
        if lags {
            night.site.lab.inflict(Fault::Receiver).await.unwrap();
        }
        let begun = Instant::now();
        let running = night.held_off(at, words).await;
        if lags {
            night.proxy(at).release();
            let journal = night.site.journals().pop().unwrap();
            let behind = |line: &serde_json::Value| line["evidence"].to_string().contains("bytes behind");
            until("the run waits for the standby", async || {
                lines(&journal.with_file_name("samples.jsonl")).iter().any(behind)
            })
            .await;
        }
        night.jumps(seconds);
        night.proxy(at).release();
        let ended = running.end().await;
        let took = begun.elapsed();
        if lags {
            night.site.lab.heal(Fault::Receiver).await.unwrap();
        }
        assert!(took < Duration::from_secs(20), "{}: {took:?}: {ended}", expected.what);
        let times = night.times();
        assert!(times.is_sorted(), "{}: {times:?}", expected.what);
        let end = ended.last("ended");
        for measure in ["elapsed_ms", "write_gap_ms"] {
            let told = Duration::from_millis(end[measure].as_u64().unwrap());
            assert!(told <= took && told > Duration::from_millis(20), "{}: {told:?}: {end}", expected.what);
        }
        night.ends(expected, begun, &ended).await;
    }
    // It is killed, and whoever goes on has another clock: how long it took is not known any more, and nothing else changes.
    let mut running = night.held_off(night.from, GLANCE).await;
    let killed = night.site.journals().pop().unwrap();
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    night.proxies.iter().for_each(Proxy::heal);
    night.jumps(-HOUR);
    let digest = night.digest();
    let given =
        ["resume", "--output", "json", "--yes", "--approve", "step:promote", "--plan-digest", &digest];
    let begun = Instant::now();
    let resumed = Ended::of(night.off(&given).output().unwrap());
    let end = resumed.last("ended");
    assert!(!night.times().is_sorted() && end["elapsed_ms"].is_null(), "{end}");
    let moments = end["moments"].as_array().unwrap();
    let unknown = |name: &str| moments.iter().any(|one| one["name"] == name && one["after_ms"].is_null());
    assert!(!unknown("writes_stopped") && unknown("promoted") && unknown("first_write"), "{end}");
    // The freeze was before, its end is now.
    assert!(end["write_gap_ms"].is_null(), "{end}");
    let run = killed.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(night.site.mrctl(&["audit", "verify", &run]).code, 0);
    let told = night.site.mrctl(&["runs"]).stdout;
    assert!(told.contains("unknown"), "{told}");
    night.ends(expected("killed, and an hour back", 0, "completed", Out::Closed), begun, &resumed).await;
    // The next run is the last one, though its clock is behind that of the others.
    night.jumps(-YEAR);
    let running = night.held_off_now(night.from, FREEZE).await;
    assert!(night.site.journals().pop().unwrap() > killed, "an older run would be taken for the last one");
    night.source().release();
    let ended = running.end().await;
    night
        .ends(expected("a run a year before the last one", 0, "completed", Out::Closed), begun, &ended)
        .await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
