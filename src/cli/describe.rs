//! `mrctl kinds`, `mrctl explain`, `mrctl schema`, `mrctl check`, `mrctl init`: what mrctl knows without connecting.

use super::directions;
use super::setup::{Format, Setup};
use super::wire;
use crate::error::{Code, Problem, Problems, Severity, Sources, render, suggest};
use crate::exit_code::ExitCode;
use crate::plan::runbook_schema;
use crate::runbook::read_runbook;
use crate::step::contract::{KindInfo, Main, Place};
use crate::step::table::KINDS;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
    let mut left_out = Vec::new();
    for file in &args.files {
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
            setup.say(&format!(
                "{} and the inventory: {}, {}",
                count(args.files.len(), "runbook"),
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

/// Lists kinds of steps, or tells everything of one: what it does, what it may touch, rights, undo.
#[derive(Debug, Args)]
pub struct KindsArgs {
    /// The kind.
    kind: Option<String>,
}

/// `mrctl kinds`.
pub fn kinds(setup: &Setup, args: &KindsArgs) -> ExitCode {
    let Some(name) = &args.kind else {
        for kind in KINDS {
            match setup.format {
                Format::Json => setup.data(&json(kind).to_string()),
                Format::Text => setup.data(&format!("{:<26}{}", kind.name, kind.summary)),
            }
        }
        return ExitCode::Completed;
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let close = suggest::closest(name, KINDS.iter().map(|kind| kind.name));
        let help =
            close.map_or_else(|| "see `mrctl kinds`".to_string(), |close| format!("did you mean `{close}`?"));
        return setup.usage(format!("there is no kind `{name}`"), help);
    };
    match setup.format {
        Format::Json => setup.data(&json(kind).to_string()),
        Format::Text => kind_text(kind).lines().for_each(|line| setup.data(line)),
    }
    ExitCode::Completed
}

fn json(kind: &KindInfo) -> serde_json::Value {
    serde_json::json!({
        "name": kind.name, "summary": kind.summary, "changes": kind.changes, "touches": kind.touches, "undo": kind.undo,
        "grants": kind.grants, "version": kind.version,
    })
}

/// A kind's page, in Markdown that also reads well in a terminal.
pub fn kind_text(kind: &KindInfo) -> String {
    let place = match kind.place {
        Place::From => "the region that is left",
        Place::To => "the target region",
        Place::Both => "both regions",
        Place::Others => "every region but source and target",
        Place::All => "every region",
        Place::Nowhere => "between the regions, or nowhere in particular",
    };
    let short = match kind.main {
        Main::None => "none".to_string(),
        Main::Field(field) => format!("`{}: VALUE` fills `{field}`", kind.name),
        Main::Resource(field, resource) => {
            format!("`{}: NAME` fills `{field}`; a list or a group of `{resource}` works too", kind.name)
        }
    };
    let grants = if kind.grants.is_empty() {
        "none".to_string()
    } else {
        kind.grants.iter().map(|grant| format!("\n    {grant};")).collect()
    };
    format!(
        "## {}\n\n{}\n\n- Changes: {}\n- Touches: {}\n- Undo: {}\n- Acts in: {place}\n- Short form: {short}\n- Rights: {grants}\n",
        kind.name,
        kind.summary,
        if kind.changes { "yes" } else { "no, it only looks" },
        kind.touches,
        kind.undo,
    )
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

/// `mrctl init`.
pub fn init(setup: &Setup, args: &InitArgs, files: &[(&str, &str)]) -> ExitCode {
    let mut problems = Problems::new();
    for (name, text) in files {
        let path = args.folder.join(name);
        let made = std::fs::create_dir_all(path.parent().unwrap_or(&args.folder)).and_then(|()| {
            use std::io::Write;
            // Never over what is there.
            std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())
        });
        match made {
            Ok(()) => setup.say(&format!("wrote {}", path.display())),
            Err(error) => {
                problems.push(Problem::error(Code::BadValue, format!("{}: {error}", path.display())));
            }
        }
    }
    setup.problems(&problems, &Sources::new());
    if problems.has_errors() {
        return ExitCode::Invalid;
    }
    setup.say("next: edit mrctl.yaml, then `mrctl check runbooks/*.yaml`");
    ExitCode::Completed
}
