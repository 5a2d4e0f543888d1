//! The advisory locks, asked for again right before each call: a lost one is retaken, and the world looked at again.
//!
//! They keep two operators from getting into each other's way. What protects the data are the guards in the statements themselves,
//! so a member that cannot be asked stops nothing.

use super::perform::Cx;
use super::state::RunState;
use super::survey;
use crate::plan::PlannedEffect;
use crate::step::{Aim, Class, Facts, Sight, Standing};
use crate::world::postgres::Handover;
use crate::world::{Known, Member};

/// What came of asking.
pub(super) enum Guard {
    /// All that were taken are still ours, or were retaken while nothing changed.
    Held,
    /// One was lost for a while, and what was looked at before is no longer so.
    Changed(String),
    /// Somebody else holds the lock of this member.
    Lost(String),
}

/// Asks for the locks of all members, and looks again where one had to be retaken.
pub(super) async fn guard(
    cx: &Cx<'_>,
    state: &RunState,
    planned: &PlannedEffect,
    aim: Aim<'_, Facts>,
    handover: Option<&Handover>,
) -> Guard {
    let members = cx
        .plan
        .clusters
        .iter()
        .flat_map(|(cluster, regions)| regions.iter().map(move |region| Member::new(cluster, region)));
    let asked = futures_util::future::join_all(members.map(|member| async move {
        let held = match cx.world.postgres.lock_held(&member).await {
            Known::Known(false) => {
                cx.world.postgres.lock(&member, &state.run).await.map(|taken| (taken, true))
            }
            Known::Known(true) => Known::Known((true, false)),
            Known::Unknown(why) => Known::Unknown(why),
        };
        (member, held)
    }))
    .await;
    if let Some((member, _)) = asked.iter().find(|(_, held)| held.is(|(held, _)| !held)) {
        return Guard::Lost(member.to_string());
    }
    let retaken = asked.iter().find(|(_, held)| held.is(|(_, retaken)| *retaken));
    let Some((member, _)) = retaken else { return Guard::Held };
    if let Some(what) = moved(cx, state, member).await {
        return Guard::Changed(format!("the lock on {member} was lost for a while, and then: {what}"));
    }
    let sight = Sight { world: cx.world, run: &state.run, starts: cx.starts };
    let facts = planned.action.observe(&planned.effect.id, sight).await;
    let judged = match aim {
        Aim::Applied => planned.action.judge_found(&planned.effect.id, &facts, handover),
        Aim::Restored(_) => planned.action.judge(&planned.effect.id, &facts, aim, handover),
    };
    match judged.standing {
        Standing::NotReached => Guard::Held,
        Standing::Reached | Standing::Moving | Standing::Blocked | Standing::Unknown => Guard::Changed(
            format!("the lock on {member} was lost for a while, and then: {}", judged.evidence),
        ),
    }
}

/// What another run has made of the cluster that this one moves, while nobody held its lock: whoever was held up for long wakes up in
/// another world, also with a change that is not about that cluster.
async fn moved(cx: &Cx<'_>, state: &RunState, member: &Member) -> Option<String> {
    let (set, to) = (member.resource.as_str(), &cx.plan.to);
    let moves = |planned: &PlannedEffect| {
        planned.effect.class == Class::Pivot && planned.effect.needs.as_deref() == Some(set)
    };
    let moves = cx.plan.effects().any(|(s, _, planned)| cx.plan.steps[s].skipped.is_none() && moves(planned));
    let regions = cx.plan.clusters.get(set).filter(|_| moves)?;
    let now = survey::cluster(cx.world, set, regions, &state.run).await;
    // One that cannot be seen is asked by whatever the change is guarded by.
    let recovers = now.members.get(to)?.get()?.in_recovery();
    let passed = state.passed_for(cx.plan, set);
    match (recovers, passed) {
        (false, false) if !state.settled(cx.plan, Some(set)) => {
            Some(format!("{set} in {to} is a primary by now, and not by this run"))
        }
        (true, true) => Some(format!("{set} in {to} is a standby again, and not by this run")),
        (true, false) | (false, _) => None,
    }
}
