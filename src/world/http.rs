//! HTTP endpoints as users see them.

use super::{Answer, Known, Member};
use serde::{Deserialize, Serialize};

/// One request's stages, each a finding of its own: a region can fail at any of them, and the remedy differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// The address that was asked.
    pub address: Known<String>,
    /// Whether the TCP connection was made.
    pub connected: Known<bool>,
    /// Whether certificate chain and name were verified; known and true for plain HTTP, where there is nothing to verify.
    pub tls: Known<bool>,
    /// HTTP status.
    pub status: Known<u16>,
    /// Whether the body (and the header, if one is expected) matched.
    pub body: Known<bool>,
    /// Microseconds from the first packet to the last byte; unknown when no answer came.
    pub latency_us: Known<u64>,
    /// Whole days until the certificate ends, when it was asked; unknown for plain HTTP, which has none.
    #[serde(default = "not_recorded")]
    pub certificate_days: Known<i64>,
    /// What went wrong, in a few words; empty if nothing did.
    pub trouble: String,
}

/// Journals of before this was asked.
fn not_recorded() -> Known<i64> {
    Known::unknown("not recorded")
}

impl Probe {
    /// Whether every stage passed and the status is the expected one.
    pub fn passed(&self, status: u16) -> bool {
        self.connected.is(|v| *v)
            && self.tls.is(|v| *v)
            && self.status.is(|v| *v == status)
            && self.body.is(|v| *v)
    }
}

/// Asks endpoints.
pub trait Http {
    /// One request to the endpoint in that region, pinned to the region's address while name and certificate stay the user's.
    fn probe<'a>(&'a self, endpoint: &'a Member) -> Answer<'a, Probe>;
    /// The status that the inventory expects of the endpoint.
    fn expected_status(&self, endpoint: &str) -> u16;
}
