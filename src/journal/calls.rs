//! What a journal asks of the operating system, one call each. A trait, so that a test can let a process die at any of them, and lose
//! what was not synced.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The calls. Each method is one that a process can die before, within, or after.
pub trait Calls: std::fmt::Debug {
    /// Makes a folder that only its owner enters.
    fn make_folder(&self, path: &Path) -> Result<()>;

    /// Makes an empty file that only its owner reads, in place of what has this name.
    fn create(&self, path: &Path) -> Result<File>;

    /// Opens a file that is there, for reading and writing.
    fn open(&self, path: &Path) -> Result<File>;

    /// Reserves so many bytes from the start, and keeps the size. Where the file system cannot, the append itself will tell.
    fn reserve(&self, file: &File, bytes: u64) -> Result<()>;

    /// Writes all of it at this offset.
    fn write(&self, file: &File, at: u64, bytes: &[u8]) -> Result<()>;

    /// Puts content and length on disk.
    fn sync_data(&self, file: &File) -> Result<()>;

    /// Puts everything of a file on disk.
    fn sync(&self, file: &File) -> Result<()>;

    /// Cuts the file off at this length.
    fn cut(&self, file: &File, length: u64) -> Result<()>;

    /// Gives a file another name in the same folder, in place of what has it.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Puts the names in a folder on disk: a file is found again only with its name.
    fn sync_folder(&self, folder: &Path) -> Result<()>;
}

/// The operating system's.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Calls for System {
    fn make_folder(&self, path: &Path) -> Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn create(&self, path: &Path) -> Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
    }

    fn open(&self, path: &Path) -> Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn reserve(&self, file: &File, bytes: u64) -> Result<()> {
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, file: &File, at: u64, bytes: &[u8]) -> Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync_data(&self, file: &File) -> Result<()> {
        file.sync_data()
    }

    fn sync(&self, file: &File) -> Result<()> {
        file.sync_all()
    }

    fn cut(&self, file: &File, length: u64) -> Result<()> {
        file.set_len(length)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        File::open(folder)?.sync_all()
    }
}
