//! What a look shows that no rehearsal can show. Each look is held against what was last seen, in this run, of the same servers and
//! records, whichever effects looked at them.

use super::record::{Purpose, Record};
use super::state::{RunState, find};
use crate::plan::Plan;
use crate::step::Facts;
use crate::world::plausible::{Case, Place, Shown, broken};
use std::sync::Arc;

/// What was last seen of each server and record: where it stands in the facts of which look. Forks of a state share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Traces(Arc<Vec<Trace>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Trace {
    place: Place,
    /// Step and effect that looked.
    of: (usize, usize),
    facts: Arc<Facts>,
}

impl Traces {
    /// Keeps what a look saw.
    pub(super) fn note(&mut self, plan: &Plan, of: (usize, usize), facts: &Arc<Facts>) {
        for sighting in plan.steps[of.0].effects[of.1].action.sightings(facts) {
            let traces = Arc::make_mut(&mut self.0);
            match traces.iter_mut().find(|trace| trace.place == sighting.place) {
                Some(trace) => (trace.of, trace.facts) = (of, Arc::clone(facts)),
                None => traces.push(Trace { place: sighting.place, of, facts: Arc::clone(facts) }),
            }
        }
    }

    /// From here on, what is seen of it next counts as what was seen first.
    fn forget(&mut self, place: &Place) {
        if self.0.iter().any(|trace| trace.place == *place) {
            Arc::make_mut(&mut self.0).retain(|trace| trace.place != *place);
        }
    }

    fn last<'a>(&'a self, plan: &'a Plan, place: &Place) -> Option<Shown<'a>> {
        let trace = self.0.iter().find(|trace| trace.place == *place)?;
        let (s, e) = trace.of;
        let seen = plan.steps[s].effects[e].action.sightings(&trace.facts);
        seen.into_iter().find(|sighting| sighting.place == *place).map(|sighting| sighting.shown)
    }
}

/// Something that no rehearsal can show, and that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Surprise {
    /// The rule that it breaks.
    pub rule: String,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// Whether a person has gone on in spite of it.
    pub accepted: bool,
}

impl Surprise {
    /// In one line.
    pub fn line(&self) -> String {
        format!("{}: {}", self.place, self.what)
    }

    /// The name of the file in the run's folder in which the case is kept, of the surprise of this number, from 1.
    pub fn file(number: usize) -> String {
        format!("surprises/{number}.json")
    }
}

/// The record of a look that shows what no rehearsal can; nothing if it shows nothing of the kind. `before`: what was seen before this
/// look began. What another look saw while this one was on its way may be newer, and is no measure.
pub(super) fn surprise(
    plan: &Plan,
    state: &RunState,
    before: &Traces,
    of: (usize, usize),
    purpose: Purpose,
    facts: &Facts,
) -> Option<Record> {
    let (step, planned) = (&plan.steps[of.0], &plan.steps[of.0].effects[of.1]);
    planned.action.sightings(facts).into_iter().find_map(|sighting| {
        let last = before.last(plan, &sighting.place);
        // Once told of a place, a rule is silent there for the rest of the run: whoever goes on is not told at every look.
        let told = |rule: &str| state.surprises.iter().any(|s| s.rule == rule && s.place == sighting.place);
        let (rule, what) = broken(last, sighting.shown, told)?;
        Some(Record::Surprised {
            step: step.id.clone(),
            effect: planned.name.clone(),
            purpose,
            case: Box::new(Case {
                rule: rule.id.into(),
                place: sighting.place,
                what,
                before: last.map(Shown::owned),
                now: sighting.shown.owned(),
            }),
        })
    })
}

impl RunState {
    /// The surprise that stops the run: one that nobody has gone on in spite of, while a promotion is still to come and none is in
    /// flight. Behind a promotion it is only told: users wait, and where another data set is still to be moved, it is frozen, and nobody
    /// could take that back by itself any more.
    pub fn surprised(&self, plan: &Plan) -> Option<(usize, &Surprise)> {
        if self.armed(plan) || self.passed(plan) {
            return None;
        }
        let open = self.surprises.iter().enumerate().find(|(_, surprise)| !surprise.accepted);
        open.map(|(index, surprise)| (index + 1, surprise))
    }

    /// A person goes on in spite of what was seen.
    pub(super) fn accept_surprises(&mut self) {
        self.surprises.iter_mut().for_each(|surprise| surprise.accepted = true);
    }

    pub(super) fn note_surprise(&mut self, case: &Case) {
        self.traces.forget(&case.place);
        self.surprises.push(Surprise {
            rule: case.rule.clone(),
            place: case.place.clone(),
            what: case.what.clone(),
            accepted: false,
        });
    }

    pub(super) fn note_sightings(&mut self, plan: &Plan, step: &str, effect: &str, facts: &Arc<Facts>) {
        if let Some(of) = find(plan, step, effect) {
            self.traces.note(plan, of, facts);
        }
    }
}
