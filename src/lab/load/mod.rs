//! Writers as users are: they find the application by DNS, write with ids of their own, and believe only what was
//! acknowledged.

mod journal;
mod report;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Lab;
use super::error::{LabError, Result};
use journal::Journal;
pub use report::LoadReport;
use writer::World;

/// How much to write.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Clients that write through DNS and the application, one order after the other.
    pub clients: u32,
    /// Pause between two orders of a client.
    pub pace: Duration,
    /// Writers that hold a transaction open on the primary itself: what is in flight across a careless freeze gets lost.
    pub long_writers: u32,
    /// For how long they hold it.
    pub hold: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { clients: 3, pace: Duration::from_millis(5), long_writers: 0, hold: Duration::from_secs(1) }
    }
}

/// Starts load.
pub struct Load;

/// Load that runs. Dropping it ends the writers without a report.
pub struct LoadHandle {
    world: Arc<World>,
    stop: watch::Sender<bool>,
    writers: JoinSet<()>,
    journal: Arc<Journal>,
}

impl Load {
    /// Starts the writers.
    pub fn start(lab: &Lab, options: &LoadOptions) -> Result<LoadHandle> {
        let total = options.clients.saturating_add(options.long_writers);
        if total == 0 || total > 64 {
            return Err(LabError::Refused(format!("1 to 64 writers, not {total}")));
        }
        let (stop, stopped) = watch::channel(false);
        let world = Arc::new(World::of(lab, options)?);
        let journal = Arc::new(Journal::new());
        let mut writers = JoinSet::new();
        for number in 0..total {
            let (world, journal, stopped) = (Arc::clone(&world), Arc::clone(&journal), stopped.clone());
            if number < options.clients {
                writers.spawn(writer::fast(world, journal, number, stopped));
            } else {
                writers.spawn(writer::long(world, journal, number, stopped));
            }
        }
        Ok(LoadHandle { world, stop, writers, journal })
    }
}

impl LoadHandle {
    /// Orders acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.journal.acknowledged()
    }

    /// Waits until `more` orders have been acknowledged from now on.
    pub async fn wait_for(&self, more: usize, limit: Duration) -> Result<()> {
        let goal = self.acknowledged() + more;
        let what = format!("{more} more orders are acknowledged");
        super::wait::until_true(&what, limit, || self.acknowledged() >= goal).await
    }

    /// Lets every writer finish what it began, then compares what was acknowledged with what the primary has.
    pub async fn stop(mut self) -> Result<LoadReport> {
        // Only an error when no writer is left to hear it.
        let _ = self.stop.send(true);
        let ended = async { while self.writers.join_next().await.is_some() {} };
        let patience = Duration::from_secs(15);
        if tokio::time::timeout(patience, ended).await.is_err() {
            self.writers.abort_all();
        }
        let until = std::time::Instant::now();
        report::verify(&self.world, &self.journal, until).await
    }
}
