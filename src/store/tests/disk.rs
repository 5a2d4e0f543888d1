//! A disk under the state folder on which a process, or the whole machine, can die at any call.
//!
//! The files are real ones. What the machine would still have after its power was lost is kept beside them: the content of a file as it
//! was last synced, and the names in a folder as they were. A sync and a reservation are not passed on: whether real ones keep
//! their word is not tested here.

use crate::journal::calls::{Calls, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// How much of a write is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its first byte.
    First,
    /// Half of it.
    Half,
    /// All but the last byte, which is the newline of a record.
    ButOne,
}

impl Part {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::First, Self::Half, Self::ButOne];

    fn of(self, length: usize) -> usize {
        match self {
            Self::First => length.min(1),
            Self::Half => length / 2,
            Self::ButOne => length.saturating_sub(1),
        }
    }
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// The process dies before it.
    Before,
    /// The process dies after it: whatever was written is there.
    After,
    /// The process dies in the middle of a write.
    Within(Part),
    /// The machine dies after it: what was not synced is gone.
    Power,
    /// The machine dies after it: of what was written and not synced a part is there.
    PowerTorn(Part),
    /// The machine dies after it: what was written and not synced has its length, and zeros for content.
    PowerZeros,
    /// It fails, nothing of it was done, and the process goes on with that.
    Fails,
    /// A write fails with half of it done, and the process goes on with that.
    FailsWithin,
}

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    MakeFolder,
    Create,
    Open,
    Reserve,
    Write,
    Sync,
    Cut,
    Rename,
    SyncFolder,
}

impl Call {
    /// In how many ways it can go wrong.
    pub fn deaths(self) -> Vec<Death> {
        let mut deaths = vec![Death::Before, Death::After, Death::Power, Death::Fails];
        if self == Self::Write {
            deaths.extend(Part::ALL.map(Death::Within));
            deaths.extend([Death::PowerTorn(Part::Half), Death::PowerTorn(Part::ButOne)]);
            deaths.extend([Death::PowerZeros, Death::FailsWithin]);
        }
        deaths
    }
}

/// What stands under a name when the power comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Folder,
    File(u64),
}

/// See the module.
pub struct Disk {
    root: PathBuf,
    /// Calls so far, of this life.
    made: RefCell<Vec<Call>>,
    fate: Cell<Option<(usize, Death)>>,
    dead: Cell<bool>,
    /// Content of each file as it was last synced, by inode.
    synced: RefCell<BTreeMap<u64, Vec<u8>>>,
    /// Names as their folders were last synced.
    names: RefCell<BTreeMap<PathBuf, Named>>,
    /// Whether content that is synced is forgotten all the same: a disk that lies, or a journal that does not sync.
    pub lies: Cell<bool>,
    /// Looks at the world at each call.
    witness: Box<dyn Fn()>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the disk at {}", self.root.display())
    }
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

impl Disk {
    /// Everything that is in the folder is on disk.
    pub fn new(root: &Path, witness: Box<dyn Fn()>) -> Self {
        let disk = Self {
            root: root.to_path_buf(),
            made: RefCell::default(),
            fate: Cell::new(None),
            dead: Cell::new(false),
            synced: RefCell::default(),
            names: RefCell::default(),
            lies: Cell::new(false),
            witness,
        };
        disk.everything_is_synced(root);
        disk
    }

    /// A process begins: at this call, counted from 0, that happens.
    pub fn begin(&self, fate: Option<(usize, Death)>) {
        self.made.borrow_mut().clear();
        self.fate.set(fate);
        self.dead.set(false);
    }

    /// Whether the process has died.
    pub fn died(&self) -> bool {
        self.dead.get()
    }

    /// The calls of this life.
    pub fn made(&self) -> Vec<Call> {
        self.made.borrow().clone()
    }

    fn everything_is_synced(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.names.borrow_mut().insert(path.clone(), Named::Folder);
                self.everything_is_synced(&path);
            } else {
                let file = File::open(&path).unwrap();
                self.synced.borrow_mut().insert(inode(&file), content(&file));
                self.names.borrow_mut().insert(path, Named::File(inode(&file)));
            }
        }
    }

    /// The power comes back. `left`: how much more than was synced a file has; length that was written and not synced comes in.
    fn power_comes_back(&self, left: impl Fn(&[u8], &[u8]) -> Vec<u8>) {
        let (names, synced) = (self.names.take(), self.synced.take());
        let content_of = |path: &Path, of: u64| -> Vec<u8> {
            let before = synced.get(&of).cloned().unwrap_or_default();
            let now = File::open(path).ok().filter(|file| inode(file) == of).map(|file| content(&file));
            match now {
                Some(now) if now.starts_with(&before) => left(&before, &now),
                Some(_) | None => before,
            }
        };
        let found: Vec<(&PathBuf, Option<Vec<u8>>)> = names
            .iter()
            .map(|(path, named)| match named {
                Named::Folder => (path, None),
                Named::File(of) => (path, Some(content_of(path, *of))),
            })
            .collect();
        for entry in fs::read_dir(&self.root).unwrap().flatten() {
            match entry.path().is_dir() {
                true => fs::remove_dir_all(entry.path()).unwrap(),
                false => fs::remove_file(entry.path()).unwrap(),
            }
        }
        // In the order of their paths, a folder comes before what is in it; what is in one that is gone is gone with it.
        for (path, content) in found.into_iter().filter(|(path, _)| path.parent().unwrap().exists()) {
            match content {
                None => fs::create_dir(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
        }
        self.everything_is_synced(&self.root);
    }

    fn lose_power(&self, death: Death) {
        match death {
            Death::PowerTorn(part) => self.power_comes_back(|before, now| {
                now[..before.len() + part.of(now.len() - before.len())].to_vec()
            }),
            Death::PowerZeros => self.power_comes_back(|before, now| {
                let mut bytes = before.to_vec();
                bytes.resize(now.len(), 0);
                bytes
            }),
            _ => self.power_comes_back(|before, _| before.to_vec()),
        }
    }

    /// Makes a call, or dies. `part`: does so much of it.
    fn call<T>(
        &self,
        call: Call,
        make: impl FnOnce() -> Result<T>,
        part: impl FnOnce(Part) -> Result<()>,
    ) -> Result<T> {
        let killed = || Error::other("the process was killed");
        let full = || Error::new(ErrorKind::StorageFull, "no space left on device");
        if self.dead.get() {
            return Err(killed());
        }
        (self.witness)();
        let number = self.made.borrow().len();
        self.made.borrow_mut().push(call);
        let Some((_, death)) = self.fate.get().filter(|(at, _)| *at == number) else { return make() };
        self.dead.set(!matches!(death, Death::Fails | Death::FailsWithin));
        match death {
            Death::Before => {}
            Death::After => drop(make()?),
            Death::Within(length) => part(length)?,
            Death::Power | Death::PowerTorn(_) | Death::PowerZeros => {
                drop(make()?);
                self.lose_power(death);
            }
            Death::Fails => return Err(full()),
            Death::FailsWithin => {
                part(Part::Half)?;
                return Err(full());
            }
        }
        Err(killed())
    }

    fn sync_content(&self, file: &File) -> Result<()> {
        let none = |_| Ok(());
        self.call(
            Call::Sync,
            || {
                if !self.lies.get() {
                    self.synced.borrow_mut().insert(inode(file), content(file));
                }
                Ok(())
            },
            none,
        )
    }
}

impl Calls for Disk {
    fn make_folder(&self, path: &Path) -> Result<()> {
        self.call(Call::MakeFolder, || System.make_folder(path), |_| Ok(()))
    }

    fn create(&self, path: &Path) -> Result<File> {
        self.call(Call::Create, || System.create(path), |_| Ok(()))
    }

    fn open(&self, path: &Path) -> Result<File> {
        self.call(Call::Open, || System.open(path), |_| Ok(()))
    }

    fn reserve(&self, _: &File, _: u64) -> Result<()> {
        self.call(Call::Reserve, || Ok(()), |_| Ok(()))
    }

    fn write(&self, file: &File, at: u64, bytes: &[u8]) -> Result<()> {
        let part = |part: Part| System.write(file, at, &bytes[..part.of(bytes.len())]);
        self.call(Call::Write, || System.write(file, at, bytes), part)
    }

    fn sync_data(&self, file: &File) -> Result<()> {
        self.sync_content(file)
    }

    fn sync(&self, file: &File) -> Result<()> {
        self.sync_content(file)
    }

    fn cut(&self, file: &File, length: u64) -> Result<()> {
        self.call(Call::Cut, || System.cut(file, length), |_| Ok(()))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call(Call::Rename, || System.rename(from, to), |_| Ok(()))
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        let sync = || {
            let entries: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
            let mut names = self.names.borrow_mut();
            names.retain(|path, _| path.parent() != Some(folder) || entries.contains(path));
            for path in entries {
                let named = match path.is_dir() {
                    true => Named::Folder,
                    false => Named::File(inode(&File::open(&path)?)),
                };
                names.insert(path, named);
            }
            Ok(())
        };
        self.call(Call::SyncFolder, sync, |_| Ok(()))
    }
}
