//! Messages in memory.

use super::Faults;
use super::fault::{Common, Deed};
use super::shared::Shared;
use crate::journal::Permit;
use crate::world::notify::Notify;
use crate::world::{Answer, Reply};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Channel.
    pub channel: String,
    /// Text.
    pub text: String,
    /// The key by which a receiver drops a second copy.
    pub key: String,
}

/// Simulated channels.
#[derive(Debug)]
pub struct SimNotify {
    /// Faults; places are channels.
    pub faults: Faults<Sent>,
    channels: Shared<BTreeSet<String>>,
    sent: Shared<Vec<Sent>>,
}

impl SimNotify {
    /// No channels.
    pub fn new(common: &Common) -> Self {
        Self { faults: Faults::new(common), channels: Shared::default(), sent: Shared::default() }
    }

    /// The same in another world.
    pub fn fork(&self, common: &Common) -> Self {
        Self { faults: self.faults.fork(common), channels: self.channels.clone(), sent: self.sent.clone() }
    }

    /// What tells two worlds apart. A message that was sent changes nothing but its reader's mind.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        self.faults.digest(hasher);
        self.sent.borrow().len().hash(hasher);
    }

    /// Adds a channel.
    pub fn add(&self, channel: &str) {
        self.channels.borrow_mut().insert(channel.to_owned());
    }

    /// Everything that arrived, copies too.
    pub fn sent(&self) -> Vec<Sent> {
        self.faults.settle(&self.sent);
        self.sent.borrow().clone()
    }
}

impl Deed for Sent {
    type Truth = Vec<Self>;

    fn make(&self, sent: &mut Vec<Self>) -> Reply {
        sent.push(self.clone());
        Reply::acknowledged(format!("sent to {}", self.channel))
    }
}

impl Notify for SimNotify {
    fn send<'a>(&'a self, permit: &'a Permit, channel: &'a str, text: &'a str) -> Answer<'a, Reply> {
        Box::pin(async move {
            if !self.channels.borrow().contains(channel) {
                return Reply::refused(format!("no channel `{channel}` in the inventory"));
            }
            let message =
                Sent { channel: channel.to_owned(), text: text.to_owned(), key: permit.idempotency_key() };
            self.faults.run(channel, &self.sent, message)
        })
    }
}
