//! The servers' programs: found, named by package when missing, installed on request.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::{FileContext, LabError, Result};

/// A program that the lab runs, and Debian's package for it.
struct Need {
    program: &'static str,
    package: &'static str,
}

const NEEDS: [Need; 5] = [
    Need { program: "postgres", package: "postgresql" },
    Need { program: "pdns_server", package: "pdns-server" },
    Need { program: "sqlite3", package: "sqlite3" },
    Need { program: "redis-server", package: "redis-server" },
    Need { program: "setpriv", package: "util-linux" },
];

/// PowerDNS loads its backend from a folder of the architecture; the package's schema stands for it.
pub(crate) const PDNS_SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Folder of `initdb`, `postgres`, `pg_ctl`, `pg_rewind`, `pg_controldata`.
    pub postgres: PathBuf,
    /// `pdns_server`.
    pub pdns: PathBuf,
    /// `sqlite3`.
    pub sqlite: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
}

impl Programs {
    /// Finds all, or says which are missing.
    pub fn find() -> Result<Self> {
        let missing = missing();
        match (postgres_folder(), find("pdns_server"), find("sqlite3"), find("redis-server")) {
            (Some(postgres), Some(pdns), Some(sqlite), Some(redis)) if missing.is_empty() => {
                Ok(Self { postgres, pdns, sqlite, redis })
            }
            _ => Err(LabError::Missing(
                missing.iter().map(|need| need.0.clone()).collect::<Vec<_>>().join(", "),
            )),
        }
    }

    /// One of PostgreSQL's programs.
    pub fn postgres(&self, name: &str) -> PathBuf {
        self.postgres.join(name)
    }
}

/// Missing programs, each with its package.
pub fn missing() -> Vec<(String, &'static str)> {
    let mut missing: Vec<(String, &'static str)> = NEEDS
        .iter()
        .filter(|need| match need.program {
            "postgres" => postgres_folder().is_none(),
            program => find(program).is_none(),
        })
        .map(|need| (need.program.to_owned(), need.package))
        .collect();
    if !Path::new(PDNS_SCHEMA).exists() {
        missing.push(("the sqlite backend of pdns_server".into(), "pdns-backend-sqlite3"));
    }
    missing
}

/// What `lab packages` does: lists what is missing, with the command that installs it, and runs it when asked to.
/// Returns whether everything is there now.
pub async fn packages(install: bool, out: &mut dyn Write) -> Result<bool> {
    let missing = missing();
    if missing.is_empty() {
        say(out, "everything that the lab needs is installed\n")?;
        return Ok(true);
    }
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    for (program, package) in &missing {
        say(out, &format!("missing: {program} (package {package})\n"))?;
    }
    let command = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    say(out, &format!("to install, as root:\n  {command}\n"))?;
    if !install {
        return Ok(false);
    }
    say(out, "installing; the packages' own services are not started\n")?;
    apt(&packages).await?;
    Ok(self::missing().is_empty())
}

/// Installs without starting services: `RUNLEVEL=1` makes `invoke-rc.d` skip them where there is no systemd (containers,
/// CI), and a temporary `policy-rc.d` forbids it where there is; one that exists already is left alone.
async fn apt(packages: &[&str]) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::Refused("installing packages needs root".into()));
    }
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        super::account::write_file(
            policy,
            "#!/bin/sh\n# made by mrctl lab for the time of one installation\nexit 101\n",
            0o755,
        )?;
    }
    let apt = async |arguments: &[&str]| {
        let mut command = std::process::Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            // Debian's packaging creates a cluster for every new PostgreSQL; ours are enough.
            .env("PG_CREATE_MAIN_CLUSTER", "false");
        super::process::run(command, super::account::Account::caller()).await
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    let mut done = apt(&install).await;
    if done.is_err() {
        // A new container has no lists of packages, an old one outdated ones.
        done = match apt(&["update"]).await {
            Ok(_) => apt(&install).await,
            Err(error) => Err(error),
        };
    }
    if ours {
        std::fs::remove_file(policy).on("removing", policy)?;
    }
    done.map(|_| ())
}

/// The newest PostgreSQL of Debian's packages with at least version 15 (grants on parameters are newer than 14).
fn postgres_folder() -> Option<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| *version >= 15)
        .filter(|version| Path::new(&format!("/usr/lib/postgresql/{version}/bin/postgres")).exists())
        .max()?;
    Some(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")))
}

/// Like the shell, but with the system folders even when a plain user's `PATH` lacks them.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system =
        ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).on("writing to", Path::new("the terminal"))
}
