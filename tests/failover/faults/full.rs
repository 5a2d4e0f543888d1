//! Disks that are full: the journal's, and the database's.

use super::{FREEZE, GLANCE, Night, Out, PROMOTE, PROMOTED, Running, expected};
use crate::support::proxy::Deed;
use mrctl::lab::{Region, Role};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

impl Night {
    /// As `press`, but a write past the limit fails as on a full disk instead of ending the process.
    pub(super) fn press_without_signal(&mut self) -> Running {
        let digest = self.digest();
        let runbook = self.site.runbook(self.runbook);
        let arguments = self.site.approved_as(&digest, &runbook, self.from, self.to);
        let mrctl = self.site.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(mrctl.get_program())
            .args(mrctl.get_args());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("USER", "ada");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_full_at_any_change_stops_the_run_there_and_says_what_stands() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let stops = "stopped before the next effect";
    let cases = [
        (expected("at the freeze", 9, stops, Out::Rollback(3)), true, FREEZE),
        (expected("right before the promotion", 9, stops, Out::Resume(0)), true, GLANCE),
        (expected("at the promotion", 9, stops, Out::Resume(0)), false, PROMOTE),
        (expected("behind the promotion", 9, stops, Out::Resume(0)), false, PROMOTED),
    ];
    for (expected, source, words) in cases {
        night.digest();
        let at = if source { night.from } else { night.to };
        night.proxy(at).next(&[words], Deed::Hold);
        let begun = Instant::now();
        let running = night.press_without_signal();
        assert!(night.proxy(at).reached(Duration::from_secs(30)).await, "{}", expected.what);
        let pid = Pid::from_raw(i32::try_from(running.0.id()).unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: Some(1), maximum: None }).unwrap();
        night.proxy(at).release();
        let ended = running.end().await;
        assert!(ended.stderr.contains("What could not be written:"), "{ended}");
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

/// A small disk under a server's data, which root alone can make.
struct Disk(PathBuf);

impl Disk {
    async fn under(night: &Night, region: Region) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return skipped("only root can mount a small disk");
        }
        let data = night.site.lab.layout().pgdata(region);
        night.site.lab.stop_postgres(region).await.unwrap();
        let aside = data.with_extension("aside");
        std::fs::rename(&data, &aside).unwrap();
        std::fs::create_dir(&data).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=400m,mode=0700", "none"];
        let mounted = Command::new("mount").args(mount).arg(&data).status();
        let mounted = mounted.is_ok_and(|status| status.success());
        if mounted {
            let owner = Command::new("chown").arg("--reference").arg(&aside).arg(&data).status().unwrap();
            let copied = Command::new("cp").args(["-aT"]).arg(&aside).arg(&data).status().unwrap();
            assert!(owner.success() && copied.success());
        } else {
            std::fs::remove_dir(&data).unwrap();
            std::fs::rename(&aside, &data).unwrap();
        }
        night.site.lab.start_postgres(region).await.unwrap();
        if mounted { Some(Self(data)) } else { skipped("a small disk cannot be mounted here") }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let mut block = vec![0_u8; 1 << 20];
        while !block.is_empty() {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                    block.truncate(block.len() / 2)
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

/// What cannot be caused here is left out, and says so; in CI it is a failure.
#[expect(clippy::disallowed_macros, reason = "a test has no checklist that it could disturb")]
pub(super) fn skipped<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("MRCTL_TEST_ALL").is_none(), "MRCTL_TEST_ALL is set, and {why}");
    eprintln!("skipped: {why}");
    None
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn unmount(at: &Path) {
    let _gone = Command::new("umount").arg("-l").arg(at).status();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_disk_is_full_is_neither_half_frozen_nor_half_promoted_unreported() {
    let mut night = Night::up().await;
    let Some(source) = Disk::under(&night, night.from).await else {
        return;
    };
    let target = Disk::under(&night, night.to).await.unwrap();
    let standby = night.site.lab.connect(night.to, Role::Superuser).await.unwrap();
    crate::lab::until("the standby streams again", async || {
        let streams = "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'";
        !standby.query(streams, &[]).await.unwrap().is_empty()
    })
    .await;
    let observer = night.watch();
    let begun = Instant::now();
    let running = night.held(night.from, &[FREEZE]).await;
    source.fill();
    night.source().release();
    let ended = running.end().await;
    source.free();
    night
        .ends(
            expected("source full at the freeze", 7, "No space left on device", Out::Resume(3)),
            begun,
            &ended,
        )
        .await;
    let begun = Instant::now();
    let running = night.held(night.to, &[PROMOTE]).await;
    target.fill();
    night.target().release();
    let ended = running.end().await;
    target.free();
    night.site.lab.start_postgres(night.to).await.unwrap();
    night
        .ends(
            expected("target full at the promotion", 6, "it may still come about", Out::Vouched),
            begun,
            &ended,
        )
        .await;
    night.judged(observer).await;
    for region in Region::ALL {
        night.site.lab.stop_postgres(region).await.unwrap();
    }
    drop((source, target));
    night.site.lab.down().await.unwrap();
}
