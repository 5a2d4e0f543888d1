//! Messages in memory.

use super::Faults;
use crate::journal::Permit;
use crate::world::notify::Notify;
use crate::world::{Answer, Reply};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub faults: Faults,
    channels: RefCell<BTreeSet<String>>,
    sent: Rc<RefCell<Vec<Sent>>>,
}

impl SimNotify {
    /// No channels.
    pub fn new(faults: Faults) -> Self {
        Self { faults, channels: RefCell::default(), sent: Rc::default() }
    }

    /// Adds a channel.
    pub fn add(&self, channel: &str) {
        self.channels.borrow_mut().insert(channel.to_owned());
    }

    /// Everything that arrived, copies too.
    pub fn sent(&self) -> Vec<Sent> {
        self.faults.settle();
        self.sent.borrow().clone()
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
            let change = || {
                self.sent.borrow_mut().push(message.clone());
                Reply::acknowledged(format!("sent to {channel}"))
            };
            let late = || {
                let (sent, message) = (Rc::clone(&self.sent), message.clone());
                Box::new(move || sent.borrow_mut().push(message)) as Box<dyn FnOnce()>
            };
            self.faults.run(channel, change, late)
        })
    }
}
