//! What can be seen before a run: each effect once, read-only, and what speaks against pressing the button.

use crate::plan::Plan;
use crate::step::condition::Starts;
use crate::step::contract::Part;
use crate::step::{Aim, Class, Found, Sight, Standing};
use crate::world::signal::SignalCall;
use crate::world::{Known, World};
use std::collections::{BTreeMap, BTreeSet};

/// What one look at an effect saw, outside of a run.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether it comes behind a freeze or a change of traffic, and may depend on it.
    pub later: bool,
    /// What the facts mean.
    pub judged: crate::step::Judgement,
    /// What would change, and the exact statements.
    pub would: Vec<String>,
    /// Identity facts.
    pub identity: Vec<(String, String)>,
}

/// The first freeze or change of traffic, as indices of its effect: what comes behind it may depend on it.
pub fn turning(plan: &Plan) -> Option<(usize, usize)> {
    plan.effects()
        .filter(|(s, _, _)| plan.steps[*s].skipped.is_none())
        .find(|(_, _, planned)| {
            let fences = planned.action.info().part == Part::Fence && planned.effect.class != Class::Looks;
            fences || planned.effect.freezes.is_some() || !planned.action.sends().is_empty()
        })
        .map(|(s, e, _)| (s, e))
}

/// Looks at every effect of a plan once, read-only. What runs side by side is looked at side by side; all of it is bounded by the
/// ports' own deadlines.
pub async fn preview(plan: &Plan, world: &World, starts: &Starts) -> BTreeMap<(usize, usize), Preview> {
    let sight = Sight { world, run: "", starts };
    let turning = turning(plan);
    let effects = plan.effects().filter(|(s, _, _)| plan.steps[*s].skipped.is_none());
    let looks = effects.map(|(s, e, planned)| async move {
        let id = planned.effect.id.as_str();
        let facts = planned.action.observe(id, sight).await;
        let judged = planned.action.judge(id, &facts, Aim::Applied, None);
        let would = match judged.standing {
            // Nothing would change.
            Standing::Reached => Vec::new(),
            Standing::NotReached | Standing::Moving | Standing::Blocked | Standing::Unknown => {
                planned.action.would(id, &facts, world)
            }
        };
        let preview = Preview {
            later: turning.is_some_and(|turning| (s, e) > turning),
            judged,
            would,
            identity: planned.action.identity(id, &facts),
        };
        ((s, e), preview)
    });
    let mut seen: BTreeMap<(usize, usize), Preview> =
        futures_util::future::join_all(looks).await.into_iter().collect();
    behind_a_rejoin(plan, &mut seen);
    seen
}

/// What comes within a rejoin depends on what comes first there: the first effect that is not there yet has looked at everything that forbids
/// it, and the others are about a server that is made only by it.
fn behind_a_rejoin(plan: &Plan, seen: &mut BTreeMap<(usize, usize), Preview>) {
    for (s, step) in plan.steps.iter().enumerate() {
        let rejoins = step.effects.iter().any(|planned| planned.action.info().part == Part::Rejoin);
        let mut effects = (0..step.effects.len()).filter(|_| rejoins);
        let open =
            effects.find(|e| seen.get(&(s, *e)).is_some_and(|p| p.judged.standing != Standing::Reached));
        let Some(open) = open else { continue };
        for e in open + 1..step.effects.len() {
            if let Some(preview) = seen.get_mut(&(s, e)) {
                preview.later = true;
            }
        }
    }
}

/// What speaks against pressing the button now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// Why it would not work; empty when it would.
    pub now: Vec<String>,
    /// What can be told only when its turn comes: signals of a region to which no user was sent yet.
    pub later: Vec<String>,
}

/// Why the button would not work now. From the first freeze or change of traffic on, a step may depend on the ones before it, so
/// only what cannot be seen at all counts there; and not even that for a condition, since who measures users has none to measure yet.
pub fn obstacles(plan: &Plan, seen: &BTreeMap<(usize, usize), Preview>) -> Obstacles {
    let mut obstacles = Obstacles::default();
    for ((s, e), Preview { later, judged, .. }) in seen {
        let step = &plan.steps[*s];
        let planned = &step.effects[*e];
        let changes = planned.effect.class != Class::Looks;
        let stands = match judged.standing {
            Standing::Unknown => !(*later && planned.action.info().part == Part::Rejoin),
            Standing::Blocked => !later,
            Standing::NotReached | Standing::Moving => !changes && !later,
            // Nobody can adopt it without a terminal, and behind a promotion it is too late to find that out.
            Standing::Reached => {
                changes && planned.effect.found == Found::Ask && (!later || is_so_already(plan, *s, *e))
            }
        };
        if stands && !step.best_effort {
            let turn = *later && planned.action.condition().is_some();
            let list = if turn { &mut obstacles.later } else { &mut obstacles.now };
            list.push(format!("{}: {}", step.id, judged.evidence));
        }
    }
    obstacles
}

/// Whether users are where this effect would send them, with nothing before it in the plan that moves them.
fn is_so_already(plan: &Plan, s: usize, e: usize) -> bool {
    let action = &plan.steps[s].effects[e].action;
    let resources = action.resources();
    let moved = plan.effects().take_while(|(s2, e2, _)| (*s2, *e2) < (s, e)).any(|(_, _, before)| {
        let same = before.action.resources().iter().any(|one| resources.contains(one));
        same && !before.action.sends().is_empty()
    });
    !action.sends().is_empty() && !moved
}

/// The values that `at_start(…)` refers to.
pub async fn starts(plan: &Plan, world: &World) -> Starts {
    let conditions = plan
        .steps
        .iter()
        .flat_map(|step| {
            step.require.iter().chain(step.effects.iter().filter_map(|planned| planned.action.condition()))
        })
        .chain(plan.watches.iter().map(|watch| &watch.ok));
    let calls: BTreeSet<_> = conditions.flat_map(|condition| condition.starts()).collect();
    let mut starts = Starts::new();
    for call in calls {
        let sample = world.signals.sample(&call).await;
        starts.insert(call, sample);
    }
    starts
}

/// `at_start` values as the journal keeps them, and back.
pub fn starts_in_words(starts: &Starts) -> BTreeMap<String, String> {
    let word = |sample: &Known<f64>| match sample {
        Known::Known(value) => format!("{value}"),
        Known::Unknown(why) => format!("unknown: {why}"),
    };
    starts.iter().map(|(call, sample)| (format!("{} {}", call.name, call.of), word(sample))).collect()
}

/// See [`starts_in_words`].
pub fn starts_from_words(words: &BTreeMap<String, String>) -> Starts {
    let read = |(key, word): (&String, &String)| {
        let (name, of) = key.split_once(' ').unwrap_or((key, ""));
        let sample = match word.parse::<f64>() {
            Ok(value) => Known::Known(value),
            Err(_) => Known::unknown(word.strip_prefix("unknown: ").unwrap_or(word)),
        };
        (SignalCall { name: name.to_string(), of: of.to_string() }, sample)
    };
    words.iter().map(read).collect()
}
