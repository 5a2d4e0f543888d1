//! Conditions over signals, as steps use them: `require`, `wait`, `while`, `watch`.

use super::contract::Sight;
use super::scope::Scope;
use crate::error::{Code, Problem, Span};
use crate::language::expression::{Call, Environment, Expression, Unit, Values};
use crate::world::Known;
use crate::world::signal::SignalCall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `at_start(…)` refers to: samples taken once, when the run began.
pub type Starts = BTreeMap<SignalCall, Known<f64>>;

/// A condition with its names decided: `to` is a region by now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// What was written.
    pub expression: Expression,
    /// What bare names and signal arguments stand for.
    pub names: BTreeMap<String, String>,
    /// Units of the signals that it calls, as words of the inventory.
    pub units: BTreeMap<String, String>,
}

/// What one evaluation gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Observed {
    /// True, false, or nothing: cannot be told.
    pub truth: Option<bool>,
    /// The condition with its numbers: `error_rate(us-east) = 0.4% < 2%`.
    pub evidence: String,
}

fn unit(word: &str) -> Unit {
    match word {
        "ratio" => Unit::Ratio,
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        _ => Unit::Number,
    }
}

/// The scope as the check sees it: signals of the inventory and the names of the plan.
struct Visible<'a> {
    scope: &'a Scope<'a>,
    names: &'a BTreeMap<String, String>,
}

impl Environment for Visible<'_> {
    fn signal(&self, name: &str) -> Option<(Unit, usize)> {
        self.scope.directory.signal(name).map(|word| (unit(&word), 1))
    }

    fn name(&self, name: &str) -> Option<Unit> {
        self.names.get(name)?;
        Some(self.scope.types.get(name).copied().unwrap_or(Unit::Text))
    }

    fn names(&self) -> Vec<String> {
        self.scope.directory.names("signals").into_iter().chain(self.names.keys().cloned()).collect()
    }
}

/// The samples of one evaluation.
struct Samples<'a> {
    condition: &'a Condition,
    now: BTreeMap<SignalCall, Known<f64>>,
    starts: &'a Starts,
}

impl Values for Samples<'_> {
    fn call(&self, call: &Call) -> Result<f64, String> {
        let key = self.condition.signal(call);
        let source = if call.at_start { self.starts } else { &self.now };
        match source.get(&key) {
            Some(Known::Known(value)) => Ok(*value),
            Some(Known::Unknown(why)) => Err(why.clone()),
            None => Err("it was not sampled".into()),
        }
    }

    fn unit(&self, name: &str) -> Unit {
        self.condition.units.get(name).map_or(Unit::Number, |word| unit(word))
    }

    fn name(&self, name: &str) -> Option<String> {
        self.condition.names.get(name).cloned()
    }

    fn shown(&self, call: &Call) -> String {
        let shown = self.condition.signal(call).to_string();
        if call.at_start { format!("at_start({shown})") } else { shown }
    }
}

impl Condition {
    /// Reads and checks a text that stands at `span`.
    pub fn resolve(text: &str, scope: &Scope<'_>, span: Span) -> Result<Self, Problem> {
        let mut names = scope.names();
        names.insert("region".into(), scope.region.to_string());
        let expression = Expression::parse(text, span)?;
        expression.check(&Visible { scope, names: &names }, span)?;
        // Of a cluster it would not be known where: its writer moves in the middle of the run.
        for call in expression.calls() {
            let cluster = call.arguments.iter().find(|argument| {
                !names.contains_key(*argument) && scope.directory.cluster(argument).is_some()
            });
            if cluster.is_some() {
                let name = &call.name;
                let why = format!("`{call}` asks a cluster; a signal is asked for a region");
                let help = format!("write `{name}(from)` or `{name}(to)`");
                return Err(Problem::error(Code::ConditionArguments, why).at(span).help(help));
            }
        }
        let units = expression.calls().into_iter().filter_map(|call| {
            let unit = scope.directory.signal(&call.name)?;
            Some((call.name, unit))
        });
        let units = units.collect();
        Ok(Self { expression, names, units })
    }

    /// A call with its argument decided: `to` is a region by now.
    fn signal(&self, call: &Call) -> SignalCall {
        let of = call.arguments.first().cloned().unwrap_or_default();
        SignalCall { name: call.name.clone(), of: self.names.get(&of).cloned().unwrap_or(of) }
    }

    /// The signals whose values at the start it needs.
    pub fn starts(&self) -> Vec<SignalCall> {
        self.expression.calls().iter().filter(|call| call.at_start).map(|call| self.signal(call)).collect()
    }

    /// The signals that it samples whenever it is asked.
    pub fn signals(&self) -> Vec<SignalCall> {
        self.expression.calls().iter().filter(|call| !call.at_start).map(|call| self.signal(call)).collect()
    }

    /// Samples the signals and evaluates.
    pub async fn observe(&self, sight: Sight<'_>) -> Observed {
        let mut now = BTreeMap::new();
        for call in self.expression.calls().iter().filter(|call| !call.at_start) {
            let key = self.signal(call);
            // Each signal once, however often it is named: two samples of one moment could contradict each other.
            if let std::collections::btree_map::Entry::Vacant(empty) = now.entry(key) {
                let sample = sight.world.signals.sample(empty.key()).await;
                empty.insert(sample);
            }
        }
        let seen = self.expression.evaluate(&Samples { condition: self, now, starts: sight.starts });
        Observed { truth: seen.truth, evidence: seen.evidence }
    }

    /// Decides a condition that needs no signal (`when`): nothing if it cannot be told.
    pub fn decide(&self) -> Option<bool> {
        self.expression
            .evaluate(&Samples { condition: self, now: BTreeMap::new(), starts: &Starts::new() })
            .truth
    }
}
