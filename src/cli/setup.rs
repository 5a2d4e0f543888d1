//! What every command needs first: streams, files, problems.

use super::{folders, wire};
use crate::error::{Code, Problem, Problems, Sources, render};
use crate::exit_code::ExitCode;
use crate::journal::Journal;
use crate::journal::mirror::Mirror;
use crate::output::Output;
use crate::redact::Redactor;
use crate::runbook::discovery::{Loaded, Search, find};
use crate::runbook::{Inventory, Runbook, open_inventory, open_runbook};
use crate::store::{Store, StoreError};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line for runs, one document otherwise.
    Json,
}

/// The circumstances of one invocation.
pub struct Setup {
    /// Streams.
    pub output: Output,
    /// Text or JSON.
    pub format: Format,
    /// `--inventory`.
    pub inventory: Option<PathBuf>,
    /// `--state-dir`.
    pub state: Option<PathBuf>,
    /// Where runs are copied to, if anywhere.
    pub mirror: Option<PathBuf>,
    /// Secrets that must not be printed.
    pub redactor: Redactor,
}

/// A runbook and its inventory, read and checked.
pub struct Files {
    /// Texts, for places.
    pub sources: Sources,
    /// The runbook.
    pub runbook: Runbook,
    /// SHA-256 of its text.
    pub runbook_sha256: String,
    /// The inventory.
    pub inventory: Loaded,
    /// SHA-256 of its texts.
    pub inventory_sha256: String,
}

impl Setup {
    /// A line for the person.
    pub fn say(&self, line: &str) {
        // A closed stream is no reason to stop what runs.
        let _closed = self.output.say(self.redactor.scrub(line).as_ref());
    }

    /// A line of data.
    pub fn data(&self, line: &str) {
        let _closed = self.output.data(line);
    }

    /// Prints problems where they belong for the format. Mere warnings get a line each: `mrctl check` shows them whole.
    pub fn problems(&self, problems: &Problems, sources: &Sources) {
        match self.format {
            Format::Text if !problems.has_errors() => {
                render::lines(problems, sources).iter().for_each(|line| self.say(line));
            }
            Format::Text | Format::Json => self.problems_in_full(problems, sources),
        }
    }

    /// Prints problems with the text that each is about.
    pub fn problems_in_full(&self, problems: &Problems, sources: &Sources) {
        if problems.is_empty() {
            return;
        }
        match self.format {
            Format::Text => {
                let text = render::text(problems, sources, self.output.style.colour, self.output.width);
                self.say(text.trim_end());
            }
            Format::Json => self.data(
                &serde_json::json!({ "schema": 1, "event": "problems", "problems": render::json(problems, sources) })
                    .to_string(),
            ),
        }
    }

    /// A problem without a place.
    pub fn fail(&self, why: &str) -> ExitCode {
        self.say(&format!("mrctl: {why}"));
        ExitCode::Invalid
    }

    /// The inventory: found and read. Nothing when problems were printed.
    pub fn load_inventory(
        &self,
        runbook: Option<&Path>,
        sources: &mut Sources,
        problems: &mut Problems,
    ) -> Option<Loaded> {
        let working = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let variable = wire::variable("MRCTL_INVENTORY").map(PathBuf::from);
        let search = Search {
            flag: self.inventory.as_deref(),
            variable: variable.as_deref(),
            runbook,
            working: &working,
        };
        match find(&search) {
            Ok(path) => open_inventory(&path, None, sources, problems),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    /// Runbook and inventory. Warnings are printed; nothing is returned when there are errors.
    pub fn load(&self, runbook: &Path) -> Option<Files> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let inventory = self.load_inventory(Some(runbook), &mut sources, &mut problems);
        let read = open_runbook(runbook, inventory.as_ref(), &wire::KINDS, &mut sources, &mut problems);
        self.problems(&problems, &sources);
        let (runbook, inventory) = (read?, inventory?);
        if problems.has_errors() {
            return None;
        }
        let file = runbook.name.span.file;
        let runbook_sha256 = wire::sha256([sources.text(file)]);
        let inventory_sha256 = wire::sha256(inventory.files.iter().map(|file| sources.text(*file)));
        Some(Files { sources, runbook, runbook_sha256, inventory, inventory_sha256 })
    }

    /// Where the state is kept, if anything says so.
    pub fn state_folder(&self) -> Option<PathBuf> {
        folders::state_folder(self.state.as_deref())
    }

    /// The state folder.
    pub fn store(&self) -> Result<Store, StoreError> {
        match self.state_folder() {
            Some(folder) => Store::at(&folder),
            None => Err(StoreError::NoSuchRun("no state folder: set MRCTL_STATE_DIR or HOME".into())),
        }
    }

    /// Begins to copy a run, if a mirror is wanted.
    pub fn mirror(&self, journal: &mut Journal) {
        let (Some(root), Some(run)) = (&self.mirror, journal.path().parent()) else { return };
        let mirror = Mirror::begin(root, run);
        if let Some(why) = mirror.trouble() {
            self.say(&format!("warning: there is no mirror in {}: {why}", mirror.folder().display()));
        }
        journal.mirror(mirror);
    }

    /// Ends the copy and says how it went.
    pub fn mirrored(&self, journal: &mut Journal) {
        match journal.finish_mirror() {
            None => {}
            Some(Ok(folder)) => self.say(&format!("mirror: {}", folder.display())),
            Some(Err(why)) => {
                self.say(&format!("mirror: not whole: {why}; the journal here is, and the run did not wait"));
            }
        }
    }

    /// A problem of the command line, as a diagnostic.
    pub fn usage(&self, why: impl Into<String>, help: impl Into<String>) -> ExitCode {
        self.misused(Code::BadValue, why, help)
    }

    /// A region of the command line that the inventory does not have.
    pub fn no_region(&self, given: &str, inventory: &Inventory) -> ExitCode {
        let known: Vec<&str> = inventory.regions.keys().map(String::as_str).collect();
        let help = format!("the inventory has {}", known.join(", "));
        self.misused(Code::UnknownRegion, format!("there is no region `{given}`"), help)
    }

    fn misused(&self, code: Code, why: impl Into<String>, help: impl Into<String>) -> ExitCode {
        let mut problems = Problems::new();
        problems.push(Problem::error(code, why).help(help));
        self.problems(&problems, &Sources::new());
        ExitCode::Invalid
    }
}

/// Who runs this: the user's name as far as it is known.
pub fn operator() -> String {
    wire::variable("SUDO_USER")
        .or_else(|| wire::variable("USER"))
        .or_else(|| wire::variable("LOGNAME"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Who holds what this process holds.
pub fn holder() -> String {
    format!("{} on {}, process {}", operator(), host(), std::process::id())
}

/// On which host.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Milliseconds since the epoch, as records have them.
pub fn now() -> i64 {
    crate::world::real::clock::now().0
}
