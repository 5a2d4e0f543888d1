//! Measured times of a run: whole, write gap, service restored. From the journal's own times alone.

use super::moments::Moments;
use crate::engine::record::{Purpose, Record};
use crate::engine::state::{RunState, Undone, find};
use crate::plan::Plan;
use crate::step::{Class, Standing};
use crate::world::Reply;
use std::collections::BTreeMap;

/// A time that runs or has ended. Milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub began: i64,
    /// To; still running if absent.
    pub ended: Option<i64>,
    /// Whether the clock was set back in between: then nobody knows how long it took.
    pub set_back: bool,
}

impl Span {
    /// From one moment on.
    pub fn from(began: i64) -> Self {
        Self { began, ended: None, set_back: false }
    }

    /// Milliseconds until now, or until it ended; unknown if the clock was set back in between.
    pub fn length(self, now: i64) -> Option<i64> {
        let length = self.ended.unwrap_or(now).saturating_sub(self.began);
        (!self.set_back && length >= 0).then_some(length)
    }
}

/// How the write gap of a data set ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapEnd {
    /// The promotion was proved.
    Moved,
    /// The freeze was taken back, and that was observed.
    Restored,
}

/// Measured times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// The whole run, over all its processes.
    pub run: Option<Span>,
    /// By data set: from the first freeze's intent to the promotion's proof, or to the proof that writes go on as before.
    pub gaps: BTreeMap<String, (Span, Option<GapEnd>)>,
    /// When each `marks` of the runbook was reached, the first time.
    pub marks: BTreeMap<String, i64>,
    /// The moments of the recovery.
    pub moments: Moments,
    /// Whether the clock had been set back when service was restored.
    restored_unknown: bool,
}

impl Measures {
    /// The write gap over all data sets: from the first that was frozen to the last that could be written again.
    pub fn write_gap(&self) -> Option<Span> {
        let began = self.gaps.values().map(|(span, _)| span.began).min()?;
        let ended = self
            .gaps
            .values()
            .map(|(span, _)| span.ended)
            .try_fold(i64::MIN, |last, ended| Some(last.max(ended?)));
        let set_back = self.gaps.values().any(|(span, _)| span.set_back);
        Some(Span { began, ended, set_back })
    }

    /// Recovery time: from the incident's declaration, else from the run's beginning, to `service_restored`, or until now.
    pub fn recovery(&self) -> Option<Span> {
        let run = self.run?;
        let restored = self.marks.get("service_restored").copied();
        let began = self.moments.declared.unwrap_or(run.began);
        let set_back = if restored.is_some() { self.restored_unknown } else { run.set_back };
        Some(Span { began, ended: restored.or(run.ended), set_back })
    }

    /// Whether the runbook says when service is restored, and that was reached.
    pub fn restored(&self) -> bool {
        self.marks.contains_key("service_restored")
    }

    /// Takes one record; `state` has folded it already.
    pub fn record(&mut self, plan: &Plan, state: &RunState, at: i64, record: &Record) {
        if self.moments.record(plan, at, record) {
            self.set_back();
        }
        match record {
            Record::Created { .. } | Record::Opened { .. } => {
                let run = self.run.unwrap_or(Span::from(at));
                self.run = Some(Span { ended: None, ..run });
            }
            Record::Ended { .. } | Record::Abandoned { .. } => {
                if let Some(run) = &mut self.run {
                    run.ended = Some(at);
                }
            }
            Record::Intent { step, effect, undo: false, .. } => {
                if let Some((s, e)) = find(plan, step, effect)
                    && let Some(set) = &plan.steps[s].effects[e].effect.freezes
                {
                    // Behind its promotion it is a fence, and no gap of its own.
                    let known = self
                        .gaps
                        .get(set)
                        .is_some_and(|(span, end)| span.ended.is_none() || *end == Some(GapEnd::Moved));
                    if !known {
                        self.gaps.insert(set.clone(), (Span::from(at), None));
                    }
                }
            }
            Record::Looked { step, effect, purpose, standing: Standing::Reached, .. } => {
                let Some((s, e)) = find(plan, step, effect) else { return };
                let planned = &plan.steps[s].effects[e].effect;
                match purpose {
                    Purpose::Before | Purpose::After => {
                        if planned.class == Class::Pivot
                            && let Some(set) = &planned.needs
                        {
                            self.end(set, at, GapEnd::Moved);
                        }
                        if let Some(mark) = &plan.steps[s].marks
                            && e + 1 == plan.steps[s].effects.len()
                        {
                            if mark == "service_restored" && !self.restored() {
                                self.restored_unknown = self.run.is_some_and(|run| run.set_back);
                            }
                            self.marks.entry(mark.clone()).or_insert(at);
                        }
                    }
                    Purpose::Undo | Purpose::Undone => {
                        let undone = state.steps.get(s).and_then(|step| step.effects.get(e)?.undone);
                        if let Some(set) = &planned.freezes
                            && undone == Some(Undone::Restored)
                        {
                            self.end(set, at, GapEnd::Restored);
                        }
                    }
                }
            }
            Record::Replied { step, effect, undo: false, reply: Reply::Refused { .. }, .. } => {
                if let Some((s, e)) = find(plan, step, effect)
                    && let Some(set) = &plan.steps[s].effects[e].effect.freezes
                    && !frozen_by_us(plan, state, set)
                {
                    // The guard refused: writes never stopped.
                    self.gaps.retain(|name, (span, _)| name != set || span.ended.is_some());
                }
            }
            Record::Rehearsed { .. }
            | Record::Intent { .. }
            | Record::Looked { .. }
            | Record::Surprised { .. }
            | Record::Required { .. }
            | Record::Answered { .. }
            | Record::Replied { .. }
            | Record::Retrying { .. }
            | Record::Expired { .. }
            | Record::Breached { .. }
            | Record::Signalled { .. }
            | Record::LockLost { .. }
            | Record::Attested { .. }
            | Record::Switched { .. }
            | Record::Handled { .. }
            | Record::Waived { .. }
            | Record::Turned { .. }
            | Record::Surveyed { .. } => {}
        }
    }

    /// The clock was set back between the last record and this one: what spans the two has no known length.
    fn set_back(&mut self) {
        let gaps = self.gaps.values_mut().map(|(span, _)| span).filter(|span| span.ended.is_none());
        gaps.chain(&mut self.run).for_each(|span| span.set_back = true);
    }

    fn end(&mut self, set: &str, at: i64, how: GapEnd) {
        // A freeze can have several effects: writes go on when the last of them is taken back.
        if let Some((span, end)) = self.gaps.get_mut(set)
            && (span.ended.is_none() || (*end, how) == (Some(GapEnd::Restored), GapEnd::Restored))
        {
            span.ended = Some(at);
            *end = Some(how);
        }
    }
}

fn frozen_by_us(plan: &Plan, state: &RunState, set: &str) -> bool {
    plan.effects().any(|(s, e, planned)| {
        planned.effect.freezes.as_deref() == Some(set)
            && state.steps.get(s).and_then(|step| step.effects.get(e)).is_some_and(|effect| effect.stands())
    })
}
