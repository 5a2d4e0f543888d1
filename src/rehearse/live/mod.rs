//! A rehearsal from what is true now: one read-only look at the real systems, and the simulated world that is made after it.
//!
//! What was not seen stays unseen: in the simulated world it does not answer. What the model has no word for is told.

mod look;
mod postgres;
mod sessions;
mod stage;
mod traffic;

pub use look::look;
pub use stage::{Staged, stage};

use crate::world::cache::CacheFacts;
use crate::world::dns::{RecordFacts, RecordName};
use crate::world::exec::Output;
use crate::world::http::Probe;
use crate::world::postgres::{Finding, ServerFacts};
use crate::world::signal::SignalCall;
use crate::world::{Known, Member};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one look at everything that a plan touches saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it began, RFC 3339.
    pub seen_at: String,
    /// The environment's name.
    pub environment: String,
    /// Servers of the plan's clusters.
    pub servers: Vec<ServerSeen>,
    /// The plan's records at each of their name servers.
    pub records: Vec<RecordSeen>,
    /// Endpoints that are checked.
    pub endpoints: Vec<EndpointSeen>,
    /// Caches that are warmed, or copied from.
    pub caches: Vec<CacheSeen>,
    /// Numbers that conditions ask for.
    pub signals: Vec<SignalSeen>,
    /// Looks of commands.
    pub commands: Vec<CommandSeen>,
}

/// A database server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSeen {
    /// Which one.
    pub at: Member,
    /// All sessions counted.
    pub facts: Known<ServerFacts>,
    /// Sessions that a freeze leaves alone not counted.
    pub spared: Known<ServerFacts>,
    /// What a standby had not replayed.
    pub missing: Option<Missing>,
    /// What a preflight found, if the plan makes one.
    pub findings: Option<Known<Vec<Finding>>>,
}

/// What a standby had not replayed of what the primary had when it was looked at, some seconds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Bytes.
    pub bytes: u64,
    /// Whether it had replayed anything meanwhile.
    pub moving: bool,
}

/// A record at one name server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSeen {
    /// Which one, where.
    pub at: RecordName,
    /// What stands there.
    pub facts: Known<RecordFacts>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointSeen {
    /// Which one.
    pub at: Member,
    /// The status that is expected.
    pub expected: u16,
    /// How it answered.
    pub probe: Probe,
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheSeen {
    /// Which one.
    pub at: Member,
    /// What it says of itself.
    pub facts: Known<CacheFacts>,
}

/// A number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalSeen {
    /// Which one.
    pub call: SignalCall,
    /// What it was.
    pub value: Known<f64>,
}

/// The look of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandSeen {
    /// Program and arguments.
    pub look: Vec<String>,
    /// How it ended.
    pub output: Known<Output>,
}

impl Snapshot {
    /// Whether nothing at all answered of what was asked; false when nothing was asked.
    pub fn silent(&self) -> bool {
        let seen = [
            self.servers.iter().map(|one| one.facts.get().is_some()).collect::<Vec<_>>(),
            self.records.iter().map(|one| one.facts.get().is_some()).collect(),
            self.endpoints.iter().map(|one| one.probe.connected.get().is_some()).collect(),
            self.caches.iter().map(|one| one.facts.get().is_some()).collect(),
            self.signals.iter().map(|one| one.value.get().is_some()).collect(),
            self.commands.iter().map(|one| one.output.get().is_some()).collect(),
        ]
        .concat();
        !seen.is_empty() && !seen.contains(&true)
    }

    /// Why each of them did not answer.
    pub fn reasons(&self) -> BTreeMap<String, String> {
        let mut reasons = BTreeMap::new();
        let mut note = |what: String, why: Option<&str>| {
            if let Some(why) = why {
                reasons.insert(what, why.to_owned());
            }
        };
        self.servers.iter().for_each(|one| note(one.at.to_string(), one.facts.why()));
        for one in &self.records {
            note(format!("{} at {}", one.at.record, one.at.server), one.facts.why());
        }
        self.endpoints.iter().for_each(|one| note(one.at.to_string(), one.probe.connected.why()));
        self.caches.iter().for_each(|one| note(one.at.to_string(), one.facts.why()));
        self.signals.iter().for_each(|one| note(one.call.to_string(), one.value.why()));
        self.commands.iter().for_each(|one| note(one.look.join(" "), one.output.why()));
        reasons
    }
}
