//! `mrctl explain`, `mrctl schema`, `mrctl check`, `mrctl init`: what mrctl knows without connecting.

use super::directions;
use super::setup::{Format, Setup};
use super::wire;
use crate::error::{Code, Problem, Problems, Severity, Sources, render};
use crate::exit_code::ExitCode;
use crate::plan::runbook_schema;
use crate::runbook::read_runbook;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Checks runbooks and inventory without connecting to anything, and reports all problems at once.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Runbooks; with none, only the inventory is checked.
    files: Vec<PathBuf>,
}

/// `mrctl check`.
pub fn check(setup: &Setup, args: CheckArgs) -> ExitCode {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let first = args.files.first().map(PathBuf::as_path);
    let inventory = setup.load_inventory(first, &mut sources, &mut problems);
    let found = !sources.is_empty();
    let mut left_out = Vec::new();
    // `runbooks/*.yaml` also names an inventory that lies there: it is checked as what it is.
    let whole = |path: &Path| path.canonicalize().ok();
    let own = inventory.as_ref().and_then(|loaded| loaded.files.first());
    let own = own.and_then(|file| whole(Path::new(sources.path(*file))));
    let runbooks: Vec<&PathBuf> =
        args.files.iter().filter(|file| own.is_none() || whole(file) != own).collect();
    for file in &runbooks {
        let read = read_runbook(file, inventory.as_ref(), &wire::KINDS, &mut sources, &mut problems);
        let (Some(draft), Some(loaded)) = (read, &inventory) else { continue };
        left_out.extend(directions::plan_each(&draft.runbook, loaded, &mut problems));
    }
    match setup.format {
        Format::Json => setup.data(&render::json(&problems, &sources).to_string()),
        Format::Text => {
            setup.problems_in_full(&problems, &sources);
            left_out.sort();
            left_out.dedup();
            left_out.iter().for_each(|note: &String| setup.say(note));
            // Only those that are kept: beyond a bound they are counted and no longer listed.
            let warnings = problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
            let count = |number: usize, what: &str| match number {
                0 => format!("no {what}s"),
                1 => format!("1 {what}"),
                more => format!("{more} {what}s"),
            };
            let inventory = inventory.as_ref().and_then(|loaded| loaded.files.first());
            let inventory = inventory.map_or_else(
                || if found { "an inventory that cannot be read" } else { "no inventory" }.into(),
                |file| format!("the inventory {}", sources.path(*file)),
            );
            setup.say(&format!(
                "{} and {inventory}: {}, {}",
                count(runbooks.len(), "runbook"),
                count(problems.errors(), "error"),
                count(warnings, "warning")
            ));
        }
    }
    if problems.has_errors() { ExitCode::Invalid } else { ExitCode::Completed }
}

/// Which schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Of runbooks.
    Runbook,
    /// Of inventories.
    Inventory,
}

/// Prints the JSON Schema of runbooks or inventories, for editors.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which.
    #[arg(value_enum)]
    of: SchemaOf,
}

/// The text of a schema.
pub fn schema_text(of: SchemaOf) -> String {
    let schema = match of {
        SchemaOf::Runbook => runbook_schema(),
        SchemaOf::Inventory => crate::runbook::schema::inventory(),
    };
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

/// `mrctl schema`.
pub fn schema(setup: &Setup, args: &SchemaArgs) -> ExitCode {
    setup.data(&schema_text(args.of));
    ExitCode::Completed
}

/// Explains an error code.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Such as MR0101.
    code: String,
}

/// `mrctl explain`.
pub fn explain(setup: &Setup, args: &ExplainArgs) -> ExitCode {
    match args.code.to_ascii_uppercase().parse::<Code>() {
        Ok(code) => {
            code.page().trim_end().lines().for_each(|line| setup.data(line));
            ExitCode::Completed
        }
        Err(error) => setup.usage(error.to_string(), "codes look like MR0101"),
    }
}

/// Writes a commented inventory and runbook to begin with.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder; made if it is not there.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// The text without the line that names its schema for editors: the schema lies in mrctl's repository, not beside what is written.
fn without_modeline(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("# yaml-language-server:") => {
            rest.strip_prefix("#\n").unwrap_or(rest)
        }
        _ => text,
    }
}

/// `mrctl init`.
pub fn init(setup: &Setup, args: &InitArgs, files: &[(&str, &str)]) -> ExitCode {
    let mut problems = Problems::new();
    for (name, text) in files {
        let path = args.folder.join(name);
        let made = std::fs::create_dir_all(path.parent().unwrap_or(&args.folder)).and_then(|()| {
            use std::io::Write;
            // Never over what is there.
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(without_modeline(text).as_bytes())
        });
        match made {
            Ok(()) => setup.say(&format!("wrote {}", path.display())),
            Err(error) => {
                let problem = Problem::error(Code::BadValue, format!("{}: {error}", path.display()));
                problems.push(problem.help("give another folder: nothing is written over what is there"));
            }
        }
    }
    setup.problems(&problems, &Sources::new());
    if problems.has_errors() {
        return ExitCode::Invalid;
    }
    setup.say("next: edit mrctl.yaml, then `mrctl check runbooks/*.yaml`; `mrctl schema` prints what an editor completes from");
    ExitCode::Completed
}
