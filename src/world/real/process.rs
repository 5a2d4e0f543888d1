//! One program, bounded in every way: its own process group, an allow-list of variables, no input, 4 KiB of output, a deadline.

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Variables that every program may see.
const ALWAYS: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];
/// How much of the end of each stream is kept, in bytes.
pub const KEPT: usize = 4096;
/// Time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// How long output is still read after the program ended: a child that it left behind may hold the stream for ever.
const DRAIN: Duration = Duration::from_millis(300);

/// A program to run.
#[derive(Clone, Debug, Default)]
pub struct Program<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Variables set for it, after those that it may see.
    pub env: BTreeMap<String, String>,
    /// Limit.
    pub timeout: Duration,
    /// Bytes kept of the end of each stream.
    pub kept: usize,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It could not be started: nothing ran.
    NotStarted(String),
    /// It ended by itself: exit code, or 128 + n for signal n.
    Code {
        /// The code.
        code: i32,
        /// End of standard output.
        stdout: Vec<u8>,
        /// End of standard error.
        stderr: Vec<u8>,
    },
    /// It was ended at the deadline; what it did is not known.
    Late {
        /// End of standard error.
        stderr: Vec<u8>,
    },
}

/// The variables of the operator that a program may see.
pub fn passed(lookup: &dyn Fn(&str) -> Option<String>, pass: &[String]) -> BTreeMap<String, String> {
    ALWAYS
        .into_iter()
        .map(str::to_owned)
        .chain(pass.iter().cloned())
        .filter_map(|name| lookup(&name).map(|value| (name, value)))
        .collect()
}

/// Kills the process group if the future is dropped: a cancelled command must not go on alone.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = self.0 {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

/// `mrctl` in a command is the program that runs: the one that `PATH` finds may be another version, or none.
fn own(name: &str) -> Option<std::path::PathBuf> {
    let own = (name == "mrctl").then(|| std::env::current_exe().ok())?;
    own.filter(|path| path.exists())
}

/// Runs it to its end or to the deadline.
pub async fn run(program: &Program<'_>) -> Ended {
    let Some((name, arguments)) = program.argv.split_first() else {
        return Ended::NotStarted("the command is empty".into());
    };
    let mut command = std::process::Command::new(own(name).unwrap_or_else(|| name.into()));
    command
        .args(arguments)
        .env_clear()
        .envs(&program.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = match tokio::process::Command::from(command).spawn() {
        Ok(child) => child,
        Err(error) => return Ended::NotStarted(format!("`{name}` could not be started: {error}")),
    };
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    let mut group = Group(pid);
    let (mut out, mut err) = (Tail::new(program.kept), Tail::new(program.kept));
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let ended = {
        let mut streams = std::pin::pin!(futures_util::future::maybe_done(futures_util::future::join(
            drain(stdout.as_mut(), &mut out),
            drain(stderr.as_mut(), &mut err),
        )));
        let ended = {
            let both = async {
                tokio::select! {
                    status = child.wait() => status,
                    // Both streams closed and the program still runs: only its end is left to wait for.
                    () = streams.as_mut() => child.wait().await,
                }
            };
            tokio::time::timeout(program.timeout, both).await
        };
        if ended.is_err() {
            group.signal(rustix::process::Signal::TERM);
            let gone = async { futures_util::future::join(child.wait(), streams.as_mut()).await };
            if tokio::time::timeout(GRACE, gone).await.is_err() {
                group.signal(rustix::process::Signal::KILL);
                let _ = tokio::time::timeout(GRACE, child.wait()).await;
            }
        }
        let _ = tokio::time::timeout(DRAIN, streams.as_mut()).await;
        ended.ok()
    };
    match ended {
        Some(Ok(status)) => {
            // What it left behind on purpose (a daemon) is not ours to end.
            group.0 = None;
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
            Ended::Code { code, stdout: out.bytes, stderr: err.bytes }
        }
        Some(Err(error)) => {
            Ended::Late { stderr: format!("its end could not be seen: {error}").into_bytes() }
        }
        None => Ended::Late { stderr: err.bytes },
    }
}

async fn drain<R: AsyncRead + Unpin>(stream: Option<&mut R>, tail: &mut Tail) {
    let Some(stream) = stream else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        tail.push(&buffer[..length]);
    }
}

/// The end of a stream.
struct Tail {
    bytes: Vec<u8>,
    kept: usize,
}

impl Tail {
    fn new(kept: usize) -> Self {
        Self { bytes: Vec::new(), kept }
    }

    fn push(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(&more[more.len().saturating_sub(self.kept)..]);
        let surplus = self.bytes.len().saturating_sub(self.kept);
        self.bytes.drain(..surplus);
    }
}
