//! The PostgreSQL pair: made from one new cluster and its copy, started, stopped, found again.

use std::time::Duration;

use rustix::process::Signal;
use secrecy::{ExposeSecret, SecretString};

use super::database::{self, Login, Session};
use super::error::{DatabaseContext, FileContext, LabError, Result};
use super::process::{self, Process};
use super::secrets::Secret;
use super::{Lab, Region, postgres_config as config, wait};

/// How long a server may take to start, stop or promote on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whom a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The superuser `postgres`.
    Superuser,
    /// `mrctl`, with the rights that a run has.
    Mrctl,
    /// `app`, the owner of the table `orders`.
    App,
    /// `monitoring`.
    Monitoring,
}

impl Role {
    const fn user(self) -> (&'static str, Secret) {
        match self {
            Self::Superuser => ("postgres", Secret::Superuser),
            Self::Mrctl => ("mrctl", Secret::Mrctl),
            Self::App => ("app", Secret::App),
            Self::Monitoring => ("monitoring", Secret::Monitoring),
        }
    }
}

/// The name of the process in `lab.json`.
pub(crate) fn process_name(region: Region) -> String {
    format!("postgres {region}")
}

/// Makes both data folders: one `initdb`, copied before its first start. The copy is an exact standby, because it continues
/// from the same checkpoint; that is faster than a base backup.
pub(crate) async fn create(lab: &Lab) -> Result<()> {
    for region in Region::ALL {
        config::write_identity(&lab.layout, lab.account, region, &lab.pki(), &lab.secrets())?;
    }
    let (first, second) = (Region::EuWest, Region::UsEast);
    // initdb reads the password as the servers' account, which cannot see our secrets.
    let password_file = lab.layout.postgres(first).join("initdb-password");
    let password = lab.secrets().read(Secret::Superuser)?;
    lab.account.file(&password_file, &format!("{}\n", password.expose_secret()))?;
    let mut initdb = process::command(lab.programs.postgres("initdb"));
    initdb
        .args(["--no-sync", "--data-checksums", "--auth=scram-sha-256", "--username=postgres"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .arg(format!("--pwfile={}", password_file.display()))
        .arg(format!("--pgdata={}", lab.layout.pgdata(first).display()));
    let made = process::run(initdb, lab.account).await;
    std::fs::remove_file(&password_file).on("removing", &password_file)?;
    made?;
    let mut copy = process::command("cp");
    copy.args(["-a", "--reflink=auto"]).arg(lab.layout.pgdata(first)).arg(lab.layout.pgdata(second));
    process::run(copy, lab.account).await?;
    for region in Region::ALL {
        config::write_config(&lab.layout, lab.account, region, &lab.ports())?;
        config::set_standby(&lab.layout, lab.account, region, region == second)?;
    }
    Ok(())
}

/// Starts the server and waits until it answers.
pub(crate) async fn start(lab: &Lab, region: Region) -> Result<()> {
    let name = process_name(region);
    forget_the_dead(lab, region).await?;
    let log = lab.layout.log(&name);
    let mut command = process::command(lab.programs.postgres("postgres"));
    command.arg("-D").arg(lab.layout.pgdata(region));
    lab.start(&name, command, || async {
        let session = lab.connect_to(region, Role::Superuser, "postgres").await.map_err(describe)?;
        session.simple_query("SELECT 1").await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| match error {
        LabError::Deadline { what, seconds, last } => {
            LabError::Deadline { what, seconds, last: format!("{last}; log: {}", process::log_end(&log)) }
        }
        other => other,
    })
}

/// Removes the lock file of a server that was killed. Until its zombie is reaped (seconds, where process 1 is lazy) a new server
/// takes it for alive and refuses to start; we know better, because nothing that lives works in the data folder.
async fn forget_the_dead(lab: &Lab, region: Region) -> Result<()> {
    let data = lab.layout.pgdata(region);
    let file = data.join("postmaster.pid");
    if !file.exists() {
        return Ok(());
    }
    let what = format!("the killed server of {region} is gone");
    wait::until_true(&what, PATIENCE, || !Process::any_in(&data)).await?;
    std::fs::remove_file(&file).on("removing", &file)
}

/// Stops the server: fast, and by force if that takes longer than our patience. A server that is not running is stopped.
pub(crate) async fn stop(lab: &Lab, region: Region) -> Result<()> {
    match postmaster(lab, region) {
        Some(process) => process.stop(Signal::INT, PATIENCE).await,
        None => Ok(()),
    }
}

/// The running postmaster, also if a hook or a person started it: its data folder names it, and it works in that folder.
pub(crate) fn postmaster(lab: &Lab, region: Region) -> Option<Process> {
    let data = lab.layout.pgdata(region);
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let process = Process::of(text.lines().next()?.trim().parse().ok()?)?;
    (process.folder()? == data).then_some(process)
}

/// Roles, database, tables. Runs on the first primary, and replicates.
pub(crate) async fn create_schema(lab: &Lab) -> Result<()> {
    let region = Region::EuWest;
    let session = lab.connect_to(region, Role::Superuser, "postgres").await?;
    create_slot(&session, region).await?;
    session.batch_execute(include_str!("schema.sql")).await.of(region)?;
    for (role, secret) in [
        ("replicator", Secret::Replicator),
        ("app", Secret::App),
        ("monitoring", Secret::Monitoring),
        ("mrctl", Secret::Mrctl),
    ] {
        let password: SecretString = lab.secrets().read(secret)?;
        // Characters of base64url only: nothing to escape.
        let statement = format!("ALTER ROLE {role} PASSWORD '{}'", password.expose_secret());
        session.batch_execute(&statement).await.of(region)?;
    }
    session.batch_execute("CREATE DATABASE orders").await.of(region)?;
    let session = lab.connect_to(region, Role::Superuser, "orders").await?;
    session.batch_execute(include_str!("schema_orders.sql")).await.of(region)
}

/// The slot through which the other region's server streams, on the server of `region`.
pub(crate) async fn create_slot(session: &Session, region: Region) -> Result<()> {
    session
        .execute(
            "SELECT pg_create_physical_replication_slot($1, true)
              WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)",
            &[&region.other().slot()],
        )
        .await
        .of(region)?;
    Ok(())
}

/// Waits until the standby of `primary` has replayed everything that the primary has written when asked.
pub(crate) async fn wait_streaming(lab: &Lab, primary: Region) -> Result<()> {
    let session = lab.connect_to(primary, Role::Superuser, "postgres").await?;
    let what = format!("{} streams from {primary}", primary.other());
    wait::until(&what, PATIENCE, || async {
        let rows = session
            .query(
                "SELECT state = 'streaming' AND replay_lsn >= pg_current_wal_flush_lsn(), state
                   FROM pg_stat_replication WHERE application_name = $1",
                &[&primary.other().slot()],
            )
            .await
            .map_err(|error| error.to_string())?;
        match rows.first() {
            None => Err("no standby is connected".to_owned()),
            Some(row) if row.get::<_, Option<bool>>(0) == Some(true) => Ok(()),
            Some(row) => Err(format!("state {:?}, not all replayed", row.get::<_, Option<String>>(1))),
        }
    })
    .await
}

/// What the lab says of a database: read on a fresh connection, unknown when there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not in recovery.
    Primary {
        /// New transactions are read-only by default.
        frozen: bool,
        /// Timeline that it writes.
        timeline: i32,
    },
    /// In recovery.
    Standby {
        /// A WAL receiver streams.
        streaming: bool,
    },
    /// No answer.
    Unknown(String),
}

/// Asks the server of a region.
pub(crate) async fn standing(lab: &Lab, region: Region) -> Standing {
    match read_standing(lab, region).await {
        Ok(standing) => standing,
        Err(error) => Standing::Unknown(describe(error)),
    }
}

async fn read_standing(lab: &Lab, region: Region) -> Result<Standing> {
    let session = lab.connect_to(region, Role::Superuser, "postgres").await?;
    let query = session.query_one(
        "SELECT pg_is_in_recovery(),
                current_setting('default_transaction_read_only') = 'on',
                EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
                CASE WHEN NOT pg_is_in_recovery()
                     THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
                END",
        &[],
    );
    let limit = Duration::from_secs(3);
    let row = tokio::time::timeout(limit, query)
        .await
        .map_err(|_| LabError::Deadline {
            what: format!("the database of {region} answers"),
            seconds: limit.as_secs(),
            last: "connected, no answer".into(),
        })?
        .of(region)?;
    Ok(match row.get::<_, Option<i32>>(3) {
        Some(timeline) => Standing::Primary { frozen: row.get(1), timeline },
        None => Standing::Standby { streaming: row.get(2) },
    })
}

/// An error with the reason behind it: tokio-postgres says `db error` and keeps the text for itself.
pub(crate) fn describe(error: LabError) -> String {
    match &error {
        LabError::Database { source, .. } => describe_database(source),
        other => other.to_string(),
    }
}

/// The same for an error of the driver.
pub(crate) fn describe_database(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl Lab {
    /// Opens a session on the server of a region, in the database `orders`. A freeze applies to it as to any other.
    pub async fn connect(&self, region: Region, role: Role) -> Result<Session> {
        self.connect_to(region, role, "orders").await
    }

    /// The same in another database.
    pub async fn connect_to(&self, region: Region, role: Role, database: &str) -> Result<Session> {
        let (user, secret) = role.user();
        let password = self.secrets().read(secret)?;
        let name = "mrctl-lab";
        let login = Login { region, port: self.ports().postgres, user, password: &password, database, name };
        database::connect(&login, self.pki().client_config()?).await
    }

    /// What the database of a region is, now.
    pub async fn database(&self, region: Region) -> Standing {
        standing(self, region).await
    }

    /// The region with the primary: the newest timeline, should there be two. `None` when no primary answers.
    pub async fn primary(&self) -> Option<Region> {
        let (eu, us) = tokio::join!(self.database(Region::EuWest), self.database(Region::UsEast));
        let timeline = |standing: &Standing| match standing {
            Standing::Primary { timeline, .. } => Some(*timeline),
            Standing::Standby { .. } | Standing::Unknown(_) => None,
        };
        match (timeline(&eu), timeline(&us)) {
            (None, None) => None,
            (eu, us) if us > eu => Some(Region::UsEast),
            _ => Some(Region::EuWest),
        }
    }
}
