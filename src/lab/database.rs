//! Connections to the lab's databases: verified TLS, a deadline, closed when dropped.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Region;
use super::error::{DatabaseContext, LabError, Result};

/// A session. Dropping it closes the connection even while a statement hangs on a frozen server.
pub struct Session {
    client: tokio_postgres::Client,
    driver: tokio::task::JoinHandle<()>,
}

impl std::ops::Deref for Session {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Whom to connect as, and where.
pub(crate) struct Login<'a> {
    pub(crate) region: Region,
    pub(crate) port: u16,
    pub(crate) user: &'a str,
    pub(crate) password: &'a SecretString,
    pub(crate) database: &'a str,
    pub(crate) name: &'a str,
}

/// Connects within three seconds: a frozen server still accepts TCP connections (the kernel does) and then says nothing.
pub(crate) async fn connect(login: &Login<'_>, tls: rustls::ClientConfig) -> Result<Session> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(login.region.address().to_string())
        .port(login.port)
        .user(login.user)
        .password(login.password.expose_secret())
        .dbname(login.database)
        .application_name(login.name)
        .ssl_mode(SslMode::Require)
        .connect_timeout(Duration::from_secs(2));
    let limit = Duration::from_secs(3);
    let connecting = tokio::time::timeout(limit, config.connect(MakeRustlsConnect::new(tls))).await;
    let (client, connection) = connecting
        .map_err(|_| LabError::Deadline {
            what: format!("the database of {} answers", login.region),
            seconds: limit.as_secs(),
            last: "no answer".into(),
        })?
        .of(login.region)?;
    let driver = tokio::spawn(async move {
        // Its end is seen by whoever uses the client next.
        let _ = connection.await;
    });
    Ok(Session { client, driver })
}
