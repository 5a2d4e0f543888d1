//! HTTP endpoints as users see them.

use super::Tls;
use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An address that users ask, and where each region answers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What users ask, such as `https://www.example.com/healthz`. Name and certificate are checked as they would.
    pub url: String,
    /// What a healthy region answers.
    #[serde(default)]
    pub expect: Expect,
    /// Where each region answers, `address` or `address:port`; the request is sent there whatever DNS says.
    pub members: BTreeMap<String, String>,
    /// Longest time for one request.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

/// What a healthy region answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// HTTP status.
    #[serde(default = "default_status")]
    pub status: u16,
    /// Text that the body contains; `${region}` is possible, to prove which region answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Headers by name, with the value that each must have; `${region}` is possible.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: default_status(), body: None, header: BTreeMap::new() }
    }
}

fn default_status() -> u16 {
    200
}

fn default_timeout() -> Period {
    Period::from_secs(5)
}
