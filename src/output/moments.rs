//! The moments of a recovery, each with the record that proves it: from the declaration of the incident until users are served.

use crate::engine::record::{Purpose, Record};
use crate::engine::state::find;
use crate::plan::{AskKind, Plan};
use crate::step::contract::Part;
use crate::step::{Class, Standing};
use std::collections::BTreeMap;

/// A moment that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its name.
    pub name: Named,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Number of the record that proves it, as `mrctl audit show` has it in its documents.
    pub record: u64,
    /// Whether the clock was set back before it: then nobody knows how long it took to reach it.
    pub set_back: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// The run exists.
    Begun,
    /// A person consented to the promotion, or to what it loses.
    Decided,
    /// Writes at the old primary are proved to be stopped: frozen, stopped or fenced.
    WritesStopped,
    /// The target is proved to be a primary.
    Promoted,
    /// The first row was written there and read back.
    FirstWrite,
    /// Every stage of a shift of traffic is proved.
    TrafficMoved,
    /// The step that the runbook marks with `service_restored` is done.
    ServiceRestored,
}

impl Named {
    /// As events have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Decided => "decided",
            Self::WritesStopped => "writes_stopped",
            Self::Promoted => "promoted",
            Self::FirstWrite => "first_write",
            Self::TrafficMoved => "traffic_moved",
            Self::ServiceRestored => "service_restored",
        }
    }

    /// For people.
    pub fn words(self) -> String {
        self.word().replace('_', " ")
    }
}

impl Moment {
    /// Milliseconds since the beginning of what is measured, if that is known.
    pub fn after(self, from: i64) -> Option<i64> {
        let after = self.at.saturating_sub(from);
        (!self.set_back && after >= 0).then_some(after)
    }
}

/// The moments so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// When the incident was declared, by a person; milliseconds since the epoch.
    pub declared: Option<i64>,
    /// By name, and by what it was reached with: time and number of the record. Looked at again later it is no other moment.
    first: BTreeMap<(Named, String), (i64, u64)>,
    /// Records so far.
    records: u64,
    /// The time of the last one, milliseconds since the epoch.
    last: Option<i64>,
    /// The first record before which the clock was set back.
    set_back: Option<u64>,
}

impl Moments {
    /// What was reached, in the order in which that was proved. Of several data sets or records the last one counts: until then not
    /// everything was so.
    pub fn reached(&self) -> Vec<Moment> {
        let mut last: BTreeMap<Named, Moment> = BTreeMap::new();
        for ((name, _), (at, record)) in &self.first {
            let set_back = self.set_back.is_some_and(|first| first <= *record);
            let moment = Moment { name: *name, at: *at, record: *record, set_back };
            last.entry(*name)
                .and_modify(|known| *known = if known.record < *record { moment } else { *known })
                .or_insert(moment);
        }
        let mut reached: Vec<Moment> = last.into_values().collect();
        reached.sort_by_key(|moment| moment.record);
        reached
    }

    /// Takes one record; whether the clock was set back before it.
    pub fn record(&mut self, plan: &Plan, at: i64, record: &Record) -> bool {
        let number = self.records;
        self.records += 1;
        let set_back = self.last.replace(at).is_some_and(|last| at < last);
        if set_back {
            self.set_back.get_or_insert(number);
        }
        self.reach(plan, at, record, number);
        set_back
    }

    fn reach(&mut self, plan: &Plan, at: i64, record: &Record, number: u64) {
        if let Record::Created { since, .. } = record {
            self.declared = *since;
        }
        if let Record::Looked {
            step,
            purpose: Purpose::Undo | Purpose::Undone,
            standing: Standing::Reached,
            ..
        } = record
        {
            // Taken back: writes go on.
            let of = format!("{step}/");
            self.first.retain(|(name, with), _| *name != Named::WritesStopped || !with.starts_with(&of));
        }
        let Some((name, with)) = named(plan, record) else { return };
        // A consent that died is no decision: the one that the promotion was made with counts.
        let again = name == Named::Decided && !self.first.keys().any(|(name, _)| *name == Named::Promoted);
        let known = self.first.entry((name, with)).or_insert((at, number));
        if again {
            *known = (at, number);
        }
    }
}

/// The moment that a record proves, and what it was reached with.
fn named(plan: &Plan, record: &Record) -> Option<(Named, String)> {
    if let Record::Created { .. } = record {
        return Some((Named::Begun, String::new()));
    }
    if let Record::Answered { question, yes: true, .. } = record {
        let mut asks = plan.steps.iter().flat_map(|step| &step.questions);
        let typed = asks.any(|ask| ask.id == *question && matches!(ask.kind, AskKind::Typed(_)));
        return typed.then(|| (Named::Decided, question.clone()));
    }
    let Record::Looked { step, effect, purpose, standing: Standing::Reached, .. } = record else {
        return None;
    };
    if !matches!(purpose, Purpose::Before | Purpose::After) {
        return None;
    }
    let (s, e) = find(plan, step, effect)?;
    let (planned, with) = (&plan.steps[s].effects[e], format!("{step}/{effect}"));
    if plan.steps[s].marks.as_deref() == Some("service_restored") && e + 1 == plan.steps[s].effects.len() {
        return Some((Named::ServiceRestored, with));
    }
    // Half of a freeze, or that nobody sees the old primary any more, stops nothing for sure.
    if e + 1 < plan.steps[s].effects.len()
        || planned.effect.class == Class::Looks && planned.action.info().part == Part::Fence
    {
        return None;
    }
    let name = match planned.action.info().part {
        _ if planned.effect.class == Class::Pivot => Named::Promoted,
        _ if planned.effect.freezes.is_some() => Named::WritesStopped,
        Part::Freeze | Part::Stop | Part::Fence => Named::WritesStopped,
        Part::Probe => Named::FirstWrite,
        Part::Traffic => Named::TrafficMoved,
        Part::Pivot | Part::Pause | Part::CatchUp | Part::Rejoin | Part::Other => return None,
    };
    Some((name, with))
}
