//! HTTP clients as all ports want them: no proxy, no redirects, bounded in time and size, and no address in any error.

use super::addresses::Addresses;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

/// Time for the connection, if the whole call may take longer.
pub const CONNECT: Duration = Duration::from_secs(2);

/// A builder for clients of APIs.
///
/// Proxies of the environment are not used: they would be one more thing that may live in the region being left. Redirects are
/// not followed: credentials stay where the inventory says.
pub fn builder(
    tls: &Arc<rustls::ClientConfig>,
    addresses: &Addresses,
    timeout: Duration,
) -> reqwest::ClientBuilder {
    let mut tls = rustls::ClientConfig::clone(tls);
    // The client speaks HTTP/1.1 only and sets this itself.
    tls.alpn_protocols.clear();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(addresses.clone())
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // A server may close a connection that waits at the very moment at which it is used again: that would look like a lost call.
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout)
        .user_agent(concat!("mrctl/", env!("CARGO_PKG_VERSION")))
}

/// Why a call failed, and whether the request can have arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No connection was made: proof that the other side saw nothing.
    NotSent(String),
    /// The request may have arrived.
    Lost(String),
}

impl Trouble {
    /// Reads an error. Its address is left out, because addresses may be secrets.
    pub fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let text = reason(&error);
        if error.is_connect() || error.is_builder() { Self::NotSent(text) } else { Self::Lost(text) }
    }

    /// The reason.
    pub fn why(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Lost(why) => why,
        }
    }
}

/// The innermost reason of an error, which is the one that helps, after a word on the stage.
pub fn reason(error: &reqwest::Error) -> String {
    let stage = if error.is_timeout() {
        return if error.is_connect() { "no connection in time".into() } else { "no answer in time".into() };
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "no answer"
    };
    let mut inner = error.source();
    let mut text = String::new();
    while let Some(source) = inner {
        text = source.to_string();
        inner = source.source();
    }
    if text.is_empty() { stage.to_owned() } else { format!("{stage}: {text}") }
}

/// The body, up to a limit in bytes; an error beyond it.
pub async fn body(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Trouble::of)? {
        if body.len() + chunk.len() > limit {
            return Err(Trouble::Lost(format!("the answer is larger than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Foreign text for a message: one line, at most 300 characters, without control characters. It is cut before it is scrubbed, so it is
/// cut between words: half a token or address would be known to nobody.
pub fn excerpt(text: &str) -> String {
    let line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    if text.trim().chars().count() <= EXCERPT {
        return line.trim().to_owned();
    }
    let in_a_word = |c: char| c.is_ascii_alphanumeric() || "-._~%+/=:@?&!$".contains(c);
    line.trim_end_matches(in_a_word).trim().to_owned()
}

/// Characters of an excerpt.
const EXCERPT: usize = 300;
