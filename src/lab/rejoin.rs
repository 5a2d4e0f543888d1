//! Bringing the old primary back as a standby, so that a demonstration can go back and forth.
//!
//! Each step is there because leaving it out fails in a way that looks like success; see `docs/design/0004-lab.md`.

use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::time::Duration;

use super::error::{DatabaseContext, FileContext, LabError, Result};
use super::postgres::{Role, Standing, create_slot, wait_streaming};
use super::secrets::Secret;
use super::{Lab, Region, postgres, postgres_config, process};
use crate::journal::lock::FileLock;

/// How long a standby that was only started may take to stream.
const STARTED: Duration = Duration::from_secs(10);

impl Lab {
    /// Makes the server that is not primary a streaming standby of the one that is. Writes that only the old primary has
    /// are undone (`pg_rewind`). Returns the region that rejoined. Refused unless exactly one primary can be told.
    pub async fn rejoin(&self) -> Result<Region> {
        let (eu, us) = tokio::join!(self.database(Region::EuWest), self.database(Region::UsEast));
        let primary = match (&eu, &us) {
            (Standing::Primary { timeline: a, .. }, Standing::Primary { timeline: b, .. }) if a == b => {
                return Err(LabError::Refused("both servers are primary on the same timeline".into()));
            }
            (Standing::Primary { timeline: a, .. }, Standing::Primary { timeline: b, .. }) if b > a => {
                Region::UsEast
            }
            (Standing::Primary { .. }, _) => Region::EuWest,
            (_, Standing::Primary { .. }) => Region::UsEast,
            _ => return Err(LabError::Refused("no server answers as primary".into())),
        };
        self.rejoin_to(primary).await
    }

    /// Two at a time would take the data folder from under each other.
    fn rejoining_alone(&self) -> Result<FileLock> {
        let path = self.layout.root().join("rejoin.lock");
        FileLock::take(&path, "the rejoin", &format!("process {}", std::process::id()))
            .map_err(|error| LabError::Refused(error.to_string()))
    }

    /// The `rejoin` command of the inventory: the primary is named. One that is already followed is left alone, so that whoever asks twice does
    /// no harm.
    pub async fn rejoin_as_hook(&self, primary: Region) -> Result<Region> {
        let old = primary.other();
        let _alone = self.rejoining_alone()?;
        if !matches!(self.database(primary).await, Standing::Primary { .. }) {
            return Err(LabError::Refused(format!("{primary} is no primary that could be followed")));
        }
        if self.follows(primary).await? {
            return Ok(old);
        }
        self.whole(old)?;
        if self.started_again(primary).await? {
            return Ok(old);
        }
        self.make_standby(primary).await
    }

    /// Whether its files are all of one server: a rewind that was cut off in the middle leaves those of two.
    fn whole(&self, old: Region) -> Result<()> {
        match self.begun(old).exists() {
            true => Err(LabError::Refused(format!(
                "a rewind of {old} was cut off in the middle: its data folder has to be made anew"
            ))),
            false => Ok(()),
        }
    }

    /// There while a rewind is under way.
    fn begun(&self, old: Region) -> PathBuf {
        self.layout.root().join(format!("rewinding-{old}"))
    }

    /// A standby that was killed only has to be started, and cannot be rewound: `pg_rewind` would have it recover as a server of its own,
    /// which ends in an error. Says whether it follows then; one that does not is stopped cleanly by the rejoin.
    async fn started_again(&self, primary: Region) -> Result<bool> {
        let old = primary.other();
        let standby = self.layout.pgdata(old).join("standby.signal").exists();
        if !standby || postgres::postmaster(self, old).is_some() {
            return Ok(false);
        }
        postgres_config::write_config(&self.layout, self.account, old, &self.ports())?;
        postgres::start(self, old).await?;
        let begun = std::time::Instant::now();
        while begun.elapsed() < STARTED {
            if self.follows(primary).await? {
                self.drop_slot(old).await?;
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    /// Whether the other server streams from this one.
    async fn follows(&self, primary: Region) -> Result<bool> {
        if !matches!(self.database(primary.other()).await, Standing::Standby { streaming: true }) {
            return Ok(false);
        }
        let session = self.connect_to(primary, Role::Superuser, "postgres").await?;
        let rows = session
            .query(
                "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
                &[&primary.other().slot()],
            )
            .await
            .of(primary)?;
        Ok(!rows.is_empty())
    }

    /// The same with the primary named, which also decides between two.
    pub async fn rejoin_to(&self, primary: Region) -> Result<Region> {
        let _alone = self.rejoining_alone()?;
        self.whole(primary.other())?;
        self.make_standby(primary).await
    }

    async fn make_standby(&self, primary: Region) -> Result<Region> {
        let old = primary.other();
        let session = self.connect_to(primary, Role::Superuser, "postgres").await?;
        // Without it the control file of a fresh primary still holds the old timeline, and pg_rewind finds nothing to do.
        session.batch_execute("SET default_transaction_read_only = off; CHECKPOINT").await.of(primary)?;
        // Before anything streams from it: what the standby needs must not be recycled.
        create_slot(&session, primary).await?;
        postgres::stop(self, old).await?;
        // From here on, and not before: a server that could not even be stopped has its files as they were.
        std::fs::write(self.begun(old), "").on("writing", &self.begun(old))?;
        self.rewind(old, primary).await?;
        // pg_rewind brought the primary's files along; a leftover freeze would come back with the next promotion.
        postgres_config::write_config(&self.layout, self.account, old, &self.ports())?;
        postgres_config::set_standby(&self.layout, self.account, old, true)?;
        // Until then it would be started as a primary.
        std::fs::remove_file(self.begun(old)).on("removing", &self.begun(old))?;
        postgres::start(self, old).await?;
        wait_streaming(self, primary).await?;
        self.drop_slot(old).await?;
        Ok(old)
    }

    async fn rewind(&self, target: Region, source: Region) -> Result<()> {
        let password = self.secrets().read(Secret::Superuser)?;
        let server = format!(
            "host={} port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert='{}'",
            source.address(),
            self.ports().postgres,
            self.pki().ca().display()
        );
        let mut rewind = process::command(self.programs.postgres("pg_rewind"));
        rewind
            .arg(format!("--target-pgdata={}", self.layout.pgdata(target).display()))
            .arg(format!("--source-server={server}"))
            .arg("--no-sync")
            .env("PGPASSWORD", password.expose_secret());
        process::run(rewind, self.account).await.map(|_| ())
    }

    /// The slot that the new standby kept from its time as primary: nobody reads it, and it would keep all WAL for ever.
    async fn drop_slot(&self, region: Region) -> Result<()> {
        let session = self.connect_to(region, Role::Superuser, "postgres").await?;
        session
            .execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name = $1",
                &[&region.other().slot()],
            )
            .await
            .of(region)?;
        Ok(())
    }
}
