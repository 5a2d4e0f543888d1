//! The lock that keeps two processes on one host from driving the same run or the same resources.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A held lock; released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
    /// Where it is.
    pub path: PathBuf,
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("{what} is held by {holder}")]
    Held {
        /// What is locked.
        what: String,
        /// Who wrote themselves into the lock file: host, process, operator, since when.
        holder: String,
    },
    /// The file could not be made or read.
    #[error("the lock file {path} cannot be used: {why}")]
    Unusable {
        /// Where.
        path: PathBuf,
        /// The operating system's reason.
        why: String,
    },
}

impl FileLock {
    /// Takes the lock without waiting and writes the holder into the file.
    pub fn take(path: &Path, what: &str, holder: &str) -> Result<Self, LockError> {
        let unusable =
            |error: std::io::Error| LockError::Unusable { path: path.into(), why: error.to_string() };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = (&mut file).take(400).read_to_string(&mut holder);
                let holder =
                    if read.is_err() || holder.is_empty() { "an unnamed process".into() } else { holder };
                return Err(LockError::Held { what: what.into(), holder: holder.trim().into() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0).map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        file.write_all(holder.as_bytes()).map_err(unusable)?;
        Ok(Self { _file: file, path: path.into() })
    }
}

/// Whether somebody holds the lock of this file now. Takes nothing and writes nothing.
pub fn is_held(path: &Path) -> bool {
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::take(&path, "cluster orders", "ada on bastion-1, process 7").unwrap();
        let refused = FileLock::take(&path, "cluster orders", "bob").unwrap_err();
        assert_eq!(refused.to_string(), "cluster orders is held by ada on bastion-1, process 7");
        assert!(is_held(&path));
        drop(held);
        assert!(!is_held(&path) && !is_held(&folder.path().join("none")));
        FileLock::take(&path, "cluster orders", "bob").unwrap();
    }
}
