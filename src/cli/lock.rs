//! Every lock that a run needs: files on this host, open runs, advisory locks at the servers.

use super::setup::{Setup, holder, now};
use crate::error::escape::outside;
use crate::exit_code::ExitCode;
use crate::journal::lock::{FileLock, LockError};
use crate::output::words::time;
use crate::plan::Plan;
use crate::store::{Run, Store};
use crate::world::postgres::{AtWork, LockSight};
use crate::world::{Known, Member, World};
use std::collections::BTreeSet;

/// Takes every lock: files on this host, open runs, advisory locks on each reachable member. `own`: the run that goes on; `run`: the one
/// that they are for.
pub async fn lock(
    setup: &Setup,
    store: &Store,
    plan: &Plan,
    world: &World,
    own: Option<&str>,
    run: &str,
) -> Result<Vec<FileLock>, ExitCode> {
    let mut resources: BTreeSet<String> = plan.resources.iter().cloned().collect();
    resources.extend(own.and_then(|own| store.read(own).ok()).iter().flat_map(Run::resources));
    let listed: Vec<String> = resources.iter().cloned().collect();
    let locks = match store.lock(&listed, &holder()) {
        Ok(locks) => locks,
        Err(error @ LockError::Held { .. }) => {
            setup.say(&format!("mrctl: locked: {error}"));
            if let LockError::Held { what, .. } = &error {
                last_record(setup, store, what);
            }
            return Err(ExitCode::Locked);
        }
        Err(error) => return Err(setup.fail(&error.to_string())),
    };
    let (runs, broken) = store.runs().map_err(|error| setup.fail(&error.to_string()))?;
    // A run that cannot be read may be open and hold these resources: unknown is not "no".
    if let Some((path, error)) = broken.iter().find(|(path, _)| !store.surely_closed(path)) {
        setup
            .say(&format!("mrctl: locked: a run here cannot be read, and may hold these resources: {error}"));
        let short = store.short(&path.file_name().unwrap_or_default().to_string_lossy());
        setup.say(&format!(
            "  once you know that it is over, close it as it is: mrctl abandon {short} --reason …"
        ));
        return Err(ExitCode::Locked);
    }
    for run in runs.iter().filter(|run| run.open() && own != Some(run.id.as_str())) {
        if let Some(resource) = run.resources().intersection(&resources).next() {
            let short = store.short(&run.id);
            setup.say(&format!(
                "mrctl: locked: run {short} ({}, {} → {}) is {} and holds {resource}",
                run.plan.runbook,
                run.plan.from,
                run.plan.to,
                run.word()
            ));
            setup.say(&format!("  end it first: mrctl resume {short}, mrctl rollback {short} or mrctl abandon {short} --reason …"));
            return Err(ExitCode::Locked);
        }
    }
    let members = || {
        plan.clusters
            .iter()
            .flat_map(|(cluster, regions)| regions.iter().map(move |region| Member::new(cluster, region)))
    };
    let mut taken = Vec::new();
    for member in members() {
        match world.postgres.lock(&member, run).await {
            Known::Known(true) => taken.push(member),
            Known::Known(false) => {
                held(setup, world, &member, run).await;
                return Err(ExitCode::Locked);
            }
            Known::Unknown(why) => {
                setup.say(&format!("warning: the advisory lock of {member} was not taken: {why}"))
            }
        }
    }
    // The lock is free, and whoever had it may be held up in the middle of a call: it would go on behind our back.
    for member in taken {
        let others = match world.postgres.lock_sight(&member, run).await {
            Known::Known(sight) => sight.others,
            Known::Unknown(why) => {
                setup.say(&format!(
                    "warning: whether another run is still at work at {member} is unknown: {why}"
                ));
                continue;
            }
        };
        if let Some(other) = others.first() {
            let who = in_words(other);
            setup.say(&format!("mrctl: locked: another run is still at work at {member}: {who}"));
            setup.say(
                "  wait until it has ended; if its process is gone or held up, end its session, on that server:",
            );
            setup.say(&format!("  SELECT pg_terminate_backend({});", other.pid));
            return Err(ExitCode::Locked);
        }
    }
    Ok(locks)
}

/// Tells who holds the lock of a member, as far as its server can tell.
async fn held(setup: &Setup, world: &World, member: &Member, run: &str) {
    let sight = world.postgres.lock_sight(member, run).await;
    match sight {
        Known::Known(LockSight { holder: Some(holder), .. }) => {
            setup.say(&format!("mrctl: locked: {member} is held by {}", in_words(&holder)));
        }
        Known::Known(_) => setup.say(&format!(
            "mrctl: locked: another mrctl held the advisory lock of {member}, and has just let it go: try again"
        )),
        Known::Unknown(why) => setup.say(&format!(
            "mrctl: locked: another mrctl holds the advisory lock of {member}; who it is cannot be told: {why}"
        )),
    }
    setup.say("  its journal is on its own host: `mrctl runs` there tells how far it is");
}

/// A session in words: who it is, what it is called, where it comes from, and since when.
fn in_words(session: &AtWork) -> String {
    let AtWork { name, pid: _, from, age_ms, says } = session;
    let says = if says.is_empty() { "an mrctl".to_string() } else { outside(says, 120) };
    format!("{says} (session {}, from {}, for {})", outside(name, 63), outside(from, 60), time(age(*age_ms)))
}

fn age(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

/// How far the run is that holds a resource on this host, and how long ago that was.
fn last_record(setup: &Setup, store: &Store, resource: &String) {
    let Ok((runs, _)) = store.runs() else { return };
    let Some(run) = runs.iter().find(|run| run.open() && run.resources().contains(resource)) else {
        return;
    };
    let Some((line, _)) = run.lines.last() else { return };
    let field = |name: &str| line.body.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let step = if field("step").is_empty() { String::new() } else { format!(" of {}", field("step")) };
    if line.at > now() {
        setup.say(&format!(
            "  run {} is at its record `{}`{step}, with times that this host's clock has not reached",
            store.short(&run.id),
            field("type")
        ));
        return;
    }
    setup.say(&format!(
        "  run {} began {} ago; its last record, `{}`{step}, is {} old",
        store.short(&run.id),
        time(now() - run.began()),
        field("type"),
        time(now() - line.at)
    ));
}
