//! The advisory locks, asked for again right before each call: a lost one is retaken, and the world looked at again.
//!
//! They keep two operators from getting into each other's way. What protects the data are the guards in the statements themselves,
//! so a member that cannot be asked stops nothing.

use super::perform::Cx;
use super::state::RunState;
use crate::plan::PlannedEffect;
use crate::step::{Aim, Facts, Sight, Standing};
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
