//! `mrctl step`: what a person decides about one step of a run that stands still.

use super::drive::opened;
use super::lock::lock;
use super::resume;
use super::setup::{Format, Setup, now, operator};
use crate::engine::by_hand::allowed::{Refusal, allowed};
use crate::engine::by_hand::look::{Looked, look};
use crate::engine::by_hand::{Handling, in_words};
use crate::engine::driver::Reader as _;
use crate::engine::perform::{Cx, Progress};
use crate::engine::record::{Choice, Record};
use crate::engine::times::Times;
use crate::engine::{Answered, Asked, Person, preview, redaction};
use crate::error::suggest::closest;
use crate::exit_code::ExitCode;
use crate::journal::{Durable, Storage as _};
use crate::output::ndjson::Ndjson;
use crate::plan::Plan;
use crate::store::Run;
use crate::world::clock::Moment;
use crate::world::{Answer, World, ready};
use clap::{ArgGroup, Args};
use std::cell::RefCell;
use std::sync::Arc;

/// Decides about one step of a paused or interrupted run: looks first, changes nothing, and records who and why. `mrctl resume` then goes
/// on accordingly.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("decision").required(true).args(["skip", "done", "retry"]))]
pub struct StepArgs {
    /// The run.
    run: String,
    /// The step, by its id in the runbook.
    step: String,
    /// Go on without it. Not where a later step relies on it, and not while it may still come about.
    #[arg(long)]
    skip: bool,
    /// You did it yourself. Looked at, where it can be; else your word is recorded.
    #[arg(long)]
    done: bool,
    /// Try it again, also if it was left out before. Not where it may have come about and nothing can be looked at.
    #[arg(long)]
    retry: bool,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Nobody is asked by a look.
struct Nobody;

impl Person for Nobody {
    fn ask<'a>(&'a self, _: &'a Asked) -> Answer<'a, Answered> {
        let (by, how) = (String::new(), "absent".to_string());
        ready(Answered { yes: false, by, how, choice: Choice::Leave, reason: String::new() })
    }
}

/// `mrctl step`.
pub async fn step(setup: &Setup, args: StepArgs) -> ExitCode {
    decide(setup, args).await.err().unwrap_or(ExitCode::Completed)
}

async fn decide(setup: &Setup, args: StepArgs) -> Result<(), ExitCode> {
    let how = match (args.skip, args.done) {
        (true, _) => Handling::Skip,
        (false, true) => Handling::Done,
        (false, false) => Handling::Retry,
    };
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(
            setup.usage("a decision about a step needs a reason", "say why in a few words with --reason")
        );
    }
    let fail = |error: &dyn std::fmt::Display| setup.fail(&error.to_string());
    let store = setup.store().map_err(|error| fail(&error))?;
    let id = store.find(&args.run).map_err(|error| fail(&error))?;
    let short = store.short(&id);
    let before = store.read(&id).map_err(|error| fail(&error))?;
    possible(setup, &before, &short, &args.step, how)?;
    if let Some(at) = store.exported(&id) {
        setup.say(&format!(
            "mrctl: refused: run {short} was exported at {at}, to go on with it on another host."
        ));
        setup.say("  decide there, or bring it back with `mrctl import`");
        return Err(ExitCode::Refused);
    }
    let (world, inventory) = resume::world(setup).await?;
    if inventory != before.plan.inventory_sha256 {
        // What is looked at has to be what the run was planned with.
        setup.say(&format!(
            "mrctl: refused: the inventory is not the one with which run {short} was planned."
        ));
        setup.say("  give the one of that time with --inventory");
        return Err(ExitCode::Refused);
    }
    let _locks = lock(setup, &store, &before.plan, &world, Some(&id), &id).await?;
    // Somebody may have gone on with it between the first look and the lock.
    let (run, mut journal, _) = store.open(&id, now).map_err(|error| fail(&error))?;
    let s = possible(setup, &run, &short, &args.step, how)?;
    setup.mirror(&mut journal);
    let looked = seen(setup, &world, &run, s, how, reason).await.map_err(|no| refuse(setup, &short, &no))?;
    let Looked { any: looked, evidence } = looked;
    let (step, by) = (args.step.clone(), operator());
    let record = Record::Handled { step, how, by, reason: reason.into(), looked, evidence };
    let body = redaction::body(&setup.redactor, &record).map_err(|why| setup.fail(&why))?;
    let line = journal.append(body, Durable::Now).map_err(|error| {
        setup.say(&format!("mrctl: {error}"));
        ExitCode::JournalFailed
    })?;
    setup.mirrored(&mut journal);
    let Record::Handled { evidence, .. } = &record else { return Ok(()) };
    if setup.format == Format::Json {
        let clock = Arc::new(now);
        let reader = Ndjson::new(&run.plan, run.records(), short.clone(), &setup.output, clock);
        let mut state = run.state.clone();
        state.fold(&run.plan, &record);
        reader.record(&line, &record, &state);
    }
    setup.say(&format!("run {short}: {}: {reason}", in_words(&args.step, how, &operator(), looked)));
    if !evidence.is_empty() {
        setup.say(&format!("  seen: {evidence}"));
    }
    setup.say(&format!("  go on with `mrctl resume {short}`"));
    Ok(())
}

fn refuse(setup: &Setup, short: &str, no: &Refusal) -> ExitCode {
    setup.say(&format!("mrctl: refused: {}", no.why));
    setup.say(&format!("  {}", no.instead.replace("RUN", short)));
    ExitCode::Refused
}

/// The step that is meant, if it may be decided about.
fn possible(setup: &Setup, run: &Run, short: &str, step: &str, how: Handling) -> Result<usize, ExitCode> {
    if !run.open() {
        setup.say(&format!("mrctl: refused: run {short} is closed: {}", run.word()));
        setup.say("  nothing is gone on with in it; `mrctl runs` lists the open ones");
        return Err(ExitCode::Refused);
    }
    // Whoever goes on notes what was cut, and begins what was never begun.
    if run.torn > 0 || !matches!(run.lines.first(), Some((_, Record::Created { .. }))) {
        setup.say(&format!(
            "mrctl: refused: the end of run {short}'s journal is torn, or it was never begun."
        ));
        setup.say(&format!("  `mrctl resume {short}` goes on with it, and notes that"));
        return Err(ExitCode::Refused);
    }
    let Some(s) = run.plan.step_index(step) else {
        return Err(setup.usage(format!("run {short} has no step `{step}`"), known(&run.plan, step)));
    };
    allowed(&run.plan, &run.state, s, how).map_err(|no| refuse(setup, short, &no))?;
    Ok(s)
}

/// What may have been meant by a step that is not there.
pub(super) fn known(plan: &Plan, step: &str) -> String {
    let steps = plan.steps.iter().filter(|step| step.skipped.is_none()).map(|step| step.id.as_str());
    match closest(step, steps.clone()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("it has {}", steps.collect::<Vec<_>>().join(", ")),
    }
}

/// Looks as a process that begins now would.
async fn seen(
    setup: &Setup,
    world: &World,
    run: &Run,
    s: usize,
    how: Handling,
    reason: &str,
) -> Result<Looked, Refusal> {
    let mut state = run.state.clone();
    state.fold(&run.plan, &opened(setup, Choice::Continue, reason, 0));
    let mut times = Times::default();
    run.records().for_each(|(at, record)| times.note(&run.plan, Moment(at), record));
    let starts = run.lines.iter().find_map(|(_, record)| match record {
        Record::Created { starts, .. } => Some(preview::starts_from_words(starts)),
        _ => None,
    });
    let starts = starts.unwrap_or_default();
    let told = RefCell::new(String::new());
    let progress = |progress: Progress| {
        if *told.borrow() != progress.evidence {
            setup.say(&format!("  {}: {}", progress.step, progress.evidence));
            *told.borrow_mut() = progress.evidence;
        }
    };
    let cx =
        Cx { plan: &run.plan, world, starts: &starts, person: &Nobody, progress: &progress, times: &times };
    look(&cx, &state, s, how).await
}
