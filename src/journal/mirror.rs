//! A second copy of a run, on a best effort: somewhere else, in case this disk is lost.
//!
//! It is written by a thread of its own behind a queue that is bounded and never waited for, so a mirror that is slow, full or gone cannot
//! hold a run up. What it misses, it misses from there on: a copy with a gap proves nothing. The next process catches it up.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines that may wait. A line is at most a few dozen KiB.
const QUEUE: usize = 1024;
/// How long a run waits for its mirror to open, and at its end for what is still queued.
const PATIENCE: Duration = Duration::from_millis(500);

/// The first thing that went wrong, in words.
type Trouble = Arc<Mutex<Option<String>>>;

/// A mirror that is being written.
#[derive(Debug)]
pub struct Mirror {
    folder: PathBuf,
    lines: Option<SyncSender<Vec<u8>>>,
    done: Receiver<()>,
    trouble: Trouble,
}

fn note(trouble: &Trouble, why: impl FnOnce() -> String) {
    trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(why);
}

impl Mirror {
    /// Begins to copy a run's folder into `root/<the folder's name>`, first what stands in it already. Waits half a second at most;
    /// [`Mirror::trouble`] tells how it went.
    pub fn begin(root: &Path, run: &Path) -> Self {
        let folder = root.join(run.file_name().unwrap_or_default());
        let (lines, queue) = sync_channel::<Vec<u8>>(QUEUE);
        let (opened_now, opened) = channel();
        let (done_now, done) = channel();
        let trouble = Trouble::default();
        let (own, to, from) = (Arc::clone(&trouble), folder.clone(), run.to_path_buf());
        // Lines from here on come through the queue: one that opens late must not find them in the journal, too.
        let until = std::fs::metadata(run.join("journal.jsonl")).map_or(0, |journal| journal.len());
        let thread = std::thread::Builder::new().name("mirror".into()).spawn(move || {
            let written = catch_up(&to, &from, until).and_then(|mut file| {
                let _nobody_waits = opened_now.send(());
                for line in queue {
                    file.write_all(&line)?;
                    file.sync_data()?;
                }
                Ok(())
            });
            if let Err(error) = written {
                note(&own, || error.to_string());
            }
            drop((opened_now, done_now));
        });
        if let Err(error) = thread {
            note(&trouble, || error.to_string());
        }
        let mirror = Self { folder, lines: Some(lines), done, trouble };
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = opened.recv_timeout(PATIENCE) {
            note(&mirror.trouble, || format!("it did not open within {} ms", PATIENCE.as_millis()));
        }
        mirror
    }

    /// Where the copy is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Queues a line, with its newline. Never waits.
    pub fn line(&mut self, line: &str) {
        let Some(lines) = &self.lines else { return };
        let full = match lines.try_send(line.as_bytes().to_vec()) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => true,
            Err(TrySendError::Disconnected(_)) => false,
        };
        if full {
            note(&self.trouble, || format!("it fell behind by {QUEUE} records"));
        }
        self.lines = None;
    }

    /// What went wrong, if something did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets it write what is queued, for half a second at most; tells what went wrong.
    pub fn finish(mut self) -> Result<PathBuf, String> {
        self.lines = None;
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.done.recv_timeout(PATIENCE) {
            note(&self.trouble, || format!("it was not written within {} ms", PATIENCE.as_millis()));
        }
        match self.trouble() {
            None => Ok(self.folder),
            Some(why) => Err(why),
        }
    }
}

/// Whether a file of this name belongs to a run that was closed as it is.
pub fn is_name(name: &str) -> bool {
    let number = name.strip_prefix("abandoned").and_then(|rest| rest.strip_suffix(".json"));
    number.is_some_and(|number| {
        number.is_empty()
            || number.strip_prefix('-').is_some_and(|digits| {
                (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
    })
}

fn regular(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            Err(std::io::Error::other(format!("{} is not a regular file", path.display())))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the copy as far as the run was when it began, `until` bytes of its journal, and opens it for more.
fn catch_up(to: &Path, from: &Path, until: u64) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for name in std::fs::read_dir(from)?.flatten().map(|entry| entry.file_name()) {
        // The plan, and what was recorded beside a damaged journal.
        if name == "plan.json" || is_name(&name.to_string_lossy()) {
            copy(&to.join(&name), &std::fs::read(from.join(&name))?)?;
        }
    }
    let path = to.join("journal.jsonl");
    regular(&path)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    // A mirror that is the journal itself would write each line twice into it.
    let (copy, own) = (file.metadata()?, std::fs::metadata(from.join("journal.jsonl"))?);
    if (copy.dev(), copy.ino()) == (own.dev(), own.ino()) {
        return Err(std::io::Error::other("it is the state folder itself"));
    }
    let mut there = Vec::new();
    file.read_to_end(&mut there)?;
    let mut here = Vec::new();
    File::open(from.join("journal.jsonl"))?.take(until).read_to_end(&mut here)?;
    // A mirror that was cut off in the middle of a line goes on; one that says something else is somebody's evidence.
    let whole = there.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let Some(rest) = there.get(..whole).and_then(|there| here.strip_prefix(there)) else {
        return Err(std::io::Error::other(format!("{} is not a beginning of this journal", path.display())));
    };
    file.set_len(whole as u64)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(rest)?;
    file.sync_data()?;
    Ok(file)
}

fn copy(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    regular(path)?;
    match std::fs::read(path) {
        Ok(there) if there == bytes => return Ok(()),
        // Cut off while it was written: it goes on. Anything else is somebody's evidence.
        Ok(there) if !bytes.starts_with(&there) => {
            return Err(std::io::Error::other(format!("{} says something else", path.display())));
        }
        Ok(_) | Err(_) => {}
    }
    // Whole or not there, also when this is cut off.
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    regular(&new)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::Storage as _;
    use super::super::file::Journal;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    struct Place {
        _folder: tempfile::TempDir,
        root: PathBuf,
        run: PathBuf,
        copy: PathBuf,
        journal: Journal,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (root, run) = (folder.path().join("mirror"), folder.path().join("runs/one"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("plan.json"), "{}").unwrap();
        let journal = Journal::create(&run.join("journal.jsonl"), || 5).unwrap();
        let copy = root.join("one");
        Place { _folder: folder, root, run, copy, journal }
    }

    fn append(journal: &mut Journal, word: &str) {
        let body = serde_json::Map::from_iter([("type".to_string(), serde_json::Value::from(word))]);
        journal.append(body, super::super::Durable::Now).unwrap();
    }

    fn same(place: &Place) {
        let read = |folder: &Path| std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
        assert_eq!(read(&place.run), read(&place.copy));
    }

    #[test]
    fn a_mirror_holds_what_the_journal_holds_and_is_for_its_owner_only() {
        let mut place = place();
        append(&mut place.journal, "before");
        place.journal.mirror(Mirror::begin(&place.root, &place.run));
        append(&mut place.journal, "after");
        assert_eq!(place.journal.finish_mirror(), Some(Ok(place.copy.clone())));
        same(&place);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.root), 0o700);
        assert_eq!(mode(&place.copy), 0o700);
        assert_eq!(mode(&place.copy.join("journal.jsonl")), 0o600);
        assert_eq!(mode(&place.copy.join("plan.json")), 0o600);
    }

    #[test]
    fn a_mirror_that_was_cut_is_caught_up_and_a_strange_one_is_left_alone() {
        let mut place = place();
        append(&mut place.journal, "one");
        append(&mut place.journal, "two");
        let text = std::fs::read(place.run.join("journal.jsonl")).unwrap();
        std::fs::create_dir_all(&place.copy).unwrap();
        for cut in [0, 10, text.len() / 2 + 5, text.len()] {
            std::fs::write(place.copy.join("journal.jsonl"), &text[..cut]).unwrap();
            Mirror::begin(&place.root, &place.run).finish().unwrap();
            same(&place);
        }
        std::fs::write(place.copy.join("journal.jsonl"), "something else\n").unwrap();
        let why = Mirror::begin(&place.root, &place.run).finish().unwrap_err();
        assert!(why.contains("is not a beginning of this journal"), "{why}");
        let left = std::fs::read_to_string(place.copy.join("journal.jsonl")).unwrap();
        assert_eq!(left, "something else\n");
    }

    #[test]
    fn a_plan_that_was_cut_off_in_the_mirror_is_written_whole_and_a_strange_one_is_left_alone() {
        let mut place = place();
        append(&mut place.journal, "one");
        std::fs::create_dir_all(&place.copy).unwrap();
        for cut in ["", "{"] {
            std::fs::write(place.copy.join("plan.json"), cut).unwrap();
            Mirror::begin(&place.root, &place.run).finish().unwrap();
            assert_eq!(std::fs::read_to_string(place.copy.join("plan.json")).unwrap(), "{}");
            same(&place);
        }
        std::fs::write(place.copy.join("plan.json"), "[]").unwrap();
        let why = Mirror::begin(&place.root, &place.run).finish().unwrap_err();
        assert!(why.contains("says something else"), "{why}");
        assert_eq!(std::fs::read_to_string(place.copy.join("plan.json")).unwrap(), "[]");
    }

    #[test]
    fn a_mirror_that_opens_late_holds_each_line_once() {
        let mut place = place();
        append(&mut place.journal, "before");
        let until = std::fs::metadata(place.run.join("journal.jsonl")).unwrap().len();
        // The run goes on while the mirror is being opened: these lines wait in its queue.
        append(&mut place.journal, "meanwhile");
        drop(catch_up(&place.copy, &place.run, until).unwrap());
        let copied = std::fs::metadata(place.copy.join("journal.jsonl")).unwrap().len();
        assert_eq!(copied, until);
    }

    #[test]
    fn a_mirror_that_cannot_be_written_is_told_and_holds_nothing_up() {
        for hindrance in ["file", "pipe", "full"] {
            let mut place = place();
            match hindrance {
                "file" => std::fs::write(&place.root, "").unwrap(),
                // Opening a pipe for writing waits for a reader that never comes.
                "pipe" => {
                    std::fs::create_dir_all(&place.copy).unwrap();
                    let pipe = place.copy.join("journal.jsonl");
                    let made = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
                    assert!(made.success());
                }
                _ => {
                    std::fs::create_dir_all(&place.copy).unwrap();
                    std::os::unix::fs::symlink("/dev/full", place.copy.join("journal.jsonl")).unwrap();
                }
            }
            let began = Instant::now();
            place.journal.mirror(Mirror::begin(&place.root, &place.run));
            for _ in 0..2 * QUEUE {
                append(&mut place.journal, "line");
            }
            let ended = place.journal.finish_mirror().unwrap();
            assert!(ended.is_err(), "{hindrance}");
            assert!(began.elapsed() < Duration::from_secs(30), "{hindrance}: {:?}", began.elapsed());
            assert_eq!(
                super::super::file::read_lines(&place.run.join("journal.jsonl")).unwrap().0.len(),
                2 * QUEUE
            );
        }
    }

    #[test]
    fn a_mirror_that_is_the_state_folder_itself_is_refused() {
        let mut place = place();
        place.journal.mirror(Mirror::begin(place.run.parent().unwrap(), &place.run));
        append(&mut place.journal, "one");
        assert!(place.journal.finish_mirror().unwrap().unwrap_err().contains("the state folder itself"));
        assert_eq!(super::super::file::read_lines(&place.run.join("journal.jsonl")).unwrap().0.len(), 1);
    }

    #[test]
    fn a_mirror_that_hangs_costs_its_bound_and_no_more() {
        let (lines, queue) = sync_channel::<Vec<u8>>(4);
        let (hold, done) = channel();
        let mut mirror =
            Mirror { folder: "nowhere".into(), lines: Some(lines), done, trouble: Trouble::default() };
        let began = Instant::now();
        (0..100).for_each(|_| mirror.line("line\n"));
        assert!(mirror.trouble().unwrap().contains("fell behind"));
        mirror.finish().unwrap_err();
        assert!(began.elapsed() < PATIENCE * 4, "{:?}", began.elapsed());
        drop((queue, hold));
    }
}
