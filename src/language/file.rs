//! Reading a file that may be anything.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::escape::outside;
use crate::error::{Code, FileId, Problem, Problems, Sources, Span};
use crate::language::Limits;

/// Reads a text file of at most [`Limits::bytes`] (1 MiB) into `sources`. `None` means that a problem was added. Only
/// regular files are read, so that no pipe or device can block or never end.
pub fn read_file(path: &Path, sources: &mut Sources, problems: &mut Problems) -> Option<FileId> {
    let shown = path.display().to_string();
    match bytes(path, &shown, Limits::default().bytes) {
        Ok(bytes) => text(bytes, shown, sources, problems),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn bytes(path: &Path, shown: &str, most: usize) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Problem::error(Code::FileNotFound, format!("`{}` does not exist", outside(shown, 300)))
        }
        ErrorKind::IsADirectory => not_a_file(shown, "it is a folder"),
        _ => {
            Problem::error(Code::FileUnreadable, format!("`{}` cannot be read: {error}", outside(shown, 300)))
        }
    };
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(|error| unreadable(&error))?;
    let about = file.metadata().map_err(|error| unreadable(&error))?;
    if about.is_dir() {
        return Err(not_a_file(shown, "it is a folder"));
    }
    if !about.is_file() {
        return Err(not_a_file(shown, "it is a pipe, socket or device"));
    }
    let bytes = bounded(&file, most).map_err(|error| unreadable(&error))?;
    // The size on disk is only a claim: what was read decides.
    if bytes.len() > most {
        let size = about.len().max(bytes.len() as u64);
        let message = format!("`{}` has {size} bytes; at most {most} are read", outside(shown, 300));
        return Err(Problem::error(Code::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Reads one byte more than allowed at most.
fn bounded(file: &File, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_a_file(shown: &str, why: &str) -> Problem {
    Problem::error(Code::NotAFile, format!("`{}` is not a regular file: {why}", outside(shown, 300)))
}

fn text(bytes: Vec<u8>, shown: String, sources: &mut Sources, problems: &mut Problems) -> Option<FileId> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Some(sources.add(shown, text)),
        Err(error) => error,
    };
    let bytes = error.as_bytes();
    let at = error.utf8_error().valid_up_to();
    let byte = bytes.get(at).copied().unwrap_or_default();
    let problem = Problem::error(Code::NotUtf8, format!("the byte 0x{byte:02X} is not UTF-8 text"));
    let problem = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => problem.help("this looks like UTF-16: save the file as UTF-8"),
        _ if bytes.contains(&0) => problem.help("this does not look like a text file: check the path"),
        _ => problem,
    };
    // The replacement character takes three bytes; all before it stays where it is.
    let file = sources.add(shown, String::from_utf8_lossy(bytes).into_owned());
    problems.push(problem.at(Span::new(file, at..at + '\u{fffd}'.len_utf8())));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn read(path: &Path) -> Result<String, String> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        match read_file(path, &mut sources, &mut problems) {
            Some(file) => Ok(sources.text(file).to_owned()),
            None => {
                let problem = problems.iter().next().unwrap();
                let place = problem.span.and_then(|span| sources.line_column(span));
                let place =
                    place.map(|place| format!("{}:{} ", place.line, place.column)).unwrap_or_default();
                let folder = path.parent().unwrap().display().to_string();
                Err(format!("{place}{} {}", problem.code, problem.message.replace(&folder, "")))
            }
        }
    }

    #[test]
    fn regular_files_are_read_and_everything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert_eq!(read(&write("good", "größe".as_bytes())), Ok("größe".to_owned()));
        assert_eq!(read(&write("empty", b"")), Ok(String::new()));
        let limit = vec![b'x'; 1 << 20];
        assert!(read(&write("limit", &limit)).is_ok());
        insta::assert_snapshot!(read(&write("large", &[limit.as_slice(), b"x"].concat())).unwrap_err(), @"MR0004 `/large` has 1048577 bytes; at most 1048576 are read");
        insta::assert_snapshot!(read(&write("latin1", b"a: 1\nb: gr\xf6\xdfe\n")).unwrap_err(), @"2:6 MR0005 the byte 0xF6 is not UTF-8 text");
        insta::assert_snapshot!(read(&write("utf16", b"\xff\xfea\0")).unwrap_err(), @"1:1 MR0005 the byte 0xFF is not UTF-8 text");
        insta::assert_snapshot!(read(&folder.path().join("missing")).unwrap_err(), @"MR0001 `/missing` does not exist");
        insta::assert_snapshot!(read(&write("plain", b"").join("below")).unwrap_err().replace("/plain", ""), @"MR0001 `/below` does not exist");
        insta::assert_snapshot!(read(&folder.path().join(".")).unwrap_err().contains("it is a folder"), @"true");
        insta::assert_snapshot!(read(Path::new("/dev/zero")).unwrap_err(), @"MR0002 `/zero` is not a regular file: it is a pipe, socket or device");
    }

    #[test]
    fn a_pipe_that_nobody_writes_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(read(&path).unwrap_err().contains("MR0002"));
    }

    #[test]
    fn a_file_without_permission_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser may read it all the same.
        if let Err(message) = read(&path) {
            assert!(message.contains("MR0003"), "{message}");
        }
    }
}
