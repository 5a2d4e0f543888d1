//! Heartbeats beside a planned run: written through the source until the freeze refuses them, so that what was acknowledged before it can be
//! found again on the target, or counted where the source dies in the middle. No step waits for them.

use super::folders;
use super::heartbeat::{Heart, in_words};
use super::setup::{Setup, holder};
use crate::plan::{Mode, Plan};
use crate::world::World;
use crate::world::postgres::heartbeat::Missed;
use crate::world::real::postgres::remembered::Writer;
use std::convert::Infallible;
use std::time::Duration;

/// What beats, and how often.
pub struct Beating<'a>(Vec<(Heart<'a>, Duration)>);

/// Writes the first one of every cluster that is moved, before anything is done to it. Whoever writes them already goes on.
pub async fn begin<'a>(setup: &Setup, plan: &Plan, world: &'a World) -> Beating<'a> {
    let mut beating = Vec::new();
    if plan.mode != Mode::Planned {
        return Beating(beating);
    }
    for cluster in plan.clusters.keys() {
        let Some(every) = world.postgres.heartbeat_every(cluster) else { continue };
        let Some(state) = setup.state_folder() else { continue };
        let folder = folders::heartbeats(&state, &plan.environment);
        let Ok(writer) = Writer::take(&folder, cluster, &holder()) else { continue };
        // Only the source: what happens to the others is for the run to find out.
        let mut heart = Heart::new(world, cluster, vec![plan.from.clone()], writer);
        match heart.beat().await {
            Ok(_) => beating.push((heart, every)),
            Err(missed) => {
                let why = in_words(&missed);
                setup
                    .say(&format!("note: no heartbeat of {cluster} in {} is acknowledged: {why}", plan.from));
            }
        }
    }
    Beating(beating)
}

impl Beating<'_> {
    /// Goes on until each source takes no more writes, and never returns: the run says when it is over.
    pub async fn go_on(self) -> Infallible {
        let each = self.0.into_iter().map(|(mut heart, every)| async move {
            loop {
                tokio::time::sleep(every).await;
                match heart.beat().await {
                    Ok(_) => {}
                    Err(Missed::ReadOnly) => break,
                    // What is wrong with a source is for the run to see and to tell.
                    Err(missed) => tracing::debug!(why = in_words(&missed), "heartbeat missed"),
                }
            }
        });
        futures_util::future::join_all(each).await;
        std::future::pending().await
    }
}
