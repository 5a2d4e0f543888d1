//! Every lock that a run needs: files on this host, open runs, advisory locks at the servers.

use super::setup::{Setup, host, operator};
use crate::exit_code::ExitCode;
use crate::journal::lock::{FileLock, LockError};
use crate::plan::Plan;
use crate::store::Store;
use crate::world::{Known, Member, World};

/// Takes every lock: files on this host, open runs, advisory locks on each reachable member. `own`: the run that goes on.
pub async fn lock(
    setup: &Setup,
    store: &Store,
    plan: &Plan,
    world: &World,
    own: Option<&str>,
) -> Result<Vec<FileLock>, ExitCode> {
    let holder = format!("{} on {}, process {}", operator(), host(), std::process::id());
    let locks = match store.lock(&plan.resources, &holder) {
        Ok(locks) => locks,
        Err(error @ LockError::Held { .. }) => {
            setup.say(&format!("mrctl: locked: {error}"));
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
        let shared: Vec<&String> = run.plan.resources.iter().filter(|r| plan.resources.contains(r)).collect();
        if let Some(resource) = shared.first() {
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
    for (cluster, regions) in &plan.clusters {
        for region in regions {
            let member = Member::new(cluster, region);
            match world.postgres.lock(&member, own.unwrap_or("")).await {
                Known::Known(true) => {}
                Known::Known(false) => {
                    setup.say(&format!("mrctl: locked: another mrctl holds the advisory lock of {member}"));
                    return Err(ExitCode::Locked);
                }
                Known::Unknown(why) => {
                    setup.say(&format!("warning: the advisory lock of {member} was not taken: {why}"))
                }
            }
        }
    }
    Ok(locks)
}
