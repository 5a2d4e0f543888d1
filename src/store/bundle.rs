//! A run on its way to another host: one file, or the folder of a mirror.

use super::abandoned::{self, read_all};
use super::{Run, Store, StoreError, io, read_plan, write_durably};
use crate::engine::Record;
use crate::engine::driver::read_record;
use crate::journal::file::{OpenError, read_lines};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Largest file that is taken in. Bytes.
const MOST: u64 = 256 << 20;

/// The marker beside an open run that was exported: two hosts must not both go on with it.
pub const EXPORTED: &str = "exported.json";

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    mrctl_export: u32,
    run: String,
    plan: String,
    journal: String,
    /// The journal where it is no text; `journal` is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    journal_base64: Option<String>,
    /// Files of abandonment, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    abandoned: BTreeMap<String, String>,
}

impl Document {
    fn journal(&self) -> Option<Vec<u8>> {
        match &self.journal_base64 {
            Some(text) => STANDARD.decode(text).ok(),
            None => Some(self.journal.clone().into_bytes()),
        }
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The run is here now.
    New,
    /// It was here, and goes further now.
    Further,
    /// It was here already, the same.
    Same,
    /// What is here already goes further than what was brought.
    Behind,
}

/// A run that was brought.
struct Brought {
    /// Whether it is damaged, and was closed as it is.
    damaged: bool,
    /// Everything that it holds, as far as it can be read.
    resources: BTreeSet<String>,
}

fn refused(why: impl Into<String>) -> StoreError {
    StoreError::Refused(why.into())
}

impl Store {
    /// Writes a run into one file, which must not exist.
    ///
    /// # Errors
    /// When it cannot be read or written, or is damaged and not abandoned.
    pub fn export(&self, id: &str, to: &Path) -> Result<(), StoreError> {
        let folder = self.runs_folder().join(id);
        if let Err(error) = self.read(id)
            && !self.surely_closed(&folder)
        {
            return Err(refused(format!("{error}; close it first with `mrctl abandon {id} --reason …`")));
        }
        let bytes = |name: &str| fs::read(folder.join(name)).map_err(io(&folder.join(name)));
        let plan = String::from_utf8_lossy(&bytes("plan.json")?).into_owned();
        let (journal, journal_base64) = match String::from_utf8(bytes("journal.jsonl")?) {
            Ok(text) => (text, None),
            Err(error) => (String::new(), Some(STANDARD.encode(error.as_bytes()))),
        };
        let document = Document {
            mrctl_export: 1,
            run: id.into(),
            plan,
            journal,
            journal_base64,
            abandoned: read_all(&folder),
        };
        let text = serde_json::to_string(&document).map_err(|error| refused(error.to_string()))?;
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(io(to))?;
        super::sync_folder_of(to)
    }

    /// Marks an open run as exported. `now`: milliseconds since the epoch.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn mark_exported(&self, id: &str, now: i64) -> Result<(), StoreError> {
        let at = crate::world::clock::Moment(now).rfc3339();
        let text = serde_json::json!({ "at": at }).to_string();
        write_durably(&self.runs_folder().join(id).join(EXPORTED), text.as_bytes())
    }

    /// When an open run was exported from here, if it was.
    pub fn exported(&self, id: &str) -> Option<String> {
        let text = fs::read_to_string(self.runs_folder().join(id).join(EXPORTED)).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        value.get("at").and_then(|at| at.as_str()).map(String::from)
    }

    /// The run goes on here: the mark is taken away.
    pub fn unmark_exported(&self, id: &str) {
        // Without it nothing is lost: the next resume asks once more.
        let _gone = fs::remove_file(self.runs_folder().join(id).join(EXPORTED));
    }

    /// Takes a run in, from an exported file or the folder of a mirror. `holder`: who, for the locks.
    ///
    /// # Errors
    /// When it is no run, is damaged, or another run of the same identity is here.
    pub fn import(&self, from: &Path, holder: &str) -> Result<(String, Taken), StoreError> {
        let document = document(from)?;
        // The name becomes a folder: nothing but an identity may stand there.
        let id = uuid::Uuid::parse_str(&document.run)
            .map_err(|error| refused(format!("its run is no identity: {error}")))?
            .to_string();
        let journal = document.journal().ok_or_else(|| refused("its journal cannot be decoded"))?;
        let folder = self.runs_folder().join(&id);
        let temporary = self.runs_folder().join(format!(".import-{id}-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&temporary).map_err(io(&temporary))?;
        let taken = self.take(&id, &document, &journal, &temporary, &folder, holder);
        if temporary.exists() {
            let _left = fs::remove_dir_all(&temporary);
        }
        taken.map(|taken| (id, taken))
    }

    fn take(
        &self,
        id: &str,
        document: &Document,
        journal: &[u8],
        temporary: &Path,
        folder: &Path,
        holder: &str,
    ) -> Result<Taken, StoreError> {
        write_durably(&temporary.join("plan.json"), document.plan.as_bytes())?;
        write_durably(&temporary.join("journal.jsonl"), journal)?;
        for (name, text) in &document.abandoned {
            if !abandoned::is_name(name) {
                return Err(refused(format!("it holds a file that does not belong to a run: {name:?}")));
            }
            write_durably(&temporary.join(name), text.as_bytes())?;
        }
        let brought = self.judge(id, temporary)?;
        if !folder.exists() {
            fs::rename(temporary, folder).map_err(io(folder))?;
            let parent = self.runs_folder();
            fs::File::open(&parent).and_then(|parent| parent.sync_all()).map_err(io(&parent))?;
            return Ok(Taken::New);
        }
        if fs::read(folder.join("plan.json")).is_ok_and(|plan| plan != document.plan.as_bytes()) {
            return Err(refused("a run of this identity is here already, with another plan"));
        }
        let here = || fs::read(folder.join("journal.jsonl")).map_err(io(folder));
        let taken = compare(id, &here()?, journal)?;
        if taken != Taken::Further {
            return Ok(taken);
        }
        if brought.damaged {
            return Err(refused("what it has more than the run here is damaged"));
        }
        // Nobody may be writing to the one that is here, or have written since.
        // What was taken over holds more than its first plan, on either side.
        let mut resources = brought.resources;
        resources.extend(read_plan(&folder.join("plan.json"))?.resources);
        resources.extend(self.read(id).ok().iter().flat_map(Run::resources));
        let resources: Vec<String> = resources.into_iter().collect();
        let _locks = self.lock(&resources, holder).map_err(|error| refused(error.to_string()))?;
        let taken = compare(id, &here()?, journal)?;
        if taken != Taken::Further {
            return Ok(taken);
        }
        write_durably(&folder.join("journal.jsonl"), journal)?;
        self.unmark_exported(id);
        Ok(Taken::Further)
    }

    /// Whether what was brought is a run: whole, and by its own name; or damaged, and closed as it is.
    fn judge(&self, id: &str, temporary: &Path) -> Result<Brought, StoreError> {
        let path = temporary.join("journal.jsonl");
        match read_lines(&path) {
            Ok((lines, _, _)) => {
                match lines.first().map(read_record) {
                    // Killed before its first record.
                    None => {}
                    Some(Ok(Record::Created { run, .. })) if run == id => {}
                    Some(Ok(Record::Created { run, .. })) => {
                        return Err(refused(format!("it is called {id}, but its journal is of run {run}")));
                    }
                    Some(_) => return Err(refused("its journal does not begin as one of a run")),
                }
                let plan = read_plan(&temporary.join("plan.json"))?;
                let run = self.fold(id, temporary.to_path_buf(), plan, lines)?;
                Ok(Brought { damaged: false, resources: run.resources() })
            }
            Err(error @ OpenError::Damaged { .. }) => {
                let closed = abandoned::read_as(temporary, id).is_some_and(|found| found.stands);
                match closed {
                    true => Ok(Brought { damaged: true, resources: BTreeSet::new() }),
                    false => Err(refused(without_path(&error))),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The whole lines: a torn last one never counted.
fn whole(journal: &[u8]) -> &[u8] {
    let end = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    journal.get(..end).unwrap_or_default()
}

/// How what was brought stands to what is here.
fn compare(id: &str, here: &[u8], brought: &[u8]) -> Result<Taken, StoreError> {
    let (here, brought) = (whole(here), whole(brought));
    if here == brought {
        Ok(Taken::Same)
    } else if brought.starts_with(here) {
        Ok(Taken::Further)
    } else if here.starts_with(brought) {
        Ok(Taken::Behind)
    } else {
        let same = here.iter().zip(brought).take_while(|(a, b)| a == b);
        let line = same.filter(|(byte, _)| **byte == b'\n').count() + 1;
        Err(refused(format!(
            "run {id} is here already, and differs from line {line} on: both hosts went on with it; compare them with \
             `mrctl audit show`, and go on with neither before you know what is so"
        )))
    }
}

/// The damage without the path of a file that will not be there any more.
fn without_path(error: &OpenError) -> String {
    match error {
        OpenError::Damaged { error, .. } => format!("its journal is damaged: {error}"),
        OpenError::Io { why, .. } => why.clone(),
    }
}

fn document(from: &Path) -> Result<Document, StoreError> {
    let found = fs::metadata(from).map_err(io(from))?;
    if found.is_dir() {
        return mirrored(from);
    }
    // A pipe could be waited for without end.
    if !found.is_file() {
        return Err(refused("it is neither a file nor a folder"));
    }
    if found.len() > MOST {
        return Err(refused(format!("it is larger than {MOST} bytes")));
    }
    let bytes = fs::read(from).map_err(io(from))?;
    let document: Document = serde_json::from_slice(&bytes)
        .map_err(|error| refused(format!("it is not an export of mrctl: {error}")))?;
    match document.mrctl_export {
        1 => Ok(document),
        other => Err(refused(format!("it has format {other}, this version of mrctl reads 1"))),
    }
}

/// The folder of one run in a mirror.
fn mirrored(folder: &Path) -> Result<Document, StoreError> {
    let journal = folder.join("journal.jsonl");
    if !journal.exists() {
        return Err(refused("there is no journal.jsonl in it: give the folder of one run"));
    }
    let run = fs::canonicalize(folder).map_err(io(folder))?;
    let run = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: &Path| -> Result<Vec<u8>, StoreError> {
        let found = fs::metadata(path).map_err(io(path))?;
        if !found.is_file() || found.len() > MOST {
            return Err(refused(format!("{} is no file, or too large", path.display())));
        }
        fs::read(path).map_err(io(path))
    };
    let plan = String::from_utf8_lossy(&read(&folder.join("plan.json"))?).into_owned();
    let journal_base64 = Some(STANDARD.encode(read(&journal)?));
    let abandoned = read_all(folder);
    Ok(Document { mrctl_export: 1, run, plan, journal: String::new(), journal_base64, abandoned })
}
