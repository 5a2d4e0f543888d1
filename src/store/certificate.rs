//! Certificates of rehearsals: `rehearsals/` in the state folder, a file each. What was rehearsed, with what, from where, how far.
//!
//! The hash shows an edit. It is no signature: whoever can write the folder can write a whole certificate.

mod differs;
mod forget;
mod parameters;

pub use differs::{Demand, Differs, Judged, Mrctl, Wanted, judge};
pub use parameters::Parameters;

use super::{StoreError, io, sync_folder_of, write_durably};
use crate::plan::Mode;
use crate::world::clock::Moment;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The format of a certificate.
pub const FORMAT: u32 = 2;

/// Largest file that is read. Bytes.
const LARGEST: u64 = 1 << 20;

/// A rehearsal that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// See [`FORMAT`].
    pub mrctl_certificate: u32,
    /// The environment's name.
    pub environment: String,
    /// The runbook's name.
    pub runbook: String,
    /// What was rehearsed: [`rehearsal_digest`](crate::plan::Plan::rehearsal_digest).
    pub plan: String,
    /// SHA-256 of the runbook's text.
    pub runbook_sha256: String,
    /// SHA-256 of the inventory's texts.
    pub inventory_sha256: String,
    /// Source region.
    pub from: String,
    /// Target region.
    pub to: String,
    /// Mode. Written only where the source was rehearsed as gone.
    #[serde(default = "planned", skip_serializing_if = "is_planned")]
    pub mode: Mode,
    /// Parameters as given or defaulted, without their values.
    pub parameters: Parameters,
    /// Versions of the kinds.
    pub kinds: BTreeMap<String, u32>,
    /// Version of mrctl.
    pub version: String,
    /// SHA-256 of the file of the program that rehearsed: two builds of one version need not be the same.
    pub program: String,
    /// Digest of the tables of faults and invariants.
    pub tables: String,
    /// Faults in one schedule up to which everything was tried.
    pub faults: u32,
    /// Distinct states.
    pub states: u64,
    /// Moves between them.
    pub moves: u64,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Where it began.
    pub start: Start,
    /// Steps that were not covered, and were accepted by name.
    pub accepted: Vec<String>,
    /// When it ended. Milliseconds since the epoch; written in UTC.
    #[serde(with = "utc")]
    pub at: i64,
    /// Who.
    pub operator: String,
    /// On which host.
    pub host: String,
}

const fn planned() -> Mode {
    Mode::Planned
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_planned(mode: &Mode) -> bool {
    *mode == Mode::Planned
}

/// The state in which a rehearsal begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Where it is from.
    pub from: StartFrom,
    /// Digest of the simulated world.
    pub digest: String,
}

/// Where the first state of a rehearsal is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFrom {
    /// As described by the inventory: everything is well, and the source serves.
    Inventory,
    /// As it was seen on the real systems.
    Live,
}

impl StartFrom {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Live => "live",
        }
    }
}

/// A certificate with its own digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub says: Certificate,
    /// Its digest: what journals name.
    pub sha256: String,
    /// The file.
    pub path: PathBuf,
}

/// All certificates of a state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Those that can be read, in no order.
    pub kept: Vec<Kept>,
    /// Those that cannot, with why: they count for nothing.
    pub refused: Vec<(PathBuf, String)>,
}

/// A moment as it stands in a certificate.
mod utc {
    use super::Moment;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Moment(*at).rfc3339())
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(at.as_millisecond())
    }
}

/// SHA-256 over the canonical text of what a certificate says: serde_json keeps keys sorted.
fn sha256(says: &Value) -> String {
    hex::encode(Sha256::digest(says.to_string().as_bytes()))
}

fn folder(root: &Path) -> PathBuf {
    root.join("rehearsals")
}

/// Keeps a certificate in a state folder, which is made if it is not there. It takes the place of the one before it that is of the same
/// (`of_what`). Only a whole file ever has its name.
///
/// # Errors
/// When the file system refuses.
pub fn keep(root: &Path, says: &Certificate) -> Result<Kept, StoreError> {
    let folder = folder(root);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io(&folder))?;
    let name = format!("{}-{}-{}.json", says.of_what(), says.faults, says.start.from.word());
    let path = folder.join(&name);
    let bad = |why: String| StoreError::Plan { path: path.clone(), why };
    let mut value = serde_json::to_value(says).map_err(|error| bad(error.to_string()))?;
    let sha256 = sha256(&value);
    let Value::Object(map) = &mut value else { return Err(bad("it is not an object".into())) };
    map.insert("sha256".into(), sha256.clone().into());
    let text = serde_json::to_string_pretty(&value).map_err(|error| bad(error.to_string()))?;
    // Two rehearsals at the same time must not write into one file.
    let own = folder.join(format!(".{}-{name}", std::process::id()));
    write_durably(&own, format!("{text}\n").as_bytes())?;
    fs::rename(&own, &path).map_err(io(&path))?;
    sync_folder_of(&path)?;
    // The folder itself is new at the first one.
    sync_folder_of(&folder)?;
    forget::forget(root);
    Ok(Kept { says: says.clone(), sha256, path })
}

/// Reads all certificates of a state folder. Makes nothing; a folder that is not there has none.
pub fn read_all(root: &Path) -> Certificates {
    let mut all = Certificates::default();
    for entry in fs::read_dir(folder(root)).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden || path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        match read(&path) {
            Ok(kept) => all.kept.push(kept),
            Err(why) => all.refused.push((path, why)),
        }
    }
    all.refused.sort();
    all
}

fn read(path: &Path) -> Result<Kept, String> {
    let words = |error: std::io::Error| error.to_string();
    let found = fs::metadata(path).map_err(words)?;
    if !found.is_file() || found.len() > LARGEST {
        return Err("it is no file, or too large".into());
    }
    let text = fs::read_to_string(path).map_err(words)?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let found = value.as_object_mut().and_then(|map| map.remove("sha256"));
    let sha256 = sha256(&value);
    if found.as_ref().and_then(Value::as_str) != Some(&sha256) {
        return Err("it was changed after it was written".into());
    }
    match value.get("mrctl_certificate").and_then(Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        _ => return Err(format!("it has another format; this version of mrctl reads {FORMAT}")),
    }
    let says = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(Kept { says, sha256, path: path.into() })
}

impl Certificate {
    /// Digest of everything to which it is bound, and of its start: certificates that differ in it stand beside each other. The number of
    /// faults and where the start is from stand beside it in the file's name. 32 hexadecimal digits.
    fn of_what(&self) -> String {
        let texts = [&self.runbook_sha256, &self.inventory_sha256, &self.plan, &self.parameters.sha256];
        let mrctl = [&self.version, &self.tables, &self.program];
        let mut hasher = Sha256::new();
        for text in self.about().into_iter().chain(texts.into_iter().chain(mrctl).map(String::as_str)) {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(self.start.digest.as_bytes());
        hex::encode(&hasher.finalize()[..16])
    }

    /// What it is about: environment, runbook and direction.
    fn about(&self) -> [&str; 4] {
        [&self.environment, &self.runbook, &self.from, &self.to]
    }
}

impl Certificates {
    /// The newest of a runbook's planned runs, in whichever direction.
    pub fn newest(&self, environment: &str, runbook: &str) -> Option<&Certificate> {
        let of = |kept: &&Kept| {
            let says = &kept.says;
            says.environment == environment && says.runbook == runbook && says.mode == Mode::Planned
        };
        self.kept.iter().filter(of).map(|kept| &kept.says).max_by_key(|says| says.at)
    }
}

#[cfg(test)]
mod tests;
