//! How a connection is protected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Protection of a connection. Without this key: `verify: full` against the system's certificate authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// What of the server's certificate is checked.
    #[serde(default)]
    pub verify: Verify,
    /// PEM file of the certificate authorities to trust, relative to the inventory that names it; the system's if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The name that the certificate must carry, if it is not the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Has to be `true` for `verify: none`: the connection is then open to anyone on the path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

/// What of the server's certificate is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Chain and name.
    #[default]
    Full,
    /// The chain only, not the name.
    Ca,
    /// Nothing and no encryption; needs `insecure: true`.
    None,
}
