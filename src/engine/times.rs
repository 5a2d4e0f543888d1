//! Moments of a run that clocks and messages refer to.

use super::record::Record;
use super::state::find;
use crate::plan::Plan;
use crate::step::{Class, Standing};
use crate::world::Reply;
use crate::world::clock::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Moments of a run and what its steps saved, folded from its records and their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The first record.
    pub began: Option<Moment>,
    /// The intent of the first freeze.
    pub frozen: Option<Moment>,
    /// The proof of the last promotion.
    pub promoted: Option<Moment>,
    /// The last intent of each effect, of either direction, by step and effect.
    pub intended: BTreeMap<(usize, usize), Moment>,
    /// What steps saved, by `step.name`.
    pub saved: BTreeMap<String, String>,
}

impl Times {
    /// Notes the moments that clocks and messages refer to.
    pub fn note(&mut self, plan: &Plan, at: Moment, record: &Record) {
        self.began.get_or_insert(at);
        let of = |step: &str, effect: &str| {
            find(plan, step, effect).map(|(s, e)| &plan.steps[s].effects[e].effect)
        };
        if let Record::Intent { step, effect, .. } = record
            && let Some(pair) = find(plan, step, effect)
        {
            self.intended.insert(pair, at);
        }
        match record {
            Record::Intent { step, effect, undo: false, .. }
                if of(step, effect).is_some_and(|effect| effect.freezes.is_some()) =>
            {
                self.frozen.get_or_insert(at);
            }
            Record::Looked { step, effect, standing: Standing::Reached, .. }
                if of(step, effect).is_some_and(|effect| effect.class == Class::Pivot) =>
            {
                self.promoted = Some(at);
            }
            Record::Replied { step, effect, undo: false, reply: Reply::Acknowledged { note }, .. } => {
                let action = find(plan, step, effect).map(|(s, e)| &plan.steps[s].effects[e].action);
                if let Some((name, value)) = action.and_then(|action| action.saved(note)) {
                    self.saved.insert(format!("{step}.{name}"), value);
                }
            }
            // A new process: a person has decided to go on; the clock of the gap starts again.
            Record::Opened { .. } => self.frozen = self.frozen.map(|_| at),
            _ => {}
        }
    }

    /// What a message may name.
    fn value(&self, name: &str, run: &str, now: Moment) -> Option<String> {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        match name {
            "run.id" => Some(run.to_string()),
            // A process of another day may have had another clock.
            "run.elapsed" => self.began.filter(|began| *began <= now).map(|began| seconds(now.since(began))),
            "run.write_gap" => match (self.frozen, self.promoted) {
                (Some(frozen), Some(promoted)) if frozen <= promoted => Some(seconds(promoted.since(frozen))),
                _ => None,
            },
            _ => self.saved.get(name).cloned(),
        }
    }
}

/// Fills what is known only while running into a message; what is not known says so.
pub(super) fn fill(text: &str, times: &Times, run: &str, now: Moment) -> String {
    struct Running<'a>(&'a Times, &'a str, Moment);

    impl crate::language::interpolate::Lookup for Running<'_> {
        fn get(&self, path: &str) -> crate::language::interpolate::Found {
            let value = self.0.value(path, self.1, self.2);
            crate::language::interpolate::Found::Text(value.unwrap_or_else(|| "unknown".into()))
        }
    }

    let mut problems = crate::error::Problems::new();
    let names = Running(times, run, now);
    crate::language::interpolate::interpolate_text(text, crate::error::Span::default(), &names, &mut problems)
        .unwrap_or_else(|| text.to_string())
}
