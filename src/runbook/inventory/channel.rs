//! Where messages to people go.

use super::backend::one_backend;
use super::{Secret, Tls};
use crate::language::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

one_backend! {
    /// A place for messages to people.
    pub struct Channel from ChannelText {
        [#[serde(default, skip_serializing_if = "std::ops::Not::not")]]
        /// Whether messages go here when a step names no channel.
        pub default: bool,
        [#[serde(default, skip_serializing_if = "Option::is_none")]]
        /// The region in which it runs: checks warn when a run that leaves this region would need it.
        pub at: Option<String>,
        [#[serde(default = "default_timeout")]]
        /// Longest time for one message.
        pub timeout: Period,
    }
    /// What carries the message.
    pub enum ChannelBackend {
        /// A POST with a JSON body.
        webhook => Webhook(Webhook),
        /// An incoming webhook of Slack, or of what speaks the same.
        slack => Slack(Slack),
    }
}

/// A POST with a JSON body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address; a secret, because whoever knows it can post.
    pub url: Secret,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

/// An incoming webhook of Slack, or of what speaks the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The incoming webhook's address; a secret, because whoever knows it can post.
    pub webhook: Secret,
    /// Protection of an `https` address.
    #[serde(default)]
    pub tls: Tls,
}

fn default_timeout() -> Period {
    Period::from_secs(10)
}
