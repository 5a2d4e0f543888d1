//! The inventory `mrctl.yaml`: regions, the resources in them, how to reach each, references to secrets.
//!
//! Plain facts by type, then by name. What differs by region is a map by region: `members` for what we connect to, `targets`
//! for answers given to users.

mod backend;
pub mod cache;
pub mod channel;
pub mod dns;
pub mod endpoint;
pub mod hook;
mod lookup;
pub(crate) mod paths;
pub mod policy;
pub mod postgres;
pub mod read;
pub mod region;
pub mod rehearsal;
pub mod secret;
pub mod signal;
pub mod tls;

pub use cache::{Cache, CacheBackend, CacheMember, Redis};
pub use channel::{Channel, ChannelBackend, Slack, Webhook};
pub use dns::{DnsBackend, DnsRecord, DnsServer, Powerdns, RecordType};
pub use endpoint::{Endpoint, Expect};
pub use hook::Command;
pub use policy::Policy;
pub use postgres::{Heartbeat, Manager, PostgresCluster, PostgresMember, Writers};
pub use region::Region;
pub use rehearsal::Rehearsal;
pub use secret::Secret;
pub use signal::{
    HttpValue, MetricsBackend, MetricsServer, Prometheus, PrometheusQuery, Signal, SignalBackend, SqlValue,
    Unit,
};
pub use tls::{Tls, Verify};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An environment: its regions and the resources in them. `include` is resolved and `defaults` are applied already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of the format: 1.
    pub mrctl: u32,
    /// Name of the environment, shown in every confirmation.
    pub name: String,
    /// What a failover demands of rehearsals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// What a failover demands of whoever goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Places that can serve.
    pub regions: BTreeMap<String, Region>,
    /// PostgreSQL clusters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub postgres: BTreeMap<String, PostgresCluster>,
    /// DNS servers whose records mrctl may write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dns_servers: BTreeMap<String, DnsServer>,
    /// DNS names that steer traffic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dns_records: BTreeMap<String, DnsRecord>,
    /// Caches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caches: BTreeMap<String, Cache>,
    /// HTTP endpoints as users see them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Servers that answer queries of signals.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics_servers: BTreeMap<String, MetricsServer>,
    /// Numbers that conditions ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, Signal>,
    /// Where messages to people go.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Channel>,
    /// Commands of the operator's own, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, Command>,
    /// Names for several resources of one type, usable wherever a step names a resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
}
