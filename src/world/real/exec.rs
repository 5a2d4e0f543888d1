//! Commands of the operator's own.

use super::client::excerpt;
use super::process::{self, Ended, KEPT, Program};
use crate::journal::Permit;
use crate::redact::Redactor;
use crate::world::exec::{Command, ENDED_WELL, Exec, Output};
use crate::world::{Answer, Known, Reply};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// `EX_TEMPFAIL` of `sysexits.h`: the command says that it did nothing.
const NOTHING_DONE: i32 = 75;

/// Reads a variable of the operator's environment by name.
pub type Variables = Rc<dyn Fn(&str) -> Option<String>>;

/// What the port needs.
pub struct Settings {
    /// Variables of the operator's environment, by name.
    pub variables: Variables,
    /// Scrubs what commands print.
    pub redactor: Redactor,
    /// Name of the environment, given to commands as `MRCTL_ENVIRONMENT`.
    pub environment: String,
}

/// Runs commands on this host.
pub struct RealExec {
    settings: Settings,
}

impl RealExec {
    /// Makes the port.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn program<'a>(&self, command: &'a Command, own: BTreeMap<String, String>) -> Program<'a> {
        let mut env = process::passed(&*self.settings.variables, &command.pass);
        env.extend(command.env.clone());
        env.insert("MRCTL_ENVIRONMENT".into(), self.settings.environment.clone());
        env.extend(own);
        Program { argv: &command.argv, env, timeout: Duration::from_millis(command.timeout_ms), kept: KEPT }
    }

    fn text(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        // As much as is kept: its beginning was cut off.
        match bytes.len() < KEPT {
            true => self.settings.redactor.scrub(&text).into_owned(),
            false => self.settings.redactor.scrub_end(&text),
        }
    }

    /// The last line that says something, for a message.
    fn last_line(&self, bytes: &[u8]) -> String {
        let text = self.text(bytes);
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(excerpt).unwrap_or_default()
    }
}

/// The variables that tell a command which change it makes.
fn own_variables(permit: &Permit) -> BTreeMap<String, String> {
    let key = permit.key();
    [
        ("MRCTL_RUN", key.run.clone()),
        ("MRCTL_STEP", key.step.clone()),
        ("MRCTL_EFFECT", key.effect.clone()),
        ("MRCTL_ATTEMPT", key.attempt.to_string()),
        ("MRCTL_UNDO", if key.undo { "1" } else { "0" }.to_owned()),
        ("MRCTL_IDEMPOTENCY_KEY", permit.idempotency_key()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn with_line(what: String, line: &str) -> String {
    if line.is_empty() { what } else { format!("{what}: {line}") }
}

impl Exec for RealExec {
    fn look<'a>(&'a self, command: &'a Command) -> Answer<'a, Known<Output>> {
        Box::pin(async move {
            match process::run(&self.program(command, BTreeMap::new())).await {
                Ended::NotStarted(why) => Known::Unknown(why),
                Ended::Late { stderr } => {
                    let what = format!("no end within {} ms", command.timeout_ms);
                    Known::Unknown(with_line(what, &self.last_line(&stderr)))
                }
                Ended::Code { code, stdout, stderr } => {
                    Known::Known(Output { code, stdout: self.text(&stdout), stderr: self.text(&stderr) })
                }
            }
        })
    }

    fn run<'a>(&'a self, permit: &'a Permit, command: &'a Command) -> Answer<'a, Reply> {
        Box::pin(async move {
            match process::run(&self.program(command, own_variables(permit))).await {
                Ended::NotStarted(why) => Reply::refused(why),
                Ended::Late { stderr } => {
                    let what = format!("ended after {} ms without a result", command.timeout_ms);
                    Reply::lost(with_line(what, &self.last_line(&stderr)))
                }
                Ended::Code { code: 0, stdout, .. } => {
                    Reply::acknowledged(with_line(ENDED_WELL.into(), &self.last_line(&stdout)))
                }
                Ended::Code { code: NOTHING_DONE, stderr, .. } => Reply::refused(with_line(
                    "exit code 75 (nothing was done)".into(),
                    &self.last_line(&stderr),
                )),
                Ended::Code { code, stderr, .. } => {
                    Reply::lost(with_line(format!("exit code {code}"), &self.last_line(&stderr)))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{IntentKey, Storage as _};
    use secrecy::SecretString;

    fn port() -> RealExec {
        let redactor = Redactor::default();
        redactor.add(&SecretString::from("hunter22"));
        let variables: Variables = Rc::new(|name| match name {
            "PATH" => Some("/usr/bin:/bin".into()),
            "ALLOWED" => Some("yes".into()),
            "FORBIDDEN" => Some("no".into()),
            _ => None,
        });
        RealExec::new(Settings { variables, redactor, environment: "test".into() })
    }

    fn permit() -> Permit {
        let key =
            IntentKey { run: "r1".into(), step: "s1".into(), effect: "e1".into(), attempt: 3, undo: false };
        crate::journal::memory::MemoryJournal::default().append_intent(key, serde_json::Map::new()).unwrap().1
    }

    fn shell(script: &str, timeout_ms: u64) -> Command {
        Command {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: [("OWN".to_owned(), "set".to_owned())].into(),
            pass: vec!["ALLOWED".into()],
            timeout_ms,
        }
    }

    fn run(script: &str, timeout_ms: u64) -> Reply {
        runtime().block_on(async { port().run(&permit(), &shell(script, timeout_ms)).await })
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn only_allowed_variables_and_its_own_reach_a_command() {
        let command = shell("env | sort", 60_000);
        let seen = runtime().block_on(async { port().look(&command).await });
        let text = seen.get().unwrap().stdout.clone();
        assert!(
            text.contains("ALLOWED=yes")
                && text.contains("OWN=set")
                && text.contains("MRCTL_ENVIRONMENT=test")
        );
        assert!(!text.contains("FORBIDDEN"), "{text}");
        let reply = run("echo $MRCTL_RUN/$MRCTL_STEP/$MRCTL_EFFECT/$MRCTL_ATTEMPT/$MRCTL_UNDO", 60_000);
        assert_eq!(reply, Reply::acknowledged("exit code 0: r1/s1/e1/3/0"));
    }

    #[test]
    fn exit_codes_mean_acknowledged_refused_and_lost() {
        assert!(matches!(run("exit 0", 60_000), Reply::Acknowledged { .. }));
        assert_eq!(
            run("echo busy >&2; exit 75", 60_000),
            Reply::refused("exit code 75 (nothing was done): busy")
        );
        assert_eq!(run("echo bad >&2; exit 3", 60_000), Reply::lost("exit code 3: bad"));
        assert_eq!(run("kill -9 $$", 60_000), Reply::lost("exit code 137"));
    }

    #[test]
    fn a_program_that_does_not_exist_did_nothing() {
        let command = Command { argv: vec!["/nonexistent/program".into()], ..shell("", 1_000) };
        let reply = runtime().block_on(async { port().run(&permit(), &command).await });
        assert!(matches!(reply, Reply::Refused { .. }), "{reply:?}");
    }

    #[test]
    fn megabytes_of_output_neither_block_nor_stay() {
        let command = shell("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo the end", 60_000);
        let seen = runtime().block_on(async { port().look(&command).await });
        let output = seen.get().unwrap();
        assert!(output.stdout.len() <= KEPT && output.stdout.ends_with("the end\n"));
    }

    #[test]
    fn a_late_command_dies_with_its_children_and_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let child = folder.path().join("child");
        let script = format!("trap '' TERM; sleep 600 & echo $! >{}; sleep 600", child.display());
        // On a busy machine the first limit may pass before the child is there.
        for limit in [300, 3_000, 30_000] {
            let reply = run(&script, limit);
            let why = format!("ended after {limit} ms");
            assert!(matches!(&reply, Reply::Lost { why: said } if said.contains(&why)), "{reply:?}");
            if let Some(pid) = std::fs::read_to_string(&child).ok().filter(|text| text.ends_with('\n')) {
                let stat = format!("/proc/{}/stat", pid.trim());
                let begun = std::time::Instant::now();
                // A zombie that nobody has waited for yet is dead, too.
                while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
                    assert!(begun.elapsed() < Duration::from_secs(30), "a child lives on");
                    std::thread::sleep(Duration::from_millis(5));
                }
                return;
            }
        }
        panic!("the child was never started");
    }

    #[test]
    fn a_child_that_holds_the_output_does_not_hold_us() {
        let begun = std::time::Instant::now();
        assert!(matches!(run("sleep 100 & echo started", 60_000), Reply::Acknowledged { .. }));
        assert!(begun.elapsed() < Duration::from_secs(50));
    }

    #[test]
    fn secrets_in_output_are_scrubbed() {
        let reply = run("echo key hunter22 refused >&2; exit 1", 60_000);
        assert_eq!(reply, Reply::lost("exit code 1: key [redacted] refused"));
    }
}
