//! Authoritative DNS: servers that we write to, and records that steer traffic.

use super::backend::one_backend;
use super::{Secret, Tls};
use crate::language::units::{Period, Share};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

one_backend! {
    /// A DNS server whose records mrctl may write.
    pub struct DnsServer from DnsServerText {
        [#[serde(default, skip_serializing_if = "Option::is_none")]]
        /// The region in which it runs: checks warn when a run that leaves this region would need it.
        pub at: Option<String>,
        [#[serde(default, skip_serializing_if = "Option::is_none")]]
        /// Where the authoritative server answers DNS, `host` or `host:port`; the host of its API and port 53 if not given.
        pub query: Option<String>,
        [#[serde(default = "default_timeout")]]
        /// Longest time for one call.
        pub timeout: Period,
    }
    /// How the server's records are written.
    pub enum DnsBackend {
        /// PowerDNS Authoritative by its HTTP API.
        powerdns => Powerdns(Powerdns),
    }
}

/// PowerDNS Authoritative, HTTP API version 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Powerdns {
    /// Address of the API without path, such as `https://pdns.eu.example.com:8081`.
    pub url: String,
    /// API key.
    pub key: Secret,
    /// The server's name in its own API.
    #[serde(default = "default_server")]
    pub server: String,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

/// A DNS name that steers traffic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsRecord {
    /// Full name with a dot at the end, such as `www.example.com.`.
    pub name: String,
    /// Zone that holds it, with a dot at the end; the name without its first label if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Type of the answers.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// Time to live in normal operation, in whole seconds.
    pub ttl: Period,
    /// Names of the DNS servers that hold the record; each is written.
    pub servers: Vec<String>,
    /// Answer by region: an address, or a name for `CNAME`.
    pub targets: BTreeMap<String, String>,
    /// Shares of traffic in normal operation, to return to; they sum to 100%.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub normal: BTreeMap<String, Share>,
}

impl DnsRecord {
    /// The zone that holds the record: as given, or the name without its first label.
    pub fn zone(&self) -> &str {
        match &self.zone {
            Some(zone) => zone,
            None => match self.name.split_once('.') {
                Some((_, "")) | None => &self.name,
                Some((_, parent)) => parent,
            },
        }
    }
}

/// Type of a record's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    #[serde(rename = "AAAA")]
    Aaaa,
    /// One other name. It has no shares between 0% and 100%.
    #[serde(rename = "CNAME")]
    Cname,
}

impl RecordType {
    /// As in a zone file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }
}

fn default_server() -> String {
    "localhost".to_owned()
}

fn default_timeout() -> Period {
    Period::from_secs(10)
}
