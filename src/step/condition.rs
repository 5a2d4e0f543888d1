//! Conditions over signals, as steps use them: `require`, `wait`, `while`, `watch`.

use super::contract::Sight;
use crate::world::Known;
use crate::world::signal::SignalCall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `at_start(…)` refers to: samples taken once, when the run began.
pub type Starts = BTreeMap<SignalCall, Known<f64>>;

/// A condition with its names decided: `to` is a region by now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// The text, as it was written.
    pub text: String,
    /// What bare names and signal arguments stand for.
    pub names: BTreeMap<String, String>,
}

/// What one evaluation gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Observed {
    /// True, false, or nothing: cannot be told.
    pub truth: Option<bool>,
    /// The condition with its numbers: `error_rate(us-east) = 0.4% < 2%`.
    pub evidence: String,
}

impl Condition {
    /// Samples the signals and evaluates.
    pub async fn observe(&self, _sight: Sight<'_>) -> Observed {
        Observed { truth: None, evidence: format!("`{}` cannot be evaluated yet", self.text) }
    }
}

impl Condition {
    /// Reads and checks the text.
    pub fn resolve(text: &str, scope: &crate::step::scope::Scope<'_>) -> Result<Self, crate::error::Problem> {
        let names = BTreeMap::from([
            ("from".to_string(), scope.from.to_string()),
            ("to".to_string(), scope.to.to_string()),
        ]);
        Ok(Self { text: text.to_string(), names })
    }
}
