//! What the environment demands of rehearsals.

use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a failover demands of rehearsals of its runbook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// Whether `failover` is refused without a rehearsal that covers what would run. A person can still go on, with a reason.
    pub required: bool,
    /// How old it may be; any age if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
    /// Faults in one schedule up to which everything must have been tried.
    #[serde(default = "default_faults")]
    pub faults: u32,
}

fn default_faults() -> u32 {
    2
}
