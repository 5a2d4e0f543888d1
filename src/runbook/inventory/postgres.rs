//! PostgreSQL clusters: one data set, a member in every region.

use super::{Command, Secret, Tls};
use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A data set kept by PostgreSQL streaming replication: one primary, standbys in the other regions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresCluster {
    /// Database to connect to.
    #[serde(default = "default_database")]
    pub database: String,
    /// Role to connect as; its grants are in the documentation of each kind.
    pub user: String,
    /// Password of the role; without it only `trust` or `peer` can let mrctl in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Protection of the connections.
    #[serde(default)]
    pub tls: Tls,
    /// Whether a region's application can write to a primary in another region.
    #[serde(default)]
    pub writers: Writers,
    /// What else may promote or stop these servers.
    #[serde(default)]
    pub manager: Manager,
    /// Roles whose sessions are the application's writers; every role that is not kept, if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<String>,
    /// Roles whose sessions are never ended, such as monitoring and replication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Table for the probe row that proves a region writable; created once by hand, see `mrctl kinds postgres.verify_writable`.
    #[serde(default = "default_probe_table")]
    pub probe_table: String,
    /// A row that is written through the primary at short intervals, so that what an unplanned failover loses is counted; see
    /// `mrctl heartbeat --help`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Longest time for a connection and one look.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// The servers, by region.
    pub members: BTreeMap<String, PostgresMember>,
}

/// Heartbeats of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The table, made once by hand: `CREATE TABLE mrctl.heartbeat (writer text PRIMARY KEY, number bigint NOT NULL, at_ms bigint NOT
    /// NULL)`, with `SELECT, INSERT, UPDATE` for the role.
    #[serde(default = "default_heartbeat_table")]
    pub table: String,
    /// Time between two heartbeats: what is lost after the last one is not counted.
    #[serde(default = "default_every")]
    pub every: Period,
}

/// One server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresMember {
    /// Name or address. It must lead to this very server, not to whichever is primary.
    pub host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Stops the server cleanly (`pg_ctl stop -m fast`, or a fence that powers the host off). Exit code 0 only when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Command>,
    /// Starts the server again; the undo of `stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Command>,
    /// Prints `pg_controldata` of the stopped server, which proves a clean shutdown and its last position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_data: Option<Command>,
    /// Keeps users from the server whatever it does, from outside of it: one command or several, the strongest first, such as powering
    /// the host off and closing its network, or `[mrctl, haproxy, close, …]`. Each is run until `fenced` proves it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fence: Vec<Command>,
    /// Looks from where users come from, or asks the provider, or every proxy (`[mrctl, haproxy, look, …]`). Exit code 0 when no user can
    /// reach the server, 3 when one can; anything else is unknown. That mrctl itself cannot reach it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<Command>,
    /// Makes this server a standby of the primary in the region `${primary}`, whatever it is now, usually by `pg_rewind`; that word in
    /// an argument is replaced. It has to stop the server first, to write its own configuration again, and to do nothing where it
    /// follows that primary already. Exit code 0 when it was started as a standby, 75 when nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejoin: Option<Command>,
    /// Physical slot through which this server streams as a standby (`primary_slot_name`); made on the new primary before it rejoins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Exit code 0 when the server is certainly stopped, 3 when it runs; anything else is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Command>,
}

/// Whether a region's application can write to a primary in another region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Writers {
    /// Only to a primary in its own region: traffic follows the writer.
    #[default]
    Local,
    /// To a primary anywhere.
    Remote,
}

/// What else manages the servers and could promote or stop them behind mrctl's back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// Nothing does: mrctl promotes by itself.
    #[default]
    None,
    /// Patroni.
    Patroni,
    /// repmgr with repmgrd.
    Repmgr,
    /// pg_auto_failover.
    PgAutoFailover,
    /// Stolon.
    Stolon,
    /// CloudNativePG.
    CloudnativePg,
}

fn default_database() -> String {
    "postgres".to_owned()
}

fn default_probe_table() -> String {
    "mrctl.probe".to_owned()
}

fn default_heartbeat_table() -> String {
    "mrctl.heartbeat".to_owned()
}

fn default_every() -> Period {
    Period::from_secs(1)
}

fn default_port() -> u16 {
    5432
}

fn default_timeout() -> Period {
    Period::from_secs(5)
}
