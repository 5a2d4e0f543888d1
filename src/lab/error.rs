//! What can go wrong while building or running the lab.

use std::path::{Path, PathBuf};

/// An error of the lab. Texts are lowercase fragments; secrets never appear in them.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file or folder could not be used.
    #[error("{action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A program that the lab needs is not installed.
    #[error("these programs are missing: {0}; `mrctl lab packages` tells which packages hold them")]
    Missing(String),
    /// A program could not be started at all.
    #[error("starting {program}: {source}")]
    Start { program: String, source: std::io::Error },
    /// A program ended with an error; `output` is the end of what it said.
    #[error("{program} failed ({status}): {output}")]
    Failed { program: String, status: String, output: String },
    /// A server ended while the lab waited for it; `log` is the end of its log file.
    #[error("{name} stopped while starting: {log}")]
    Died { name: String, log: String },
    /// A condition did not become true before its deadline.
    #[error("gave up after {seconds} s waiting until {what}: {last}")]
    Deadline { what: String, seconds: u64, last: String },
    /// A statement or connection to a lab database failed.
    #[error("database of {region}: {source}")]
    Database { region: &'static str, source: tokio_postgres::Error },
    /// A certificate could not be made or read.
    #[error("certificates: {0}")]
    Pki(String),
    /// A question about a name was not answered.
    #[error("dns: {0}")]
    Dns(String),
    /// A redis server or an http server answered something unexpected.
    #[error("{0}")]
    Service(String),
    /// `lab.json` is missing or unreadable.
    #[error("no lab in {}: {reason}", dir.display())]
    NoLab { dir: PathBuf, reason: String },
    /// The lab is in a state in which this cannot be done.
    #[error("{0}")]
    Refused(String),
    /// What the caller of the demonstration handed in went wrong.
    #[error("{0}")]
    Demo(String),
}

/// Results of the lab.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Adds the path and the verb to an input or output error.
pub(crate) trait FileContext<T> {
    /// Names what was being done to which path.
    fn on(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> FileContext<T> for std::io::Result<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| LabError::File { action, path: path.to_path_buf(), source })
    }
}

/// Adds the region to a database error.
pub(crate) trait DatabaseContext<T> {
    /// Names the region whose database answered.
    fn of(self, region: super::Region) -> Result<T>;
}

impl<T> DatabaseContext<T> for std::result::Result<T, tokio_postgres::Error> {
    fn of(self, region: super::Region) -> Result<T> {
        self.map_err(|source| LabError::Database { region: region.name(), source })
    }
}
