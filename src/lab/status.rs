//! What runs, what each database is, and where users are sent: asked now, not remembered.

use std::net::Ipv4Addr;

use super::error::Result;
use super::postgres::{self, Standing};
use super::process::Process;
use super::state::State;
use super::{Lab, RECORD, Region, resolve};

/// What became of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// It runs.
    Up(i32),
    /// It is stopped by a signal, and does nothing.
    Frozen(i32),
    /// It does not run.
    Stopped,
}

impl Running {
    /// Whether it runs and works.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    fn of(process: Option<&Process>) -> Self {
        match process {
            Some(process) if process.frozen() => Self::Frozen(process.pid),
            Some(process) if process.alive() => Self::Up(process.pid),
            _ => Self::Stopped,
        }
    }
}

/// The lab, seen now.
#[derive(Debug, Clone)]
pub struct Status {
    /// Processes by name.
    pub processes: Vec<(String, Running)>,
    /// Databases by region.
    pub databases: Vec<(Region, Standing)>,
    /// What each region's DNS server answers for [`RECORD`], or why it does not.
    pub dns: Vec<(Region, std::result::Result<Vec<Ipv4Addr>, String>)>,
}

impl Lab {
    /// The recorded processes, and what became of them.
    pub fn processes(&self) -> Result<Vec<(String, Running)>> {
        let recorded = State::read(&self.layout)?.processes;
        let now = |name: &str, process: &Process| {
            let region = Region::ALL.into_iter().find(|region| postgres::process_name(*region) == name);
            match region {
                // A hook may have started it again, under another number.
                Some(region) => Running::of(postgres::postmaster(self, region).as_ref()),
                None => Running::of(Some(process)),
            }
        };
        Ok(recorded.iter().map(|(name, process)| (name.clone(), now(name, process))).collect())
    }

    /// Looks at everything.
    pub async fn status(&self) -> Result<Status> {
        let mut status = Status { processes: self.processes()?, databases: Vec::new(), dns: Vec::new() };
        for region in Region::ALL {
            status.databases.push((region, self.database(region).await));
            let answer = resolve::ask(self.dns_server(region), RECORD).await;
            status
                .dns
                .push((region, answer.map(|answer| answer.addresses).map_err(|error| error.to_string())));
        }
        Ok(status)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, running) in &self.processes {
            match running {
                Running::Up(pid) => writeln!(f, "{name:<18} up       pid {pid}")?,
                Running::Frozen(pid) => writeln!(f, "{name:<18} FROZEN   pid {pid}")?,
                Running::Stopped => writeln!(f, "{name:<18} stopped")?,
            }
        }
        for (region, standing) in &self.databases {
            writeln!(f, "database {region:<9} {standing}")?;
        }
        for (region, answer) in &self.dns {
            match answer {
                Ok(addresses) => {
                    let names: Vec<String> = addresses.iter().map(|address| named(*address)).collect();
                    writeln!(f, "dns {region:<14} {RECORD} is {}", names.join(", "))?;
                }
                Err(reason) => writeln!(f, "dns {region:<14} unknown: {reason}")?,
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Primary { frozen, timeline } => {
                let frozen = if *frozen { ", FROZEN (read-only)" } else { "" };
                write!(f, "primary, timeline {timeline}{frozen}")
            }
            Self::Standby { streaming: true } => write!(f, "standby, streaming"),
            Self::Standby { streaming: false } => write!(f, "standby, NOT STREAMING"),
            Self::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

fn named(address: Ipv4Addr) -> String {
    match Region::at(address) {
        Some(region) => format!("{address} ({region})"),
        None => address.to_string(),
    }
}
