//! The application's connections: few, kept while they work, thrown away at the first doubt.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;

use super::AppConfig;
use crate::lab::Region;
use crate::lab::database::{self, Login, Session};
use crate::lab::error::Result;
use crate::lab::postgres::{describe, describe_database};

/// Most connections at once; the server allows 100 and others need some.
const LIMIT: usize = 12;
/// Longest time for one request at the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// A standby, or frozen.
    #[error("read_only")]
    ReadOnly,
    /// No connection: nothing was sent.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The server said no.
    #[error("refused: {0}")]
    Refused(String),
    /// No answer in time: it may have happened.
    #[error("timeout")]
    Timeout,
    /// The connection ended before the answer: it may have happened.
    #[error("connection lost: {0}")]
    Broken(String),
}

/// What the database is.
pub(super) struct Role {
    pub(super) primary: bool,
    pub(super) read_only: bool,
}

pub(super) struct Pool {
    region: Region,
    port: u16,
    password: SecretString,
    tls: rustls::ClientConfig,
    idle: Mutex<Vec<Session>>,
    permits: Semaphore,
}

impl Pool {
    pub(super) fn new(config: &AppConfig) -> Result<Self> {
        Ok(Self {
            region: config.region,
            port: config.postgres_port,
            password: config.password.clone().into(),
            tls: crate::lab::pki::client_config(&config.ca)?,
            idle: Mutex::default(),
            permits: Semaphore::new(LIMIT),
        })
    }

    /// Inserts and commits one order.
    pub(super) async fn insert(&self, id: &str, client: i32, seq: i64) -> std::result::Result<(), Problem> {
        self.with(async |session| {
            session
                .execute("INSERT INTO orders (id, client, seq) VALUES ($1, $2, $3)", &[&id, &client, &seq])
                .await
                .map(|_| ())
        })
        .await
    }

    /// Asks for the role, as it is now.
    pub(super) async fn role(&self) -> std::result::Result<Role, Problem> {
        let query = "SELECT NOT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'";
        self.with(async |session| {
            let row = session.query_one(query, &[]).await?;
            Ok(Role { primary: row.get(0), read_only: row.get(1) })
        })
        .await
    }

    /// Runs `work` on a session that worked last time, or a new one. After any error the session is dropped, which closes
    /// it: the next request sees the server as it is then.
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Session) -> std::result::Result<T, tokio_postgres::Error>,
    ) -> std::result::Result<T, Problem> {
        let waiting = tokio::time::timeout(PATIENCE, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = waiting else {
            return Err(Problem::Unreachable("all connections are busy".into()));
        };
        let session = match self.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        match tokio::time::timeout(PATIENCE, work(&session)).await {
            Err(_) => Err(Problem::Timeout),
            Ok(Err(error)) => Err(classify(&error)),
            Ok(Ok(done)) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
                Ok(done)
            }
        }
    }

    fn take(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(session) = idle.pop() {
            if !session.is_closed() {
                return Some(session);
            }
        }
        None
    }

    async fn connect(&self) -> std::result::Result<Session, Problem> {
        let login = Login {
            region: self.region,
            port: self.port,
            user: "app",
            password: &self.password,
            database: "orders",
            name: "shop",
        };
        database::connect(&login, self.tls.clone())
            .await
            .map_err(|error| Problem::Unreachable(describe(error)))
    }
}

fn classify(error: &tokio_postgres::Error) -> Problem {
    match error.code() {
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Problem::ReadOnly,
        // The server ends sessions with these; what was in flight may have been committed.
        Some(code) if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(code) => {
            Problem::Broken(describe_database(error))
        }
        Some(_) => Problem::Refused(describe_database(error)),
        None => Problem::Broken(describe_database(error)),
    }
}
