//! Commands of the operator's own, tied to a member or by name.

use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A command that mrctl runs on this host, such as `[ssh, db1, systemctl, stop, postgresql]`. Never through a shell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Program and arguments. `${…}` is possible in arguments.
    pub command: Vec<String>,
    /// After this time its whole process group is ended, and what it did counts as unknown.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Variables set for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of the operator's variables that it may see besides `PATH`, `HOME`, `LANG` and `TMPDIR`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass: Vec<String>,
}

fn default_timeout() -> Period {
    Period::from_secs(60)
}
