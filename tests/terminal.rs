//! What a person meets at a terminal: questions, refused answers, Ctrl-C, a window that is closed. The program itself runs in a
//! pseudo-terminal, on real servers.

mod pause;

use crate::lab::{Folder, lab, program};
use crate::support::pg::until;
use crate::support::picture::svg;
use crate::support::terminal::{Lines, Terminal};
use mrctl::lab::{Fault, Lab, Load, LoadOptions, Region, Role};
use std::path::PathBuf;
use std::process::Command;

/// The shipped runbook.
const RUNBOOK: &str = include_str!("../runbooks/postgres-planned-failover.yaml");

/// Two regions and a person at a terminal.
struct Desk {
    lab: Lab,
    folder: Folder,
}

impl Desk {
    async fn up() -> Self {
        let (lab, folder) = lab().await;
        Self { lab, folder }
    }

    fn runbook(&self, text: &str) -> String {
        let path = self.folder.path().join("runbook.yaml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A file that a step makes or waits for.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("--inventory").arg(self.lab.inventory());
        command.arg("--state-dir").arg(self.folder.path().join("state-of-tests"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("USER", "ada");
        command.env("LANG", "C.UTF-8").env("TERM", "xterm-256color");
        command
    }

    fn failover(&self, runbook: &str) -> Terminal {
        Terminal::start(self.command(&["failover", "--runbook", runbook]), 24, 80)
    }

    /// Whether new transactions of the application can write there.
    async fn writable(&self, region: Region) -> bool {
        let Ok(session) = self.lab.connect(region, Role::App).await else { return false };
        session.simple_query("CREATE TEMP TABLE probe_of_the_test (n int)").await.is_ok()
    }
}

/// Whether every text stands there, in this order.
fn in_order(lines: &Lines, texts: &[&str]) {
    let all = lines.text();
    let mut rest = all.as_str();
    for text in texts {
        let Some(at) = rest.find(text) else { panic!("{text:?} is missing, or not in its place, in\n{all}") };
        rest = &rest[at + text.len()..];
    }
}

/// What is there to be copied (a path, a command) is never broken by us, and may be longer than the terminal. Looked at from the header on:
/// before it stand warnings of the check.
fn nothing_wraps(lines: &Lines) {
    let header = lines.lines.iter().position(|line| line.contains("eu-west → us-east")).unwrap();
    let copied = |line: &str| line.starts_with('/') || line.contains("ALTER SYSTEM");
    // A path may fill several.
    let mut goes_on = None;
    let wrong = lines.wrapped.iter().filter(|(row, line)| {
        let fine = copied(line) || goes_on == Some(*row);
        goes_on = fine.then_some(row + 1);
        *row > header && !fine
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "too long: {wrong:#?}\n{}", lines.text());
}

const CONSENT: &str = "to go on, type us-east; to stop, type no:";
const PAUSED: &str = "type continue, roll back or leave:";

/// A step that changes something as slowly as the test wants, and one that is taken back as slowly.
fn gate(desk: &Desk) -> String {
    let file = |name: &str| desk.file(name).display().to_string();
    let (start, go, applied) = (file("start"), file("go"), file("applied"));
    let (undo, back) = (file("undo"), file("back"));
    let wait = |gate: &str| format!("while [ ! -e {gate} ]; do sleep 0.02; done");
    format!(
        "  - id: gate\n    exec:\n      command: [sh, -c, 'touch {start}; {}; touch {applied}']\n      effect: opens the gate\n      \
         look: [test, -e, {applied}]\n      undo: [sh, -c, 'touch {undo}; {}; rm {applied}']\n",
        wait(&go),
        wait(&back)
    )
}

/// The gate, then the writer.
fn slow_runbook(desk: &Desk) -> String {
    let steps = "  - id: freeze\n    postgres.freeze: orders\n  - id: catch_up\n    postgres.catch_up: orders\n    \
                 timeout: 50s\n  - id: promote\n    postgres.promote: orders\n";
    desk.runbook(&format!("mrctl: 1\nname: slow\ntitle: Slow\nsteps:\n{}{steps}", gate(desk)))
}

impl Desk {
    fn open(&self, gate: &str) {
        std::fs::write(self.file(gate), "").unwrap();
    }

    async fn made(&self, name: &str) {
        let path = self.file(name);
        until(name, async || path.exists().then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_finishes_the_effect_then_asks_and_a_rollback_lets_writes_go_on() {
    let desk = Desk::up().await;
    desk.lab.inflict(Fault::Receiver).await.unwrap();
    let mut terminal = desk.failover(&slow_runbook(&desk));
    desk.made("start").await;
    terminal.interrupt();
    terminal.wait_for("SIGINT", 1);
    assert!(!desk.file("applied").exists() && !terminal.lines().text().contains(PAUSED));
    desk.open("go");
    terminal.wait_for(PAUSED, 1);
    assert!(desk.file("applied").exists(), "the effect in flight was not finished");
    // Whoever goes on is not stopped again by the same key.
    terminal.type_line("continue");
    terminal.wait_for(CONSENT, 1);
    terminal.type_line("us-east");
    until("frozen", async || (!desk.writable(Region::EuWest).await).then_some(())).await;
    terminal.wait_for("✓ Freeze writes", 1);
    terminal.interrupt();
    terminal.wait_for(PAUSED, 2);
    assert!(!desk.writable(Region::EuWest).await, "a pause changes nothing");
    desk.open("back");
    terminal.type_line("roll back");
    assert_eq!(terminal.ended(), 3, "{}", terminal.lines().text());
    assert!(desk.writable(Region::EuWest).await, "frozen after a rollback");
    assert!(!desk.file("applied").exists());
    let lines = terminal.lines();
    in_order(&lines, &["SIGINT", PAUSED, CONSENT, PAUSED, "ROLLED BACK  exit code 3", "writes: eu-west"]);
    // The `^C` that the terminal shows does not leave pieces of what moves behind.
    assert!(!lines.text().contains(['◐', '◑', '◒', '◓']), "{}", lines.text());
    nothing_wraps(&lines);
    desk.lab.heal(Fault::Receiver).await.unwrap();
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_at_a_question_withdraws_it() {
    let desk = Desk::up().await;
    // Before any change there is nothing to decide: the run ends.
    let mut terminal = desk.failover(&desk.runbook(RUNBOOK));
    terminal.wait_for("done? y or n:", 1);
    terminal.interrupt();
    assert_eq!(terminal.ended(), 5, "{}", terminal.lines().text());
    in_order(&terminal.lines(), &["done? y or n:", "no longer asked", "REFUSED  exit code 5"]);
    // After one there is; and whoever presses it again wants to leave.
    desk.open("go");
    let mut terminal = desk.failover(&slow_runbook(&desk));
    terminal.wait_for(CONSENT, 1);
    terminal.interrupt();
    terminal.wait_for(PAUSED, 1);
    terminal.interrupt();
    assert_eq!(terminal.ended(), 4, "{}", terminal.lines().text());
    in_order(
        &terminal.lines(),
        &[CONSENT, "no longer asked", PAUSED, "no longer asked", "PAUSED  exit code 4"],
    );
    desk.open("back");
    let mut terminal = Terminal::start(desk.command(&["rollback"]), 24, 80);
    assert_eq!(terminal.ended(), 3, "{}", terminal.lines().text());
    assert!(desk.writable(Region::EuWest).await && !desk.file("applied").exists());
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_during_a_rollback_does_not_leave_it_half_done() {
    let desk = Desk::up().await;
    desk.open("go");
    let mut terminal = desk.failover(&slow_runbook(&desk));
    terminal.wait_for(CONSENT, 1);
    terminal.type_line("no");
    desk.made("undo").await;
    terminal.interrupt();
    terminal.wait_for("SIGINT", 1);
    desk.open("back");
    assert_eq!(terminal.ended(), 3, "{}", terminal.lines().text());
    assert!(!desk.file("applied").exists());
    in_order(&terminal.lines(), &["SIGINT", "ROLLED BACK  exit code 3"]);
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_closed_at_a_question_pauses_the_run_and_resume_ends_it() {
    let desk = Desk::up().await;
    let steps = "  - id: freeze\n    postgres.freeze: orders\n  - id: catch_up\n    postgres.catch_up: orders\n  - id: promote\n    \
                 postgres.promote: orders\n  - id: people\n    checklist:\n      items: [The users are back]\n";
    let text = format!("mrctl: 1\nname: closed\ntitle: Closed\nsteps:\n{}{steps}", gate(&desk));
    desk.open("go");
    let mut terminal = desk.failover(&desk.runbook(&text));
    terminal.wait_for(CONSENT, 1);
    terminal.close();
    // Something was changed, so it is neither refused nor taken back over the head of whoever comes next.
    assert_eq!(terminal.ended(), 4);
    assert!(desk.file("applied").exists());
    let mut terminal = Terminal::start(desk.command(&["resume"]), 24, 80);
    terminal.wait_for(CONSENT, 1);
    terminal.type_line("us-east");
    terminal.wait_for("done? y or n:", 1);
    terminal.close();
    assert_eq!(terminal.ended(), 4);
    let mut terminal = Terminal::start(desk.command(&["resume"]), 24, 80);
    terminal.wait_for("done? y or n:", 1);
    terminal.type_line("y");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    assert_eq!(desk.lab.primary().await.unwrap(), Region::UsEast);
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_prints_without_end_floods_neither_the_screen_nor_the_memory() {
    let desk = Desk::up().await;
    let (printed, go) = (desk.file("printed"), desk.file("go"));
    // Ten thousand lines, then 200 MB in one line.
    let script = format!(
        "seq -f 'line %g of many' 10000; head -c 200000000 /dev/zero | tr '\\0' x; touch {}; while [ ! -e {} ]; do sleep 0.02; done",
        printed.display(),
        go.display()
    );
    let text = format!(
        "mrctl: 1\nname: loud\ntitle: Loud\nsteps:\n  - id: loud\n    exec:\n      command: [sh, -c, {}]\n      effect: prints\n",
        serde_json::to_string(&script).unwrap()
    );
    let mut terminal = desk.failover(&desk.runbook(&text));
    desk.made("printed").await;
    let most = terminal.peak_memory_kib();
    assert!(most < 150_000, "{most} KiB");
    desk.open("go");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    let lines = terminal.lines();
    assert!(lines.lines.len() < 60, "{}", lines.text());
    assert!(terminal.written() < 100_000, "{} bytes", terminal.written());
    nothing_wraps(&lines);
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_say_when_a_question_waits_at_the_terminal() {
    let desk = Desk::up().await;
    let events = desk.file("events.jsonl");
    let runbook = desk.runbook(RUNBOOK);
    let command = desk.command(&["failover", "--output", "json", "--runbook", &runbook]);
    let mut terminal = Terminal::start_into(command, 24, 80, std::fs::File::create(&events).unwrap());
    terminal.wait_for("done? y or n:", 1);
    let waiting = until("the event", async || {
        let text = std::fs::read_to_string(&events).unwrap();
        let events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.into_iter().find(|event| event["event"] == "waiting")
    });
    let waiting = waiting.await;
    assert_eq!(waiting["text"], "The incident channel is open");
    let status = desk.command(&["status"]).output().unwrap();
    let driven = format!("running, process {} drives it", terminal.process());
    let told = String::from_utf8(status.stdout).unwrap();
    assert!(told.contains(&driven) && !told.contains("mrctl resume"), "{told}");
    assert_eq!(waiting["answers"], serde_json::json!(["y", "n"]));
    assert_eq!(waiting["beforehand"][0], "--approve role:commander");
    terminal.type_line("n");
    assert_eq!(terminal.ended(), 5, "{}", terminal.lines().text());
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_vanishes_without_a_signal_is_no_answer_either() {
    let desk = Desk::up().await;
    desk.open("go");
    let (runbook, code) = (slow_runbook(&desk), desk.file("code"));
    let mrctl = desk.command(&["failover", "--runbook", &runbook]);
    // As under a shell: the hangup goes to the leader of the session alone, and mrctl only finds that nobody can be read any more.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; \"$@\"; echo $? > \"$CODE\"", "sh"]).arg(mrctl.get_program());
    shell.args(mrctl.get_args()).env_clear().env("CODE", &code);
    shell.envs(mrctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = Terminal::start(shell, 24, 80);
    terminal.wait_for(CONSENT, 1);
    terminal.close();
    let code = until("the exit code", async || {
        std::fs::read_to_string(&code).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(code.await.trim(), "4");
    assert!(desk.file("applied").exists(), "taken back, though nobody said so");
    let runs = std::fs::read_dir(desk.folder.path().join("state-of-tests/runs")).unwrap();
    let journal =
        std::fs::read_to_string(runs.flatten().next().unwrap().path().join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"how\":\"gone\""), "it was a signal after all: {journal}");
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_columns_without_colour_are_enough() {
    let desk = Desk::up().await;
    let mut command = desk.command(&["failover", "--runbook", &desk.runbook(RUNBOOK)]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 24, 40);
    terminal.wait_for("done? y or n:", 1);
    terminal.type_line("y");
    terminal.wait_for("done? y or n:", 2);
    terminal.type_line("y");
    terminal.wait_for("type no:", 1);
    terminal.type_line("us-east");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    let lines = terminal.lines();
    in_order(&lines, &["Move orders", "Promote orders", "COMPLETED  exit code 0", "writes: us-east"]);
    nothing_wraps(&lines);
    assert!(!terminal.coloured());
    desk.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_asks_refuses_a_wrong_consent_and_ends_with_a_summary_that_can_be_read() {
    let desk = Desk::up().await;
    let mut terminal = desk.failover(&desk.runbook(RUNBOOK));
    terminal.wait_for("done? y or n:", 1);
    terminal.type_line("y");
    terminal.wait_for("done? y or n:", 2);
    terminal.type_line("y");
    terminal.wait_for(CONSENT, 1);
    terminal.type_line("eu-west");
    terminal.wait_for(CONSENT, 2);
    assert!(desk.writable(Region::EuWest).await, "frozen before consent was given");
    terminal.type_line("us-east");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    let lines = terminal.lines();
    in_order(
        &lines,
        &[
            "Move orders from eu-west to us-east",
            "The incident channel is open",
            "Support has been told",
            "that is not us-east; nothing was changed",
            "Promote orders in us-east",
            "certificate good for",
            "sent to ops (200",
            "COMPLETED  exit code 0",
            "writes stopped",
            "writes: us-east",
            "undo: not possible",
            "mrctl audit show",
        ],
    );
    nothing_wraps(&lines);
    assert!(terminal.coloured());
    desk.lab.down().await.unwrap();
}

/// Not a test of the program: `scripts/picture` draws the picture of the README with it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "draws a picture; run scripts/picture"]
async fn the_picture_of_the_readme() {
    let desk = Desk::up().await;
    let typed = ["failover", "--runbook", "runbooks/postgres-planned-failover.yaml"];
    // Short, so that the path of the journal fits into a line.
    let state = tempfile::Builder::new().prefix("mrctl-").tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(typed).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.env("MRCTL_INVENTORY", desk.lab.inventory()).env("MRCTL_STATE_DIR", state.path());
    command
        .env("PATH", "/usr/bin:/bin")
        .env("USER", "ada")
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm-256color");
    let load = Load::start(&desk.lab, &LoadOptions::default()).unwrap();
    load.wait_for(30, std::time::Duration::from_secs(30)).await.unwrap();
    let mut terminal = Terminal::start(command, 90, 80);
    for answer in 1..=2 {
        terminal.wait_for("done? y or n:", answer);
        terminal.type_line("y");
    }
    terminal.wait_for(CONSENT, 1);
    terminal.type_line("us-east");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    let typed = format!("mrctl {}", typed.join(" "));
    let title = "A planned failover of the lab, from the first question to the verdict";
    let picture = terminal.with_screen(|screen| svg(screen, &typed, "Move orders from", title));
    assert!(picture.len() < 60_000, "{} bytes", picture.len());
    if let Some(path) = std::env::var_os("MRCTL_PICTURE") {
        std::fs::write(path, picture).unwrap();
    }
    load.stop().await.unwrap();
    desk.lab.down().await.unwrap();
}
