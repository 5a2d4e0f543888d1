//! Caches that are warmed before traffic arrives.

use super::backend::one_backend;
use super::{Secret, Tls};
use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

one_backend! {
    /// A cache with an independent server in every region.
    pub struct Cache from CacheText {
        [#[serde(default = "default_timeout")]]
        /// Longest time for one call.
        pub timeout: Period,
        []
        /// The servers, by region.
        pub members: BTreeMap<String, CacheMember>,
    }
    /// What speaks to the servers.
    pub enum CacheBackend {
        /// Redis or Valkey.
        redis => Redis(Redis),
    }
}

/// Redis or Valkey.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// User of the access control list; `default` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Protection of the connection; without this key it is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Number of the database.
    #[serde(default)]
    pub database: u32,
}

/// One server of a cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheMember {
    /// Name or address.
    pub host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub port: u16,
}

fn default_port() -> u16 {
    6379
}

fn default_timeout() -> Period {
    Period::from_secs(5)
}
