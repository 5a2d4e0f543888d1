//! Breaking things on purpose, each with its way back.

use rustix::process::Signal;

use super::error::{DatabaseContext, LabError, Result};
use super::postgres::{Role, Standing, process_name, start as start_postgres, stop as stop_postgres};
use super::process::Process;
use super::{Lab, Region, pdns, postgres, redis, services};

/// What to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The standby stops replaying: received, not visible.
    Replay,
    /// The standby's WAL receiver is frozen: real lag, while the primary still counts the standby as connected.
    Receiver,
    /// The standby's startup process is frozen: a promotion is accepted and happens later.
    Startup,
    /// The primary dies at once.
    Primary,
    /// The primary freezes: it still accepts connections (the kernel does) and then says nothing.
    FreezePrimary,
    /// The DNS server of a region dies.
    Dns(Region),
    /// The cache of a region dies.
    Redis(Region),
    /// The application of a region dies.
    App(Region),
}

impl Fault {
    /// Reads `replay`, `receiver`, `startup`, `primary`, `freeze-primary`, or `dns`, `redis`, `app` with a region.
    pub fn parse(what: &str, region: Option<Region>) -> Result<Self> {
        match (what, region) {
            ("replay", None) => Ok(Self::Replay),
            ("receiver", None) => Ok(Self::Receiver),
            ("startup", None) => Ok(Self::Startup),
            ("primary", None) => Ok(Self::Primary),
            ("freeze-primary", None) => Ok(Self::FreezePrimary),
            ("dns", Some(region)) => Ok(Self::Dns(region)),
            ("redis", Some(region)) => Ok(Self::Redis(region)),
            ("app", Some(region)) => Ok(Self::App(region)),
            ("dns" | "redis" | "app", None) => Err(LabError::Refused(format!("{what} of which region?"))),
            ("replay" | "receiver" | "startup" | "primary" | "freeze-primary", Some(_)) => {
                Err(LabError::Refused(format!("{what} finds its region by itself")))
            }
            _ => Err(LabError::Refused(format!(
                "{what:?} is none of replay, receiver, startup, primary, freeze-primary, dns, redis, app"
            ))),
        }
    }
}

impl Lab {
    /// Breaks it.
    pub async fn inflict(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Replay => {
                let region = self.standby().await?;
                let session = self.connect(region, Role::Superuser).await?;
                session.batch_execute("SELECT pg_wal_replay_pause()").await.of(region)
            }
            Fault::Receiver => {
                let region = self.standby().await?;
                self.server_process(region, "walreceiver")?.signal(Signal::STOP);
                Ok(())
            }
            Fault::Startup => {
                let region = self.standby().await?;
                self.server_process(region, "startup")?.signal(Signal::STOP);
                Ok(())
            }
            Fault::Primary => self.kill_postgres(self.primary_or_refuse().await?).await,
            Fault::FreezePrimary => {
                let process = self.postmaster_or_refuse(self.primary_or_refuse().await?)?;
                // Twice: the second time gets children that were being made during the first.
                process.signal_tree(Signal::STOP);
                process.signal_tree(Signal::STOP);
                Ok(())
            }
            Fault::Dns(region) => self.kill(&pdns::process_name(region)).await,
            Fault::Redis(region) => self.kill(&redis::process_name(region)).await,
            Fault::App(region) => self.kill(&services::app_process(region)).await,
        }
    }

    /// Heals it; what is not broken stays as it is.
    pub async fn heal(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Replay => {
                for region in Region::ALL {
                    if let Standing::Standby { .. } = self.database(region).await {
                        let session = self.connect(region, Role::Superuser).await?;
                        session.batch_execute("SELECT pg_wal_replay_resume()").await.of(region)?;
                    }
                }
                Ok(())
            }
            Fault::Receiver | Fault::Startup | Fault::FreezePrimary => {
                for region in Region::ALL {
                    if let Some(process) = postgres::postmaster(self, region) {
                        process.signal_tree(Signal::CONT);
                    }
                }
                Ok(())
            }
            Fault::Primary => self.heal_primary().await,
            Fault::Dns(region) => match self.running(&pdns::process_name(region))? {
                true => Ok(()),
                false => pdns::start(self, region).await,
            },
            Fault::Redis(region) => match self.running(&redis::process_name(region))? {
                true => Ok(()),
                false => redis::start(self, region).await,
            },
            Fault::App(region) => match self.running(&services::app_process(region))? {
                true => Ok(()),
                false => services::start_app(self, region).await,
            },
        }
    }

    /// Kills the PostgreSQL server of a region, with everything below it, and waits until it is gone.
    pub async fn kill_postgres(&self, region: Region) -> Result<()> {
        self.postmaster_or_refuse(region)?.stop(Signal::KILL, std::time::Duration::ZERO).await
    }

    /// Stops the PostgreSQL server of a region cleanly.
    pub async fn stop_postgres(&self, region: Region) -> Result<()> {
        stop_postgres(self, region).await
    }

    /// Starts the PostgreSQL server of a region as it is: an old primary comes back as a primary, next to a new one.
    pub async fn start_postgres(&self, region: Region) -> Result<()> {
        match postgres::postmaster(self, region) {
            Some(_) => Ok(()),
            None => start_postgres(self, region).await,
        }
    }

    /// Starts what is stopped, unless that would make two primaries.
    async fn heal_primary(&self) -> Result<()> {
        for region in Region::ALL {
            let stopped = postgres::postmaster(self, region).is_none();
            let primary = !self.layout.pgdata(region).join("standby.signal").exists();
            if !stopped {
                continue;
            }
            if primary && let Standing::Primary { .. } = self.database(region.other()).await {
                return Err(LabError::Refused(format!(
                    "{} is the primary now: `mrctl lab rejoin` brings {region} back as its standby",
                    region.other()
                )));
            }
            start_postgres(self, region).await?;
        }
        Ok(())
    }

    /// A process of the server: PostgreSQL writes `postgres: CLUSTER: WHAT …` into its name.
    fn server_process(&self, region: Region, what: &str) -> Result<Process> {
        let name = format!("postgres: {region}: {what}");
        let tree = self.postmaster_or_refuse(region)?.tree();
        tree.into_iter()
            .find(|process| process.title().starts_with(&name))
            .ok_or_else(|| LabError::Refused(format!("{} has no {what}", process_name(region))))
    }

    fn postmaster_or_refuse(&self, region: Region) -> Result<Process> {
        let process = postgres::postmaster(self, region);
        process.ok_or_else(|| LabError::Refused(format!("{} does not run", process_name(region))))
    }

    async fn primary_or_refuse(&self) -> Result<Region> {
        self.primary().await.ok_or_else(|| LabError::Refused("no server answers as primary".into()))
    }

    async fn standby(&self) -> Result<Region> {
        for region in Region::ALL {
            if let Standing::Standby { .. } = self.database(region).await {
                return Ok(region);
            }
        }
        Err(LabError::Refused("no server answers as standby".into()))
    }

    async fn kill(&self, name: &str) -> Result<()> {
        match self.process(name)? {
            Some(process) if process.alive() => process.stop(Signal::KILL, std::time::Duration::ZERO).await,
            _ => Ok(()),
        }
    }

    fn running(&self, name: &str) -> Result<bool> {
        Ok(self.process(name)?.is_some_and(|process| process.alive()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_a_region_needs_the_region_and_the_others_refuse_it() {
        assert_eq!(Fault::parse("dns", Some(Region::UsEast)).unwrap(), Fault::Dns(Region::UsEast));
        assert_eq!(Fault::parse("freeze-primary", None).unwrap(), Fault::FreezePrimary);
        assert!(Fault::parse("dns", None).is_err());
        assert!(Fault::parse("replay", Some(Region::EuWest)).is_err());
        assert!(Fault::parse("moon", None).unwrap_err().to_string().contains("none of replay"));
    }
}
