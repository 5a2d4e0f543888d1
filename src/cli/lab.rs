//! `mrctl lab`: two real regions on this machine.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::lab::{
    Account, DemoOptions, Fault, Lab, LabError, Layout, Load, LoadOptions, Options, Region, Result, app,
    demo, packages, receiver, stage,
};

/// Two real regions on this machine, to learn, to demonstrate and to test with.
#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

/// Which lab.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Name of the lab; its folder is made below the state folder.
    #[arg(long, default_value = "default")]
    name: String,
    /// Folder of the lab, instead of the one for its name.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// List the Debian packages that are missing, or install them.
    Packages {
        /// Install them (needs root).
        #[arg(long)]
        install: bool,
    },
    /// Bring both regions up.
    Up {
        #[command(flatten)]
        place: Place,
    },
    /// Stop everything and delete the data; logs and audit trail stay.
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Tell what runs, which database is primary, where DNS sends users.
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Watch a failover with users who write: up, load, failover, what they noticed, down.
    Demo {
        #[command(flatten)]
        place: Place,
        /// Install missing packages first (needs root).
        #[arg(long)]
        yes: bool,
        /// Leave the lab up at the end.
        #[arg(long)]
        keep: bool,
    },
    /// Let clients write through DNS and the application, then count what was lost.
    Load {
        #[command(flatten)]
        place: Place,
        /// How long to write.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Clients that write through DNS and the application.
        #[arg(long, default_value_t = 3)]
        clients: u32,
        /// Writers that hold a transaction of a second open at the database itself.
        #[arg(long, default_value_t = 0)]
        long_writers: u32,
    },
    /// Break something: replay, receiver, startup, primary, freeze-primary, or dns, redis, app of a REGION.
    Break {
        #[command(flatten)]
        place: Place,
        /// What to break.
        what: String,
        /// Of which region.
        region: Option<Region>,
    },
    /// Heal what was broken.
    Heal {
        #[command(flatten)]
        place: Place,
        /// What to heal.
        what: String,
        /// Of which region.
        region: Option<Region>,
    },
    /// Bring the old primary back as a standby of the new one.
    Rejoin {
        #[command(flatten)]
        place: Place,
        /// Region of the new primary, if it is known: anything else there is refused, and nothing is done where the other one follows it.
        #[arg(long)]
        primary: Option<Region>,
    },
    /// Run the application of a region.
    #[command(hide = true)]
    App {
        #[arg(long)]
        config: PathBuf,
    },
    /// Stand in for a command of a runbook.
    #[command(hide = true)]
    Command {
        #[arg(long)]
        socket: PathBuf,
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Run the receiver of notifications.
    #[command(hide = true)]
    Receiver {
        #[arg(long)]
        config: PathBuf,
    },
}

impl Place {
    fn dir(&self) -> Result<PathBuf> {
        match &self.dir {
            Some(dir) => Ok(dir.clone()),
            None => Layout::default_for(&self.name, Account::for_servers()?),
        }
    }

    fn open(&self) -> Result<Lab> {
        Lab::open(&self.dir()?)
    }
}

/// Runs the command. `runbooks` are copied into a new lab; `run_failover` is what the demonstration demonstrates. The answer
/// says whether all is well: `false` for missing packages, a lab that is not whole, lost orders, a failed failover.
pub async fn run(
    args: LabArgs,
    runbooks: &'static [(&'static str, &'static str)],
    out: &mut dyn Write,
    run_failover: impl AsyncFnOnce(&Lab) -> std::result::Result<(), String>,
) -> Result<bool> {
    match args.command {
        LabCommand::Packages { install } => packages(install, out).await,
        LabCommand::Up { place } => {
            let lab = Lab::up(Options::new(place.dir()?)?.runbooks(runbooks)).await?;
            lab.detach();
            say(out, &format!("up: inventory {}\n", lab.inventory().display()))?;
            say(out, &lab.status().await?.to_string())?;
            Ok(true)
        }
        LabCommand::Down { place } => {
            place.open()?.down().await?;
            say(out, "down\n")?;
            Ok(true)
        }
        LabCommand::Status { place } => {
            let status = place.open()?.status().await?;
            say(out, &status.to_string())?;
            Ok(status.processes.iter().all(|(_, running)| running.is_up()))
        }
        LabCommand::Demo { place, yes, keep } => {
            if yes && !packages(true, out).await? {
                return Ok(false);
            }
            let lab = Options::new(place.dir()?)?.runbooks(runbooks);
            let options = DemoOptions { lab, load: LoadOptions::default(), keep };
            let (outcome, report) = demo(options, out, run_failover).await?;
            outcome.map_err(LabError::Demo)?;
            Ok(report.lost.is_empty())
        }
        LabCommand::Load { place, seconds, clients, long_writers } => {
            let lab = place.open()?;
            let options = LoadOptions { clients, long_writers, ..LoadOptions::default() };
            let load = Load::start(&lab, &options)?;
            let interrupted =
                tokio::time::timeout(Duration::from_secs(seconds), tokio::signal::ctrl_c()).await.is_ok();
            if interrupted {
                say(out, "interrupted\n")?;
            }
            let report = load.stop().await?;
            say(out, &report.to_string())?;
            Ok(report.lost.is_empty())
        }
        LabCommand::Break { place, what, region } => {
            place.open()?.inflict(Fault::parse(&what, region)?).await?;
            say(out, "broken\n")?;
            Ok(true)
        }
        LabCommand::Heal { place, what, region } => {
            place.open()?.heal(Fault::parse(&what, region)?).await?;
            say(out, "healed\n")?;
            Ok(true)
        }
        LabCommand::Rejoin { place, primary } => {
            let lab = place.open()?;
            let region = match primary {
                Some(primary) => lab.rejoin_as_hook(primary).await?,
                None => lab.rejoin().await?,
            };
            say(out, &format!("{region} is a standby now\n"))?;
            Ok(true)
        }
        LabCommand::App { config } => app::serve(&config).await.map(|()| true),
        LabCommand::Command { socket, command } => {
            say(out, &format!("{}\n", stage::ask(&socket, &command)?)).map(|()| true)
        }
        LabCommand::Receiver { config } => receiver::serve(&config).await.map(|()| true),
    }
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    let terminal = PathBuf::from("the terminal");
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    // Whoever reads has seen enough: what was done stays done.
    let written = written.or_else(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    });
    written.map_err(|source| LabError::File { action: "writing to", path: terminal, source })
}
