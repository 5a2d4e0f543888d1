//! `mrctl abandon`: closes a run as it is. Works for a damaged one too: what is damaged stays as it was found.

use super::resume::find;
use super::setup::{Setup, host, now, operator};
use crate::engine::record::Record;
use crate::engine::{RunState, redaction, survey};
use crate::exit_code::ExitCode;
use crate::journal::lock::{FileLock, LockError};
use crate::journal::mirror::Mirror;
use crate::journal::{Durable, Storage};
use crate::output::show;
use crate::output::summary::Rest;
use crate::plan::Plan;
use crate::step::Facts;
use crate::store::abandoned::{self, Abandonment, file_sha256};
use crate::store::{Store, StoreError};
use crate::world::World;
use clap::Args;

/// Closes an open run as it is: looks at everything, records it, and names what stays in place. Changes nothing, so that a temporary
/// change stays too.
#[derive(Debug, Args)]
pub struct AbandonArgs {
    /// The run; the only open one if not given.
    run: Option<String>,
    /// Why: whoever reads the journal will want to know.
    #[arg(long)]
    reason: String,
}

/// `mrctl abandon`.
pub async fn abandon(setup: &Setup, args: AbandonArgs) -> ExitCode {
    if args.reason.trim().is_empty() {
        return setup.usage("abandon needs a reason", "say why with --reason");
    }
    let store = match setup.store() {
        Ok(store) => store,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let ended = match find(setup, &store, args.run.as_deref(), true) {
        Ok(id) => match store.read(&id) {
            Ok(run) => whole(setup, &store, &id, &run.plan, args.reason).await,
            Err(error) => damaged(setup, &store, &id, args.reason, &error).await,
        },
        Err(code) => Err(code),
    };
    ended.err().unwrap_or(ExitCode::Failed)
}

/// A process that drives it writes the same file.
fn locked(setup: &Setup, store: &Store, plan: &Plan) -> Result<Vec<FileLock>, ExitCode> {
    let holder = format!("{} on {}, process {}, who abandons a run", operator(), host(), std::process::id());
    store.lock(&plan.resources, &holder).map_err(|error| match error {
        LockError::Held { .. } => {
            setup.say(&format!("mrctl: locked: {error}"));
            ExitCode::Locked
        }
        LockError::Unusable { .. } => setup.fail(&error.to_string()),
    })
}

/// The last look: the world line and what an ending must mention; and the world, if it could be looked at.
async fn look(setup: &Setup, plan: &Plan, state: &RunState) -> (Record, Option<World>) {
    let Ok((world, _)) = super::resume::world(setup).await else {
        let nothing = Record::Surveyed {
            world: "could not be looked at".into(),
            notes: Vec::new(),
            frozen: Vec::new(),
            diverged: Vec::new(),
            unknown: true,
            promoted: Vec::new(),
            waiting: Vec::new(),
        };
        return (nothing, None);
    };
    // What a person has vouched for counts here, too.
    let world = World { fenced: std::rc::Rc::new(state.fenced.clone()), ..world };
    let mut surveyed = survey::survey(plan, &world, state).await;
    // Nobody takes anything back in a run that is closed.
    if let Record::Surveyed { world, .. } = &mut surveyed {
        *world = world.replace("undo: possible", "undo: by hand only");
    }
    (surveyed, Some(world))
}

/// Says what stays as the run left it.
fn left(
    setup: &Setup,
    plan: &Plan,
    records: impl Iterator<Item = (i64, Record)>,
    rest: Rest,
    world: Option<&World>,
) {
    let (planned, ports) = (plan.clone(), world.cloned());
    let by_hand = move |s: usize, e: usize, facts: &Facts| {
        let planned = &planned.steps[s].effects[e];
        ports.as_ref().map_or_else(Vec::new, |world| planned.action.by_hand(&planned.effect.id, facts, world))
    };
    let records: Vec<_> = records.collect();
    let records = records.iter().map(|(at, record)| (*at, record));
    for line in show::left(plan, records, &by_hand, rest, setup.output.style, setup.output.width) {
        setup.say(&setup.redactor.scrub(&line));
    }
}

fn told(surveyed: &Record) -> (String, Vec<String>) {
    match surveyed {
        Record::Surveyed { world, notes, .. } => (world.clone(), notes.clone()),
        _ => (String::new(), Vec::new()),
    }
}

async fn whole(setup: &Setup, store: &Store, id: &str, plan: &Plan, reason: String) -> Result<(), ExitCode> {
    let _locks = locked(setup, store, plan)?;
    let (run, mut journal, _) = store.open(id, now).map_err(|error| setup.fail(&error.to_string()))?;
    let short = store.short(id);
    if !run.open() {
        return Err(setup.fail(&format!("run {short} is closed already: {}", run.word())));
    }
    setup.mirror(&mut journal);
    let (surveyed, ports) = look(setup, &run.plan, &run.state).await;
    let (world, notes) = told(&surveyed);
    let abandoned = Record::Abandoned { operator: operator(), reason, world: world.clone() };
    for record in [&surveyed, &abandoned] {
        let body = redaction::body(&setup.redactor, record).map_err(|why| setup.fail(&why))?;
        journal.append(body, Durable::Now).map_err(|error| {
            setup.say(&format!("mrctl: {error}"));
            ExitCode::JournalFailed
        })?;
    }
    setup.mirrored(&mut journal);
    setup.say(&format!("run {short} is closed as it is"));
    setup.say(&world);
    notes.iter().for_each(|note| setup.say(&format!("  {note}")));
    // With what was just seen: it decides what may be done by hand.
    let records = run.records().map(|(at, record)| (at, record.clone())).chain([(now(), surveyed)]);
    left(setup, &run.plan, records, Rest::Closed, ports.as_ref());
    Ok(())
}

/// The journal or the plan cannot be read as a whole: the end is recorded beside it.
async fn damaged(
    setup: &Setup,
    store: &Store,
    id: &str,
    reason: String,
    error: &StoreError,
) -> Result<(), ExitCode> {
    let (short, remains) = (store.short(id), store.remains(id));
    if let Some(found) = remains.abandoned.as_ref().filter(|found| found.stands) {
        let at = crate::world::clock::Moment(found.at).rfc3339();
        return Err(setup.fail(&format!(
            "run {short} is closed already: {} abandoned it at {at}: {}",
            found.says.operator, found.says.reason
        )));
    }
    if store.surely_closed(&remains.folder) {
        return Err(setup.fail(&format!("run {short} is closed already, as its journal says; {error}")));
    }
    setup.say(&format!("warning: {error}"));
    let _locks = match &remains.plan {
        Ok(plan) => locked(setup, store, plan)?,
        // Which resources it holds cannot be told, so no lock can be asked whether somebody drives it.
        Err(_) => Vec::new(),
    };
    let ((world, notes), seen) = match &remains.plan {
        Ok(plan) => {
            let (surveyed, ports) = look(setup, plan, &RunState::of(plan, &remains.records)).await;
            (told(&surveyed), Some((surveyed, ports)))
        }
        Err(why) => ((format!("could not be looked at: {why}"), Vec::new()), None),
    };
    let clean = |text: String| setup.redactor.scrub(&text).into_owned();
    let sha256 =
        |name: &str| file_sha256(&remains.folder.join(name)).map_err(|error| setup.fail(&error.to_string()));
    let says = Abandonment {
        run: id.into(),
        damage: error.to_string(),
        journal_sha256: sha256("journal.jsonl")?,
        plan_sha256: sha256("plan.json")?,
        version: env!("CARGO_PKG_VERSION").into(),
        operator: clean(operator()),
        host: host(),
        reason: clean(reason),
        world: clean(world),
        notes: notes.into_iter().map(clean).collect(),
    };
    let path = abandoned::write(&remains.folder, &says, now()).map_err(|error| {
        setup.say(&format!("mrctl: the abandonment could not be written: {error}"));
        ExitCode::JournalFailed
    })?;
    if let Some(root) = &setup.mirror {
        // Its journal may well be whole, and then stays so; the abandonment is beside it in any case.
        let _told = Mirror::begin(root, &remains.folder).finish();
    }
    setup.say(&format!("run {short} is closed as it is; its damaged journal stays as it was found"));
    setup.say(&format!("  recorded in {}", path.display()));
    setup.say(&says.world);
    says.notes.iter().for_each(|note| setup.say(&format!("  {note}")));
    if let (Ok(plan), Some((surveyed, ports))) = (&remains.plan, seen) {
        let records = remains.records.iter().map(|record| (remains.began, record.clone()));
        left(setup, plan, records.chain([(now(), surveyed)]), Rest::Partial, ports.as_ref());
    }
    Ok(())
}
