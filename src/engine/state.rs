//! The state of a run: a fold of its records, and nothing else. Holds no time.

use super::by_hand::ByHand;
pub use super::effect_state::{EffectState, Flight, Intent, Seen, Undone};
use super::record::{Record, Verdict};
use super::shared::Shared;
use super::surprise::{Surprise, Traces};
use crate::plan::{Mode, Plan};
use crate::step::contract::Part;
use crate::step::{Class, Remark};
use crate::world::Member;
use crate::world::postgres::Handover;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RunState {
    /// Identity of the run.
    pub run: String,
    /// Whether a process drives it, and whether a person can be asked.
    pub process: Process,
    /// Where the run is going.
    pub stage: Stage,
    /// One for each step of the plan.
    pub steps: Vec<Shared<StepState>>,
    /// Answers by question; consent dies with a pause or a resume.
    pub answers: BTreeMap<String, AnswerState>,
    /// Handovers by data set; they die with a pause or a resume.
    pub handovers: BTreeMap<String, Handover>,
    /// Effects with an intent of ours, in the order of their first intents: step and effect index.
    pub intents: Vec<(usize, usize)>,
    /// Whether the gap clock has run out.
    pub gap_expired: bool,
    /// Whether the run has stopped for that where there was no way back: a person knows, and is not told again.
    pub gap_told: bool,
    /// Members that a person says are fenced or destroyed: they cannot take writes, and cannot be asked.
    pub fenced: BTreeSet<Member>,
    /// What divergence a person has gone on in spite of, by what it was seen at.
    pub acknowledged: BTreeSet<String>,
    /// Watches that were breached since the last pause.
    pub breaches: Vec<Breach>,
    /// How often the process was asked to stop.
    pub signals: u32,
    /// Locks that were lost.
    pub lock_lost: Option<String>,
    /// The last look at everything.
    pub survey: Option<Survey>,
    /// The effect that the last record is a look at, if it is there: the next one may be judged by the same facts.
    pub fresh: Option<(usize, usize)>,
    /// What people decided about single steps.
    pub by_hand: ByHand,
    /// What was last seen of each server and record.
    pub traces: Traces,
    /// What was seen that no rehearsal can show, in order.
    pub surprises: Vec<Surprise>,
    /// What endings must mention.
    pub remarks: Vec<(String, Remark)>,
    /// The verdict that ended the last process, if it ended.
    pub verdict: Option<Verdict>,
}

/// The process that drives the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Process {
    /// None yet.
    #[default]
    None,
    /// One, with or without a person at a terminal.
    Driving {
        /// Whether a person can be asked.
        terminal: bool,
    },
}

/// Where the run is going.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Through the checklist.
    #[default]
    Forward,
    /// All steps are done; temporary changes are put back.
    Finishing,
    /// Undoing everything, newest first.
    RollingBack {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
    },
    /// Waiting for a person.
    Paused {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
        /// Whether something could not be established.
        unknown: bool,
        /// Whether it was rolling back when it paused.
        from_rollback: bool,
    },
    /// Ending as refused.
    Refusing {
        /// Why.
        why: String,
        /// Step that caused it.
        step: String,
    },
}

/// A breach of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Breach {
    /// Watch.
    pub watch: String,
    /// Whether it was silence.
    pub silent: bool,
    /// What was seen.
    pub evidence: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnswerState {
    /// Whether it is a yes.
    pub yes: bool,
    /// What it covers.
    pub substance: String,
    /// Whether nobody answered.
    pub absent: bool,
}

/// The last look at everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Survey {
    /// The world line.
    pub world: String,
    /// Data sets that are frozen.
    pub frozen: Vec<String>,
    /// Whether anything could not be seen.
    pub unknown: bool,
    /// Data sets whose promotion is not proved by this run, and whose target is a primary by now.
    pub promoted: Vec<String>,
    /// Data sets that take writes, and of which a freeze of ours may be written and not loaded.
    pub waiting: Vec<String>,
}

/// State of one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct StepState {
    /// Outcome of `require`: outer none means not asked yet, inner none means unknown.
    pub required: Option<Option<bool>>,
    /// One for each effect.
    pub effects: Vec<EffectState>,
    /// Which try this is, from 1; 0 before the first.
    pub tries: u32,
    /// Its failure was turned into a warning: the run goes on without it.
    pub warned: bool,
}

impl StepState {
    /// Whether anything is known of it.
    pub(super) fn touched(&self) -> bool {
        let known = |effect: &EffectState| *effect != EffectState::default();
        self.required.is_some() || self.tries > 0 || self.warned || self.effects.iter().any(known)
    }
}

impl RunState {
    /// The state before the first record.
    pub fn new(plan: &Plan) -> Self {
        let steps = plan
            .steps
            .iter()
            .map(|step| {
                let effects = vec![EffectState::default(); step.effects.len()];
                Shared::from(StepState { effects, ..StepState::default() })
            })
            .collect();
        Self { steps, ..Self::default() }
    }

    /// Folds records into a state.
    pub fn of<'a>(plan: &Plan, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::new(plan);
        for record in records {
            state.fold(plan, record);
        }
        state
    }

    /// Whether a pivot is armed: intended, neither refused nor proved.
    pub fn armed(&self, plan: &Plan) -> bool {
        self.pivots(plan).any(|(_, effect)| effect.armed())
    }

    /// Whether a pivot is passed: proved, whoever did it.
    pub fn passed(&self, plan: &Plan) -> bool {
        self.pivots(plan).any(|(_, effect)| effect.passed())
    }

    /// Whether the pivot of this data set is passed.
    pub fn passed_for(&self, plan: &Plan, set: &str) -> bool {
        self.pivots(plan).any(|(of, effect)| of == Some(set) && effect.passed())
    }

    /// Whether there is no way back: for a data set its own pivot decides, for everything else any.
    pub fn settled(&self, plan: &Plan, set: Option<&str>) -> bool {
        self.pivots(plan)
            .any(|(of, effect)| (set.is_none() || of == set) && (effect.armed() || effect.passed()))
    }

    /// Whether a pivot is still to come.
    pub fn pivots_to_come(&self, plan: &Plan) -> bool {
        self.pivots(plan).any(|(of, _)| !self.settled(plan, of))
    }

    /// What took commits on both sides, whether or not a person went on in spite of it.
    pub fn diverges(&self) -> Option<&str> {
        let found = self.remarks.iter().find(|(_, remark)| *remark == Remark::Divergence);
        found.map(|(what, _)| what.as_str())
    }

    /// Divergence that nobody has gone on in spite of yet.
    pub fn diverged(&self) -> Option<&str> {
        self.remarks
            .iter()
            .find(|(what, remark)| *remark == Remark::Divergence && !self.acknowledged.contains(what))
            .map(|(what, _)| what.as_str())
    }

    /// Whether this run may have changed anything that still stands.
    pub fn changed(&self) -> bool {
        self.steps.iter().flat_map(|step| &step.effects).any(EffectState::stands)
    }

    /// Whether a freeze of ours stands and its data set's pivot is not yet proved: the gap clock runs. Not where the run was taken over as
    /// unplanned: there it is not the freeze that stops writes, and taking it back would not bring them back.
    pub fn gap_runs(&self, plan: &Plan) -> bool {
        plan.mode == Mode::Planned && self.freeze_stands(plan, |set| !self.passed_for(plan, set))
    }

    /// Whether a freeze of ours stands on this data set.
    pub fn frozen_by_us(&self, plan: &Plan, set: &str) -> bool {
        self.freeze_stands(plan, |frozen| frozen == set)
    }

    /// Freezes of this data set, by their places in the plan, that were asked for, never seen in force, and not taken back. Each may be
    /// written at its server and not loaded: no look shows that, and the next reload or start would bring it into force.
    pub fn may_wait<'a>(
        &'a self,
        plan: &'a Plan,
        set: &'a str,
    ) -> impl Iterator<Item = (usize, usize, &'a Intent)> {
        plan.effects().filter_map(move |(s, e, planned)| {
            let freezes =
                planned.effect.freezes.as_deref() == Some(set) && planned.action.info().part == Part::Freeze;
            let effect = self.steps.get(s)?.effects.get(e).filter(|effect| freezes && effect.stands())?;
            effect.intent.as_ref().filter(|intent| intent.unseen()).map(|intent| (s, e, intent))
        })
    }

    fn freeze_stands(&self, plan: &Plan, of: impl Fn(&str) -> bool) -> bool {
        plan.effects().any(|(s, e, planned)| {
            planned.effect.freezes.as_deref().is_some_and(&of)
                && self.steps.get(s).and_then(|step| step.effects.get(e)).is_some_and(EffectState::stands)
        })
    }

    /// Pivots with the data set that each moves.
    fn pivots<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (Option<&'a str>, &'a EffectState)> {
        plan.effects().filter(|(_, _, planned)| planned.effect.class == Class::Pivot).filter_map(
            |(s, e, planned)| {
                let effect = self.steps.get(s)?.effects.get(e)?;
                Some((planned.effect.needs.as_deref(), effect))
            },
        )
    }
}

/// Indices of an effect by names.
pub fn find(plan: &Plan, step: &str, effect: &str) -> Option<(usize, usize)> {
    let s = plan.step_index(step)?;
    let e = plan.steps[s].effects.iter().position(|planned| planned.name == effect)?;
    Some((s, e))
}
