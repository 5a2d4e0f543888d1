//! Heartbeats beside a planned run: written through the source until the run begins to stop writes there, so that what was acknowledged
//! before is found again on the target, or counted where the source dies in the middle. No step waits for them.

use super::folders;
use super::heart::{Heart, in_words};
use super::setup::{Setup, holder};
use crate::engine::driver::Reader;
use crate::engine::state::find;
use crate::engine::{Asked, Progress, Record, RunState};
use crate::journal::chain::Line;
use crate::plan::{Mode, Plan};
use crate::step::Class;
use crate::step::contract::Part;
use crate::world::World;
use crate::world::real::postgres::remembered::Writer;
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

/// How long the run waits for the first ones at most.
const FIRST: Duration = Duration::from_secs(3);

/// What beats, and how often.
pub struct Beating<'a> {
    hearts: Vec<(Heart<'a>, Duration)>,
    until: Until,
}

/// Sees when the run begins to stop writes, or to promote.
#[derive(Clone)]
pub struct Until {
    plan: Rc<Plan>,
    over: Rc<Cell<bool>>,
}

impl Until {
    /// Of the records so far.
    pub fn new<'r>(plan: Rc<Plan>, past: impl IntoIterator<Item = &'r Record>) -> Self {
        let until = Self { plan, over: Rc::default() };
        past.into_iter().for_each(|record| until.take(record));
        until
    }

    fn take(&self, record: &Record) {
        let Record::Intent { step, effect, undo: false, .. } = record else { return };
        let Some((s, e)) = find(&self.plan, step, effect) else { return };
        let planned = &self.plan.steps[s].effects[e];
        let part = planned.action.info().part;
        if planned.effect.class == Class::Pivot
            || matches!(part, Part::Freeze | Part::Stop | Part::Fence | Part::Rejoin)
        {
            self.over.set(true);
        }
    }
}

impl Reader for Until {
    fn record(&self, _line: &Line, record: &Record, _state: &RunState) {
        self.take(record);
    }

    fn progress(&self, _progress: &Progress) {}

    fn waiting(&self, _asked: &Asked) {}
}

/// Writes the first one of every cluster that is moved, before anything is done to it. Whoever writes them already goes on.
pub async fn begin<'a>(setup: &Setup, until: Until, world: &'a World) -> Beating<'a> {
    let mut beating = Beating { hearts: Vec::new(), until };
    let plan = Rc::clone(&beating.until.plan);
    let state = setup.state_folder().filter(|_| plan.mode == Mode::Planned && !beating.until.over.get());
    let Some(state) = state else { return beating };
    let folder = folders::heartbeats(&state, &plan.environment);
    let hearts = plan.clusters.iter().filter_map(|(cluster, regions)| {
        let every = world.postgres.heartbeat_every(cluster)?;
        let writer = Writer::take(&folder, cluster, &holder()).ok()?;
        Some((Heart::new(world, cluster, regions.clone(), writer), every))
    });
    let first = hearts.map(|(mut heart, every)| {
        let plan = Rc::clone(&plan);
        async move {
            let beat = tokio::time::timeout(FIRST, heart.beat()).await;
            let why = match beat {
                Ok(Ok(beat)) if beat.region == plan.from => return Ok((heart, every)),
                Ok(Ok(beat)) => format!("the primary is in {}", beat.region),
                Ok(Err(missed)) => in_words(&missed),
                Err(_) => format!("it took more than {} s", FIRST.as_secs()),
            };
            Err(format!("note: no heartbeat of {} is acknowledged in {}: {why}", heart.cluster(), plan.from))
        }
    });
    for beaten in futures_util::future::join_all(first).await {
        match beaten {
            Ok(heart) => beating.hearts.push(heart),
            Err(why) => setup.say(setup.redactor.scrub(&why).as_ref()),
        }
    }
    beating
}

impl Beating<'_> {
    /// Goes on until the run begins to stop writes, or one is missed, and never returns: the run says when it is over.
    pub async fn go_on(self) -> Infallible {
        let over = &self.until.over;
        let each = self.hearts.into_iter().map(|(mut heart, every)| async move {
            loop {
                tokio::time::sleep(every).await;
                if over.get() {
                    break;
                }
                // What is wrong with a source is for the run to see and to tell.
                if let Err(missed) = heart.beat().await {
                    tracing::debug!(why = in_words(&missed), "no more heartbeats");
                    break;
                }
            }
        });
        futures_util::future::join_all(each).await;
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::made;
    use std::path::Path;

    fn plan(mode: Mode) -> Rc<Plan> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let made =
            made(&folder.join("trial.yaml"), &folder.join("production.yaml"), ["eu-west", "us-east"], mode);
        Rc::new(made.0.unwrap())
    }

    #[test]
    fn nothing_is_written_from_the_intent_of_the_freeze_on_nor_by_whoever_resumes_behind_it() {
        let plan = plan(Mode::Planned);
        let intent = |part: Part, undo: bool| {
            let mut effects = plan.effects();
            let (s, _, planned) = effects.find(|(_, _, planned)| planned.action.info().part == part).unwrap();
            let (step, effect) = (plan.steps[s].id.clone(), planned.name.clone());
            let prior = serde_json::from_value(serde_json::json!({ "checklist": {} })).unwrap();
            Record::Intent { step, effect, attempt: 1, undo, prior }
        };
        let until = |records: &[Record]| Until::new(Rc::clone(&plan), records).over.get();
        assert!(!until(&[]) && !until(&[intent(Part::Traffic, false)]));
        assert!(!until(&[intent(Part::Freeze, true)]));
        assert!(until(&[intent(Part::Freeze, false)]));
        assert!(until(&[intent(Part::Pivot, false)]));
    }
}
