//! Taking the lab down: by the processes that it recorded, never by name.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::try_join_all;
use rustix::process::Signal;

use super::error::{FileContext, Result};
use super::process::Process;
use super::state::State;
use super::{Lab, Region, postgres};

impl Lab {
    /// Stops everything and deletes the servers' data. Logs and the runs' audit trail stay.
    pub async fn down(&self) -> Result<()> {
        // What is deleted next needs no last checkpoint.
        self.stop_all(Signal::QUIT).await?;
        self.kill_on_drop.store(false, Ordering::Relaxed);
        let layout = &self.layout;
        for folder in [layout.data(), layout.pki(), layout.secrets(), layout.runbooks()] {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).on("deleting", &folder)?
                }
                _ => {}
            }
        }
        for file in [layout.inventory(), layout.state_file()] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).on("deleting", &file)?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stops all servers; the data stays.
    pub(crate) async fn stop_everything(&self) -> Result<()> {
        self.stop_all(Signal::INT).await
    }

    /// The same, with the signal that the databases get.
    async fn stop_all(&self, databases: Signal) -> Result<()> {
        // The databases first and fast; their sessions end with them.
        let recorded = self.everything(databases);
        try_join_all(recorded.iter().map(|(signal, process)| process.stop(*signal, Duration::from_secs(10))))
            .await?;
        Ok(())
    }

    /// The same at once and without waiting, for the end of a failed test.
    pub(crate) fn kill_everything(&self) {
        for (_, process) in self.everything(Signal::INT) {
            process.kill_tree();
        }
        for process in self.started.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            process.kill_tree();
        }
    }

    /// What runs, with the signal that stops it well; databases get the one that is given. A postmaster may have been restarted by a hook: its data folder knows.
    fn everything(&self, databases: Signal) -> Vec<(Signal, Process)> {
        let recorded = State::read(&self.layout).map(|state| state.processes).unwrap_or_default();
        let mut all: Vec<(Signal, Process)> = Vec::new();
        for region in Region::ALL {
            all.extend(postgres::postmaster(self, region).map(|process| (databases, process)));
        }
        for (name, process) in recorded {
            if process.alive() && !all.iter().any(|(_, known)| *known == process) {
                let signal = if name.starts_with("postgres ") { databases } else { Signal::TERM };
                all.push((signal, process));
            }
        }
        all
    }
}
