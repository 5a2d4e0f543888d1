//! `lab.json`: what another process needs to find, use and stop the lab. Each process is in it as soon as it runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::account::write_file;
use super::error::{FileContext, LabError, Result};
use super::layout::Layout;
use super::ports::Ports;
use super::process::Process;

/// The content of `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Format of this file: 1.
    pub format: u32,
    /// How far it is.
    pub phase: Phase,
    /// When `up` began, RFC 3339.
    pub created: String,
    /// The program whose hidden commands are the application and the receiver.
    pub program: PathBuf,
    /// Ports, equal in both regions.
    pub ports: Ports,
    /// Folder of PostgreSQL's programs.
    pub postgres_programs: PathBuf,
    /// Versions by program.
    pub versions: BTreeMap<String, String>,
    /// Files with the passwords, by what they are for.
    pub secrets: BTreeMap<String, PathBuf>,
    /// Processes by name, such as `postgres eu-west`.
    pub processes: BTreeMap<String, Process>,
}

/// How far a lab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `up` is at work, or was killed.
    Starting,
    /// Up.
    Up,
}

impl State {
    /// Reads it.
    pub fn read(layout: &Layout) -> Result<Self> {
        let no_lab = |reason: String| LabError::NoLab { dir: layout.root().to_path_buf(), reason };
        let text = std::fs::read_to_string(layout.state_file())
            .map_err(|error| no_lab(format!("lab.json: {error}")))?;
        let state: Self =
            serde_json::from_str(&text).map_err(|error| no_lab(format!("lab.json: {error}")))?;
        if state.format == 1 {
            Ok(state)
        } else {
            Err(no_lab(format!("lab.json has format {}", state.format)))
        }
    }

    /// Writes it in one step.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|error| LabError::Service(error.to_string()))?;
        write_file(&layout.state_file(), &text, 0o600)
    }

    /// Changes it under a lock: `lab up`, `break` and `heal` may run at the same time.
    pub fn change(layout: &Layout, change: impl FnOnce(&mut Self)) -> Result<()> {
        let path = layout.lock_file();
        let lock = std::fs::OpenOptions::new().create(true).append(true).open(&path).on("opening", &path)?;
        lock.lock().on("locking", &path)?;
        let mut state = Self::read(layout)?;
        change(&mut state);
        state.write(layout)
    }
}
