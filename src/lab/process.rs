//! Processes that outlive us: started detached, recognised by number *and* start time, stopped with a deadline.
//!
//! A number alone is not an identity (the kernel reuses it), and `kill -0` calls a zombie alive; both are read from
//! `/proc/PID/stat`, see proc_pid_stat(5).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::error::{FileContext, LabError, Result};
use super::wait;

/// A process that the lab started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot: tells it from a later process with the same number.
    pub started: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

impl Process {
    /// The process with this number, if it runs now.
    pub fn of(pid: i32) -> Option<Self> {
        stat(pid).filter(Stat::runs).map(|stat| Self { pid, started: stat.started })
    }

    /// Whether this very process still runs (a zombie does not, once its last thread has ended: until then it holds its ports).
    pub fn alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| {
            stat.started == self.started && (stat.runs() || (stat.state == 'Z' && has_threads(self.pid)))
        })
    }

    /// Whether it is stopped by a signal.
    pub fn frozen(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.state == 'T' && stat.started == self.started)
    }

    /// The process and everything below it, parents first.
    pub fn tree(&self) -> Vec<Self> {
        if !self.alive() {
            return Vec::new();
        }
        let everyone = everyone();
        let mut tree = vec![self.clone()];
        let mut next = 0;
        while let Some(parent) = tree.get(next).map(|process| process.pid) {
            next += 1;
            tree.extend(
                everyone
                    .iter()
                    .filter(|(_, stat)| stat.parent == parent && stat.runs())
                    .map(|(pid, stat)| Self { pid: *pid, started: stat.started }),
            );
        }
        tree
    }

    /// Sends a signal, if it is still the same process.
    pub fn signal(&self, signal: Signal) {
        if self.alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may end in between: then there is nothing left to tell it.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Sends a signal to the process and everything below it.
    pub fn signal_tree(&self, signal: Signal) {
        for process in self.tree() {
            process.signal(signal);
        }
    }

    /// Asks it to stop with `signal`, and kills the whole tree when it has not stopped after `patience`.
    pub async fn stop(&self, signal: Signal, patience: Duration) -> Result<()> {
        let tree = self.tree();
        for process in &tree {
            // One that is frozen would never read the request.
            process.signal(Signal::CONT);
        }
        self.signal(signal);
        let gone = || tree.iter().all(|process| !process.alive());
        if wait::until_true("it stops", patience, gone).await.is_err() {
            self.kill_all(&tree);
        }
        wait::until_true(&format!("process {} is gone", self.pid), Duration::from_secs(10), gone).await
    }

    /// Kills the process and everything below it, without waiting.
    pub fn kill_tree(&self) {
        self.kill_all(&self.tree());
    }

    fn kill_all(&self, tree: &[Self]) {
        for process in tree {
            process.signal(Signal::KILL);
        }
        // Children made while we were reading the list.
        for process in self.tree() {
            process.signal(Signal::KILL);
        }
    }

    /// The name that the process shows in lists, with its arguments: PostgreSQL writes its part in the server there.
    pub fn title(&self) -> String {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_string()
    }

    /// Whether any running process works in the folder.
    pub fn any_in(folder: &Path) -> bool {
        everyone().into_iter().any(|(pid, stat)| {
            stat.runs() && Self { pid, started: stat.started }.folder().is_some_and(|found| found == folder)
        })
    }

    /// Its working folder, where we may read it.
    pub fn folder(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
    }
}

impl Stat {
    fn runs(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name, in parentheses, may itself hold spaces and parentheses: count from the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn everyone() -> Vec<(i32, Stat)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect()
}

/// What every server and tool sees of the caller's environment: nothing. `PGSSLMODE`, another locale, or certificates in a home
/// folder that the servers' account cannot read would change what they do.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("LC_ALL", "C.UTF-8"),
    ("HOME", "/nonexistent"),
];

/// A command with that environment.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.env_clear().envs(ENVIRONMENT);
    command
}

/// Starts a server that goes on when we end: a process group of its own (Ctrl-C is for us), output to `log`.
pub(crate) fn start(
    mut command: std::process::Command,
    account: Account,
    log: &Path,
) -> Result<(Process, tokio::process::Child)> {
    use std::os::unix::process::CommandExt;
    let program = command.get_program().to_string_lossy().into_owned();
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log).on("opening", log)?;
    account.own(log)?;
    let errors = file.try_clone().on("opening", log)?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0).current_dir("/");
    account.apply(&mut command);
    let child = tokio::process::Command::from(command)
        .spawn()
        .map_err(|source| LabError::Start { program: program.clone(), source })?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    match pid.and_then(Process::of) {
        Some(process) => Ok((process, child)),
        None => Err(LabError::Died { name: program, log: log_end(log) }),
    }
}

/// Runs a program to its end as the account; its output becomes part of the error.
pub(crate) async fn run(mut command: std::process::Command, account: Account) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).current_dir("/");
    account.apply(&mut command);
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| LabError::Start { program: program.clone(), source })?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(said)
    } else {
        Err(LabError::Failed { program, status: output.status.to_string(), output: last_lines(&said) })
    }
}

/// The last lines of a log file, for an error message.
pub(crate) fn log_end(log: &Path) -> String {
    last_lines(&String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}

/// Whether threads besides the first are still there.
fn has_threads(pid: i32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = "77 (a) b (c)) S 12 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 998877 1 2";
        assert_eq!(parse_stat(text), Some(Stat { state: 'S', parent: 12, started: 998_877 }));
    }

    #[test]
    fn another_start_time_is_another_process() {
        let me = Process::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(me.alive());
        assert!(!Process { started: me.started + 1, ..me }.alive());
    }

    #[tokio::test]
    async fn a_frozen_process_is_stopped_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("sleep");
        command.arg("600");
        let account = Account::caller();
        let (process, _child) = start(command, account, &dir.path().join("log")).unwrap();
        process.signal(Signal::STOP);
        process.stop(Signal::TERM, Duration::from_secs(60)).await.unwrap();
        assert!(!process.alive());
    }
}
