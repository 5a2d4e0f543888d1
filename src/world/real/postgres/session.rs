//! Connections: fresh ones, with deadlines on the client that cancel at the server.

use crate::world::Member;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be made, TLS and password included.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a cancel request may take.
const CANCEL: Duration = Duration::from_secs(1);

/// All clusters.
#[derive(Default)]
pub struct Settings {
    /// By the name in the inventory.
    pub clusters: BTreeMap<String, ClusterSettings>,
}

/// How to reach a cluster.
pub struct ClusterSettings {
    /// Database.
    pub database: String,
    /// Role.
    pub user: String,
    /// Password, resolved before the first change.
    pub password: Option<SecretString>,
    /// TLS; `None` only where the inventory says `insecure: true`.
    pub tls: Option<Arc<ClientConfig>>,
    /// The name that certificates are checked against, if it is not the host.
    pub tls_name: Option<String>,
    /// Deadline of a look.
    pub timeout: Duration,
    /// Host and port by region.
    pub members: BTreeMap<String, (String, u16)>,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub enum Trouble {
    /// No connection was made: nothing was sent.
    NotConnected(String),
    /// The server answered with an error: SQL state and message.
    Server(String, String),
    /// The answer did not come in time; a cancel request was sent.
    Late(String),
    /// The connection broke while the answer was awaited.
    Broken(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected(why) => write!(f, "no connection: {why}"),
            Self::Server(state, message) => write!(f, "the server said {state}: {message}"),
            Self::Late(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

/// One connection.
pub struct Session {
    client: Client,
    tls: Option<Arc<ClientConfig>>,
}

/// Opens connections and keeps those that may be used again for looks.
pub struct Sessions {
    settings: Settings,
    /// Connections for looks, opened after the last change at that member: what proves a change is never older than it.
    idle: RefCell<BTreeMap<Member, Session>>,
    /// Sessions that hold advisory locks.
    pub(super) locks: RefCell<BTreeMap<Member, Session>>,
}

impl Sessions {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, idle: RefCell::default(), locks: RefCell::default() }
    }

    pub(super) fn timeout(&self, at: &Member) -> Duration {
        self.settings.clusters.get(&at.resource).map_or(Duration::from_secs(5), |cluster| cluster.timeout)
    }

    /// A connection that no change of ours has used: an idle one opened since the last change, or a new one.
    pub(super) async fn for_look(&self, at: &Member, name: &str) -> Result<Session, Trouble> {
        let idle = self.idle.borrow_mut().remove(at);
        match idle {
            Some(session) if !session.client.is_closed() => Ok(session),
            _ => self.open(at, name).await,
        }
    }

    /// Gives a connection back that worked.
    pub(super) fn give_back(&self, at: &Member, session: Session) {
        if !session.client.is_closed() {
            self.idle.borrow_mut().insert(at.clone(), session);
        }
    }

    /// A new connection for a change; from here older connections prove nothing about this member.
    pub(super) async fn for_change(&self, at: &Member, name: &str) -> Result<Session, Trouble> {
        self.idle.borrow_mut().remove(at);
        let session = self.open(at, name).await;
        self.idle.borrow_mut().remove(at);
        session
    }

    /// Forgets idle connections of a member: called when a change has been answered.
    pub(super) fn retire(&self, at: &Member) {
        self.idle.borrow_mut().remove(at);
    }

    pub(super) async fn open(&self, at: &Member, name: &str) -> Result<Session, Trouble> {
        let missing = || Trouble::NotConnected(format!("{at} is not in the inventory"));
        let cluster = self.settings.clusters.get(&at.resource).ok_or_else(missing)?;
        let (host, port) = cluster.members.get(&at.region).ok_or_else(missing)?;
        let mut config = Config::new();
        match (&cluster.tls_name, host.parse()) {
            (Some(name), Ok(address)) => config.host(name).hostaddr(address),
            _ => config.host(host),
        };
        config
            .port(*port)
            .user(&cluster.user)
            .dbname(&cluster.database)
            .application_name(name)
            .connect_timeout(CONNECT)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(10))
            // Server-side limits are the second line: they do not bound a commit that waits for a synchronous standby.
            .options(
                "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
            );
        if let Some(password) = &cluster.password {
            config.password(password.expose_secret());
        }
        // The driver only knows whether to use TLS, not what to verify: that is the connector's configuration.
        config.ssl_mode(if cluster.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let connect = async {
            match &cluster.tls {
                Some(tls) => {
                    let (client, connection) =
                        config.connect(MakeRustlsConnect::new((**tls).clone())).await?;
                    tokio::spawn(connection);
                    Ok::<_, tokio_postgres::Error>(client)
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
            }
        };
        match tokio::time::timeout(CONNECT, connect).await {
            Ok(Ok(client)) => Ok(Session { client, tls: cluster.tls.clone() }),
            Ok(Err(error)) => Err(Trouble::NotConnected(connect_error(host, *port, &error))),
            Err(_) => Err(Trouble::NotConnected(format!("{host}:{port} did not answer within {CONNECT:?}"))),
        }
    }
}

/// The innermost cause, without anything that could hold a password.
fn connect_error(host: &str, port: u16, error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{host}:{port}: {} ({})", db.message(), db.code().code());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{host}:{port}: {cause}")
}

impl Session {
    /// Whether the connection has ended.
    pub(super) fn closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements in one round trip and returns the first column of each row. The deadline cancels at the server.
    pub(super) async fn rows(&self, sql: &str, limit: Duration) -> Result<Vec<Option<String>>, Trouble> {
        let messages = self.within(limit, self.client.simple_query(sql)).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_string)),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first column of the last row.
    pub(super) async fn value(&self, sql: &str, limit: Duration) -> Result<Option<String>, Trouble> {
        Ok(self.rows(sql, limit).await?.pop().flatten())
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(match error.as_db_error() {
                // A shutdown or a crash speaks to everyone; it is no answer to our statement.
                Some(db) if db.code().code().starts_with("57P") => {
                    Trouble::Broken(format!("the server ended the session: {}", db.message()))
                }
                Some(db) => Trouble::Server(db.code().code().to_string(), db.message().to_string()),
                None => Trouble::Broken(format!("the connection broke: {error}")),
            }),
            Err(_) => {
                self.cancel().await;
                Err(Trouble::Late(format!("no answer within {limit:?}")))
            }
        }
    }

    /// Asks the server to stop what this session does. Whether it did is for a look to find out.
    pub(super) async fn cancel(&self) {
        let token = self.client.cancel_token();
        let request = async {
            match &self.tls {
                Some(tls) => token.cancel_query(MakeRustlsConnect::new((**tls).clone())).await,
                None => token.cancel_query(NoTls).await,
            }
        };
        if !matches!(tokio::time::timeout(CANCEL, request).await, Ok(Ok(()))) {
            tracing::debug!("the cancel request was not delivered");
        }
    }
}
