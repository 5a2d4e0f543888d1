//! `mrctl failback RUN`: the same runbook the other way, as a planned failover.

use super::certificate::quoted;
use super::failover::{Approved, FailoverArgs, failover};
use super::hold::InSpiteOf;
use super::prepare::{ModeArg, PlanArgs};
use super::readiness::files;
use super::setup::Setup;
use super::wire;
use crate::engine::Verdict;
use crate::error::{Code, Problem, Problems, Sources};
use crate::exit_code::ExitCode;
use crate::plan::{Drill, Mode, Plan};
use crate::runbook::{Loaded, open_runbook};
use crate::store::Run;
use clap::Args;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Goes back to where a finished run came from: its runbook with both regions swapped, as a planned failover, with the consent of one.
#[derive(Debug, Args)]
pub struct FailbackArgs {
    /// The run.
    run: String,
    /// The runbook; that of the run is found beside the inventory if not given.
    #[arg(long, value_name = "FILE")]
    runbook: Option<PathBuf>,
    /// Why: for the journal, and needed soon after the run, or where the runbook was changed since.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Look at everything, change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    in_spite_of: InSpiteOf,
    #[command(flatten)]
    approved: Approved,
}

/// `mrctl failback`.
pub async fn failback(setup: &Setup, args: FailbackArgs) -> ExitCode {
    let run = match setup.store().and_then(|store| store.find(&args.run).and_then(|id| store.read(&id))) {
        Ok(run) => run,
        Err(error) => return setup.fail(&error.to_string()),
    };
    if let Err(code) = finished(setup, &run) {
        return code;
    }
    let plan = &run.plan;
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    let runbook = match runbook(setup, &run, args.runbook.as_deref(), reason) {
        Ok(runbook) => runbook,
        Err(code) => return code,
    };
    let given: Vec<String> = plan.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let set = PlanArgs {
        runbook,
        from: Some(plan.to.clone()),
        to: Some(plan.from.clone()),
        set: given,
        mode: ModeArg::Planned,
    };
    let turned = Plan { from: plan.to.clone(), to: plan.from.clone(), mode: Mode::Planned, ..plan.clone() };
    setup.say(&format!("failback of run {}: {}", args.run, set.invocation(&turned)));
    let why = (args.reason, args.in_spite_of);
    failover(setup, FailoverArgs::of(set, args.approved, args.dry_run, why)).await
}

fn refuse(setup: &Setup, code: Code, why: String, help: String) -> ExitCode {
    let mut problems = Problems::new();
    problems.push(Problem::error(code, format!("refused: {why}")).help(help));
    setup.problems(&problems, &Sources::new());
    ExitCode::Refused
}

/// Only what was moved can be moved back.
fn finished(setup: &Setup, run: &Run) -> Result<(), ExitCode> {
    let plan = &run.plan;
    let said = match run.state.verdict {
        Some(Verdict::Completed) if plan.drill == Drill::Real => return Ok(()),
        Some(Verdict::Completed) => "it was a drill".to_string(),
        _ if run.open() => format!("it is {}", run.word().replace('_', " ")),
        _ => format!("it ended as {}", run.word().replace('_', " ")),
    };
    let help = match run.open() {
        true => "end it first: mrctl resume, mrctl rollback or mrctl abandon".to_string(),
        false => format!(
            "look with `mrctl status` at what is so now, and move it with `mrctl failover --from {} --to {}`",
            plan.to, plan.from
        ),
    };
    Err(refuse(setup, Code::NothingToGoBackFrom, format!("run {} did not complete: {said}", run.id), help))
}

/// The runbook of the run, as it was or, with a reason, as it is now.
fn runbook(setup: &Setup, run: &Run, given: Option<&Path>, reason: &str) -> Result<PathBuf, ExitCode> {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = setup.load_inventory(given, &mut sources, &mut problems);
    let Some(loaded) = loaded else {
        setup.problems(&problems, &sources);
        return Err(ExitCode::Invalid);
    };
    let plan = &run.plan;
    let candidates = given.map_or_else(|| files(&loaded.folder), |path| vec![path.to_path_buf()]);
    let read: Vec<Candidate> = candidates.iter().filter_map(|path| Candidate::read(path, &loaded)).collect();
    let same = read.iter().find(|one| one.sha256 == plan.runbook_sha256);
    if let Some(same) = same {
        return match same.directed {
            true => Err(mirrored(setup, run, same)),
            false => Ok(same.path.clone()),
        };
    }
    let Some(changed) = read.iter().find(|one| given.is_some() || one.name == plan.runbook) else {
        let why = match given {
            Some(path) => format!("{} cannot be read as a runbook", path.display()),
            None => format!("the runbook {} is not beside the inventory", plan.runbook),
        };
        let help = "give it with --runbook".to_string();
        return Err(refuse(setup, Code::RunbookChanged, why, help));
    };
    if reason.is_empty() {
        let why = format!(
            "{} is not as it was when run {} was made: its SHA-256 was {}, is {}",
            changed.path.display(),
            run.id,
            plan.runbook_sha256,
            changed.sha256
        );
        let help = "compare them, and say with --reason why the changed one is right".to_string();
        return Err(refuse(setup, Code::RunbookChanged, why, help));
    }
    if changed.directed && given.is_none() {
        return Err(mirrored(setup, run, changed));
    }
    setup.say(&format!(
        "warning: {} was changed since; gone on with for the reason given",
        changed.path.display()
    ));
    Ok(changed.path.clone())
}

/// A file that may be the runbook.
struct Candidate {
    path: PathBuf,
    text: String,
    sha256: String,
    name: String,
    /// Whether it names regions, so that it does not serve the other direction as it is.
    directed: bool,
}

impl Candidate {
    fn read(path: &Path, loaded: &Loaded) -> Option<Self> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let runbook = open_runbook(path, Some(loaded), &wire::KINDS, &mut sources, &mut problems)?;
        let text = sources.text(runbook.name.span.file).to_string();
        let directed = problems.iter().any(|problem| problem.code == Code::LiteralRegion);
        let sha256 = wire::sha256([text.as_str()]);
        Some(Self { path: path.to_path_buf(), sha256, name: runbook.name.value.clone(), directed, text })
    }
}

/// A runbook that names regions is not turned around unseen: its mirror is written for a person to read.
fn mirrored(setup: &Setup, run: &Run, runbook: &Candidate) -> ExitCode {
    let (from, to) = (&run.plan.from, &run.plan.to);
    let path = run.folder.join("failback.yaml");
    // What a person has mended already is not written over.
    let written = std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(swapped(&runbook.text, from, to).as_bytes()));
    if let Err(error) = written.or_else(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    }) {
        return setup.fail(&format!("{}: {error}", path.display()));
    }
    let why = format!(
        "{} names regions: whether it serves the way back, a person has to see; a copy with both swapped is in {}",
        runbook.path.display(),
        path.display()
    );
    let help = format!(
        "read it, mend it if it needs that, and run it: mrctl failback {} --runbook {} --reason …",
        run.id,
        quoted(&path.display().to_string())
    );
    refuse(setup, Code::RunbookChanged, why, help)
}

/// The text with two names swapped where each is a word of its own.
fn swapped(text: &str, one: &str, other: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    let end = |word: &mut String, out: &mut String| {
        match word.as_str() {
            it if it == one => out.push_str(other),
            it if it == other => out.push_str(one),
            it => out.push_str(it),
        }
        word.clear();
    };
    for c in text.chars() {
        if part(c) {
            word.push(c);
        } else {
            end(&mut word, &mut out);
            out.push(c);
        }
    }
    end(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::swapped;

    #[test]
    fn names_are_swapped_where_they_are_words() {
        let text = "in: eu-west # not eu-west-1\nto: [us-east,eu-west]\n";
        assert_eq!(
            swapped(text, "eu-west", "us-east"),
            "in: us-east # not eu-west-1\nto: [eu-west,us-east]\n"
        );
    }
}
