//! The table of mutants.

use super::{Break, Mutant, mutant};
use crate::engine::record::{Choice, Purpose, Record, Verdict};
use crate::engine::state::{Flight, Seen, Undone};
use crate::plan::{Plan, Step};
use crate::step::{Class, Facts, Proof, Standing};
use crate::world::postgres::Lsn;
use crate::world::sim::exec::Script;
use crate::world::{Known, Reply};

fn seen(record: &mut Record, change: impl FnOnce(Purpose, &mut Standing)) {
    if let Record::Looked { purpose, standing, .. } = record {
        change(*purpose, standing);
    }
}

fn step<'a>(plan: &'a mut Plan, id: &str) -> &'a mut Step {
    plan.steps.iter_mut().find(|step| step.id == id).unwrap()
}

fn without(plan: &mut Plan, id: &str) {
    plan.steps.retain(|step| step.id != id);
}

fn pivot(plan: &Plan, of: &str) -> bool {
    let step = plan.steps.iter().find(|step| step.id == of).unwrap();
    step.effects.iter().any(|planned| planned.effect.class == Class::Pivot)
}

pub const MUTANTS: &[Mutant] = &[
    mutant(
        "a lost answer is taken for a failure",
        "timeout is failure",
        Break::Record(|_, record| {
            if let Record::Replied { reply: reply @ Reply::Lost { .. }, .. } = record {
                *reply = Reply::refused("timed out");
            }
        }),
    ),
    mutant(
        "an unknown is taken for what was hoped for",
        "unknown is success",
        Break::Record(|_, record| {
            seen(record, |_, standing| {
                if *standing == Standing::Unknown {
                    *standing = Standing::Reached;
                }
            });
        }),
    ),
    mutant(
        "an unknown before the undo is taken for nothing to do",
        "unknown is zero",
        Break::Record(|_, record| {
            seen(record, |purpose, standing| {
                if purpose == Purpose::Undo && *standing == Standing::Unknown {
                    *standing = Standing::Reached;
                }
            });
        }),
    ),
    mutant(
        "an unknown after the undo is taken for restored",
        "unknown is success",
        Break::Record(|_, record| {
            seen(record, |purpose, standing| {
                if purpose == Purpose::Undone && *standing == Standing::Unknown {
                    *standing = Standing::Reached;
                }
            });
        }),
    ),
    mutant(
        "nothing is taken back: there seems to be nothing",
        "forgotten unfreeze",
        Break::Record(|_, record| {
            seen(record, |purpose, standing| {
                if purpose == Purpose::Undo {
                    *standing = Standing::Reached;
                }
            });
        }),
    ),
    mutant(
        "an undo that is not seen is believed",
        "unverified rollback",
        Break::Record(|_, record| {
            seen(record, |purpose, standing| {
                if purpose == Purpose::Undone {
                    *standing = Standing::Reached;
                }
            });
        }),
    ),
    mutant(
        "the promotion is believed before it was asked for",
        "skipped step",
        Break::Record(|plan, record| {
            if let Record::Looked { step, standing, purpose: Purpose::Before, .. } = record
                && pivot(plan, step)
                && *standing == Standing::NotReached
            {
                *standing = Standing::Reached;
            }
        }),
    ),
    mutant(
        "the freeze is believed before it was made",
        "skipped fence",
        Break::Record(|_, record| {
            if let Record::Looked { step, standing, .. } = record
                && step == "freeze"
            {
                *standing = Standing::Reached;
            }
        }),
    ),
    mutant(
        "the handover asks for nothing",
        "promote before the barrier",
        Break::Record(|_, record| {
            if let Record::Looked { handover: Some(handover), .. } = record {
                (handover.position, handover.next_transaction) = (Lsn(0), u64::MAX);
            }
        }),
    ),
    mutant(
        "what stood before the freeze is remembered wrongly",
        "wrong prior",
        Break::Record(|_, record| {
            if let Record::Intent { step, prior: Facts::PostgresFreeze(facts), undo: false, .. } = record
                && step == "freeze"
                && let Known::Known(source) = &mut facts.source
            {
                source.read_only.altered = Known::Known(crate::world::postgres::Altered::To("on".into()));
            }
        }),
    ),
    mutant(
        "a run that gave up says that it completed",
        "false green",
        Break::Record(|_, record| {
            if let Record::Ended { verdict, .. } = record
                && matches!(verdict, Verdict::Unknown | Verdict::Paused)
            {
                *verdict = Verdict::Completed;
            }
        }),
    ),
    mutant(
        "a rollback that failed says that it is done",
        "false green",
        Break::Record(|_, record| {
            if let Record::Ended { verdict: verdict @ Verdict::RollbackFailed, .. } = record {
                *verdict = Verdict::RolledBack;
            }
        }),
    ),
    mutant(
        "the last look does not mention what is frozen",
        "silent degradation",
        Break::Record(|_, record| {
            if let Record::Surveyed { frozen, unknown, .. } = record {
                (*frozen, *unknown) = (Vec::new(), false);
            }
        }),
    ),
    mutant(
        "the last look does not mention a freeze that may be written and not loaded",
        "silent degradation",
        Break::Record(|_, record| {
            if let Record::Surveyed { waiting, .. } = record {
                waiting.clear();
            }
        }),
    ),
    mutant(
        "a freeze that is not in force is taken for taken back",
        "half of a change",
        Break::State(|record, _, state| {
            if let Record::Looked { purpose: Purpose::Undone, standing: Standing::Reached, .. } = record {
                for effect in state.steps.iter_mut().flat_map(|step| &mut step.effects) {
                    let half = |seen: &Seen| seen.evidence.contains("written and not loaded");
                    if effect.seen.as_deref().is_some_and(half) {
                        effect.undone = Some(Undone::Restored);
                    }
                }
            }
        }),
    ),
    mutant(
        "the last look does not mention that both sides took commits",
        "unseen divergence",
        Break::Record(|_, record| {
            if let Record::Surveyed { diverged, .. } = record {
                diverged.clear();
            }
            if let Record::Looked { remark, .. } = record {
                *remark = None;
            }
        }),
    ),
    mutant(
        "a no is taken for a yes",
        "no approval",
        Break::Record(|_, record| {
            if let Record::Answered { yes, how, .. } = record
                && !*yes
            {
                (*yes, *how) = (true, "terminal".into());
            }
        }),
    ),
    mutant(
        "nobody's answer is taken for a yes",
        "no approval",
        Break::Record(|_, record| {
            if let Record::Answered { yes, how, .. } = record
                && how == "absent"
            {
                (*yes, *how) = (true, "terminal".into());
            }
        }),
    ),
    mutant(
        "asked to roll back, it goes on",
        "no way back",
        Break::Record(|_, record| {
            if let Record::Opened { choice, .. } = record {
                *choice = Choice::Continue;
            }
        }),
    ),
    mutant(
        "a promotion that may still happen is forgotten by the next process",
        "late effect",
        Break::State(|record, _, state| {
            if let Record::Opened { .. } = record {
                for effect in state.steps.iter_mut().flat_map(|step| &mut step.effects) {
                    if effect.intent.as_ref().is_some_and(|i| matches!(i.flight, Flight::InDoubt { .. })) {
                        effect.intent = None;
                    }
                }
            }
        }),
    ),
    mutant(
        "an undo that failed is taken for done",
        "unverified rollback",
        Break::State(|_, _, state| {
            for effect in state.steps.iter_mut().flat_map(|step| &mut step.effects) {
                if matches!(effect.undone, Some(Undone::Failed { .. })) {
                    effect.undone = Some(Undone::Restored);
                }
            }
        }),
    ),
    mutant(
        "what was changed is forgotten by the next process",
        "lost state",
        Break::State(|record, _, state| {
            if let Record::Opened { .. } = record {
                state.intents.clear();
            }
        }),
    ),
    mutant(
        "the freeze cannot be taken back",
        "forgotten unfreeze",
        Break::Plan(|plan| {
            step(plan, "freeze").effects[0].effect.class = Class::ForwardOnly;
        }),
    ),
    mutant(
        "the command is not taken back",
        "forgotten cleanup",
        Break::Plan(|plan| {
            step(plan, "banner").effects[0].effect.class = Class::ForwardOnly;
        }),
    ),
    mutant(
        "the time to live is not put back",
        "forgotten temporary change",
        Break::Plan(|plan| {
            step(plan, "short_ttl").effects[0].effect.class = Class::ForwardOnly;
        }),
    ),
    mutant("writes are not stopped", "no fence", Break::Plan(|plan| without(plan, "freeze"))),
    mutant(
        "nothing proves that the target has everything",
        "promote before the barrier",
        Break::Plan(|plan| {
            without(plan, "catch_up");
        }),
    ),
    mutant(
        "what is seen of a server is written down wrong",
        "model and world differ",
        Break::Record(|_, record| {
            if let Record::Looked { facts: Facts::PostgresPreflight(facts), .. } = record
                && let Known::Known(source) = &mut facts.sides.source
            {
                source.started = u64::MAX.to_string();
            }
        }),
    ),
    mutant(
        "the promotion comes before the proof",
        "wrong order",
        Break::Plan(|plan| {
            let at = |id: &str| plan.steps.iter().position(|step| step.id == id).unwrap();
            let (one, other) = (at("catch_up"), at("promote"));
            plan.steps.swap(one, other);
        }),
    ),
    mutant(
        "the freeze comes after the proof",
        "wrong order",
        Break::Plan(|plan| {
            let at = |id: &str| plan.steps.iter().position(|step| step.id == id).unwrap();
            let (one, other) = (at("freeze"), at("catch_up"));
            plan.steps.swap(one, other);
        }),
    ),
    mutant(
        "the answer of the command is proof enough",
        "unverified effect",
        Break::Plan(|plan| {
            step(plan, "banner").effects[0].effect.proof = Proof::Reply;
        }),
    ),
    mutant(
        "a request is not waited for",
        "late effect",
        Break::Plan(|plan| {
            step(plan, "banner").effects[0].effect.settles_ms = 1_500;
        }),
    ),
    Mutant {
        what: "a stop is not waited for",
        class: "late effect",
        breaks: Break::Plan(|plan| step(plan, "stop").effects[0].effect.settles_ms = 1_500),
        shutdown: true,
    },
    Mutant {
        what: "what proves nothing is looked at until it does",
        class: "no end",
        breaks: Break::State(|record, _, state| {
            if let Record::Looked { standing: Standing::Reached, .. } = record {
                for effect in state.steps.iter_mut().flat_map(|step| &mut step.effects) {
                    let proofless =
                        effect.seen.as_ref().is_some_and(|seen| seen.evidence.contains("no proof for"));
                    if proofless && let Some(seen) = &mut effect.seen {
                        std::sync::Arc::make_mut(seen).standing = Standing::Reached;
                    }
                }
            }
        }),
        shutdown: true,
    },
    mutant(
        "the command's undo does nothing",
        "rollback never tried",
        Break::World(|sim| {
            sim.exec.script("banner hide", Script::default());
        }),
    ),
    mutant(
        "the command does nothing",
        "effect never there",
        Break::World(|sim| {
            sim.exec.script("banner show", Script::default());
        }),
    ),
    mutant(
        "the command's look always says yes",
        "check that cannot fail",
        Break::World(|sim| {
            sim.exec.script("banner look", Script::default());
        }),
    ),
    mutant(
        "a name server's port compares nothing before it writes",
        "no compare-and-set",
        Break::World(|sim| sim.dns.compare_nothing()),
    ),
];
