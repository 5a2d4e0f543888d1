//! One run for a set of resources: a second mrctl is refused and told by whom, also from another state folder; and a holder that is
//! held up and wakes up changes nothing.

use super::{Ended, Site, program};
use crate::lab::until;
use mrctl::lab::{Region, Role};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What it is held up in changes nothing.
const RUNBOOK: &str = "mrctl: 1
name: held-up
title: Held up
steps:
  - id: hold
    exec: { command: [/bin/sleep, \"2\"], effect: two seconds are over }
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
  - id: shift
    dns.shift: www
";

/// A run that is stopped while it is in its first step.
struct HeldUp(Child);

impl HeldUp {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    /// As of another operator, with a state folder of their own.
    fn other(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program());
        command.args(arguments).arg("--inventory").arg(self.lab.inventory());
        command.arg("--state-dir").arg(self.folder.path().join("state-of-another"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("USER", "bob");
        Ended::of(command.stdin(Stdio::null()).output().unwrap())
    }

    async fn held_up(&self, arguments: &[&str]) -> HeldUp {
        let mut command = self.command(arguments);
        let child = HeldUp(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the first intent", async || self.written().contains("\"type\":\"intent\"")).await;
        child.signal(Signal::STOP);
        child
    }

    /// What the first run's journal has.
    pub(super) fn written(&self) -> String {
        self.journals().first().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }
}

fn intents(journal: &str) -> Vec<&str> {
    journal.lines().filter(|line| line.contains("\"type\":\"intent\"")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_refused_by_name_and_a_holder_that_wakes_up_changes_nothing() {
    let site = Site::up().await;
    let runbook: PathBuf = site.runbook(RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut first = site.held_up(&arguments).await;
    // On the same host: by the lock file, and the journal tells how far it is.
    let beside = site.mrctl(&arguments);
    assert_eq!(beside.code, 8, "{beside}");
    let process = format!("process {}", first.0.id());
    for word in ["is held by ada on ", &process, "its last record, `intent` of hold, is ", " old"] {
        assert!(beside.stderr.contains(word), "{word}: {beside}");
    }
    // From elsewhere: the database tells.
    let refused = site.other(&arguments);
    assert_eq!(refused.code, 8, "{refused}");
    for word in
        ["orders in eu-west is held by ada on ", &process, "(session mrctl/", "/lock, from 127.", ", for "]
    {
        assert!(refused.stderr.contains(word), "{word}: {refused}");
    }
    assert_eq!(intents(&site.written()).len(), 1);
    // Its sessions are ended, as when its network is gone: another takes over, and moves everything.
    for region in [Region::EuWest, Region::UsEast] {
        let server = site.lab.connect(region, Role::Superuser).await.unwrap();
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%'";
        server.simple_query(end).await.unwrap();
    }
    let moved = site.other(&arguments);
    assert_eq!(moved.code, 0, "{moved}");
    assert!(site.writable(Region::UsEast).await && !site.writable(Region::EuWest).await);
    // It wakes up in another world.
    first.signal(Signal::CONT);
    let code = first.0.wait().unwrap();
    assert_ne!(code.code(), Some(0), "{}", site.written());
    let written = site.written();
    assert_eq!(intents(&written).len(), 1, "{written}");
    assert!(site.writable(Region::UsEast).await && !site.writable(Region::EuWest).await);
    site.lab.down().await.unwrap();
}
