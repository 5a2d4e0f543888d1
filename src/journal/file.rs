//! The journal's file: created whole, preallocated, appended durably, read back before it is believed.

use super::calls::{Calls, System};
use super::chain::{self, ChainError, GENESIS, Line};
use super::mirror::Mirror;
use super::{AppendError, Durable, IntentKey, Permit, Storage};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Room that is reserved when a run begins, so that a full disk is found before the freeze and not after it. Bytes.
const RESERVED: u64 = 4 << 20;

/// An open journal. One writer; readers read the file.
#[derive(Debug)]
pub struct Journal {
    calls: Rc<dyn Calls>,
    file: File,
    path: PathBuf,
    /// Length in bytes of the whole lines.
    end: u64,
    seq: u64,
    prev: String,
    /// Set by the first failed write: after it nothing may be appended.
    broken: Option<String>,
    /// The last line that has to be durable soon and is not yet.
    unsettled: Option<String>,
    now: fn() -> i64,
    mirror: Option<Mirror>,
}

/// What opening an existing journal found.
#[derive(Debug)]
pub struct Opened {
    /// The journal, ready to append.
    pub journal: Journal,
    /// The lines, in order.
    pub lines: Vec<Line>,
    /// Bytes of a torn last line that were cut off; the effect that would come next counts as possibly begun.
    pub torn: usize,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read or made.
    #[error("the journal {path} cannot be opened: {why}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The operating system's reason.
        why: String,
    },
    /// A whole line fails its hash: damage or tampering, not a crash.
    #[error("the journal {path} is damaged: {error}")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which line, and how.
        error: ChainError,
    },
}

impl Journal {
    /// Makes the file by write, fsync, rename, fsync of the folder. `now` gives milliseconds since the epoch.
    pub fn create(path: &Path, now: fn() -> i64) -> Result<Self, OpenError> {
        Self::create_by(Rc::new(System), path, now)
    }

    /// The same, by calls of the caller's choice.
    pub fn create_by(calls: Rc<dyn Calls>, path: &Path, now: fn() -> i64) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| OpenError::Io { path: path.into(), why: error.to_string() };
        if path.exists() {
            return Err(OpenError::Io { path: path.into(), why: "it exists already".into() });
        }
        let temporary = path.with_extension("new");
        let file = calls.create(&temporary).map_err(io)?;
        // So that a full disk is met before the first change and not after a freeze.
        calls.reserve(&file, RESERVED).map_err(io)?;
        calls.sync(&file).map_err(io)?;
        calls.rename(&temporary, path).map_err(io)?;
        calls.sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(io)?;
        Ok(Self {
            calls,
            file,
            path: path.into(),
            end: 0,
            seq: 0,
            prev: GENESIS.into(),
            broken: None,
            unsettled: None,
            now,
            mirror: None,
        })
    }

    /// Opens an existing journal for appending: checks every line, cuts a torn last one.
    pub fn open(path: &Path, now: fn() -> i64) -> Result<Opened, OpenError> {
        Self::open_by(Rc::new(System), path, now)
    }

    /// The same, by calls of the caller's choice.
    pub fn open_by(calls: Rc<dyn Calls>, path: &Path, now: fn() -> i64) -> Result<Opened, OpenError> {
        let io = |error: std::io::Error| OpenError::Io { path: path.into(), why: error.to_string() };
        let (lines, whole, torn) = read_lines(path)?;
        let file = calls.open(path).map_err(io)?;
        if torn > 0 {
            calls.cut(&file, whole).map_err(io)?;
            calls.sync(&file).map_err(io)?;
        }
        // Cutting a torn line gives the room behind it back too.
        calls.reserve(&file, RESERVED).map_err(io)?;
        let prev = lines.last().map_or_else(|| GENESIS.to_string(), |line| line.hash.clone());
        let seq = lines.len() as u64;
        let journal = Self {
            calls,
            file,
            path: path.into(),
            end: whole,
            seq,
            prev,
            broken: None,
            unsettled: None,
            now,
            mirror: None,
        };
        Ok(Opened { journal, lines, torn })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of the last line: what a witness elsewhere would keep.
    pub fn head(&self) -> &str {
        &self.prev
    }

    /// Also writes every line there, on a best effort.
    pub fn mirror(&mut self, mirror: Mirror) {
        self.mirror = Some(mirror);
    }

    /// Ends the mirror: where it is, or why it is not whole. Nothing if there is none.
    pub fn finish_mirror(&mut self) -> Option<Result<PathBuf, String>> {
        self.mirror.take().map(Mirror::finish)
    }

    fn write_line(&mut self, body: Map<String, Value>, durable: Durable) -> Result<Line, AppendError> {
        let (mut text, _) = chain::write(self.seq, (self.now)(), &self.prev, body);
        let fail = |why: String, line: &str| AppendError { why, line: line.trim_end().to_string() };
        if let Some(why) = &self.broken {
            return Err(fail(format!("an earlier write failed ({why})"), &text));
        }
        // Fold what a reader would read: the line is parsed back from its own text before anything believes it.
        let line = chain::read(self.seq as usize + 1, &text, &self.prev, self.seq)
            .map_err(|error| fail(error.to_string(), &text))?;
        text.push('\n');
        let written = self.calls.write(&self.file, self.end, text.as_bytes()).and_then(|()| match durable {
            Durable::Now => self.calls.sync_data(&self.file),
            Durable::Later | Durable::Soon => Ok(()),
        });
        if let Err(error) = written {
            self.broken = Some(error.to_string());
            return Err(fail(error.to_string(), &text));
        }
        match durable {
            Durable::Now => self.unsettled = None,
            Durable::Soon => self.unsettled = Some(text.clone()),
            Durable::Later => {}
        }
        self.end += text.len() as u64;
        self.seq += 1;
        self.prev.clone_from(&line.hash);
        if let Some(mirror) = &mut self.mirror {
            mirror.line(&text);
        }
        Ok(line)
    }
}

impl Storage for Journal {
    fn append(&mut self, body: Map<String, Value>, durable: Durable) -> Result<Line, AppendError> {
        self.write_line(body, durable)
    }

    fn settle(&mut self) -> Result<(), AppendError> {
        let Some(line) = self.unsettled.take() else { return Ok(()) };
        self.calls.sync_data(&self.file).map_err(|error| {
            self.broken = Some(error.to_string());
            AppendError { why: error.to_string(), line: line.trim_end().to_string() }
        })
    }

    fn append_intent(
        &mut self,
        key: IntentKey,
        body: Map<String, Value>,
    ) -> Result<(Line, Permit), AppendError> {
        let line = self.write_line(body, Durable::Now)?;
        Ok((line, Permit::new(key)))
    }
}

/// Reads and checks all lines; returns them with the length of the whole lines and of a torn rest, in bytes.
pub fn read_lines(path: &Path) -> Result<(Vec<Line>, u64, usize), OpenError> {
    let (lines, whole, torn, damage) = read_until_damage(path)?;
    match damage {
        Some(error) => Err(OpenError::Damaged { path: path.into(), error }),
        None => Ok((lines, whole, torn)),
    }
}

/// The lines up to the first damage, and what that is.
///
/// # Errors
/// When the file cannot be read at all.
pub fn read_intact(path: &Path) -> Result<(Vec<Line>, Option<ChainError>), OpenError> {
    read_until_damage(path).map(|(lines, _, _, damage)| (lines, damage))
}

type UntilDamage = (Vec<Line>, u64, usize, Option<ChainError>);

fn read_until_damage(path: &Path) -> Result<UntilDamage, OpenError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| OpenError::Io { path: path.into(), why: error.to_string() })?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut lines: Vec<Line> = Vec::new();
    let mut damage = None;
    for (index, raw) in
        bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').enumerate()
    {
        let number = index + 1;
        let prev = lines.last().map_or(GENESIS, |line| line.hash.as_str());
        let line = std::str::from_utf8(raw.strip_suffix(b"\n").unwrap_or(raw))
            .map_err(|error| ChainError::Form { number, why: error.to_string() })
            .and_then(|text| chain::read(number, text, prev, index as u64));
        match line {
            Ok(line) => lines.push(line),
            Err(error) => {
                damage = Some(error);
                break;
            }
        }
    }
    Ok((lines, whole as u64, bytes.len() - whole, damage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn body(text: &str) -> Map<String, Value> {
        Map::from_iter([("type".to_string(), Value::from(text))])
    }

    fn journal_of(lines: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path, || 5).unwrap();
        for line in lines {
            journal.append(body(line), Durable::Now).unwrap();
        }
        (folder, path)
    }

    #[test]
    fn what_was_appended_is_read_back_and_goes_on() {
        let (_folder, path) = journal_of(&["a", "b"]);
        let mut opened = Journal::open(&path, || 6).unwrap();
        assert_eq!(opened.lines.len(), 2);
        assert_eq!(opened.torn, 0);
        opened.journal.append(body("c"), Durable::Now).unwrap();
        assert_eq!(Journal::open(&path, || 6).unwrap().lines.len(), 3);
    }

    #[test]
    fn cut_at_every_byte_it_is_recovered_and_never_invents_a_line() {
        let (_folder, path) = journal_of(&["a", "b", "c"]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let opened = Journal::open(&path, || 6).unwrap();
            let newlines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(opened.lines.len(), newlines, "cut at {length}");
            assert_eq!(opened.torn > 0, length > 0 && whole[length - 1] != b'\n');
        }
    }

    #[test]
    fn flipped_at_every_byte_it_is_refused_or_counts_as_torn() {
        let (_folder, path) = journal_of(&["a", "b", "c"]);
        let whole = std::fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            match Journal::open(&path, || 6) {
                Err(OpenError::Damaged { .. }) => {}
                // Only the last newline may be lost: then the last line counts as torn.
                Ok(opened) => {
                    assert!(position == whole.len() - 1 && opened.lines.len() == 2, "byte {position}")
                }
                Err(error) => panic!("byte {position}: {error}"),
            }
        }
    }

    #[test]
    fn a_failed_write_is_final() {
        let (_folder, path) = journal_of(&["a"]);
        let mut opened = Journal::open(&path, || 6).unwrap();
        opened.journal.file = File::open(&path).unwrap(); // read-only: the write must fail
        assert!(opened.journal.append(body("b"), Durable::Now).is_err());
        opened.journal.file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let error = opened.journal.append(body("b"), Durable::Now).unwrap_err();
        assert!(error.to_string().contains("an earlier write failed"), "{error}");
    }

    #[test]
    fn a_reply_that_cannot_be_made_durable_is_as_final_as_a_failed_write() {
        let (_folder, path) = journal_of(&["a"]);
        let mut journal = Journal::open(&path, || 6).unwrap().journal;
        journal.append(body("later"), Durable::Later).unwrap();
        journal.append(body("reply"), Durable::Soon).unwrap();
        journal.append(body("intent"), Durable::Now).unwrap();
        assert!(journal.unsettled.is_none(), "on disk with what came after it");
        journal.append(body("reply"), Durable::Soon).unwrap();
        journal.file = File::open("/dev/null").unwrap(); // cannot be synced
        let error = journal.settle().unwrap_err();
        assert!(error.line.contains("\"reply\""), "{error:?}");
        assert!(
            journal.append(body("b"), Durable::Now).unwrap_err().to_string().contains("an earlier write")
        );
    }

    #[test]
    fn the_room_is_reserved_and_not_counted_as_content() {
        use std::os::unix::fs::MetadataExt;
        let (_folder, path) = journal_of(&["a"]);
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.len() < 1000);
        assert!(
            metadata.blocks() * 512 >= RESERVED || metadata.blocks() * 512 <= 8192,
            "either reserved or unsupported"
        );
    }
}
