//! Bringing the lab up: everything that does not wait for something else at the same time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::account::{Account, make_folder, write_file};
use super::error::{FileContext, LabError, Result};
use super::layout::Layout;
use super::packages::Programs;
use super::pki::Pki;
use super::ports::Held;
use super::secrets::{Secret, Secrets};
use super::state::{Phase, State};
use super::{Lab, Region, inventory, pdns, postgres, process, redis, services};

/// How to bring a lab up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder. What is in it must be of a lab.
    pub dir: PathBuf,
    /// The `mrctl` program, whose hidden commands are the application and the receiver. Tests are another program, and
    /// give `env!("CARGO_BIN_EXE_mrctl")`.
    pub program: PathBuf,
    /// Runbooks to copy into the lab: file name and text.
    pub runbooks: &'static [(&'static str, &'static str)],
}

impl Options {
    /// A lab in `dir`, run by this very program, without runbooks.
    pub fn new(dir: impl Into<PathBuf>) -> Result<Self> {
        let program = std::env::current_exe().on("finding", Path::new("our own program"))?;
        Ok(Self { dir: dir.into(), program, runbooks: &[] })
    }

    /// With another program.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// With these runbooks.
    #[must_use]
    pub fn runbooks(mut self, runbooks: &'static [(&'static str, &'static str)]) -> Self {
        self.runbooks = runbooks;
        self
    }
}

impl Lab {
    /// Brings a lab up, in about five seconds. What a killed `up` left behind is cleaned away first; what this one started is
    /// stopped if it cannot finish.
    pub async fn up(options: Options) -> Result<Self> {
        let programs = Programs::find()?;
        let account = Account::for_servers()?;
        if let Some(folder) =
            account.blocked_at(&std::path::absolute(&options.dir).on("resolving", &options.dir)?)
        {
            return Err(LabError::Refused(format!(
                "the servers run as an unprivileged user, who cannot pass through {}: give --dir below a folder open to all",
                folder.display()
            )));
        }
        let layout = Layout::at(&options.dir)?;
        clean(&layout).await?;
        make_folder(layout.root(), account.shared_mode())?;
        // Resolved again: the folder exists only now. The lock file also says that the folder is a lab's.
        let layout = Layout::at(&options.dir)?;
        write_file(&layout.lock_file(), "", 0o600)?;
        let held = Held::find()?;
        let lab = Self {
            ports: held.ports,
            program: options.program.clone(),
            held: Mutex::new(Some(held)),
            started: Mutex::default(),
            kill_on_drop: AtomicBool::new(true),
            programs,
            account,
            layout,
        };
        match lab.build(&options).await {
            Ok(()) => Ok(lab),
            Err(error) => {
                // The first error is the one to tell.
                let _ = lab.stop_everything().await;
                Err(error)
            }
        }
    }

    async fn build(&self, options: &Options) -> Result<()> {
        let layout = &self.layout;
        make_folder(&layout.data(), self.account.shared_mode())?;
        make_folder(&layout.logs(), self.account.shared_mode())?;
        make_folder(&layout.runs(), 0o700)?;
        let secrets = Secrets::create(&layout.secrets())?;
        Pki::create(&layout.pki(), self.account.shared_mode())?;
        self.begin(&secrets).await?;
        tokio::try_join!(
            self.databases(),
            self.dns(Region::EuWest),
            self.dns(Region::UsEast),
            self.cache(Region::EuWest),
            self.cache(Region::UsEast),
            self.application(Region::EuWest),
            self.application(Region::UsEast),
            self.receiver(),
        )?;
        inventory::write(self)?;
        make_folder(&layout.runbooks(), 0o700)?;
        for (name, text) in options.runbooks {
            write_file(&layout.runbooks().join(name), text, 0o644)?;
        }
        State::change(layout, |state| state.phase = Phase::Up)
    }

    /// The first `lab.json`: from here on another process can find and stop what runs.
    async fn begin(&self, secrets: &Secrets) -> Result<()> {
        let version = async |program: PathBuf| -> Result<String> {
            let mut command = process::command(program);
            command.arg("--version");
            // PowerDNS prints its version and ends with 99.
            let text = match process::run(command, Account::caller()).await {
                Ok(text) => text,
                Err(LabError::Failed { output, .. }) => output,
                Err(error) => return Err(error),
            };
            Ok(text.lines().next().unwrap_or_default().split(" | ").next().unwrap_or_default().to_owned())
        };
        let (postgres, pdns, redis) = tokio::try_join!(
            version(self.programs.postgres("postgres")),
            version(self.programs.pdns.clone()),
            version(self.programs.redis.clone()),
        )?;
        let versions = [("postgres", postgres), ("pdns", pdns), ("redis", redis)];
        let files = [
            Secret::Superuser,
            Secret::Mrctl,
            Secret::App,
            Secret::Monitoring,
            Secret::DnsKey,
            Secret::Redis,
        ];
        let state = State {
            format: 1,
            phase: Phase::Starting,
            created: jiff::Timestamp::now().to_string(),
            program: self.program.clone(),
            ports: self.ports,
            postgres_programs: self.programs.postgres.clone(),
            versions: versions.map(|(name, text)| (name.to_owned(), text)).into(),
            secrets: files.map(|secret| (secret.file().to_owned(), secrets.path(secret))).into(),
            processes: BTreeMap::new(),
        };
        state.write(&self.layout)
    }

    async fn databases(&self) -> Result<()> {
        postgres::create(self).await?;
        self.release(self.ports.postgres);
        let standby = async { postgres::start(self, Region::UsEast).await };
        let primary = async {
            postgres::start(self, Region::EuWest).await?;
            postgres::create_schema(self).await
        };
        tokio::try_join!(primary, standby)?;
        postgres::wait_streaming(self, Region::EuWest).await
    }

    async fn dns(&self, region: Region) -> Result<()> {
        pdns::create(self, region).await?;
        self.release(self.ports.dns);
        self.release(self.ports.dns_api);
        pdns::start(self, region).await
    }

    async fn cache(&self, region: Region) -> Result<()> {
        redis::create(self, region)?;
        self.release(self.ports.redis);
        redis::start(self, region).await?;
        if region == Region::EuWest { redis::fill(self).await } else { Ok(()) }
    }

    async fn application(&self, region: Region) -> Result<()> {
        services::create_app(self, region)?;
        self.release(self.ports.app);
        self.release(self.ports.app_tls);
        services::start_app(self, region).await
    }

    async fn receiver(&self) -> Result<()> {
        services::create_receiver(self)?;
        self.release(self.ports.receiver);
        services::start_receiver(self).await
    }

    fn release(&self, port: u16) {
        if let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            held.release(port);
        }
    }
}

/// Makes room: refuses what is up or not a lab's, cleans what is half dead.
async fn clean(layout: &Layout) -> Result<()> {
    let root = layout.root();
    if layout.state_file().exists() {
        let old = Lab::open(root)?;
        let status = old.processes()?;
        if State::read(layout)?.phase == Phase::Up && status.iter().all(|(_, running)| running.is_up()) {
            return Err(LabError::Refused(format!(
                "a lab is up in {}; `mrctl lab down` ends it",
                root.display()
            )));
        }
        return old.down().await;
    }
    let mut entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).on("reading", root),
    };
    if entries.next().is_some() && !layout.lock_file().exists() {
        return Err(LabError::Refused(format!("{} is not empty and not of a lab", root.display())));
    }
    Ok(())
}
