//! Numbers in memory.

use super::shared::Shared;
use crate::world::signal::{SignalCall, Signals};
use crate::world::{Answer, Known, ready};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

/// Simulated signals: each gives its scripted samples in turn, the last one for ever.
#[derive(Clone, Debug, Default)]
pub struct SimSignals {
    samples: Shared<BTreeMap<SignalCall, VecDeque<Known<f64>>>>,
    otherwise: Cell<Option<f64>>,
    silent: Cell<bool>,
}

impl SimSignals {
    /// Whether nothing answers.
    pub fn silence(&self, silent: bool) {
        self.silent.set(silent);
    }

    /// Whether they answer, with what is good.
    pub fn well(&self) -> bool {
        !self.silent.get() && self.otherwise.get().is_none_or(|value| value == 0.0)
    }

    /// The value of every signal that has none of its own.
    pub fn otherwise(&self, value: f64) {
        self.otherwise.set(Some(value));
    }

    /// From now on it gives this.
    pub fn set(&self, name: &str, of: &str, value: f64) {
        self.script(name, of, [Known::Known(value)]);
    }

    /// It gives these in turn, the last one for ever.
    pub fn script(&self, name: &str, of: &str, samples: impl IntoIterator<Item = Known<f64>>) {
        let call = SignalCall { name: name.to_owned(), of: of.to_owned() };
        self.samples.borrow_mut().insert(call, samples.into_iter().collect());
    }
}

impl SimSignals {
    /// What tells two worlds apart.
    pub fn digest(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let samples = |samples: &BTreeMap<SignalCall, VecDeque<Known<f64>>>,
                       mut hasher: &mut super::shared::PartHasher| {
            for (call, samples) in samples {
                (call, samples.len()).hash(&mut hasher);
                samples.front().map(|sample| sample.as_ref().map(|value| value.to_bits())).hash(&mut hasher);
            }
        };
        (self.samples.digest(samples), self.silent.get(), self.otherwise.get().map(f64::to_bits))
            .hash(hasher);
    }
}

impl Signals for SimSignals {
    fn sample<'a>(&'a self, call: &'a SignalCall) -> Answer<'a, Known<f64>> {
        if self.silent.get() {
            return ready(Known::unknown("no answer in time"));
        }
        let many = self.samples.borrow().get(call).is_some_and(|script| script.len() > 1);
        let sample = match many {
            true => self.samples.borrow_mut().get_mut(call).and_then(VecDeque::pop_front),
            false => self.samples.borrow().get(call).and_then(|script| script.front().cloned()),
        };
        ready(match sample {
            Some(Known::Known(value)) if !value.is_finite() => {
                Known::unknown(format!("the value is {value}"))
            }
            Some(sample) => sample,
            None => match self.otherwise.get() {
                Some(value) => Known::Known(value),
                None => Known::unknown(format!("no sample of {call}")),
            },
        })
    }
}
