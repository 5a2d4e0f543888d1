//! The writers: users through DNS and the application, and slow ones at the database itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::watch;

use super::LoadOptions;
use super::journal::Journal;
use crate::lab::database::{self, Login, Session};
use crate::lab::error::{LabError, Result};
use crate::lab::postgres::{Standing, describe_database};
use crate::lab::resolve::Resolver;
use crate::lab::secrets::Secret;
use crate::lab::{Lab, RECORD, Region};

/// What a writer knows of the lab: as little as a user does, and how to reach the databases for the slow ones.
pub(super) struct World {
    options: LoadOptions,
    dns: Vec<SocketAddr>,
    app_port: u16,
    postgres_port: u16,
    password: SecretString,
    tls: rustls::ClientConfig,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

impl World {
    pub(super) fn of(lab: &Lab, options: &LoadOptions) -> Result<Self> {
        // reqwest asks for the process's provider even for plain HTTP; an error only says that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| LabError::Service(error.to_string()))?;
        Ok(Self {
            options: options.clone(),
            dns: Region::ALL.map(|region| lab.dns_server(region)).to_vec(),
            app_port: lab.ports().app,
            postgres_port: lab.ports().postgres,
            password: lab.secrets().read(Secret::App)?,
            tls: lab.pki().client_config()?,
            http,
        })
    }

    /// A session of the application's role.
    pub(super) async fn connect(&self, region: Region) -> Result<Session> {
        let login = Login {
            region,
            port: self.postgres_port,
            user: "app",
            password: &self.password,
            database: "orders",
            name: "load",
        };
        database::connect(&login, self.tls.clone()).await
    }

    /// The region with the newest primary, seen as the application's role sees it.
    pub(super) async fn primary(&self) -> Option<(Region, Session)> {
        let mut newest: Option<(Region, Session, i32)> = None;
        for region in Region::ALL {
            if let Ok(session) = self.connect(region).await
                && let Ok(Standing::Primary { timeline, .. }) = standing(&session).await
                && newest.as_ref().is_none_or(|(_, _, known)| timeline > *known)
            {
                newest = Some((region, session, timeline));
            }
        }
        newest.map(|(region, session, _)| (region, session))
    }

    fn resolver(&self, number: u32) -> Resolver {
        Resolver::new(self.dns.clone(), number as usize)
    }
}

async fn standing(session: &Session) -> std::result::Result<Standing, String> {
    let query = session.query_one(
        "SELECT CASE WHEN NOT pg_is_in_recovery()
                     THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
                END",
        &[],
    );
    let row = tokio::time::timeout(Duration::from_secs(3), query)
        .await
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| describe_database(&error))?;
    Ok(match row.get::<_, Option<i32>>(0) {
        Some(timeline) => Standing::Primary { frozen: false, timeline },
        None => Standing::Standby { streaming: false },
    })
}

/// Writes through DNS and the application until told to stop.
pub(super) async fn fast(world: Arc<World>, journal: Arc<Journal>, number: u32, stop: watch::Receiver<bool>) {
    let mut resolver = world.resolver(number);
    let mut seq = 0_i64;
    while !*stop.borrow() {
        seq += 1;
        let id = journal.id(number, seq);
        journal.attempt();
        match order(&world, &mut resolver, &id, number, seq).await {
            Ok(region) => {
                journal.acknowledge(id, region, false);
                tokio::time::sleep(world.options.pace).await;
            }
            Err(kind) => {
                journal.error(&kind);
                // A client that retries at once would be an attack.
                tokio::time::sleep(world.options.pace.max(Duration::from_millis(10))).await;
            }
        }
    }
}

/// One order; the error is a short kind, for counting.
async fn order(
    world: &World,
    resolver: &mut Resolver,
    id: &str,
    number: u32,
    seq: i64,
) -> std::result::Result<Region, String> {
    let address = resolver.address(RECORD).await.map_err(|_| "dns".to_owned())?;
    let region = Region::at(address).ok_or_else(|| format!("dns says {address}"))?;
    let url = format!("http://{address}:{}/orders", world.app_port);
    let query = [("id", id.to_owned()), ("client", number.to_string()), ("seq", seq.to_string())];
    let response = world.http.post(url).query(&query).send().await.map_err(|error| {
        let kind = if error.is_connect() { "no connection" } else { "no answer" };
        format!("{region}: {kind}")
    })?;
    if response.status().is_success() {
        return Ok(region);
    }
    let reason = match response.json::<Refusal>().await {
        Ok(refusal) => refusal.reason.split(':').next().unwrap_or_default().to_owned(),
        Err(_) => "no reason".to_owned(),
    };
    Err(format!("{region}: {reason}"))
}

/// Holds transactions open on the database of the region that DNS names, until told to stop.
pub(super) async fn long(world: Arc<World>, journal: Arc<Journal>, number: u32, stop: watch::Receiver<bool>) {
    let mut resolver = world.resolver(number);
    let mut seq = 0_i64;
    while !*stop.borrow() {
        seq += 1;
        let id = journal.id(number, seq);
        journal.attempt();
        match transaction(&world, &mut resolver, &id, number, seq).await {
            Ok(region) => journal.acknowledge(id, region, true),
            Err(kind) => {
                journal.error(&kind);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn transaction(
    world: &World,
    resolver: &mut Resolver,
    id: &str,
    number: u32,
    seq: i64,
) -> std::result::Result<Region, String> {
    let address = resolver.address(RECORD).await.map_err(|_| "dns".to_owned())?;
    let region = Region::at(address).ok_or_else(|| format!("dns says {address}"))?;
    let session = world.connect(region).await.map_err(|_| format!("{region}: database unreachable"))?;
    let (client, hold) = (i32::try_from(number).unwrap_or(i32::MAX), world.options.hold);
    let work = async {
        session.batch_execute("BEGIN").await?;
        let insert = "INSERT INTO orders (id, client, seq) VALUES ($1, $2, $3)";
        session.execute(insert, &[&id, &client, &seq]).await?;
        tokio::time::sleep(hold).await;
        session.batch_execute("COMMIT").await
    };
    match tokio::time::timeout(hold + Duration::from_secs(5), work).await {
        Ok(Ok(())) => Ok(region),
        Ok(Err(error)) => Err(match error.code() {
            Some(code) => format!("{region}: transaction {}", code.code()),
            None => format!("{region}: transaction cut"),
        }),
        Err(_) => Err(format!("{region}: transaction without answer")),
    }
}
