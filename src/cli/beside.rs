//! What is kept beside a journal, outside of its chain: samples of what moved, and a log for whoever has to find a bug. Losing a line
//! of either loses nothing that counts, so nothing waits for them.

use super::setup::now;
use crate::engine::driver::Reader;
use crate::engine::surprise::Surprise;
use crate::engine::{Asked, Progress, Record, RunState};
use crate::journal::chain::Line;
use crate::redact::Redactor;
use crate::world::plausible::{Case, Kept};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// Most bytes of samples in one process: a long wait must not fill the disk that the journal needs.
const MOST: usize = 16 << 20;

fn open(path: &Path) -> std::io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}

/// Sends what the program says of its own work to `debug.log` in the run's folder.
pub fn log(folder: &Path, redactor: &Redactor) {
    let Ok(file) = open(&folder.join("debug.log")) else { return };
    // Only once a process: a second run in it (the demonstration) goes on in the first one's log.
    let _already = tracing_subscriber::fmt()
        .with_writer(Mutex::new(redactor.writer(file)))
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("mrctl=debug"))
        .try_init();
}

/// Readers that see no secret: what is journalled was scrubbed before, what only moves is scrubbed here.
pub struct Clean {
    /// Who reads.
    pub readers: Rc<dyn Reader>,
    /// Knows the secrets.
    pub redactor: Redactor,
}

impl Reader for Clean {
    fn record(&self, line: &Line, record: &Record, state: &RunState) {
        self.readers.record(line, record, state);
    }

    fn progress(&self, progress: &Progress) {
        let mut progress = progress.clone();
        self.redactor.scrub_in_place(&mut progress.evidence);
        self.readers.progress(&progress);
    }

    fn waiting(&self, asked: &Asked) {
        self.readers.waiting(asked);
    }
}

/// Writes every change of what is seen to `samples.jsonl`.
pub struct Samples {
    file: RefCell<Option<(File, usize)>>,
}

impl Samples {
    /// In the run's folder.
    pub fn new(folder: &Path) -> Self {
        let file = open(&folder.join("samples.jsonl")).ok().map(|file| (file, 0));
        Self { file: RefCell::new(file) }
    }
}

impl Reader for Samples {
    fn record(&self, _line: &Line, _record: &Record, _state: &RunState) {}

    fn progress(&self, progress: &Progress) {
        // Scrubbed already, by `Clean`.
        let sample = serde_json::json!({
            "at": now(), "step": progress.step, "effect": progress.effect, "evidence": progress.evidence,
        });
        let line = format!("{sample}\n");
        let mut file = self.file.borrow_mut();
        if let Some((open, written)) = file.as_mut() {
            *written += line.len();
            if *written > MOST || open.write_all(line.as_bytes()).is_err() {
                *file = None;
            }
        }
    }

    fn waiting(&self, _asked: &Asked) {}
}

/// Keeps what no rehearsal can show as cases in `surprises/`. The journal holds the same; the files are there to be sent.
pub struct Surprises {
    folder: PathBuf,
}

impl Surprises {
    /// In the run's folder, with those of its records so far: they are not there where a run was brought from another host.
    pub fn new<'a>(folder: &Path, past: impl IntoIterator<Item = &'a Record>) -> Self {
        let kept = Self { folder: folder.to_path_buf() };
        let cases = past.into_iter().filter_map(|record| match record {
            Record::Surprised { case, .. } => Some(case),
            _ => None,
        });
        for (index, case) in cases.enumerate() {
            kept.keep(index + 1, case);
        }
        kept
    }

    fn keep(&self, number: usize, case: &Case) {
        let path = self.folder.join(Surprise::file(number));
        let write = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let text = serde_json::to_string_pretty(&Kept::of(case))?;
            File::options().write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())
        };
        match write() {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => tracing::warn!(%error, path = %path.display(), "the case was not kept"),
        }
    }
}

impl Reader for Surprises {
    fn record(&self, _line: &Line, record: &Record, state: &RunState) {
        if let Record::Surprised { case, .. } = record {
            self.keep(state.surprises.len(), case);
        }
    }

    fn progress(&self, _progress: &Progress) {}

    fn waiting(&self, _asked: &Asked) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_moves_reaches_no_reader_with_a_secret() {
        struct Heard(RefCell<String>);

        impl Reader for Heard {
            fn record(&self, _line: &Line, _record: &Record, _state: &RunState) {}

            fn progress(&self, progress: &Progress) {
                self.0.borrow_mut().push_str(&progress.evidence);
            }

            fn waiting(&self, _asked: &Asked) {}
        }

        let redactor = Redactor::default();
        redactor.add(&"p@ss/w0rd".to_string().into());
        let heard = Rc::new(Heard(RefCell::default()));
        let readers = Rc::clone(&heard) as Rc<dyn Reader>;
        let evidence = "postgres://u:p%40ss%2Fw0rd@h refused p@ss/w0rd".to_string();
        let progress = Progress { step: "freeze".into(), effect: "read_only".into(), evidence };
        Clean { readers, redactor }.progress(&progress);
        assert_eq!(*heard.0.borrow(), "postgres://u:[redacted]@h refused [redacted]");
    }
}
