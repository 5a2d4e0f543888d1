//! Reading a file that may be anything: bounded, regular, UTF-8.

use crate::error::{Code, FileId, Problem, Problems, Sources};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a text file of at most [`super::tree::Limits::bytes`] (1 MiB) into `sources`. `None` means a problem was added.
pub fn read_file(path: &Path, sources: &mut Sources, problems: &mut Problems) -> Option<FileId> {
    let shown = path.display().to_string();
    let limit = super::tree::Limits::default().bytes;
    let mut fail = |code: Code, why: String| {
        problems.push(Problem::error(code, why));
        None
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return fail(Code::FileNotFound, format!("`{shown}` does not exist"));
        }
        Err(error) => return fail(Code::FileUnreadable, format!("`{shown}` cannot be read: {error}")),
    };
    if !metadata.is_file() {
        return fail(Code::NotAFile, format!("`{shown}` is not a regular file"));
    }
    let mut bytes = Vec::new();
    // Bounded whatever the metadata said: the file may grow while it is read.
    let read = File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return fail(Code::FileUnreadable, format!("`{shown}` cannot be read: {error}"));
    }
    if bytes.len() > limit {
        return fail(Code::FileTooLarge, format!("`{shown}` has more than {limit} bytes"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(sources.add(shown, text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            fail(Code::NotUtf8, format!("`{shown}` is not UTF-8 at byte {at}"))
        }
    }
}
