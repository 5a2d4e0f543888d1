//! Two real regions on one machine, for learning, demonstrations and tests.
//!
//! `eu-west` is 127.0.0.11 and `us-east` is 127.0.0.12; Linux answers on both without configuration. Each has PostgreSQL,
//! PowerDNS, Redis and an application. All servers are Debian's; all files are in one folder; see `docs/design/0004-lab.md`.

mod account;
pub mod app;
mod database;
mod demo;
mod down;
mod error;
mod faults;
mod inventory;
mod layout;
mod load;
mod packages;
mod pdns;
pub mod pki;
mod ports;
mod postgres;
mod postgres_config;
mod process;
pub mod receiver;
mod redis;
mod region;
mod rejoin;
pub mod resolve;
mod secrets;
mod services;
pub mod stage;
mod state;
mod status;
mod up;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub use account::Account;
pub use database::Session;
pub use demo::{DemoOptions, demo};
pub use error::{LabError, Result};
pub use faults::Fault;
pub use layout::Layout;
pub use load::{Load, LoadHandle, LoadOptions, LoadReport};
pub use packages::{Programs, missing, packages};
pub use pdns::{RECORD, TTL, ZONE};
pub use pki::Pki;
pub use ports::Ports;
pub use postgres::{Role, Standing};
pub use process::Process;
pub use redis::SESSIONS;
pub use region::Region;
pub use secrets::{Secret, Secrets};
pub use state::{Phase, State};
pub use status::{Running, Status};
pub use up::Options;

/// A lab that is up, or was: a handle on its folder.
///
/// [`Lab::up`] makes one that is killed when the value is dropped, so that a failing test leaves nothing behind; call
/// [`Lab::detach`] to let it outlive the value. [`Lab::open`] makes a handle that owns nothing.
pub struct Lab {
    layout: Layout,
    account: Account,
    programs: Programs,
    program: PathBuf,
    ports: Ports,
    held: Mutex<Option<ports::Held>>,
    /// What this value started: its folder may be deleted before it is dropped.
    started: Mutex<Vec<Process>>,
    kill_on_drop: AtomicBool,
}

impl Lab {
    /// A handle on the lab in `dir`, which some process has started.
    pub fn open(dir: &Path) -> Result<Self> {
        let layout = Layout::at(dir)?;
        let state = State::read(&layout)?;
        Ok(Self {
            account: Account::for_servers()?,
            programs: Programs::find()?,
            program: state.program,
            ports: state.ports,
            held: Mutex::new(None),
            started: Mutex::default(),
            kill_on_drop: AtomicBool::new(false),
            layout,
        })
    }

    /// The program whose hidden commands are parts of it.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The generated inventory.
    pub fn inventory(&self) -> PathBuf {
        self.layout.inventory()
    }

    /// Its ports, equal in both regions.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Its passwords.
    pub fn secrets(&self) -> Secrets {
        Secrets::open(&self.layout.secrets())
    }

    /// Its certificate authority.
    pub fn pki(&self) -> Pki {
        Pki::open(&self.layout.pki())
    }

    /// The recorded process with this name, such as `app eu-west`.
    pub fn process(&self, name: &str) -> Result<Option<Process>> {
        Ok(State::read(&self.layout)?.processes.remove(name))
    }

    /// Lets the servers run on when this value is dropped.
    pub fn detach(&self) {
        self.kill_on_drop.store(false, Ordering::Relaxed);
    }

    /// Starts a server as the servers' account, records it, and waits until `look` is content.
    async fn start<F>(
        &self,
        name: &str,
        command: std::process::Command,
        look: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<(), String>>,
    {
        self.start_as(name, command, self.account, look).await
    }

    async fn start_as<F>(
        &self,
        name: &str,
        command: std::process::Command,
        account: Account,
        mut look: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<(), String>>,
    {
        let log = self.layout.log(name);
        let (process, mut child) = process::start(command, account, &log)?;
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(process.clone());
        let recorded = State::change(&self.layout, |state| {
            state.processes.insert(name.to_owned(), process.clone());
        });
        if let Err(error) = recorded {
            process.kill_tree();
            return Err(error);
        }
        let what = format!("{name} is ready");
        let ready = wait::until(&what, postgres::PATIENCE, || {
            let ended = !process.alive() || !matches!(child.try_wait(), Ok(None));
            let looking = (!ended).then(&mut look);
            async {
                match looking {
                    None => Ok(false),
                    Some(looking) => looking.await.map(|()| true),
                }
            }
        });
        if ready.await? {
            Ok(())
        } else {
            Err(LabError::Died { name: name.into(), log: process::log_end(&log) })
        }
    }
}

impl Drop for Lab {
    /// Kills what [`Lab::up`] started, unless it was taken down or detached. Files stay, for whoever looks why.
    fn drop(&mut self) {
        if self.kill_on_drop.load(Ordering::Relaxed) {
            self.kill_everything();
        }
    }
}
