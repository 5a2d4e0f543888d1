//! Redis and Valkey: what a server says of itself, and warming one from another.

use super::addresses::Addresses;
use super::cache_copy;
use crate::journal::Permit;
use crate::world::cache::{Cache, CacheFacts, Pace};
use crate::world::{Answer, Known, Member, Reply};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// What the port needs of the inventory.
pub struct Settings {
    /// Caches by name.
    pub caches: BTreeMap<String, Redis>,
    /// Where names are looked up.
    pub addresses: Addresses,
}

/// A cache with an independent server in every region.
pub struct Redis {
    /// Host and port by region.
    pub members: BTreeMap<String, (String, u16)>,
    /// User of the access control list.
    pub user: Option<String>,
    /// Password.
    pub password: Option<SecretString>,
    /// Number of the database.
    pub database: u32,
    /// Encrypts the connection.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Limit for one call; 5 s is usual.
    pub timeout: Duration,
}

/// Caches by the Redis protocol.
pub struct RealCache {
    settings: Settings,
}

impl RealCache {
    /// Makes the port. Nothing is asked yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// A fresh connection, and the limit for one call on it.
    pub(super) async fn connect(&self, at: &Member) -> Result<MultiplexedConnection, String> {
        let cache = self
            .settings
            .caches
            .get(&at.resource)
            .ok_or_else(|| format!("no cache `{}` in the inventory", at.resource))?;
        let (host, port) = cache
            .members
            .get(&at.region)
            .ok_or_else(|| format!("{} has no member in {}", at.resource, at.region))?;
        match tokio::time::timeout(cache.timeout, self.open(cache, host, *port)).await {
            Ok(connected) => connected,
            Err(_) => Err("no connection in time".into()),
        }
    }

    async fn open(&self, cache: &Redis, host: &str, port: u16) -> Result<MultiplexedConnection, String> {
        let found = self.settings.addresses.lookup(host, port).await.map_err(|error| error.to_string())?;
        let stream =
            TcpStream::connect(found.as_slice()).await.map_err(|error| format!("no connection: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut info =
            RedisConnectionInfo::default().set_db(i64::from(cache.database)).set_skip_set_lib_name();
        if let Some(user) = &cache.user {
            info = info.set_username(user);
        }
        if let Some(password) = &cache.password {
            info = info.set_password(password.expose_secret());
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(cache.timeout));
        let connection = match &cache.tls {
            None => attach(MultiplexedConnection::new_with_config(&info, stream, config).await),
            Some(tls) => {
                let name = rustls::pki_types::ServerName::try_from(host.to_owned())
                    .map_err(|_| format!("`{host}` cannot be the name in a certificate"))?;
                let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls))
                    .connect(name, stream)
                    .await
                    .map_err(|error| format!("the TLS handshake failed: {error}"))?;
                attach(MultiplexedConnection::new_with_config(&info, stream, config).await)
            }
        };
        connection.map_err(|error| words(&error))
    }
}

/// Lets the connection's own task run beside us; it ends with the last handle.
fn attach<F: Future<Output = ()> + Send + 'static>(
    made: Result<(MultiplexedConnection, F), RedisError>,
) -> Result<MultiplexedConnection, RedisError> {
    made.map(|(connection, task)| {
        tokio::spawn(task);
        connection
    })
}

/// An error in a few words.
pub(super) fn words(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => super::client::excerpt(&format!("{code} {detail}")),
        _ => super::client::excerpt(&error.to_string()),
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub facts: CacheFacts,
    /// Cluster mode, in which one server holds only a part of the keys.
    pub clustered: bool,
}

/// Reads `INFO` and `DBSIZE` (<https://redis.io/docs/latest/commands/info/>; Valkey keeps the names).
pub(super) async fn info(connection: &mut MultiplexedConnection) -> Result<Info, String> {
    let text: String = redis::cmd("INFO").query_async(connection).await.map_err(|error| words(&error))?;
    let keys: u64 = redis::cmd("DBSIZE").query_async(connection).await.map_err(|error| words(&error))?;
    parse(&text, keys)
}

fn parse(text: &str, keys: u64) -> Result<Info, String> {
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.trim().split_once(':')).collect();
    let word = |name: &str| fields.get(name).copied().ok_or_else(|| format!("INFO does not show {name}"));
    let number =
        |name: &str| word(name)?.parse::<u64>().map_err(|_| format!("INFO shows no number for {name}"));
    if word("loading")? != "0" {
        return Err("the server is loading its data".into());
    }
    Ok(Info {
        facts: CacheFacts {
            role: word("role")?.to_owned(),
            keys,
            evicted: number("evicted_keys")?,
            used_bytes: number("used_memory")?,
            limit_bytes: number("maxmemory")?,
            server: word("run_id")?.to_owned(),
        },
        clustered: fields.get("cluster_enabled").is_some_and(|value| *value != "0"),
    })
}

impl Cache for RealCache {
    fn look<'a>(&'a self, at: &'a Member) -> Answer<'a, Known<CacheFacts>> {
        Box::pin(async move {
            let seen = async { info(&mut self.connect(at).await?).await };
            match seen.await {
                Ok(info) => Known::Known(info.facts),
                Err(why) => Known::Unknown(why),
            }
        })
    }

    fn copy<'a>(
        &'a self,
        _permit: &'a Permit,
        from: &'a Member,
        to: &'a Member,
        pace: &'a Pace,
        cursor: &'a str,
    ) -> Answer<'a, Reply> {
        Box::pin(async move {
            // Nothing is written before both sides are connected and checked.
            let (source, target) = futures_util::future::join(self.connect(from), self.connect(to)).await;
            match (source, target) {
                (Ok(mut source), Ok(mut target)) => {
                    cache_copy::slice(&mut source, &mut target, pace, cursor).await
                }
                (Err(why), _) => Reply::refused(format!("{from}: {why}")),
                (_, Err(why)) => Reply::refused(format!("{to}: {why}")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Server\r\nrun_id:abc\r\n# Memory\r\nused_memory:100\r\nmaxmemory:0\r\n# Persistence\r\nloading:0\r\n\
                        # Stats\r\nevicted_keys:7\r\n# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_field_that_is_missing_is_not_zero() {
        let info = parse(TEXT, 5).unwrap();
        assert_eq!((info.facts.evicted, info.facts.keys, info.facts.server.as_str()), (7, 5, "abc"));
        for field in
            ["run_id:abc", "used_memory:100", "maxmemory:0", "evicted_keys:7", "role:master", "loading:0"]
        {
            assert!(parse(&TEXT.replace(field, ""), 5).is_err(), "{field}");
        }
        assert!(parse(&TEXT.replace("loading:0", "loading:1"), 5).is_err());
    }
}
