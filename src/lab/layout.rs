//! Where things are: everything of a lab is in one folder.

use std::path::{Path, PathBuf};

use super::Region;
use super::account::Account;
use super::error::{FileContext, LabError, Result};

/// The folder of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The lab in this folder.
    pub fn at(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).on("resolving", root)?;
        // Processes show real paths in /proc: a link above us would make them strangers.
        Ok(Self { root: std::fs::canonicalize(&root).unwrap_or(root) })
    }

    /// The folder that is used without `--dir`: below the XDG state folder, or below `/var/lib/mrctl` for root when the
    /// servers' account could not pass through root's home.
    pub fn default_for(name: &str, account: Account) -> Result<PathBuf> {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(ok) {
            return Err(LabError::Refused(format!(
                "{name:?} cannot be a lab's name: letters, digits, - and _"
            )));
        }
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
        let folder = state.filter(|path| path.is_absolute()).map(|path| path.join("mrctl/lab").join(name));
        match folder {
            Some(folder) if account.reaches(&folder) => Ok(folder),
            _ if account.drop_to().is_some() => Ok(Path::new("/var/lib/mrctl/lab").join(name)),
            Some(folder) => Ok(folder),
            None => Err(LabError::Refused("no home folder is known: give --dir".into())),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Ports, processes, versions.
    pub fn state_file(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    /// Held while `lab.json` is changed.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("lab.lock")
    }

    /// The generated inventory.
    pub fn inventory(&self) -> PathBuf {
        self.root.join("mrctl.yaml")
    }

    /// The shipped runbooks, copied.
    pub fn runbooks(&self) -> PathBuf {
        self.root.join("runbooks")
    }

    /// Passwords.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// The authority.
    pub fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// Logs of the servers.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of one server.
    pub fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{}.log", process.replace(' ', "-")))
    }

    /// A good value for `MRCTL_STATE_DIR`: outside of both regions, and kept when the lab goes down.
    pub fn runs(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The servers' part, deleted with the lab.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// PostgreSQL's folder in a region: certificate, password file, and the data folder.
    pub fn postgres(&self, region: Region) -> PathBuf {
        self.data().join(format!("postgres-{region}"))
    }

    /// PostgreSQL's data folder.
    pub fn pgdata(&self, region: Region) -> PathBuf {
        self.postgres(region).join("data")
    }

    /// PowerDNS's folder.
    pub fn pdns(&self, region: Region) -> PathBuf {
        self.data().join(format!("pdns-{region}"))
    }

    /// Redis's folder.
    pub fn redis(&self, region: Region) -> PathBuf {
        self.data().join(format!("redis-{region}"))
    }

    /// The application's folder.
    pub fn app(&self, region: Region) -> PathBuf {
        self.data().join(format!("app-{region}"))
    }

    /// The folder of the receiver of notifications.
    pub fn receiver(&self) -> PathBuf {
        self.data().join("receiver")
    }

    /// What was received: one JSON value a line.
    pub fn notifications(&self) -> PathBuf {
        self.receiver().join("notifications.jsonl")
    }
}
