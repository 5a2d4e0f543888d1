//! `mrctl rehearse --replay ID --real`: the counterexample on a lab of its own, by this very program. Whatever the user's inventory names is
//! out of reach: the run gets the lab's inventory, an environment without the user's variables, and a runbook without the user's commands.

use super::replay::Asked;
use super::setup::Setup;
use super::staged_outcome::{Outcome, model_only, told};
use super::wire;
use crate::engine::record::{Choice, Record};
use crate::error::{Problems, Severity, Sources, render};
use crate::exit_code::ExitCode;
use crate::lab::stage::{Director, Stage, ended, how};
use crate::lab::{LabError, Region};
use crate::plan::{Drill, Mode, Plan, Request, build};
use crate::rehearse::alphabet::Mishap;
use crate::rehearse::replay::{Happened, Replayed, Truth, replay as again, shares_in_words};
use crate::rehearse::report::{Counterexample, How, Report, rehearse};
use crate::runbook::discovery::Loaded;
use crate::runbook::{open_inventory, open_runbook};
use crate::step::Class;
use crate::world::dns::RecordName;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long one process of the run may take.
const PROCESS: Duration = Duration::from_secs(180);
/// How long the locks of a process that was killed may be seen.
const LOCKS: Duration = Duration::from_secs(20);

/// Why there is no comparison.
enum Not {
    /// It exists in the model only.
    Possible(String),
    /// Something is wrong that has nothing to do with the runbook.
    Working(String),
}

impl From<LabError> for Not {
    fn from(error: LabError) -> Self {
        Self::Working(error.to_string())
    }
}

/// Causes it, and compares what is true then with what is true in the model.
pub fn staged(
    setup: &Setup,
    asked: &Asked<'_>,
    report: &Report,
    one: &Counterexample,
    plan: &Plan,
) -> ExitCode {
    // Before servers are started.
    if let Err(why) = how(plan, &one.schedule) {
        return model_only(setup, &why);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return setup.fail(&format!("the runtime cannot start: {error}")),
    };
    let outcome = runtime.block_on(on_a_stage(setup, asked, one));
    runtime.shutdown_background();
    match outcome {
        Ok(outcome) => told(setup, report, one, &outcome),
        Err(Not::Possible(why)) => model_only(setup, &why),
        Err(Not::Working(why)) => {
            setup.say(&format!("mrctl: the counterexample could not be staged: {why}"));
            ExitCode::Failed
        }
    }
}

async fn on_a_stage(setup: &Setup, asked: &Asked<'_>, one: &Counterexample) -> Result<Outcome, Not> {
    let text = std::fs::read_to_string(asked.runbook).map_err(|error| Not::Working(error.to_string()))?;
    let program = std::env::current_exe().map_err(|error| Not::Working(error.to_string()))?;
    // Short: the servers make sockets below it, and the path of one has a hundred characters at most.
    let id = uuid::Uuid::now_v7().as_u128() & 0xffff_ffff_ffff;
    let folder = std::env::temp_dir().join(format!("mrctl-stage-{id:012x}"));
    setup.say("a lab is brought up: PostgreSQL, PowerDNS and Redis on this machine");
    // Servers have process groups of their own: whoever presses Ctrl-C must not leave them behind.
    let up = or_stopped(async { Stage::up(&folder, &program).await.map_err(Not::from) }).await;
    let mut stage = match up {
        Ok(stage) => stage,
        Err(not) => {
            // The first error is the one to tell.
            let _gone = std::fs::remove_dir_all(&folder);
            return Err(not);
        }
    };
    let outcome = or_stopped(staged_on(setup, asked, one, &mut stage, &text, &program)).await;
    let down = stage.down().await;
    let outcome = outcome?;
    down?;
    Ok(outcome)
}

/// The same, unless the operator asks to stop.
async fn or_stopped<T>(work: impl Future<Output = Result<T, Not>>) -> Result<T, Not> {
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| Not::Working(error.to_string()))?;
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Not::Working("interrupted".into())),
        _ = terminated.recv() => Err(Not::Working("asked to stop".into())),
    }
}

async fn staged_on(
    setup: &Setup,
    asked: &Asked<'_>,
    one: &Counterexample,
    stage: &mut Stage,
    text: &str,
    program: &Path,
) -> Result<Outcome, Not> {
    stage.write_runbook(text)?;
    let (plan, inventory) = plan(asked, stage).map_err(Not::Possible)?;
    if let Some(stranger) = stage.strangers(&plan).first() {
        return Err(Not::Possible(format!("{stranger} would be run for real")));
    }
    let report = rehearse(&plan, &inventory.inventory, asked.faults, 1);
    let Some(here) = report.counterexamples.into_iter().find(|here| here.id == one.id) else {
        return Err(Not::Possible("it does not come about with what the lab has".into()));
    };
    let hows = how(&plan, &here.schedule).map_err(Not::Possible)?;
    let model = again(&plan, &How::of(&plan, &inventory.inventory, asked.faults, 1), &here)
        .map_err(|differs| Not::Working(differs.to_string()))?;
    let director = stage.open(&plan, to_its_end(&here)).await?;
    let company = Company { setup, asked, stage, program, plan: &plan };
    let said = company.perform(&director, &here).await?;
    let trouble = director.trouble().await;
    director.settle().await?;
    let verdict = ended(&director.records());
    Ok(Outcome {
        faults: one.faults.iter().cloned().zip(hows).collect(),
        commands: plan.effects().any(|(_, _, planned)| planned.action.info().name == "exec"),
        lab: (company.truth(&model, &director).await?, verdict),
        model: (model.truth, model.verdict),
        folder: format!("{}/", stage.commands().display()),
        trouble,
        said,
    })
}

/// A counterexample that is found in the middle of a run ends there.
fn to_its_end(one: &Counterexample) -> Vec<Happened> {
    let mut schedule = one.schedule.clone();
    if !matches!(schedule.last(), Some(Happened::Record(Record::Ended { .. }))) {
        schedule.push(Happened::Mishap(Mishap::Killed));
    }
    schedule
}

/// The plan on the stage, or why its runbook cannot be played there.
fn plan(asked: &Asked<'_>, stage: &Stage) -> Result<(Plan, Loaded), String> {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let wrong = |problems: &Problems, sources: &Sources| {
        let lines = render::lines(problems, sources).into_iter().find(|line| line.contains("error"));
        format!("the lab has not what the runbook names: {}", lines.unwrap_or_default())
    };
    let inventory = open_inventory(&stage.inventory(), None, &mut sources, &mut problems);
    let runbook =
        open_runbook(&stage.runbook(), inventory.as_ref(), &wire::KINDS, &mut sources, &mut problems);
    let (Some(runbook), Some(inventory)) = (runbook, inventory) else {
        return Err(wrong(&problems, &sources));
    };
    let request = Request {
        runbook: &runbook,
        runbook_sha256: wire::sha256([sources.text(runbook.name.span.file)]),
        inventory_sha256: wire::sha256(inventory.files.iter().map(|file| sources.text(*file))),
        inventory: &inventory,
        from: Region::EuWest.name(),
        to: Region::UsEast.name(),
        mode: Mode::Planned,
        drill: Drill::Real,
        parameters: &asked.parameters,
    };
    match build(&request, &mut problems) {
        Some(plan) => Ok((plan, inventory)),
        None => Err(wrong(&problems, &sources)),
    }
}

/// Those who perform: this program, as it would be called.
struct Company<'a> {
    setup: &'a Setup,
    asked: &'a Asked<'a>,
    stage: &'a Stage,
    program: &'a Path,
    plan: &'a Plan,
}

impl Company<'_> {
    fn command(&self, arguments: &[String]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(self.program);
        command
            .args(arguments)
            .arg("--inventory")
            .arg(self.stage.inventory())
            .arg("--state-dir")
            .arg(self.stage.state())
            .env_clear()
            // Stand-ins only: a program that is called by its name is not found.
            .env("PATH", self.stage.commands())
            .env("HOME", "/nonexistent")
            .env("USER", "rehearsal")
            .current_dir(self.stage.lab().layout().root())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// What a run is made from.
    fn run(&self) -> Vec<String> {
        let mut arguments = vec!["--runbook".to_owned(), self.stage.runbook().display().to_string()];
        arguments.extend(["--from", Region::EuWest.name(), "--to", Region::UsEast.name()].map(String::from));
        for (name, value) in &self.asked.parameters {
            arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        arguments
    }

    /// Every approval that the plan could need.
    async fn approvals(&self) -> Result<Vec<String>, Not> {
        let mut arguments = ["drill", "--dry-run", "--output", "json"].map(String::from).to_vec();
        arguments.extend(self.run());
        let output =
            self.command(&arguments).output().await.map_err(|error| Not::Working(error.to_string()))?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut events =
            out.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let digest = events.find_map(|event| event["digest"].as_str().map(String::from));
        let Some(digest) = digest else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Not::Working(format!("the dry run gave no plan: {said}{out}")));
        };
        let mut given = vec!["--yes".to_owned(), "--plan-digest".to_owned(), digest];
        let pivots = self.plan.effects().filter(|(_, _, planned)| planned.effect.class == Class::Pivot);
        for (s, _, _) in pivots {
            given.extend(["--approve".to_owned(), format!("step:{}", self.plan.steps[s].id)]);
        }
        Ok(given)
    }

    /// Every process of the schedule in turn. Gives what the last one said.
    async fn perform(&self, director: &Director, one: &Counterexample) -> Result<String, Not> {
        let approvals = self.approvals().await?;
        let mut said = String::new();
        let (mut begun, mut calm) = (false, false);
        for happened in &one.schedule {
            match happened {
                Happened::Calm => calm = true,
                Happened::Record(Record::Opened { choice, .. }) => {
                    if std::mem::take(&mut calm) {
                        director.calm().await?;
                    }
                    let first = match (begun, choice) {
                        (false, _) => "failover",
                        (true, Choice::RollBack) => "rollback",
                        (true, Choice::Continue | Choice::Leave | Choice::Abandon) => "resume",
                    };
                    begun = true;
                    let mut arguments = [first, "--output", "json"].map(String::from).to_vec();
                    match first {
                        "failover" => arguments.extend(self.run().into_iter().chain(approvals.clone())),
                        "rollback" => arguments.extend(["--reason", "as rehearsed"].map(String::from)),
                        _ => arguments.extend(approvals.clone()),
                    }
                    said = self.process(director, first, &arguments).await?;
                }
                Happened::Record(_) | Happened::Mishap(_) => {}
            }
        }
        Ok(said)
    }

    /// One process, to its end or its death. The locks of one that was killed go when its servers notice.
    async fn process(&self, director: &Director, name: &str, arguments: &[String]) -> Result<String, Not> {
        let begun = tokio::time::Instant::now();
        loop {
            let start = || self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let child = director.begin(start).await.map_err(|error| Not::Working(error.to_string()))?;
            let output = tokio::time::timeout(PROCESS, child.wait_with_output()).await;
            let output = output
                .map_err(|_| Not::Working(format!("{name} has not ended within {} s", PROCESS.as_secs())))?
                .map_err(|error| Not::Working(error.to_string()))?;
            for note in director.notes().await {
                self.setup.say(&format!("  > {}", self.stage.plainly(&note)));
            }
            let code = output.status.code();
            if code == Some(i32::from(ExitCode::Locked.number())) && begun.elapsed() < LOCKS {
                continue;
            }
            self.setup.say(&match code {
                Some(code) => format!("{name}: ended with exit code {code}"),
                None => format!("{name}: killed"),
            });
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Ok(format!("{}{}", text(&output.stdout), text(&output.stderr)));
        }
    }

    /// What is true on the servers themselves.
    async fn truth(&self, model: &Replayed, director: &Director) -> Result<Truth, Not> {
        let mut problems = Problems::new();
        let loaded = open_inventory(&self.stage.direct(), None, &mut Sources::new(), &mut problems);
        let world = match &loaded {
            Some(loaded) => {
                wire::world(loaded, &self.setup.redactor, Severity::Warning, None, &mut problems).await
            }
            None => None,
        };
        let Some(world) = world else {
            return Err(Not::Working("the lab's own inventory cannot be used".into()));
        };
        let mut truth = Truth { marks: director.troupe().marks()?, ..Truth::default() };
        for cluster in model.truth.writable.keys() {
            truth.writable.insert(cluster.clone(), self.stage.writable().await);
        }
        for place in model.truth.shares.keys() {
            let Some((record, server)) = place.split_once(" at ") else { continue };
            let at = RecordName { record: record.to_owned(), server: server.to_owned() };
            let facts = world.dns.look(&at).await;
            let shares = match facts {
                crate::world::Known::Known(facts) => facts.shares,
                crate::world::Known::Unknown(why) => crate::world::Known::Unknown(why),
            };
            truth.shares.insert(place.clone(), shares_in_words(&shares));
        }
        Ok(truth)
    }
}
