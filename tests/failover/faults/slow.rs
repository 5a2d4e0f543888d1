//! A disk that is slow: every write of a database that has to be on it takes its time. Caused by holding the system calls up (strace), in
//! all processes of the server and in those that it starts.

use super::full::skipped;
use super::{Night, Out, expected};
use mrctl::lab::Region;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The tracer, for as long as the disk is slow.
struct Slow(Child);

impl Slow {
    async fn disk(night: &Night, region: Region, each: Duration) -> Option<Self> {
        let data = night.site.lab.layout().pgdata(region);
        let first = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let postmaster = first.lines().next().unwrap().trim().to_string();
        let children =
            std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let pids: Vec<&str> =
            std::iter::once(postmaster.as_str()).chain(children.split_whitespace()).collect();
        let mut tracer = Command::new("strace");
        tracer.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
        tracer.arg(format!("inject=fsync,fdatasync:delay_enter={}", each.as_micros()));
        pids.iter().for_each(|pid| {
            tracer.args(["-p", pid]);
        });
        let tracer = match tracer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(tracer) => tracer,
            Err(error) => return skipped(&format!("strace cannot be started: {error}")),
        };
        let mut slow = Self(tracer);
        let begun = Instant::now();
        while !traced(&postmaster) {
            // It ends at once where it may not trace.
            if slow.0.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_secs(10) {
                return skipped("a server cannot be traced here");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(slow)
    }
}

fn traced(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
}

impl Drop for Slow {
    fn drop(&mut self) {
        // Asked, it lets go of them; killed, it would leave some stopped.
        let pid = rustix::process::Pid::from_raw(self.0.id().cast_signed());
        if let Some(pid) = pid {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let _status = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_makes_a_run_late_and_loses_nothing() {
    let mut night = Night::up().await;
    night.digest();
    let observer = night.watch();
    // The setting is written twice, and what was told is flushed: it takes longer, and is done.
    let Some(slow) = Slow::disk(&night, night.from, Duration::from_millis(150)).await else { return };
    let begun = Instant::now();
    let ended = night.press().end().await;
    drop(slow);
    night.ends(expected("the source's disk is slow", 0, "", Out::Closed), begun, &ended).await;
    // What a promotion has to write before it is one.
    night.digest();
    let slow = Slow::disk(&night, night.to, Duration::from_millis(150)).await.unwrap();
    let begun = Instant::now();
    let ended = night.press().end().await;
    drop(slow);
    night.ends(expected("the target's disk is slow", 0, "", Out::Closed), begun, &ended).await;
    // So slow that no step is done in its time: everything is taken back, once it can be.
    night.digest();
    let slow = Slow::disk(&night, night.from, Duration::from_secs(4)).await.unwrap();
    let begun = Instant::now();
    let running = night.press();
    night.turned_back().await;
    drop(slow);
    let ended = running.end().await;
    night.ends(expected("the source's disk hardly writes", 3, "", Out::Closed), begun, &ended).await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
