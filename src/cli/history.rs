//! `mrctl runs`, `mrctl audit show|verify`, `mrctl export`, `mrctl import`.

use super::setup::{Format, Setup, host, now, operator};
use super::verify;
use crate::engine::Record;
use crate::exit_code::ExitCode;
use crate::output::checklist::Frame;
use crate::output::show::{checklist, timeline};
use crate::output::status::{RunNow, RunRow};
use crate::plan::Plan;
use crate::store::bundle::Taken;
use crate::store::{Remains, Run, Store, StoreError};
use clap::{Args, Subcommand};
use std::fs;
use std::path::PathBuf;

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
        /// A head that was kept elsewhere: shows a cut end, or a journal that was written anew.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
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

/// Brings a run here that was exported on another host, or is in a mirror.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file, or the folder of one run in a mirror.
    file: PathBuf,
}

fn store(setup: &Setup) -> Result<Store, ExitCode> {
    setup.store().map_err(|error| setup.fail(&error.to_string()))
}

/// The process on this host that drives a run at this moment: it holds the run's locks. A number alone proves nothing, since it is
/// given again, and in a container it is always the same.
pub(super) fn driven(store: &Store, run: &Run) -> Option<u32> {
    let opened = run.lines.iter().rev().find_map(|(_, record)| match record {
        Record::Opened { host, pid, .. } => Some((host.clone(), *pid)),
        _ => None,
    });
    let alive = |pid: u32| {
        i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).is_some_and(|pid| {
            !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
        })
    };
    let drives = |(on, pid): &(String, u32)| {
        let locks = run.plan.resources.is_empty() || store.held(&run.plan.resources);
        run.state.verdict.is_none() && *on == host() && *pid != std::process::id() && alive(*pid) && locks
    };
    opened.filter(drives).map(|(_, pid)| pid)
}

/// A run as a row. Whether a process drives it can be told on its own host only.
fn row(store: &Store, run: &Run, short: String) -> RunRow {
    let abandoned = run.lines.iter().any(|(_, record)| matches!(record, Record::Abandoned { .. }));
    let state = match run.state.verdict {
        _ if abandoned => RunNow::Abandoned,
        Some(verdict) => RunNow::Ended(verdict),
        None => driven(store, run).map_or(RunNow::Died, |pid| RunNow::Driven(format!("process {pid}"))),
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

/// A run that cannot be read, as far as it can.
fn damaged_row(remains: &Remains, short: String, closed: bool) -> RunRow {
    let of = |read: fn(&Plan) -> String| remains.plan.as_ref().map_or_else(|_| "?".into(), read);
    let abandoned = remains.abandoned.as_ref().filter(|found| found.stands);
    RunRow {
        run: short,
        runbook: of(|plan| plan.runbook.clone()),
        from: of(|plan| plan.from.clone()),
        to: of(|plan| plan.to.clone()),
        drill: of(|plan| plan.drill.to_string()),
        began: remains.began,
        ended: abandoned.filter(|found| found.at >= remains.began && remains.began > 0).map(|found| found.at),
        state: match closed {
            true => RunNow::Abandoned,
            false => RunNow::Damaged("may be open".into()),
        },
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
            Format::Text => rows.push(row(&store, run, short)),
        }
    }
    for (path, error) in &broken {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (short, remains, closed) = (store.short(&id), store.remains(&id), store.surely_closed(path));
        match setup.format {
            Format::Json => setup.data(
                &serde_json::json!({
                    "run": id, "short": short, "state": if closed { "abandoned" } else { "damaged" }, "open": !closed,
                    "why": error.to_string(), "journal": path.join("journal.jsonl").display().to_string(),
                })
                .to_string(),
            ),
            Format::Text => rows.push(damaged_row(&remains, short, closed)),
        }
    }
    let style = setup.output.data_style();
    if !rows.is_empty() {
        for line in crate::output::status::runs(&rows, style, setup.output.width) {
            setup.data(&line.paint(style));
        }
    }
    for (path, error) in broken.iter().filter(|(path, _)| !store.surely_closed(path)) {
        setup.say(&format!("warning: {} cannot be read: {error}", path.display()));
    }
    if runs.is_empty() && broken.is_empty() && setup.format == Format::Text {
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
    let (AuditCommand::Show { run: text, .. } | AuditCommand::Verify { run: text, .. }) = &args.command;
    let id = match store.find(text) {
        Ok(id) => id,
        Err(error) => return setup.fail(&error.to_string()),
    };
    match args.command {
        AuditCommand::Verify { head, .. } => verify::verify(setup, &store, &id, head.as_deref()),
        AuditCommand::Show { checklist: as_checklist, .. } => show(setup, &store, &id, as_checklist),
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
        timeline(&run.begun_with, run.records(), &nothing, style)
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
    if let Some(found) = store.remains(id).abandoned {
        setup.say(&verify::abandoned(&found));
    }
    ExitCode::Failed
}

/// `mrctl export`.
pub fn export(setup: &Setup, args: ExportArgs) -> ExitCode {
    let result = store(setup).and_then(|store| {
        let fail = |error: StoreError| setup.fail(&error.to_string());
        let id = store.find(&args.run).map_err(fail)?;
        // Marked first: a copy that is usable elsewhere must not exist unknown to the host that it comes from.
        let open = store.read(&id).is_ok_and(|run| run.open());
        let marked_before = store.exported(&id).is_some();
        if open {
            store.mark_exported(&id, now()).map_err(fail)?;
        }
        if let Err(error) = store.export(&id, &args.to) {
            if open && !marked_before {
                store.unmark_exported(&id);
            }
            return Err(fail(error));
        }
        let short = store.short(&id);
        setup.say(&format!("run {short} is in {}", args.to.display()));
        if open {
            setup.say("  it is open: only one host may go on with it; here that now needs a --reason");
        }
        Ok(())
    });
    result.err().unwrap_or(ExitCode::Completed)
}

/// `mrctl import`.
pub fn import(setup: &Setup, args: ImportArgs) -> ExitCode {
    let result = store(setup).and_then(|store| {
        let holder =
            format!("{} on {}, process {}, who imports a run", operator(), host(), std::process::id());
        let (id, taken) = store.import(&args.file, &holder).map_err(|error| {
            let why = crate::error::escape::outside(&error.to_string(), 600);
            setup.fail(&format!("{}: not imported: {why}", args.file.display()))
        })?;
        let short = store.short(&id);
        setup.say(&match taken {
            Taken::New => format!("run {short} is here"),
            Taken::Further => format!("run {short} was here, and has what it lacked now"),
            Taken::Same => format!("run {short} is here already, the same; nothing was changed"),
            Taken::Behind => {
                format!("run {short} is here already, and has more than this; nothing was changed")
            }
        });
        if matches!(taken, Taken::New | Taken::Further) && store.read(&id).is_ok_and(|run| run.open()) {
            setup.say("  it is open: no other host may go on with it now");
        }
        Ok(())
    });
    result.err().unwrap_or(ExitCode::Completed)
}
