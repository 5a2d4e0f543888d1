//! What a kind may ask of the plan while it resolves: regions and plain views of the inventory's resources.

use crate::error::Span;
use crate::language::expression::Unit;
use crate::world::dns::Shares;
use crate::world::exec::Command;
use std::collections::BTreeMap;

/// The circumstances of one resolution.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Source region.
    pub from: &'a str,
    /// Target region.
    pub to: &'a str,
    /// The region in which this action acts (from `in:` or the kind's default); `to` for kinds that act nowhere in particular.
    pub region: &'a str,
    /// Whether the run is planned (the source answers).
    pub planned: bool,
    /// The action's place in the text, for problems.
    pub span: Option<Span>,
    /// Names known when the plan is made, besides the regions: parameters, `mode`, `drill`.
    pub values: &'a BTreeMap<String, String>,
    /// What the values of parameters are in a condition; every other name is a text.
    pub types: &'a BTreeMap<String, Unit>,
    /// The inventory.
    pub directory: &'a dyn Directory,
}

impl Scope<'_> {
    /// Every bare name that a condition may use.
    pub fn names(&self) -> BTreeMap<String, String> {
        let mut names = self.values.clone();
        names.insert("from".into(), self.from.to_string());
        names.insert("to".into(), self.to.to_string());
        names
    }
}

/// The inventory as kinds see it. A missing resource is reported by the caller's own `problem`.
pub trait Directory {
    /// All regions in the inventory's order.
    fn regions(&self) -> Vec<String>;
    /// A PostgreSQL cluster.
    fn cluster(&self, name: &str) -> Option<Cluster>;
    /// A DNS record.
    fn record(&self, name: &str) -> Option<Record>;
    /// A cache.
    fn cache(&self, name: &str) -> Option<CacheView>;
    /// An endpoint.
    fn endpoint(&self, name: &str) -> Option<Endpoint>;
    /// A channel; the default one for an empty name.
    fn channel(&self, name: &str) -> Option<String>;
    /// Unit of a signal: `ratio`, `seconds`, `bytes`, `number`.
    fn signal(&self, name: &str) -> Option<String>;
    /// Members of a group, if there is one of this name.
    fn group(&self, name: &str) -> Option<Vec<String>>;
    /// All names of a type (`postgres`, `dns_records`, `caches`, `endpoints`, `channels`, `signals`), for suggestions.
    fn names(&self, kind: &str) -> Vec<String>;
}

/// A PostgreSQL cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Name in the inventory.
    pub name: String,
    /// Regions that have a member.
    pub regions: Vec<String>,
    /// Roles whose sessions are never ended.
    pub keep: Vec<String>,
    /// Whether a region's application can reach a primary elsewhere.
    pub remote_writers: bool,
    /// Table for the write probe.
    pub probe_table: String,
    /// Manager in charge (`none`, `patroni`, …).
    pub manager: String,
    /// Hooks by region.
    pub hooks: BTreeMap<String, Hooks>,
}

/// Commands that act on a member's process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Stops the server cleanly.
    pub stop: Option<Command>,
    /// Starts it.
    pub start: Option<Command>,
    /// Prints `pg_controldata`.
    pub control_data: Option<Command>,
    /// Keep users from it, the strongest first.
    pub fence: Vec<Command>,
    /// Tells whether a user can reach it.
    pub fenced: Option<Command>,
    /// Makes it a standby of the primary in the region that `${primary}` stands for.
    pub rejoin: Option<Command>,
    /// Tells whether it is certainly stopped.
    pub look: Option<Command>,
    /// Slot through which it streams as a standby.
    pub slot: Option<String>,
}

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name in the inventory.
    pub name: String,
    /// Fully qualified name with the trailing dot.
    pub domain: String,
    /// `A`, `AAAA` or `CNAME`.
    pub kind: String,
    /// Configured time to live in seconds.
    pub ttl: u32,
    /// Servers, each written and asked.
    pub servers: Vec<String>,
    /// Answers by region.
    pub targets: BTreeMap<String, String>,
    /// Shares to return to, in basis points.
    pub normal: Shares,
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheView {
    /// Name in the inventory.
    pub name: String,
    /// Regions that have a member.
    pub regions: Vec<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name in the inventory.
    pub name: String,
    /// What users ask for.
    pub url: String,
    /// Status that is expected.
    pub status: u16,
    /// Regions that have an address.
    pub regions: Vec<String>,
}
