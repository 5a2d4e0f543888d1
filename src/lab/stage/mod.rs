//! A stage: a lab on which a counterexample of a rehearsal is caused with real servers. Everything that mrctl says to a server goes
//! through a proxy, and every command of the runbook is a stand-in: what reaches them waits until the director, who reads the run's
//! journal, has made the fault that belongs before it. So a fault comes at its place, however slow the machine is.

mod armed;
mod cause;
mod commands;
mod director;
mod proxy;
mod rewrite;

use super::account::{make_folder, write_file};
use super::error::Result;
use super::ports::Held;
use super::{Lab, Options, Ports, Region, Role, inventory};
use crate::plan::Plan;
use crate::rehearse::replay::Happened;
use crate::world::Member;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cause::{Causes, ended, how};
pub use commands::ask;
pub use director::Director;
pub use rewrite::rewritten;

/// A lab with proxies and stand-ins. Its processes end with the value.
pub struct Stage {
    lab: Arc<Lab>,
    ports: Ports,
    _held: Held,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Stage {
    /// Brings a lab up in this folder, which must not be of another one, with an inventory whose servers are proxies.
    pub async fn up(folder: &Path, program: &Path) -> Result<Self> {
        let lab = Lab::up(Options::new(folder)?.program(program)).await?;
        let held = Held::find()?;
        let stage = Self { lab: Arc::new(lab), ports: held.ports, _held: held, tasks: Vec::new() };
        let layout = stage.lab.layout();
        // The receiver is nobody's region: it is not between mrctl and what it changes.
        let ports = Ports { receiver: stage.lab.ports().receiver, ..stage.ports };
        write_file(&stage.inventory(), &inventory::text(&stage.lab, ports)?, 0o644)?;
        make_folder(&stage.commands(), 0o755)?;
        make_folder(&stage.marks(), 0o755)?;
        make_folder(&layout.runs(), 0o700)?;
        Ok(stage)
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The inventory whose servers are proxies.
    pub fn inventory(&self) -> PathBuf {
        self.lab.layout().root().join("stage.yaml")
    }

    /// The inventory of the servers themselves.
    pub fn direct(&self) -> PathBuf {
        self.lab.layout().inventory()
    }

    /// Where the runbook is written, with stand-ins for its commands.
    pub fn runbook(&self) -> PathBuf {
        self.lab.layout().root().join("runbook.yaml")
    }

    /// The stand-ins: the only programs that a runbook may run here.
    pub fn commands(&self) -> PathBuf {
        self.lab.layout().root().join("commands")
    }

    /// A text with the names of stand-ins as their runbook has them.
    pub fn plainly(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.commands().display()), "")
    }

    /// What stand-ins have done and not taken back: a file each.
    fn marks(&self) -> PathBuf {
        self.lab.layout().root().join("marks")
    }

    fn socket(&self) -> PathBuf {
        self.lab.layout().root().join("s")
    }

    /// State folder of the run.
    pub fn state(&self) -> PathBuf {
        self.lab.layout().runs()
    }

    /// Writes the runbook with a stand-in for each of its programs.
    pub fn write_runbook(&self, text: &str) -> Result<()> {
        let (text, programs) = rewritten(text, &self.commands())?;
        for file in programs.keys() {
            commands::stand_in(file, self.lab.program(), &self.socket())?;
        }
        write_file(&self.runbook(), &text, 0o644)
    }

    /// Commands of the plan that are not stand-ins: there must be none before anything is run.
    pub fn strangers(&self, plan: &Plan) -> Vec<String> {
        let ours = self.commands();
        let commands = plan.effects().filter_map(|(_, _, planned)| match &planned.action {
            crate::step::Action::Exec(exec) => Some(exec.commands()),
            _ => None,
        });
        commands
            .flat_map(|(run, look, undo)| [Some(run), look, undo])
            .flatten()
            .filter_map(|command| command.argv.first())
            .filter(|program| Path::new(program).parent() != Some(ours.as_path()))
            .cloned()
            .collect()
    }

    /// Opens the curtain: proxies and stand-ins do what the director says.
    pub async fn open(&mut self, plan: &Plan, schedule: Vec<Happened>) -> Result<Arc<Director>> {
        let scripts = crate::rehearse::scene::scripts(plan);
        let director = Arc::new(Director::new(
            Arc::clone(&self.lab),
            plan,
            schedule,
            commands::Troupe::new(scripts, self.marks()),
        ));
        let (ours, theirs) = (self.ports, self.lab.ports());
        for region in Region::ALL {
            let at = region.address();
            let dns = match region {
                Region::EuWest => "pdns-eu",
                Region::UsEast => "pdns-us",
            };
            let tcp = [
                (Member::new("orders", region.name()).to_string(), ours.postgres, theirs.postgres),
                (dns.to_owned(), ours.dns_api, theirs.dns_api),
                (dns.to_owned(), ours.dns, theirs.dns),
                (Member::new("sessions", region.name()).to_string(), ours.redis, theirs.redis),
                ("shop".to_owned(), ours.app_tls, theirs.app_tls),
            ];
            for (place, from, to) in tcp {
                self._held.release(from);
                let proxied = proxy::tcp(&director, place, (at, from).into(), (at, to).into());
                self.tasks.push(proxied.await?);
            }
            let question = proxy::udp(&director, dns, (at, ours.dns).into(), (at, theirs.dns).into());
            self.tasks.push(question.await?);
        }
        self.tasks.push(commands::serve(&director, &self.socket())?);
        self.tasks.push(director::attentive(&director));
        Ok(director)
    }

    /// Regions in which an application can commit now.
    pub async fn writable(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for region in Region::ALL {
            let Ok(session) = self.lab.connect(region, Role::App).await else { continue };
            // Refused in recovery and by a freeze, as any other write.
            if session.simple_query("CREATE TEMP TABLE probe_of_the_stage (n int)").await.is_ok() {
                found.insert(region.name().to_owned());
            }
        }
        found
    }

    /// Stops everything and deletes the folder.
    pub async fn down(self) -> Result<()> {
        let root = self.lab.layout().root().to_path_buf();
        self.lab.down().await?;
        drop(self);
        std::fs::remove_dir_all(&root).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(super::LabError::File { action: "deleting", path: root, source: error }),
        })
    }
}
