//! Where a rehearsal starts.

use serde::Serialize;

/// The start of a rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Start {
    /// What the simulated world was made after.
    pub from: StartFrom,
    /// When the real systems were looked at, RFC 3339.
    pub seen_at: Option<String>,
    /// The environment that was looked at.
    pub environment: Option<String>,
    /// What the source is like, if it does not serve, or not everybody can see that it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What is not as if everything were well and the source served, a line each.
    pub differs: Vec<String>,
    /// What was seen, or not seen, and the simulated world does not show as it is, a line each.
    pub not_represented: Vec<String>,
}

/// What a simulated world is made after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFrom {
    /// The inventory alone: everything is well, and the source serves.
    #[default]
    Inventory,
    /// One look at the real systems.
    Live,
}

impl Start {
    /// A line of what differs.
    pub fn differs(&mut self, line: impl Into<String>) {
        self.differs.push(line.into());
    }

    /// A line of what is not represented.
    pub fn lacks(&mut self, line: impl Into<String>) {
        self.not_represented.push(line.into());
    }
}
