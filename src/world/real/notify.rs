//! Messages to people: a webhook, or an incoming webhook of Slack and its like.

use super::addresses::Addresses;
use super::client::{self, Trouble, excerpt};
use crate::journal::Permit;
use crate::journal::permit::short_run;
use crate::world::notify::Notify;
use crate::world::{Answer, Reply};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Largest answer that is read.
const LIMIT: usize = 64 * 1024;

/// What the port needs of the inventory.
pub struct Settings {
    /// Channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// Name of the environment, sent with every message of a webhook.
    pub environment: String,
    /// Where names are looked up.
    pub addresses: Addresses,
}

/// A channel.
pub struct Channel {
    /// Where it is sent: a secret, because whoever knows the address can post.
    pub url: SecretString,
    /// The form of the message.
    pub form: Form,
    /// Limit for one message; 10 s is usual.
    pub timeout: Duration,
    /// For `https`.
    pub tls: Arc<rustls::ClientConfig>,
}

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{"text", "run", "key", "environment"}`, and the key as `Idempotency-Key`.
    Webhook,
    /// `{"text"}` in Slack's markup.
    Slack,
}

/// Sends messages by HTTP.
pub struct RealNotify {
    channels: BTreeMap<String, (Channel, reqwest::Client)>,
    environment: String,
}

impl RealNotify {
    /// Makes the port. Nothing is sent yet.
    ///
    /// # Errors
    /// When a client cannot be built.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut channels = BTreeMap::new();
        for (name, channel) in settings.channels {
            let client = client::builder(&channel.tls, &settings.addresses, channel.timeout)
                .build()
                .map_err(|error| format!("channel {name}: {}", client::reason(&error.without_url())))?;
            channels.insert(name, (channel, client));
        }
        Ok(Self { channels, environment: settings.environment })
    }

    async fn post(&self, permit: &Permit, name: &str, text: &str) -> Reply {
        let Some((channel, client)) = self.channels.get(name) else {
            return Reply::refused(format!("no channel `{name}` in the inventory"));
        };
        // A text that is no address is not repeated: it is a secret all the same.
        let Ok(url) = reqwest::Url::parse(channel.url.expose_secret()) else {
            return Reply::refused(format!("the address of channel `{name}` cannot be read"));
        };
        let key = permit.idempotency_key();
        let content = content(channel.form, text, permit.run(), &key, &self.environment);
        let sent = client.post(url).header("Idempotency-Key", &key).json(&content).send().await;
        let response = match sent.map_err(Trouble::of) {
            Ok(response) => response,
            Err(Trouble::NotSent(why)) => return Reply::refused(why),
            Err(Trouble::Lost(why)) => return Reply::lost(why),
        };
        let status = response.status();
        let wait = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(|value| format!("; try again after {}", excerpt(value)))
            .unwrap_or_default();
        let body = client::body(response, LIMIT).await.unwrap_or_default();
        let said = excerpt(&String::from_utf8_lossy(&body));
        match status.as_u16() {
            200..=299 => Reply::acknowledged(format!("sent to {name} ({status})")),
            300..=499 => Reply::refused(format!("{name} did not take it: {said} ({status}){wait}")),
            _ => Reply::lost(format!("{name} failed: {said} ({status}){wait}")),
        }
    }
}

fn content(form: Form, text: &str, run: &str, key: &str, environment: &str) -> Value {
    match form {
        Form::Webhook => json!({ "text": text, "run": run, "key": key, "environment": environment }),
        // Slack takes no key, so a second copy can only be told by its text. Escapes: api.slack.com/reference/surfaces/formatting.
        Form::Slack => {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            json!({ "text": format!("{text} [mrctl {}]", short_run(run)) })
        }
    }
}

impl Notify for RealNotify {
    fn send<'a>(&'a self, permit: &'a Permit, channel: &'a str, text: &'a str) -> Answer<'a, Reply> {
        Box::pin(self.post(permit, channel, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_markup_is_escaped_and_the_run_named() {
        let sent = content(Form::Slack, "a < b & c", "0192-abcdefabcdef", "k", "production");
        assert_eq!(sent, json!({"text": "a &lt; b &amp; c [mrctl abcdefabcdef]"}));
    }

    #[test]
    fn a_webhook_carries_the_key_of_the_effect() {
        let sent = content(Form::Webhook, "moved", "r", "r/tell/ops", "production");
        assert_eq!(sent["key"], "r/tell/ops");
        assert_eq!(sent["environment"], "production");
    }
}
