//! Names to addresses, remembered: a run must not need the resolver of the region that it leaves.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the resolver may take before the remembered answer is used.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks names up, and falls back to the last answer when the resolver is silent. Clones share what they remember: one for all
/// ports means that the first look of a run warms it for the rest.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    known: Arc<Mutex<HashMap<String, Vec<IpAddr>>>>,
}

impl Addresses {
    /// Addresses of a host. A literal address needs no resolver.
    ///
    /// # Errors
    /// When the resolver fails or is silent for two seconds, and the name was never looked up before.
    pub async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let fresh = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer for the name {host}"))),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let ips = match fresh {
            Ok(ips) if !ips.is_empty() => {
                known.insert(host.to_owned(), ips.clone());
                ips
            }
            Ok(_) => known
                .get(host)
                .cloned()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no address for {host}")))?,
            Err(error) => known.get(host).cloned().ok_or(error)?,
        };
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// The same for a text `host:port` or `host`, with a port for the second form. IPv6 addresses stand in brackets.
    ///
    /// # Errors
    /// As [`Addresses::lookup`]; also when the text is no address.
    pub async fn lookup_text(&self, text: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = split(text, port).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("`{text}` is no host:port"))
        })?;
        self.lookup(host, port).await
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
pub fn split(text: &str, port: u16) -> Option<(&str, u16)> {
    if text.is_empty() {
        return None;
    }
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, port));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(own) => Some((host, own.parse().ok()?)),
            None => rest.is_empty().then_some((host, port)),
        };
    }
    match text.rsplit_once(':') {
        Some((host, own)) if !host.is_empty() => Some((host, own.parse().ok()?)),
        Some(_) => None,
        None => Some((text, port)),
    }
}

impl reqwest::dns::Resolve for Addresses {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let addresses = self.clone();
        Box::pin(async move {
            let found = addresses.lookup(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart_in_every_form() {
        assert_eq!(split("pdns.example.com", 53), Some(("pdns.example.com", 53)));
        assert_eq!(split("127.0.0.1:5301", 53), Some(("127.0.0.1", 5301)));
        assert_eq!(split("::1", 53), Some(("::1", 53)));
        assert_eq!(split("[::1]:5301", 53), Some(("::1", 5301)));
        assert_eq!(split("[::1]", 53), Some(("::1", 53)));
        assert_eq!(split("host:port", 53), None);
        assert_eq!(split("", 53), None);
    }
}
