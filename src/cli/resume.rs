//! `mrctl resume` and `mrctl rollback`: what a person decides about an open run.

use super::drive::{Drive, opened};
use super::hold::InSpiteOf;
use super::lock::lock;
use super::setup::{Setup, now};
use super::takeover::{self, TakeoverArgs};
use super::vouch::{self, VouchArgs};
use super::waive::{self, WaiveArgs, Waived};
use super::{secrets, wire};
use crate::engine::going_on::Against;
use crate::engine::preview;
use crate::engine::record::{Choice, Record};
use crate::engine::surprise::Surprise;
use crate::error::{Problems, Severity, Sources};
use crate::exit_code::ExitCode;
use crate::output::given::Approvals;
use crate::store::{Run, Store};
use crate::world::{Member, World};
use clap::Args;
use std::path::Path;

/// Goes on with an open run: looks at everything that was in flight first.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run; the only open one if not given.
    run: Option<String>,
    /// Why, for the journal.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    takeover: TakeoverArgs,
    #[command(flatten)]
    vouch: VouchArgs,
    #[command(flatten)]
    waive: WaiveArgs,
    /// An approval given beforehand: role:NAME, step:ID, or loss:ID for what an unplanned promotion loses.
    #[arg(long, value_name = "WHAT")]
    approve: Vec<String>,
    /// Answer checklists and confirmations with yes; never the consent to a promotion.
    #[arg(long)]
    yes: bool,
    /// Digest of the plan that was approved.
    #[arg(long, value_name = "DIGEST")]
    plan_digest: Option<String>,
}

/// Takes back everything that an open run changed; only before a promotion.
///
/// While a promotion may still happen, there is a way back only where it cannot: vouch for it with --fenced or --destroyed.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The run; the only open one if not given.
    run: Option<String>,
    #[command(flatten)]
    vouch: VouchArgs,
    /// Why, for the journal.
    #[arg(long, default_value = "")]
    reason: String,
}

/// Finds the run that is meant. `damaged`: whether one that cannot be read is also meant by saying nothing.
pub(super) fn find(
    setup: &Setup,
    store: &Store,
    text: Option<&str>,
    damaged: bool,
) -> Result<String, ExitCode> {
    if let Some(text) = text {
        return store.find(text).map_err(|error| setup.fail(&error.to_string()));
    }
    let (runs, broken) = store.runs().map_err(|error| setup.fail(&error.to_string()))?;
    let mut open: Vec<String> = runs.iter().filter(|run| run.open()).map(|run| run.id.clone()).collect();
    let unread = broken.iter().filter(|(path, _)| !store.surely_closed(path));
    let unread: Vec<String> = unread
        .filter_map(|(path, _)| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    if damaged {
        open.extend(unread.iter().cloned());
    }
    let short = |ids: &[String]| ids.iter().map(|id| store.short(id)).collect::<Vec<_>>().join(", ");
    match open.as_slice() {
        [only] => Ok(only.clone()),
        [] if unread.is_empty() => Err(setup.fail("there is no open run")),
        [] => Err(setup.fail(&format!("no open run can be read; damaged: {}", short(&unread)))),
        several => Err(setup.fail(&format!("several runs are open, name one: {}", short(several)))),
    }
}

/// The ports for the inventory as it is now, and the SHA-256 of its texts.
pub(super) async fn world(setup: &Setup) -> Result<(World, String), ExitCode> {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = setup.load_inventory(None, &mut sources, &mut problems);
    let world = match &loaded {
        Some(loaded) => {
            wire::world(
                loaded,
                &setup.redactor,
                Severity::Warning,
                setup.state_folder().as_deref(),
                &mut problems,
            )
            .await
        }
        None => None,
    };
    setup.problems(&problems, &sources);
    let sha256 = loaded
        .map(|loaded| wire::sha256(loaded.files.iter().map(|file| sources.text(*file))))
        .unwrap_or_default();
    world.map(|world| (world, sha256)).ok_or(ExitCode::Invalid)
}

/// What a person decides, and says with it.
struct Decision<'a> {
    choice: Choice,
    reason: &'a str,
    /// Members that they vouch for, and as what.
    attested: Vec<(Member, &'static str)>,
    /// The runbook from which it is taken over as unplanned, if it is.
    takeover: Option<(&'a Path, &'a InSpiteOf)>,
    /// Checks that they pass, and why.
    waived: Vec<Waived>,
}

/// Whether the run can still be gone on with in this way.
fn possible(setup: &Setup, run: &Run, short: &str, decision: &Decision<'_>) -> Result<(), ExitCode> {
    if !run.open() {
        return Err(setup.fail(&format!("run {short} is closed: {}", run.word())));
    }
    for (member, how) in &decision.attested {
        let regions = run.plan.clusters.get(&member.resource);
        if !regions.is_some_and(|regions| regions.contains(&member.region)) {
            let known: Vec<String> = run
                .plan
                .clusters
                .iter()
                .flat_map(|(name, regions)| regions.iter().map(move |region| format!("{name}/{region}")))
                .collect();
            let text =
                format!("--{how} {}/{}: run {short} knows no such member", member.resource, member.region);
            return Err(setup.usage(text, format!("it has {}", known.join(", "))));
        }
    }
    if decision.choice == Choice::Continue {
        vouch::only_sources(setup, &run.plan, &decision.attested)?;
        waive::possible(setup, &run.plan, &decision.waived)?;
    }
    let mut state = run.state.clone();
    vouch::records(&decision.attested, decision.reason)
        .iter()
        .for_each(|record| state.fold(&run.plan, record));
    if decision.choice == Choice::RollBack && (state.armed(&run.plan) || state.passed(&run.plan)) {
        setup.say(&format!("mrctl: refused: run {short} has promoted, or may have: there is no way back."));
        setup.say(&format!(
            "  go on with `mrctl resume {short}`; the way back is a failover in the other direction"
        ));
        if !state.passed(&run.plan) {
            setup.say(
                "  if the target is fenced or destroyed, vouch for it: --fenced CLUSTER/REGION --reason …",
            );
        }
        return Err(ExitCode::Refused);
    }
    if decision.choice == Choice::Continue && decision.reason.is_empty() {
        let against = state.against_going_on(&run.plan);
        for one in &against {
            setup.say(&format!("mrctl: refused: {}", one.line()));
            match one {
                Against::Diverged(_) => {
                    setup.say("  say with --reason why going on is right; the run will not end as completed");
                }
                Against::Surprised(number, _) => {
                    let file = run.folder.join(Surprise::file(*number));
                    setup.say(&format!("  find out what it is, with {}", file.display()));
                    setup.say("  say with --reason why going on is right, or go back with `mrctl rollback`");
                }
            }
        }
        if !against.is_empty() {
            return Err(ExitCode::Refused);
        }
    }
    Ok(())
}

async fn go_on(setup: &Setup, text: Option<&str>, decision: Decision<'_>, approvals: Approvals) -> ExitCode {
    let store = match setup.store() {
        Ok(store) => store,
        Err(error) => return setup.fail(&error.to_string()),
    };
    let id = match find(setup, &store, text, false) {
        Ok(id) => id,
        Err(code) => return code,
    };
    let short = store.short(&id);
    let before = match store.read(&id) {
        Ok(run) => run,
        Err(error) => {
            let code = setup.fail(&error.to_string());
            setup.say(
                "  it cannot be gone on with; what was so is told by `mrctl status` and by the journal:",
            );
            setup.say(&format!("  mrctl audit show {short}, then mrctl abandon {short} --reason …"));
            return code;
        }
    };
    if !before.open() {
        return setup.fail(&format!("run {short} is closed: {}", before.word()));
    }
    let takeover = match decision.takeover {
        None => None,
        Some(runbook) => match takeover::take_over(setup, &before, &short, runbook, decision.reason).await {
            Ok(taken) => Some(taken),
            Err(code) => return code,
        },
    };
    let as_it_will_be = |run: Run| match &takeover {
        None => run,
        Some(takeover) => takeover::taken_over(run, takeover),
    };
    let (records, before) = (before.lines.len(), as_it_will_be(before));
    if let Err(code) = possible(setup, &before, &short, &decision) {
        return code;
    }
    // A reason that is for something else says nothing about that.
    let own_reason = !decision.reason.is_empty() && takeover.is_none() && decision.attested.is_empty();
    if let Some(at) = store.exported(&id).filter(|_| !own_reason) {
        setup.say(&format!(
            "mrctl: refused: run {short} was exported at {at}, to go on with it on another host."
        ));
        setup.say(&format!(
            "  bring it back with `mrctl import`; or say that it has not gone on there, and nothing else: mrctl resume {short} --reason …"
        ));
        return ExitCode::Refused;
    }
    let (world, inventory) = match &takeover {
        Some(takeover) => (takeover.world.clone(), takeover.plan.inventory_sha256.clone()),
        None => match world(setup).await {
            Ok(found) => found,
            Err(code) => return code,
        },
    };
    if takeover.is_some()
        && let Err(code) = takeover::approved(setup, &before.plan, &approvals)
    {
        return code;
    }
    // Whoever began it did not have this secret; the run must not hang on that, and its records keep their structure.
    secrets::none_in(setup, &before.plan, Severity::Warning);
    // The plan names resources: another inventory may mean other servers by the same names.
    if inventory != before.plan.inventory_sha256 && decision.reason.is_empty() {
        setup.say(&format!(
            "mrctl: refused: the inventory is not the one with which run {short} was planned."
        ));
        setup.say(
            "  give the one of that time with --inventory, or say with --reason why this one is as good",
        );
        return ExitCode::Refused;
    }
    let _locks = match lock(setup, &store, &before.plan, &world, Some(&id), &id).await {
        Ok(locks) => locks,
        Err(code) => return code,
    };
    // Only now, under the lock: opening cuts a torn last line.
    let (run, journal, torn) = match store.open(&id, now) {
        Ok(opened) => opened,
        Err(error) => return setup.fail(&error.to_string()),
    };
    store.unmark_exported(&id);
    // Somebody may have gone on with it between the first look and the lock.
    if takeover.is_some() && run.lines.len() != records {
        setup.say(&format!("mrctl: refused: somebody has gone on with run {short} meanwhile."));
        setup.say(&format!("  look where it stands, then decide again: mrctl audit show {short}"));
        return ExitCode::Refused;
    }
    let (begun_with, run) = (run.plan.digest(), as_it_will_be(run));
    if let Err(code) = possible(setup, &run, &short, &decision) {
        return code;
    }
    let starts = run.lines.iter().find_map(|(_, record)| match record {
        Record::Created { starts, .. } => Some(preview::starts_from_words(starts)),
        _ => None,
    });
    // Vouched for before the process begins: what it decides depends on it.
    let mut opening: Vec<Record> =
        takeover.into_iter().flat_map(|takeover| [takeover.record, takeover.rehearsed]).collect();
    opening.extend(vouch::records(&decision.attested, decision.reason));
    opening.extend(waive::records(&decision.waived));
    opening.push(opened(setup, decision.choice, decision.reason, torn));
    if starts.is_none() {
        // Killed before the first record: the run is begun here.
        let format = run.plan.format;
        let created = Record::Created {
            run: id.clone(),
            plan: begun_with,
            format,
            since: None,
            starts: Default::default(),
        };
        opening.insert(0, created);
    }
    let drive = Drive {
        setup,
        plan: run.plan,
        world,
        journal,
        past: run.lines,
        starts: starts.unwrap_or_default(),
        approvals,
        short,
        opening,
    };
    drive.run().await
}

/// `mrctl resume`.
pub async fn resume(setup: &Setup, args: ResumeArgs) -> ExitCode {
    let mut approvals = Approvals { yes: args.yes, digest: args.plan_digest.clone(), ..Approvals::default() };
    for text in &args.approve {
        if let Err(error) = approvals.add(text) {
            return setup.usage(
                error.to_string(),
                "write --approve role:commander, --approve step:promote or --approve loss:promote",
            );
        }
    }
    let attested = match args.vouch.members(setup, &args.reason) {
        Ok(attested) => attested,
        Err(code) => return code,
    };
    let takeover = match args.takeover.runbook(setup, args.reason.trim()) {
        Ok(takeover) => takeover,
        Err(code) => return code,
    };
    let waived = match args.waive.checks(setup) {
        Ok(waived) => waived,
        Err(code) => return code,
    };
    let (choice, reason) = (Choice::Continue, args.reason.trim());
    let decision = Decision { choice, reason, attested, takeover, waived };
    go_on(setup, args.run.as_deref(), decision, approvals).await
}

/// `mrctl rollback`.
pub async fn rollback(setup: &Setup, args: RollbackArgs) -> ExitCode {
    let attested = match args.vouch.members(setup, &args.reason) {
        Ok(attested) => attested,
        Err(code) => return code,
    };
    let (choice, reason) = (Choice::RollBack, args.reason.trim());
    let decision = Decision { choice, reason, attested, takeover: None, waived: Vec::new() };
    go_on(setup, args.run.as_deref(), decision, Approvals::default()).await
}
