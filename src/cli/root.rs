//! The command line: definition and dispatch.

use super::setup::{Format, Setup};
use super::{
    abandon, describe, dry_run, failback, failover, folders, haproxy, heartbeat, history, kinds, lab,
    rehearse, rehearse_live, resume, status, step, wire,
};
use crate::exit_code::ExitCode;
use crate::output::streams::{ColourChoice, Output, reads_utf8};
use crate::redact::Redactor;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;

/// The shipped runbooks, also copied into every lab.
pub const RUNBOOKS: &[(&str, &str)] = &[
    ("postgres-planned-failover.yaml", include_str!("../../runbooks/postgres-planned-failover.yaml")),
    ("template.yaml", include_str!("../../runbooks/template.yaml")),
];

/// What `mrctl init` writes.
const INIT: &[(&str, &str)] = &[
    ("mrctl.yaml", include_str!("../../runbooks/mrctl.yaml")),
    (
        "runbooks/postgres-planned-failover.yaml",
        include_str!("../../runbooks/postgres-planned-failover.yaml"),
    ),
    (
        "runbooks/postgres-shutdown-failover.yaml",
        include_str!("../../runbooks/postgres-shutdown-failover.yaml"),
    ),
    ("runbooks/postgres-failover.yaml", include_str!("../../runbooks/postgres-failover.yaml")),
    ("runbooks/postgres-reprotect.yaml", include_str!("../../runbooks/postgres-reprotect.yaml")),
    ("runbooks/dns-drain.yaml", include_str!("../../runbooks/dns-drain.yaml")),
    ("runbooks/template.yaml", include_str!("../../runbooks/template.yaml")),
];

const AFTER: &str = "Exit codes: 0 completed, 1 failed, 2 invalid, 3 rolled back, 4 paused, 5 refused, 6 unknown, \
7 rollback failed, 8 locked, 9 journal failed, 10 not ready.";

/// Executes regional failovers from a YAML runbook that reads like a pilot's checklist.
#[derive(Debug, Parser)]
#[command(name = "mrctl", version, after_help = AFTER, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory.
    #[arg(long, global = true, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given.
    #[arg(long, global = true, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given.
    #[arg(long, global = true, value_name = "FOLDER")]
    mirror_dir: Option<PathBuf>,
    /// For people or for programs.
    #[arg(long, global = true, value_enum, default_value = "text")]
    output: Format,
    /// Whether to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Execute a runbook: move an application from one region to another.
    Failover(failover::FailoverArgs),
    /// Go back to where a finished run came from.
    Failback(failback::FailbackArgs),
    /// Practise a runbook; with --dry-run look at everything and change nothing.
    Drill(dry_run::DrillArgs),
    /// Try every way in which a runbook can go wrong, in a simulated world.
    Rehearse(rehearse::RehearseArgs),
    /// Tell what is true now: regions, resources, open runs.
    Status,
    Heartbeat(heartbeat::HeartbeatArgs),
    /// Go on with an open run.
    Resume(resume::ResumeArgs),
    /// Take back what an open run changed; only before a promotion.
    Rollback(resume::RollbackArgs),
    /// Decide about one step of a run that stands still.
    Step(step::StepArgs),
    /// Close an open run as it is.
    Abandon(abandon::AbandonArgs),
    /// List runs.
    Runs,
    /// Read the journal of a run.
    Audit(history::AuditArgs),
    /// Copy a run into one file, for another host.
    Export(history::ExportArgs),
    /// Bring an exported run here.
    Import(history::ImportArgs),
    /// Check runbooks and inventory without connecting.
    Check(describe::CheckArgs),
    /// List kinds of steps, or tell everything of one.
    Kinds(kinds::KindsArgs),
    /// Explain an error code.
    Explain(describe::ExplainArgs),
    /// Print a JSON Schema, for editors.
    Schema(describe::SchemaArgs),
    /// Write a commented inventory and runbooks to begin with.
    Init(describe::InitArgs),
    /// Keep users from a server at HAProxy, or tell whether they are: for `fence` and `fenced` of a member.
    Haproxy(haproxy::HaproxyArgs),
    /// Two real regions on this machine.
    Lab(lab::LabArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    crate::world::real::tls::install_provider();
    let setup = setup(cli.global);
    quiet_panics(setup.redactor.clone());
    let code = match cli.command {
        Command::Haproxy(args) => with_runtime(&setup, async |setup| haproxy::haproxy(setup, args).await)
            .unwrap_or_else(ExitCode::number),
        command => run(&setup, command).number(),
    };
    // Streams are written by threads of their own, so that a stalled terminal cannot stall a failover.
    setup.output.drain(std::time::Duration::from_secs(2));
    std::process::ExitCode::from(code)
}

/// A panic is a bug, and its message may quote what it fell over.
fn quiet_panics(redactor: Redactor) {
    std::panic::set_hook(Box::new(move |panic| {
        // Straight to the stream: the thread that writes it may be the one that panics, and nothing is left to tell of a failure.
        let _closed = writeln!(std::io::stderr(), "mrctl: {}", redactor.scrub(&panic.to_string()));
    }));
}

fn run(setup: &Setup, command: Command) -> ExitCode {
    match command {
        // These need no runtime: they answer at once.
        Command::Check(args) => describe::check(setup, args),
        Command::Kinds(args) => kinds::kinds(setup, &args),
        Command::Rehearse(args) if !args.from_live => rehearse::rehearse(setup, &args),
        Command::Explain(args) => describe::explain(setup, &args),
        Command::Schema(args) => describe::schema(setup, &args),
        Command::Init(args) => describe::init(setup, &args, INIT),
        Command::Runs => history::runs(setup),
        Command::Audit(args) => history::audit(setup, args),
        Command::Export(args) => history::export(setup, args),
        Command::Import(args) => history::import(setup, args),
        Command::Completions { shell } => {
            setup.data(completions(shell).trim_end());
            ExitCode::Completed
        }
        Command::Man => {
            setup.data(man().trim_end());
            ExitCode::Completed
        }
        command => {
            with_runtime(setup, async |setup| connected(setup, command).await).unwrap_or_else(|code| code)
        }
    }
}

fn with_runtime<T>(setup: &Setup, what: impl AsyncFnOnce(&Setup) -> T) -> Result<T, ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| setup.fail(&format!("the runtime cannot start: {error}")))?;
    let done = runtime.block_on(what(setup));
    // Connections that never answered must not keep the process.
    runtime.shutdown_background();
    Ok(done)
}

async fn connected(setup: &Setup, command: Command) -> ExitCode {
    match command {
        Command::Failover(args) => failover::failover(setup, args).await,
        Command::Failback(args) => failback::failback(setup, args).await,
        Command::Drill(args) => dry_run::drill(setup, args).await,
        Command::Status => status::status(setup).await,
        Command::Rehearse(args) => rehearse_live::rehearse(setup, &args).await,
        Command::Heartbeat(args) => heartbeat::heartbeat(setup, args).await,
        Command::Resume(args) => resume::resume(setup, args).await,
        Command::Rollback(args) => resume::rollback(setup, args).await,
        Command::Step(args) => step::step(setup, args).await,
        Command::Abandon(args) => abandon::abandon(setup, args).await,
        Command::Lab(args) => lab(setup, args).await,
        _ => ExitCode::Invalid,
    }
}

async fn lab(setup: &Setup, args: lab::LabArgs) -> ExitCode {
    let mut out = std::io::stdout();
    let demonstrate = async |lab: &crate::lab::Lab| demonstrate(setup, lab).await;
    match lab::run(args, RUNBOOKS, &mut out, demonstrate).await {
        Ok(true) => ExitCode::Completed,
        Ok(false) => ExitCode::Failed,
        Err(error) => {
            setup.say(&format!("mrctl lab: {error}"));
            ExitCode::Failed
        }
    }
}

/// The failover that the demonstration shows: the shipped runbook with every approval given by name, as CI would.
async fn demonstrate(setup: &Setup, lab: &crate::lab::Lab) -> Result<(), String> {
    let mut own = Setup {
        output: setup.output.clone(),
        format: setup.format,
        inventory: Some(lab.inventory().to_path_buf()),
        state: Some(lab.layout().root().join("state")),
        mirror: None,
        redactor: setup.redactor.clone(),
    };
    own.output.interactive = false;
    let runbook = lab.layout().root().join("runbooks/postgres-planned-failover.yaml");
    let code = failover::demonstrate(&own, runbook).await;
    match code {
        ExitCode::Completed => Ok(()),
        other => Err(format!("the failover ended with {}", other.word())),
    }
}

fn setup(global: Global) -> Setup {
    let (stdin, stdout, stderr) =
        (std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    let choice = match global.color {
        Colour::Auto => ColourChoice::Auto,
        Colour::Always => ColourChoice::Always,
        Colour::Never => ColourChoice::Never,
    };
    let no_color = wire::variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut output = Output::process();
    output.style.colour = choice.decide(stderr, no_color);
    output.colour_data = choice.decide(stdout, no_color);
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| wire::variable(name).filter(|v| !v.is_empty()));
    output.style.unicode = reads_utf8(locale.as_deref());
    output.interactive = stdin && stderr;
    let columns = wire::variable("COLUMNS").and_then(|columns| columns.parse().ok());
    if let Some(width) = columns.or_else(|| stderr.then(|| usize::from(console::Term::stderr().size().1))) {
        output.width = width;
    }
    Setup {
        output,
        format: global.output,
        inventory: global.inventory,
        state: global.state_dir,
        mirror: folders::mirror_folder(global.mirror_dir),
        redactor: Redactor::default(),
    }
}

/// Completions of a shell, as text.
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mrctl", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page, as text.
pub fn man() -> String {
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(Cli::command()).render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
