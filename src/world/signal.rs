//! Numbers that conditions ask for: metrics, answers of an HTTP endpoint, results of a query.

use super::{Answer, Known};
use serde::{Deserialize, Serialize};

/// A call of a signal in a condition, such as `error_rate(us-east)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignalCall {
    /// The signal's name in the inventory.
    pub name: String,
    /// The region, or the resource, that it is asked for; empty when the signal takes none.
    pub of: String,
}

impl std::fmt::Display for SignalCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name, self.of)
    }
}

/// Where conditions get their numbers.
pub trait Signals {
    /// One sample, in the signal's own unit: a ratio (0.02 is 2 %), seconds, bytes or a plain number.
    ///
    /// Unknown when the source is silent or stale, returns no series or several, or a value that is not finite.
    fn sample<'a>(&'a self, call: &'a SignalCall) -> Answer<'a, Known<f64>>;
}
