//! Mutants of unplanned runs: each begins with a source that is gone, or that only seems to be.

use super::{caught, inventory};
use crate::engine::record::{Purpose, Record, Verdict};
use crate::plan::Plan;
use crate::rehearse::node::Bend;
use crate::rehearse::report::{How, Report, rehearse_in};
use crate::rehearse::scene::scene;
use crate::rehearse::source::Source;
use crate::rehearse::tests::unplanned::plan as shipped;
use crate::step::Standing;
use crate::world::Reply;
use crate::world::sim::Sim;
use crate::world::sim::exec::Script;
use serde_json::{Value, json};

pub struct Gone {
    pub what: &'static str,
    pub class: &'static str,
    source: Source,
    record: Option<fn(&Plan, &mut Record)>,
    plan: fn(&mut Plan),
    world: fn(&Sim),
}

/// Nothing is broken yet.
const SOUND: Gone =
    Gone { what: "", class: "", source: Source::Hung, record: None, plan: |_| {}, world: |_| {} };

/// A command that looks, and always says the same.
const YES: &str = "true";

/// Asked for its proof, this step gets a yes whatever is so.
pub(super) fn credulous(plan: &mut Plan, id: &str) {
    fn edit(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(fenced) = map.get_mut("fenced").filter(|fenced| fenced.is_object()) {
                    fenced["argv"] = json!([YES]);
                }
                map.values_mut().for_each(edit);
            }
            Value::Array(list) => list.iter_mut().for_each(edit),
            _ => {}
        }
    }
    let step = plan.steps.iter_mut().find(|step| step.id == id).unwrap();
    for planned in &mut step.effects {
        let mut action = serde_json::to_value(&planned.action).unwrap();
        let before = action.clone();
        edit(&mut action);
        assert_ne!(action, before, "{id} asks for no proof");
        planned.action = serde_json::from_value(action).unwrap();
    }
}

/// Whatever is seen of the old primary, or not seen, is its death.
pub(super) fn dead(_: &Plan, record: &mut Record) {
    if let Record::Looked { step, effect, standing, .. } = record
        && step == "fence"
        && matches!(standing, Standing::Blocked | Standing::Unknown)
    {
        *standing = if effect == "missed" { Standing::Reached } else { Standing::NotReached };
    }
}

pub const GONE: &[Gone] = &[
    Gone {
        what: "the old primary is promoted over without a fence",
        class: "no fence",
        plan: |plan| {
            plan.steps.retain(|step| step.id != "fence");
            credulous(plan, "promote");
        },
        ..SOUND
    },
    Gone {
        what: "the look from where users come from cannot fail",
        class: "check that cannot fail",
        world: |sim| {
            let nobody = "ssh probe.example.com nobody-reaches pg.eu.example.com 5432";
            sim.exec.script(nobody, Script::default());
        },
        ..SOUND
    },
    Gone {
        what: "a fence command is believed when it ends well",
        class: "unverified fence",
        record: Some(|_, record| match record {
            Record::Replied { step, reply, .. } if step == "fence" => *reply = Reply::acknowledged("done"),
            Record::Looked { step, purpose: Purpose::After, standing, .. } if step == "fence" => {
                *standing = Standing::Reached;
            }
            _ => {}
        }),
        plan: |plan| credulous(plan, "promote"),
        ..SOUND
    },
    Gone {
        what: "silence is taken for death",
        class: "false death",
        source: Source::Hidden,
        record: Some(dead),
        ..SOUND
    },
    Gone {
        what: "nobody is asked whether the loss is accepted",
        class: "unaccepted loss",
        source: Source::Dead,
        plan: |plan| {
            plan.steps.iter_mut().for_each(|step| step.questions.retain(|ask| !ask.id.ends_with("/loss")))
        },
        ..SOUND
    },
    Gone {
        what: "a run that has fenced and gave up says that it was refused",
        class: "false green",
        record: Some(|_, record| {
            if let Record::Ended { verdict, .. } = record
                && matches!(verdict, Verdict::Paused | Verdict::Unknown)
            {
                *verdict = Verdict::Refused;
            }
        }),
        ..SOUND
    },
];

/// The rehearsal of one of them, until the first finding.
fn rehearsed(mutant: &Gone, faults: u32) -> Report {
    let mut plan = shipped(["eu-west", "us-east"]);
    // What does not matter here only takes time.
    plan.steps.retain(|step| ["fence", "catch_up", "promote"].contains(&step.id.as_str()));
    let (sound, inventory) = (plan.clone(), inventory());
    (mutant.plan)(&mut plan);
    let world = || {
        let sim = scene(&sound, &inventory);
        mutant.source.befalls(&sound, &sim);
        sim.exec.script(YES, Script::default());
        (mutant.world)(&sim);
        sim
    };
    let bend = Bend { record: mutant.record, ..Bend::default() };
    let how = How::with(&plan, &inventory, mutant.source, faults, 1);
    rehearse_in(&plan, &How { world: Box::new(world), bend, first: true, ..how })
}

/// How it was caught.
pub(super) fn how(mutant: &Gone) -> Option<String> {
    let report = rehearsed(mutant, 2);
    report.fails_alone.clone().or_else(|| caught(&report))
}

#[test]
fn the_sound_engine_raises_no_alarm_on_what_these_mutants_are_made_from() {
    for source in Source::of(crate::plan::Mode::Unplanned) {
        let report = rehearsed(&Gone { source: *source, ..SOUND }, 1);
        assert!(report.clean(), "{source:?}: {}", super::super::told(&report));
        assert_eq!(report.complete_for, Some(1));
    }
}
