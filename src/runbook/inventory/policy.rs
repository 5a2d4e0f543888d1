//! What the environment demands of whoever moves it.

use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long after a move the way back needs a reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// For so long after a failover the opposite direction needs a reason: what made somebody leave a region is seldom over so soon, and
    /// going back and forth is how a small outage becomes a long one. `0s` asks for none.
    #[serde(default = "default_cool_down")]
    pub cool_down: Period,
}

impl Default for Policy {
    fn default() -> Self {
        Self { cool_down: default_cool_down() }
    }
}

fn default_cool_down() -> Period {
    Period::from_secs(30 * 60)
}
