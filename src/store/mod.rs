//! Runs on disk: `runs/<id>/` with `plan.json` and `journal.jsonl`, and the locks of their resources.

pub mod abandoned;
pub mod bundle;
pub mod certificate;
mod files;
mod identity;

use crate::engine::Record;
use crate::engine::driver::read_record;
use crate::engine::record::Verdict;
use crate::engine::state::RunState;
use crate::journal::calls::{Calls, System};
use crate::journal::chain::Line;
use crate::journal::file::{Journal, OpenError, read_intact, read_lines};
use crate::journal::lock::{FileLock, LockError};
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use files::{read_plan, sync_folder_of, write_by, write_durably};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system.
    #[error("{path}: {why}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The operating system's reason.
        why: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// A plan that cannot be read.
    #[error("the plan {path} cannot be read: {why}")]
    Plan {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No run, or several, begin with this.
    #[error("{0}")]
    NoSuchRun(String),
    /// What was brought is not taken, or not given.
    #[error("{0}")]
    Refused(String),
    /// The journal in a run's folder is not that run's.
    #[error("the journal in the folder of run {run} is not its own: {why}")]
    Strange {
        /// Run.
        run: String,
        /// Whose it is, or why it is nobody's.
        why: String,
    },
    /// The plan beside a journal is not the one that it was made for.
    #[error("the plan of run {run} was changed: its digest is {found}, the journal names {recorded}")]
    Changed {
        /// Run.
        run: String,
        /// Of the file.
        found: String,
        /// In the journal.
        recorded: String,
    },
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |error| StoreError::Io { path: path.into(), why: error.to_string() }
}

/// Most runs that are listed when a few letters mean several.
const MATCHES: usize = 8;

/// A folder that holds no run that can be read, and why.
pub type Unreadable = (PathBuf, StoreError);

/// The state folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// By which runs are made and written.
    calls: Rc<dyn Calls>,
}

/// A run that was read.
#[derive(Debug)]
pub struct Run {
    /// Identity.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The plan that counts now.
    pub plan: Plan,
    /// The plan that it was begun with; another one if it was taken over.
    pub begun_with: Plan,
    /// The journal's lines with their records.
    pub lines: Vec<(Line, Record)>,
    /// What they fold to.
    pub state: RunState,
    /// Bytes of a torn last line; none once it is opened, which cuts them.
    pub torn: usize,
}

/// What can be read of a run that cannot be read as a whole.
#[derive(Debug)]
pub struct Remains {
    /// Identity.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The plan as it is now, which may not be the one of the journal.
    pub plan: Result<Plan, StoreError>,
    /// When it began, milliseconds since the epoch; 0 if even that cannot be read.
    pub began: i64,
    /// Records before the damage.
    pub records: Vec<Record>,
    /// Whether a person closed it as it is.
    pub abandoned: Option<abandoned::Found>,
}

impl Run {
    /// Whether it has not ended for good.
    pub fn open(&self) -> bool {
        !self.state.verdict.is_some_and(Verdict::closes)
    }

    /// The verdict's word; `running` without one.
    pub fn word(&self) -> &'static str {
        self.state.verdict.map_or("interrupted", Verdict::word)
    }

    /// Everything that it holds: what the plan that counts now is about, and, if it was taken over, what the one was about that it was begun
    /// with, because changes of that one may stand.
    pub fn resources(&self) -> BTreeSet<String> {
        self.plan.resources.iter().chain(&self.begun_with.resources).cloned().collect()
    }

    /// When it began, milliseconds since the epoch.
    pub fn began(&self) -> i64 {
        self.lines.first().map_or(0, |(line, _)| line.at)
    }

    /// Records with their times.
    pub fn records(&self) -> impl Iterator<Item = (i64, &Record)> {
        self.lines.iter().map(|(line, record)| (line.at, record))
    }
}

impl Store {
    /// The folder; made with mode 0700 when it is not there.
    pub fn at(root: &Path) -> Result<Self, StoreError> {
        Self::by(Rc::new(System), root)
    }

    /// The same, with runs made and written by calls of the caller's choice.
    pub fn by(calls: Rc<dyn Calls>, root: &Path) -> Result<Self, StoreError> {
        for folder in [root.to_path_buf(), root.join("runs"), root.join("locks")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io(&folder))?;
        }
        Ok(Self { root: root.to_path_buf(), calls })
    }

    /// Where runs are.
    pub fn runs_folder(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Makes a run: its folder, its plan, its journal, each durable before the next.
    pub fn create(&self, id: &str, plan: &Plan, now: fn() -> i64) -> Result<(PathBuf, Journal), StoreError> {
        let folder = self.runs_folder().join(id);
        self.calls.make_folder(&folder).map_err(io(&folder))?;
        let path = folder.join("plan.json");
        let text = serde_json::to_string_pretty(plan)
            .map_err(|e| StoreError::Plan { path: path.clone(), why: e.to_string() })?;
        write_by(&*self.calls, &path, text.as_bytes())?;
        let journal = Journal::create_by(Rc::clone(&self.calls), &folder.join("journal.jsonl"), now)?;
        let parent = self.runs_folder();
        self.calls.sync_folder(&parent).map_err(io(&parent))?;
        Ok((folder, journal))
    }

    /// All runs that can be read, newest first; with the folders that cannot.
    pub fn runs(&self) -> Result<(Vec<Run>, Vec<Unreadable>), StoreError> {
        let parent = self.runs_folder();
        let mut ids = Vec::new();
        for entry in fs::read_dir(&parent).map_err(io(&parent))? {
            let entry = entry.map_err(io(&parent))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A folder without a journal is a run that never began: nothing was done. The log is opened after the journal, so with a
            // log it is a run whose journal is gone.
            let begun = ["journal.jsonl", "debug.log"].iter().any(|file| entry.path().join(file).exists());
            // What an import that was killed left has a name with a dot.
            if begun && !name.starts_with('.') {
                ids.push(name);
            }
        }
        // Version 7 identities sort by time.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let (mut runs, mut broken) = (Vec::new(), Vec::new());
        for id in ids {
            match self.read(&id) {
                Ok(run) => runs.push(run),
                Err(error) => broken.push((parent.join(&id), error)),
            }
        }
        Ok((runs, broken))
    }

    /// Whether a run that cannot be read as a whole (another version wrote its plan) has surely ended: its chain is unbroken and its
    /// last record closes it; or a person closed it as it is, and it is still as it was then. Anything else is not known to be closed.
    pub fn surely_closed(&self, folder: &Path) -> bool {
        if abandoned::read(folder).is_some_and(|found| found.stands) {
            return true;
        }
        let Ok((lines, _, torn)) = read_lines(&folder.join("journal.jsonl")) else { return false };
        let word_of = |line: Option<&Line>, field: &str| {
            line.and_then(|line| line.body.get(field)).and_then(|value| value.as_str()).map(str::to_owned)
        };
        // The end of another run says nothing of this one.
        let own = word_of(lines.first(), "run");
        if own.is_none() || own != folder.file_name().map(|name| name.to_string_lossy().into_owned()) {
            return false;
        }
        let word = |field: &str| word_of(lines.last(), field);
        let closing = [Verdict::Completed, Verdict::Failed, Verdict::RolledBack, Verdict::Refused];
        torn == 0
            && match word("type").as_deref() {
                Some("abandoned") => true,
                Some("ended") => {
                    closing.iter().any(|verdict| word("verdict").as_deref() == Some(verdict.word()))
                }
                _ => false,
            }
    }

    /// Identity of the run that the text means: the whole, or a beginning or end of it that only one has.
    pub fn find(&self, text: &str) -> Result<String, StoreError> {
        let parent = self.runs_folder();
        let mut found = Vec::new();
        for entry in fs::read_dir(&parent).map_err(io(&parent))? {
            let entry = entry.map_err(io(&parent))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !entry.path().is_dir() {
                continue;
            }
            if name == text {
                return Ok(name);
            }
            if !text.is_empty() && (name.starts_with(text) || name.ends_with(text)) {
                found.push(name);
            }
        }
        found.sort_unstable();
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => {
                let text = crate::error::escape::outside(text, 80);
                Err(StoreError::NoSuchRun(format!("there is no run `{text}` in {}", parent.display())))
            }
            several => {
                let (shown, more) = several.split_at(several.len().min(MATCHES));
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                let text = crate::error::escape::outside(text, 80);
                let shown = shown.join(", ");
                Err(StoreError::NoSuchRun(format!("several runs match `{text}`: {shown}{more}")))
            }
        }
    }

    /// The end of an identity that only this run has: how runs are shown. Its random part is at the end.
    pub fn short(&self, id: &str) -> String {
        let names: Vec<String> = fs::read_dir(self.runs_folder())
            .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
            .unwrap_or_default();
        let enough = |length: usize| {
            let end = &id[id.len() - length..];
            names.iter().filter(|name| name.ends_with(end)).count() <= 1
        };
        let length = (4..id.len()).find(|length| id.is_char_boundary(id.len() - length) && enough(*length));
        id[id.len() - length.unwrap_or(id.len())..].to_string()
    }

    /// Reads a run without changing it.
    pub fn read(&self, id: &str) -> Result<Run, StoreError> {
        let folder = self.runs_folder().join(id);
        let plan = read_plan(&folder.join("plan.json"))?;
        let (lines, _, torn) = read_lines(&folder.join("journal.jsonl"))?;
        self.fold(id, folder, plan, lines).map(|run| Run { torn, ..run })
    }

    /// What can be read of a run that cannot be read as a whole.
    pub fn remains(&self, id: &str) -> Remains {
        let folder = self.runs_folder().join(id);
        let plan = read_plan(&folder.join("plan.json"));
        let lines = read_intact(&folder.join("journal.jsonl")).map(|(lines, _)| lines).unwrap_or_default();
        let records: Vec<Record> = lines.iter().map_while(|line| read_record(line).ok()).collect();
        let switched = records.iter().rev().find_map(|record| match record {
            Record::Switched { to, .. } => Some((**to).clone()),
            _ => None,
        });
        let plan = plan.map(|plan| switched.unwrap_or(plan));
        let began = lines.first().map_or(0, |line| line.at);
        let abandoned = abandoned::read(&folder);
        Remains { id: id.to_string(), folder, plan, began, records, abandoned }
    }

    /// Opens a run to go on with it: cuts a torn last line. The bytes that were cut come with it.
    pub fn open(&self, id: &str, now: fn() -> i64) -> Result<(Run, Journal, usize), StoreError> {
        let folder = self.runs_folder().join(id);
        let plan = read_plan(&folder.join("plan.json"))?;
        let opened = Journal::open_by(Rc::clone(&self.calls), &folder.join("journal.jsonl"), now)?;
        let run = self.fold(id, folder, plan, opened.lines)?;
        Ok((run, opened.journal, opened.torn))
    }

    fn fold(&self, id: &str, folder: PathBuf, plan: Plan, lines: Vec<Line>) -> Result<Run, StoreError> {
        let (begun_with, mut plan) = (plan.clone(), plan);
        let mut read = Vec::with_capacity(lines.len());
        let strange = |why: String| StoreError::Strange { run: id.into(), why };
        // Another run of the same plan has the same digest: only its name tells.
        match lines.first().map(read_record) {
            None | Some(Err(_)) => {}
            Some(Ok(Record::Created { run, .. })) if run == id => {}
            Some(Ok(Record::Created { run, .. })) => {
                let run = crate::error::escape::outside(&run, 80);
                return Err(strange(format!("it is that of run {run}")));
            }
            Some(Ok(_)) => return Err(strange("it does not begin as one of a run".into())),
        }
        for line in lines {
            let record = read_record(&line).map_err(|error| StoreError::Plan {
                path: folder.join("journal.jsonl"),
                why: error.to_string(),
            })?;
            if let Record::Created { plan: recorded, .. } = &record
                && *recorded != plan.digest()
            {
                return Err(StoreError::Changed {
                    run: id.into(),
                    found: plan.digest(),
                    recorded: recorded.clone(),
                });
            }
            if let Record::Switched { from, plan: recorded, to, .. } = &record {
                for (found, recorded) in [(plan.digest(), from), (to.digest(), recorded)] {
                    if found != *recorded {
                        let recorded = recorded.clone();
                        return Err(StoreError::Changed { run: id.into(), found, recorded });
                    }
                }
                plan = (**to).clone();
            }
            read.push((line, record));
        }
        // The plan that counts now says what everything before it means.
        let state = RunState::of(&plan, read.iter().map(|(_, record)| record));
        Ok(Run { id: id.to_string(), folder, plan, begun_with, lines: read, state, torn: 0 })
    }

    /// Locks resources on this host, in order, so that two runs cannot hold each other up.
    pub fn lock(&self, resources: &[String], holder: &str) -> Result<Vec<FileLock>, LockError> {
        let mut sorted = resources.to_vec();
        sorted.sort();
        sorted.iter().map(|resource| FileLock::take(&self.lock_path(resource), resource, holder)).collect()
    }

    fn lock_path(&self, resource: &str) -> PathBuf {
        let name: String =
            resource.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        self.root.join("locks").join(format!("{name}.lock"))
    }

    /// Whether a process on this host holds all of these.
    pub fn held(&self, resources: &[String]) -> bool {
        !resources.is_empty()
            && resources.iter().all(|resource| crate::journal::lock::is_held(&self.lock_path(resource)))
    }
}

#[cfg(test)]
mod tests;
