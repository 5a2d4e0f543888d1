//! Numbers that conditions ask for.

use super::backend::one_backend;
use super::{Secret, Tls};
use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

one_backend! {
    /// A number that conditions ask for by name: `error_rate(to)`.
    pub struct Signal from SignalText {
        [#[serde(default)]]
        /// What the number is, so that it is only compared with its like.
        pub unit: Unit,
        [#[serde(default = "default_timeout")]]
        /// Longest time for one sample.
        pub timeout: Period,
    }
    /// Where the number comes from.
    pub enum SignalBackend {
        /// An instant query of Prometheus.
        prometheus => Prometheus(PrometheusQuery),
        /// A field of a JSON answer.
        http => Http(HttpValue),
        /// One row with one column of a database.
        sql => Sql(SqlValue),
    }
}

/// What a number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share: 0.02 is 2%.
    #[default]
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A plain number.
    Number,
}

/// An instant query of Prometheus that gives exactly one series, or a scalar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrometheusQuery {
    /// Name of the server in `metrics_servers`.
    pub server: String,
    /// The query; `${region}` and its facts, such as `${region.metrics}`, are possible.
    pub query: String,
}

/// A field of a JSON answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpValue {
    /// Address to ask with GET; `${region}` and its facts are possible.
    pub url: String,
    /// JSON pointer (RFC 6901) to the number, such as `/data/lag`.
    pub pointer: String,
    /// Bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

/// One row with one column of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlValue {
    /// Name of the cluster in `postgres`; the member of the asked region runs the query in a read-only transaction.
    pub cluster: String,
    /// The query.
    pub query: String,
}

one_backend! {
    /// A server that answers queries of signals.
    pub struct MetricsServer from MetricsServerText {
        [#[serde(default, skip_serializing_if = "Option::is_none")]]
        /// The region in which it runs: checks warn when a run that leaves this region would need it.
        pub at: Option<String>,
    }
    /// What answers.
    pub enum MetricsBackend {
        /// Prometheus, or what speaks its HTTP API.
        prometheus => Prometheus(Prometheus),
    }
}

/// Prometheus, or what speaks its HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Address without `/api/v1`.
    pub url: String,
    /// User of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

fn default_timeout() -> Period {
    Period::from_secs(5)
}
