//! The end of a run whose journal cannot be gone on with: recorded beside the journal, which stays as it was found.
//!
//! `abandoned.json` is one line of the chain, by the same rules: it follows the last line that could be read, and its body names the
//! SHA-256 of the journal and of the plan as they were. A later abandonment gets a name of its own; nothing is ever written over.

use super::{StoreError, io, write_durably};
use crate::journal::chain::{self, GENESIS};
use crate::journal::file::read_intact;
pub use crate::journal::mirror::is_name;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What was recorded when a run with a damaged journal was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandonment {
    /// The run.
    pub run: String,
    /// What was wrong with it.
    pub damage: String,
    /// SHA-256 of the journal as it was, hexadecimal; empty if there was none.
    pub journal_sha256: String,
    /// SHA-256 of the plan as it was, hexadecimal; empty if there was none.
    pub plan_sha256: String,
    /// Version of mrctl.
    pub version: String,
    /// Who.
    pub operator: String,
    /// On which host.
    pub host: String,
    /// Why.
    pub reason: String,
    /// The world line, or why the world could not be looked at.
    pub world: String,
    /// What the look found besides.
    pub notes: Vec<String>,
}

/// An abandonment as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub says: Abandonment,
    /// When. Milliseconds since the epoch.
    pub at: i64,
    /// Its own hash.
    pub hash: String,
    /// The file.
    pub path: PathBuf,
    /// Whether journal and plan are still what they were.
    pub stands: bool,
}

/// SHA-256 of a file, hexadecimal; empty if there is none.
///
/// # Errors
/// When it cannot be read.
pub fn file_sha256(path: &Path) -> Result<String, StoreError> {
    if !path.exists() {
        return Ok(String::new());
    }
    Ok(hex::encode(Sha256::digest(fs::read(path).map_err(io(path))?)))
}

fn name(number: usize) -> String {
    if number == 1 { "abandoned.json".into() } else { format!("abandoned-{number}.json") }
}

/// Records the abandonment beside the journal; returns where. `now`: milliseconds since the epoch.
///
/// # Errors
/// When the file system refuses.
pub fn write(folder: &Path, says: &Abandonment, now: i64) -> Result<PathBuf, StoreError> {
    let (seq, prev) = follows(folder)?;
    let path = (1..).map(|number| folder.join(name(number))).find(|path| !path.exists());
    let path = path.unwrap_or_else(|| folder.join(name(1)));
    let bad = |why: String| StoreError::Plan { path: path.clone(), why };
    let value = serde_json::to_value(says).map_err(|error| bad(error.to_string()))?;
    let serde_json::Value::Object(mut body) = value else { return Err(bad("it is not an object".into())) };
    body.insert("type".into(), "abandoned_damaged".into());
    let (text, _) = chain::write(seq, now, &prev, body);
    write_durably(&path, format!("{text}\n").as_bytes())?;
    // The name too must outlive a crash: whoever comes next must find the run closed.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
    Ok(path)
}

/// Every file of abandonment in a run's folder, by name.
pub fn read_all(folder: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| is_name(name))
        .filter_map(|name| fs::read_to_string(folder.join(&name)).ok().map(|text| (name, text)))
        .collect()
}

/// The last abandonment beside a journal, if there is one that is whole.
pub fn read(folder: &Path) -> Option<Found> {
    read_as(folder, &folder.file_name()?.to_string_lossy())
}

/// See [`read`]; for a folder that does not yet have the name of its run.
pub fn read_as(folder: &Path, run: &str) -> Option<Found> {
    let path = (1..).map(|number| folder.join(name(number))).take_while(|path| path.exists()).last()?;
    let text = fs::read_to_string(&path).ok()?;
    let text = text.trim_end();
    // It follows the line that was the last whole one then.
    let own: serde_json::Value = serde_json::from_str(text).ok()?;
    let (seq, prev) = (own.get("seq")?.as_u64()?, own.get("prev")?.as_str()?);
    let line = chain::read(1, text, prev, seq).ok()?;
    let says: Abandonment = serde_json::from_value(serde_json::Value::Object(line.body)).ok()?;
    let (seq_now, prev_now) = follows(folder).ok()?;
    let same = |file: &str, then: &str| file_sha256(&folder.join(file)).is_ok_and(|now| now == then);
    let stands = (seq_now, prev_now.as_str()) == (seq, prev)
        && says.run == run
        && same("journal.jsonl", &says.journal_sha256)
        && same("plan.json", &says.plan_sha256);
    Some(Found { says, at: line.at, hash: line.hash, path, stands })
}

/// Number and predecessor of a line that would follow the last one that can be read.
fn follows(folder: &Path) -> Result<(u64, String), StoreError> {
    let path = folder.join("journal.jsonl");
    if !path.exists() {
        return Ok((0, GENESIS.into()));
    }
    let (lines, _) = read_intact(&path)?;
    Ok((lines.len() as u64, lines.last().map_or(GENESIS, |line| line.hash.as_str()).to_string()))
}
