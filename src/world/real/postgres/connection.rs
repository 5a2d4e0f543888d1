//! One connection: what it may ask, with deadlines on the client that cancel at the server.

use crate::world::postgres::REFUSES;
use std::future::Future;
use std::time::Duration;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Client, Config, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a cancel request may take.
const CANCEL: Duration = Duration::from_secs(1);

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
    pub(super) client: Client,
    pub(super) tls: Option<Connector>,
    /// Changes at this member that were begun or answered before this connection was opened.
    pub(super) generation: u64,
    /// The statement that this connection has prepared for looks: parsing it takes the server longer than running it.
    pub(super) prepared: String,
    /// Deadline of a single changing statement.
    pub(super) call: Duration,
}

/// rustls with the name that the certificate must carry: the driver itself would always take the host.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) inner: MakeRustlsConnect,
    pub(super) name: Option<String>,
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        let Self { inner, name } = self;
        MakeTlsConnect::<Socket>::make_tls_connect(inner, name.as_deref().unwrap_or(host))
    }
}

pub(super) async fn connect(
    config: &Config,
    tls: Option<Connector>,
) -> Result<Client, tokio_postgres::Error> {
    match tls {
        Some(tls) => {
            let (client, connection) = config.connect(tls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// The innermost cause, without anything that could hold a password.
pub(super) fn connect_error(host: &str, port: u16, error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{host}:{port} {REFUSES}{} ({})", db.message(), db.code().code());
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

    /// Runs the statement of looks, which stays prepared. After an error the session is of no more use: whether the preparation was
    /// undone with it is not known.
    pub(super) async fn look(&mut self, look: &str, limit: Duration) -> Result<Option<String>, Trouble> {
        let sql = if self.prepared == look {
            "EXECUTE mrctl_look".to_string()
        } else {
            let again = if self.prepared.is_empty() { "" } else { "DEALLOCATE mrctl_look; " };
            format!("{again}PREPARE mrctl_look AS {look}; EXECUTE mrctl_look")
        };
        let value = self.value(&sql, limit).await?;
        self.prepared = look.to_string();
        Ok(value)
    }

    /// The first column of the last row.
    pub(super) async fn value(&self, sql: &str, limit: Duration) -> Result<Option<String>, Trouble> {
        Ok(self.rows(sql, limit).await?.pop().flatten())
    }

    /// Hands the connection over to one piece of work, and ends with it. The deadline cancels at the server.
    pub(super) async fn alone<T, F>(
        self,
        limit: Duration,
        work: impl FnOnce(Client) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let token = self.client.cancel_token();
        within(token, self.tls, limit, work(self.client)).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        within(self.client.cancel_token(), self.tls.clone(), limit, call).await
    }

    /// Asks the server to stop what this session does. Whether it did is for a look to find out.
    pub(super) async fn cancel(&self) {
        cancel(self.client.cancel_token(), self.tls.clone()).await;
    }
}

/// Waits for an answer, and cancels at the server when it does not come in time or is not awaited any more.
async fn within<T>(
    token: CancelToken,
    tls: Option<Connector>,
    limit: Duration,
    call: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Trouble> {
    let mut on_drop = CancelOnDrop { token: token.clone(), tls: tls.clone(), armed: true };
    let answered = tokio::time::timeout(limit, call).await;
    on_drop.armed = false;
    match answered {
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
            cancel(token, tls).await;
            Err(Trouble::Late(format!("no answer within {limit:?}")))
        }
    }
}

async fn cancel(token: CancelToken, tls: Option<Connector>) {
    let request = async {
        match tls {
            Some(tls) => token.cancel_query(tls).await,
            None => token.cancel_query(NoTls).await,
        }
    };
    if !matches!(tokio::time::timeout(CANCEL, request).await, Ok(Ok(()))) {
        tracing::debug!("the cancel request was not delivered");
    }
}

/// Dropping a call's future does not stop the statement at the server (measured): this does, also when the engine drops the call.
struct CancelOnDrop {
    token: CancelToken,
    tls: Option<Connector>,
    armed: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(cancel(self.token.clone(), self.tls.clone()));
        }
    }
}
