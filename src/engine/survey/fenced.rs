//! Whether users are kept from an old primary, asked again at the end.

use super::super::state::RunState;
use crate::plan::{Plan, PlannedEffect};
use crate::step::contract::Part;
use crate::step::postgres::promote::Promote;
use crate::step::{Action, Aim, Class, Kind as _, Sight, Standing};
use crate::world::{Known, Member, World};

/// The promotion of this data set in this plan.
fn promotion<'a>(plan: &'a Plan, set: &str) -> Option<&'a Promote> {
    let resource = format!("postgres/{set}");
    plan.effects().filter(|(s, _, _)| plan.steps[*s].skipped.is_none()).find_map(|(_, _, planned)| {
        match &planned.action {
            Action::PostgresPromote(promote) if promote.resources().contains(&resource) => Some(promote),
            _ => None,
        }
    })
}

/// Whether users are kept from this data set's source now: asked again, because what was fenced once may be back. Nothing where this run
/// fences nothing.
pub(super) async fn fenced(plan: &Plan, world: &World, state: &RunState, set: &str) -> Option<Known<()>> {
    let fences = |(s, _, planned): &(usize, usize, &PlannedEffect)| {
        plan.steps[*s].skipped.is_none()
            && planned.action.info().part == Part::Fence
            && planned.effect.class != Class::Looks
            && planned.action.resources().contains(&format!("postgres/{set}"))
    };
    // Without a fence of its own the promotion has asked; where nothing can be asked, a person's word has to do.
    let Some((_, _, planned)) = plan.effects().find(fences) else {
        let vouched = state.fenced.contains(&Member::new(set, &plan.from)).then_some(Known::Known(()));
        return match promotion(plan, set) {
            Some(promotion) => promotion.users_kept(world).await.or(vouched),
            None => vouched,
        };
    };
    let starts = Default::default();
    let sight = Sight { world, run: &state.run, starts: &starts };
    let facts = planned.action.observe(&planned.effect.id, sight).await;
    let judged = planned.action.judge(&planned.effect.id, &facts, Aim::Applied, None);
    Some(match judged.standing {
        Standing::Reached => Known::Known(()),
        Standing::NotReached | Standing::Moving | Standing::Blocked | Standing::Unknown => {
            Known::Unknown(judged.evidence)
        }
    })
}

/// Whether users are kept from a source that looks writable from here: nothing where no fence of this run stands there. mrctl's own path may
/// lead past what a fence has closed.
pub(super) async fn closed_off(plan: &Plan, world: &World, state: &RunState, set: &str) -> Option<Known<()>> {
    let stands = plan.effects().any(|(s, e, planned)| {
        planned.action.info().part == Part::Fence
            && planned.action.resources().contains(&format!("postgres/{set}"))
            && state.steps[s].effects[e].stands()
    });
    if stands { fenced(plan, world, state, set).await } else { None }
}
