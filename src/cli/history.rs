//! `mrctl runs`, `mrctl audit show|verify`, `mrctl export`, `mrctl import`.

use super::setup::{Format, Setup, host};
use crate::engine::Record;
use crate::exit_code::ExitCode;
use crate::journal::file::read_lines;
use crate::output::checklist::Frame;
use crate::output::show::{checklist, timeline};
use crate::output::status::{RunNow, RunRow};
use crate::store::{Run, Store, StoreError};
use clap::{Args, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the journal of a run.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// What happened, line by line; works for a damaged journal up to the damage.
    Show {
        /// The run.
        run: String,
        /// As the checklist that the operator saw, instead of the timeline.
        #[arg(long)]
        checklist: bool,
    },
    /// Check that nobody changed the journal after it was written.
    Verify {
        /// The run.
        run: String,
    },
}

/// Copies a run into one file, for another host.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run.
    run: String,
    /// The file to write; must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Brings a run here that was exported on another host.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file.
    file: PathBuf,
}

fn store(setup: &Setup) -> Result<Store, ExitCode> {
    setup.store().map_err(|error| setup.fail(&error.to_string()))
}

/// A run as a row. Whether a process drives it can be told on its own host only.
fn row(run: &Run, short: String) -> RunRow {
    let process = run.lines.iter().rev().find_map(|(_, record)| match record {
        Record::Opened { host, pid, .. } => Some((host.clone(), *pid)),
        _ => None,
    });
    let alive = |pid: u32| {
        i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).is_some_and(|pid| {
            !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
        })
    };
    let abandoned = run.lines.iter().any(|(_, record)| matches!(record, Record::Abandoned { .. }));
    let state = match (run.state.verdict, process) {
        _ if abandoned => RunNow::Abandoned,
        (Some(verdict), _) => RunNow::Ended(verdict),
        (None, Some((on, pid))) if on == host() && alive(pid) => RunNow::Driven(format!("process {pid}")),
        (None, _) => RunNow::Died,
    };
    RunRow {
        run: short,
        runbook: run.plan.runbook.clone(),
        from: run.plan.from.clone(),
        to: run.plan.to.clone(),
        drill: run.plan.drill.to_string(),
        began: run.began(),
        ended: run.state.verdict.and_then(|_| run.lines.last().map(|(line, _)| line.at)),
        state,
    }
}

/// `mrctl runs`.
pub fn runs(setup: &Setup) -> ExitCode {
    let store = match store(setup) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let (runs, broken) = match store.runs() {
        Ok(found) => found,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let mut rows = Vec::new();
    for run in &runs {
        let short = store.short(&run.id);
        let began = crate::world::clock::Moment(run.began()).rfc3339();
        match setup.format {
            Format::Json => setup.data(
                &serde_json::json!({
                    "run": run.id, "short": short, "runbook": run.plan.runbook, "from": run.plan.from, "to": run.plan.to,
                    "began": began, "state": run.word(), "open": run.open(),
                    "journal": run.folder.join("journal.jsonl").display().to_string(),
                })
                .to_string(),
            ),
            Format::Text => rows.push(row(run, short)),
        }
    }
    let style = setup.output.data_style();
    if !rows.is_empty() {
        for line in crate::output::status::runs(&rows, style, setup.output.width) {
            setup.data(&line.paint(style));
        }
    }
    for (path, error) in &broken {
        setup.say(&format!("warning: {} cannot be read: {error}", path.display()));
    }
    if runs.is_empty() && setup.format == Format::Text {
        setup.say(&format!("no runs in {}", store.runs_folder().display()));
    }
    ExitCode::Completed
}

/// `mrctl audit`.
pub fn audit(setup: &Setup, args: AuditArgs) -> ExitCode {
    let store = match store(setup) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let (AuditCommand::Show { run: text, .. } | AuditCommand::Verify { run: text }) = &args.command;
    let id = match store.find(text) {
        Ok(id) => id,
        Err(error) => return setup.fail(&error.to_string()),
    };
    match args.command {
        AuditCommand::Verify { .. } => verify(setup, &store, &id),
        AuditCommand::Show { checklist: as_checklist, .. } => show(setup, &store, &id, as_checklist),
    }
}

fn verify(setup: &Setup, store: &Store, id: &str) -> ExitCode {
    match store.read(id) {
        Ok(run) => {
            let head = run.lines.last().map_or("none", |(line, _)| line.hash.as_str());
            setup.data(&format!("{} records, unbroken chain, plan digest as recorded", run.lines.len()));
            setup.data(&format!("head {head}"));
            setup.data("a cut end cannot be seen from the file alone: compare the head with one that was kept elsewhere");
            ExitCode::Completed
        }
        Err(error) => {
            setup.say(&format!("mrctl: {error}"));
            ExitCode::Failed
        }
    }
}

fn show(setup: &Setup, store: &Store, id: &str, as_checklist: bool) -> ExitCode {
    let run = match store.read(id) {
        Ok(run) => run,
        Err(error) => {
            setup.say(&format!("mrctl: {error}"));
            return raw(setup, store, id);
        }
    };
    if setup.format == Format::Json {
        for (line, record) in &run.lines {
            let mut value = serde_json::to_value(record).unwrap_or_default();
            if let Some(map) = value.as_object_mut() {
                map.insert("seq".into(), line.seq.into());
                map.insert("at".into(), crate::world::clock::Moment(line.at).rfc3339().into());
            }
            setup.data(&value.to_string());
        }
        return ExitCode::Completed;
    }
    let frame =
        Frame { run: store.short(id), journal: run.folder.join("journal.jsonl").display().to_string() };
    let style = setup.output.data_style();
    let nothing = |_: usize, _: usize, _: &crate::step::Facts| Vec::new();
    let lines = if as_checklist {
        checklist(&run.plan, run.records(), &frame, &nothing, style, setup.output.width)
    } else {
        timeline(&run.plan, run.records(), &nothing, style)
    };
    lines.iter().for_each(|line| setup.data(line));
    ExitCode::Completed
}

/// What can still be read of a damaged journal: its lines as they stand, made safe for a terminal.
fn raw(setup: &Setup, store: &Store, id: &str) -> ExitCode {
    let path = store.runs_folder().join(id).join("journal.jsonl");
    let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    setup.say("the lines as they stand, not to be trusted from the damage on:");
    for line in text.lines() {
        setup.data(&crate::error::escape::outside(line, 4_000));
    }
    ExitCode::Failed
}

/// `mrctl export`.
pub fn export(setup: &Setup, args: ExportArgs) -> ExitCode {
    let result = store(setup).and_then(|store| {
        let fail = |error: StoreError| setup.fail(&error.to_string());
        let id = store.find(&args.run).map_err(fail)?;
        let run = store.read(&id).map_err(fail)?;
        let read = |name: &str| {
            fs::read_to_string(run.folder.join(name)).map_err(|error| setup.fail(&error.to_string()))
        };
        let document = serde_json::json!({
            "mrctl_export": 1, "run": id, "plan": read("plan.json")?, "journal": read("journal.jsonl")?,
        });
        let written =
            fs::OpenOptions::new().write(true).create_new(true).open(&args.to).and_then(|mut file| {
                use std::io::Write;
                file.write_all(document.to_string().as_bytes())?;
                file.sync_all()
            });
        written.map_err(|error| setup.fail(&format!("{}: {error}", args.to.display())))?;
        setup.say(&format!("run {} is in {}", store.short(&id), args.to.display()));
        Ok(())
    });
    result.err().unwrap_or(ExitCode::Completed)
}

/// `mrctl import`.
pub fn import(setup: &Setup, args: ImportArgs) -> ExitCode {
    match store(setup).and_then(|store| take(setup, &store, &args.file)) {
        Ok(()) => ExitCode::Completed,
        Err(code) => code,
    }
}

fn take(setup: &Setup, store: &Store, file: &Path) -> Result<(), ExitCode> {
    let bad = |why: String| setup.fail(&format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let document: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let field = |name: &str| document.get(name).and_then(serde_json::Value::as_str).map(String::from);
    let (Some(id), Some(plan), Some(journal)) = (field("run"), field("plan"), field("journal")) else {
        return Err(bad("it is not an export of mrctl".into()));
    };
    // The name becomes a folder: nothing but an identity may stand there.
    let id = uuid::Uuid::parse_str(&id)
        .map_err(|error| bad(format!("its run is no identity: {error}")))?
        .to_string();
    let folder = store.runs_folder().join(&id);
    let io = |error: std::io::Error| setup.fail(&format!("{}: {error}", folder.display()));
    if folder.exists() {
        return Err(bad(format!("run {} is here already", store.short(&id))));
    }
    let temporary = store.runs_folder().join(format!(".import-{id}"));
    fs::create_dir_all(&temporary).map_err(io)?;
    fs::write(temporary.join("plan.json"), plan).map_err(io)?;
    fs::write(temporary.join("journal.jsonl"), journal).map_err(io)?;
    let checked = read_lines(&temporary.join("journal.jsonl"));
    if let Err(error) = checked {
        let _left = fs::remove_dir_all(&temporary);
        return Err(bad(error.to_string()));
    }
    fs::rename(&temporary, &folder).map_err(io)?;
    if let Err(error) = store.read(&id) {
        let _left = fs::remove_dir_all(&folder);
        return Err(bad(error.to_string()));
    }
    setup.say(&format!("run {} is here; no other host may go on with it now", store.short(&id)));
    Ok(())
}
