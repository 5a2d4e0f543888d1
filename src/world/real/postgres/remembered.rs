//! What the writer of heartbeats remembers: one small file a cluster, replaced whole, in a folder of the state.

use crate::journal::lock::{FileLock, LockError};
use crate::world::postgres::heartbeat::{Beat, Turn};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Form of the file.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    /// None of these were acknowledged by anyone else.
    beat: Beat,
}

fn path(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(format!("{cluster}.json"))
}

/// The last heartbeat that was acknowledged, as remembered here.
pub fn last(folder: &Path, cluster: &str) -> Result<Option<Beat>, String> {
    let path = path(folder, cluster);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    match serde_json::from_str::<File>(&text) {
        Ok(file) if file.format == FORMAT => Ok(Some(file.beat)),
        Ok(file) => {
            Err(format!("{} has format {}, and this version reads {FORMAT}", path.display(), file.format))
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// The one who writes heartbeats of a cluster for this state folder.
#[derive(Debug)]
pub struct Writer {
    _lock: FileLock,
    folder: PathBuf,
    cluster: String,
    id: String,
    number: u64,
}

impl Writer {
    /// Takes the place, or says who has it.
    pub fn take(folder: &Path, cluster: &str, holder: &str) -> Result<Self, LockError> {
        let unusable = |why: String| LockError::Unusable { path: folder.into(), why };
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unusable(error.to_string()))?;
        let what = format!("the heartbeat of {cluster}");
        let lock = FileLock::take(&folder.join(format!("{cluster}.lock")), &what, holder)?;
        // One that cannot be read is replaced with the first that is acknowledged: it remembers nothing that anybody could use.
        let last = last(folder, cluster).unwrap_or_else(|why| {
            tracing::warn!(%why, "the last heartbeat cannot be read");
            None
        });
        let (id, number) = last.map_or_else(|| (new_id(), 0), |beat| (beat.writer, beat.number));
        Ok(Self { _lock: lock, folder: folder.into(), cluster: cluster.into(), id, number })
    }

    /// The next one. A number that may have been used is not used again.
    pub fn next(&mut self, at_ms: i64) -> Turn {
        self.number += 1;
        Turn { writer: self.id.clone(), number: self.number, at_ms }
    }

    /// Begins anew: the row has greater numbers than this writer, whose file is older than the truth, or a copy.
    pub fn anew(&mut self) {
        (self.id, self.number) = (new_id(), 0);
    }

    /// Remembers one that was acknowledged. Not synced: what a power failure loses was counted for less time, and says so.
    pub fn remember(&self, beat: &Beat) -> std::io::Result<()> {
        let text = serde_json::to_string(&File { format: FORMAT, beat: beat.clone() })?;
        let (path, new) =
            (path(&self.folder, &self.cluster), self.folder.join(format!("{}.new", self.cluster)));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        drop(file);
        std::fs::rename(new, path)
    }
}

fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(turn: &Turn) -> Beat {
        Beat {
            writer: turn.writer.clone(),
            number: turn.number,
            at_ms: turn.at_ms,
            system: "7".into(),
            region: "eu-west".into(),
            timeline: 1,
            flushed: "0/5000100".parse().unwrap(),
            ended: crate::world::postgres::heartbeat::Ended::of_primary("5:5:").unwrap(),
        }
    }

    #[test]
    fn who_comes_next_goes_on_with_the_same_name_and_greater_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("heartbeats");
        assert_eq!(last(&folder, "orders"), Ok(None));
        let mut writer = Writer::take(&folder, "orders", "ada, process 7").unwrap();
        let held = Writer::take(&folder, "orders", "bob").unwrap_err();
        assert_eq!(held.to_string(), "the heartbeat of orders is held by ada, process 7");
        let (first, second) = (writer.next(1), writer.next(2));
        writer.remember(&beat(&second)).unwrap();
        drop(writer);
        let mut writer = Writer::take(&folder, "orders", "bob").unwrap();
        let third = writer.next(3);
        assert!(first.number < second.number && second.number < third.number);
        assert_eq!(
            (&third.writer, last(&folder, "orders").unwrap().unwrap().number),
            (&second.writer, second.number)
        );
        writer.anew();
        assert_ne!(writer.next(4).writer, second.writer);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("orders.json"), "{\"format\":9").unwrap();
        assert!(last(folder.path(), "orders").unwrap_err().contains("orders.json"));
        let mut writer = Writer::take(folder.path(), "orders", "ada").unwrap();
        let turn = writer.next(1);
        writer.remember(&beat(&turn)).unwrap();
        assert_eq!(last(folder.path(), "orders").unwrap().unwrap().number, 1);
    }
}
