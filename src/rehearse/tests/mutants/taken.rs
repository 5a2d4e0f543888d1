//! Mutants of takeovers: a planned run whose source dies, or only seems to, goes on as an unplanned one.

use super::gone::{credulous, dead};
use super::{caught, inventory, plan};
use crate::engine::record::Record;
use crate::engine::state::{EffectState, RunState};
use crate::engine::switch::Hindrance;
use crate::plan::Plan;
use crate::rehearse::node::Bend;
use crate::rehearse::report::{How, Report, rehearse_in};
use crate::rehearse::scene::scene;
use crate::rehearse::tests::unplanned::plan as unplanned;
use crate::world::sim::exec::Script;

pub struct Taken {
    pub what: &'static str,
    pub class: &'static str,
    bend: Bend,
    plan: fn(&mut Plan),
}

/// Nothing is broken yet.
const NONE: Bend = Bend { record: None, state: None, refuses: None, remembers: false, apart: false };
const SOUND: Taken = Taken { what: "", class: "", bend: NONE, plan: |_| {} };

pub const TAKEN: &[Taken] = &[
    Taken {
        what: "what a takeover carries over is forgotten",
        class: "lost intents",
        bend: Bend {
            state: Some(|record, _, state: &mut RunState| {
                if let Record::Switched { .. } = record {
                    state.intents.clear();
                    state.steps.iter_mut().for_each(|step| {
                        step.effects.iter_mut().for_each(|effect| *effect = EffectState::default());
                    });
                }
            }),
            ..NONE
        },
        ..SOUND
    },
    Taken {
        what: "a takeover takes silence for death",
        class: "false death",
        bend: Bend { record: Some(dead), ..NONE },
        plan: |plan| credulous(plan, "promote"),
    },
    Taken {
        what: "nobody is asked whether the loss is accepted",
        class: "unaccepted loss",
        plan: |plan| {
            plan.steps.iter_mut().for_each(|step| step.questions.retain(|ask| !ask.id.ends_with("/loss")))
        },
        ..SOUND
    },
    Taken {
        what: "a takeover is refused wherever writes are stopped",
        class: "no way out",
        bend: Bend { refuses: Some(|_| true), ..NONE },
        ..SOUND
    },
    Taken {
        what: "a run is taken over behind its promotion",
        class: "second promotion",
        bend: Bend { refuses: Some(|against| against.iter().any(|one| *one != Hindrance::Promoted)), ..NONE },
        ..SOUND
    },
];

/// The rehearsal of one of them, until the first finding.
fn rehearsed(mutant: &Taken, faults: u32) -> Report {
    let inventory = inventory();
    let (mut planned, mut taken) =
        (plan("runbooks/postgres-failover.yaml"), unplanned(["eu-west", "us-east"]));
    // What does not matter here only takes time.
    for plan in [&mut planned, &mut taken] {
        plan.steps.retain(|step| ["freeze", "fence", "catch_up", "promote"].contains(&step.id.as_str()));
    }
    (mutant.plan)(&mut taken);
    let world = || {
        let sim = scene(&planned, &inventory);
        sim.exec.script("true", Script::default());
        sim
    };
    let how = How::of(&planned, &inventory, faults, 1).or(Some(taken));
    rehearse_in(&planned, &How { world: Box::new(world), bend: mutant.bend, first: true, ..how })
}

/// How it was caught.
pub(super) fn how(mutant: &Taken) -> Option<String> {
    caught(&rehearsed(mutant, 2))
}

#[test]
fn the_sound_engine_raises_no_alarm_on_what_is_taken_over_here() {
    let report = rehearsed(&SOUND, 2);
    assert_eq!(caught(&report), None, "{}", crate::rehearse::tests::told(&report));
}
