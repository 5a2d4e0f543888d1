//! Messages to people.

use super::{Answer, Reply};
use crate::journal::Permit;

/// Channels of the inventory.
pub trait Notify {
    /// Sends one message. At-least-once: the permit's key travels with it, so that a receiver can drop the second copy.
    ///
    /// `channel` is the channel's name in the inventory.
    fn send<'a>(&'a self, permit: &'a Permit, channel: &'a str, text: &'a str) -> Answer<'a, Reply>;
}
