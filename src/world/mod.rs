//! The world as mrctl sees it: one file a port, in the words of the domain.
//!
//! A port has one real and one simulated implementation. Reading methods take no permit; every changing method takes a
//! [`Permit`](crate::journal::Permit), which exists only after the intent is on disk: that a rehearsal or a readiness check
//! cannot change anything is a matter of types, not of care.

pub mod cache;
pub mod clock;
pub mod dns;
pub mod exec;
pub mod http;
pub mod known;
pub mod notify;
pub mod plausible;
pub mod postgres;
pub mod real;
pub mod record_content;
pub mod reply;
pub mod signal;
pub mod sim;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

pub use known::Known;
pub use reply::Reply;

/// What a port method returns: a boxed future, not necessarily `Send`, because the engine is one future on one thread.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A future that is ready at once; what simulated ports and looks without I/O return.
pub fn ready<'a, T: 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(value))
}

/// One member of a resource: which resource of the inventory, in which region.
///
/// Ports find the address themselves; kinds, plans and journals name members only in these words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Member {
    /// The resource's name in the inventory, such as `orders`.
    pub resource: String,
    /// The region's name, such as `eu-west`.
    pub region: String,
}

impl Member {
    /// Names a member.
    pub fn new(resource: impl Into<String>, region: impl Into<String>) -> Self {
        Self { resource: resource.into(), region: region.into() }
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.resource, self.region)
    }
}

/// All ports together, as the engine hands them to kinds.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Rc<dyn clock::Clock>,
    /// PostgreSQL servers.
    pub postgres: Rc<dyn postgres::Postgres>,
    /// Authoritative DNS.
    pub dns: Rc<dyn dns::Dns>,
    /// HTTP endpoints as users see them.
    pub http: Rc<dyn http::Http>,
    /// Caches.
    pub cache: Rc<dyn cache::Cache>,
    /// Commands of the operator's own.
    pub exec: Rc<dyn exec::Exec>,
    /// Messages to people.
    pub notify: Rc<dyn notify::Notify>,
    /// Numbers that conditions ask for.
    pub signals: Rc<dyn signal::Signals>,
    /// Members that a person says are fenced or destroyed: where one of them is silent, that is not held against a way back.
    pub fenced: Rc<BTreeSet<Member>>,
}
