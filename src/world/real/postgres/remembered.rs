//! What the writer of heartbeats remembers: one small file a cluster, replaced whole, in a folder of the state.

use crate::journal::lock::{FileLock, LockError};
use crate::world::postgres::heartbeat::{Beat, Turn};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Form of the file.
const FORMAT: u32 = 1;
/// Heartbeats of so many timelines are remembered: what was acknowledged before a promotion is compared with what is there behind it.
const TIMELINES: usize = 4;
/// Most ranges of numbers that were not acknowledged; the oldest two become one.
const RANGES: usize = 64;

#[derive(Clone, Serialize, Deserialize)]
struct Memory {
    format: u32,
    /// Who writes.
    writer: String,
    /// The last one of each timeline, the newest behind.
    beats: Vec<Beat>,
}

fn path(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(format!("{cluster}.json"))
}

fn read(folder: &Path, cluster: &str) -> Result<Option<Memory>, String> {
    let path = path(folder, cluster);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    match serde_json::from_str::<Memory>(&text) {
        Ok(memory) if memory.format == FORMAT => Ok(Some(memory)),
        Ok(memory) => {
            Err(format!("{} has format {}, and this version reads {FORMAT}", path.display(), memory.format))
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// The last heartbeat that was acknowledged, as remembered here; only of a timeline before this one, if one is given.
pub fn last(folder: &Path, cluster: &str, before: Option<u32>) -> Result<Option<Beat>, String> {
    let memory = read(folder, cluster)?;
    let mut beats = memory.into_iter().flat_map(|memory| memory.beats);
    Ok(beats.rfind(|beat| before.is_none_or(|timeline| beat.timeline < timeline)))
}

/// The one who writes heartbeats of a cluster for this state folder.
#[derive(Debug)]
pub struct Writer {
    _lock: FileLock,
    folder: PathBuf,
    cluster: String,
    id: String,
    number: u64,
    missed: Vec<(u64, u64)>,
    beats: Vec<Beat>,
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
        let memory = read(folder, cluster).unwrap_or_else(|why| {
            tracing::warn!(%why, "the last heartbeat cannot be read");
            None
        });
        let (id, beats) =
            memory.map_or_else(|| (new_id(), Vec::new()), |memory| (memory.writer, memory.beats));
        let (number, missed) =
            beats.last().map_or_else(Default::default, |beat| (beat.number, beat.missed.clone()));
        Ok(Self { _lock: lock, folder: folder.into(), cluster: cluster.into(), id, number, missed, beats })
    }

    /// The last one that was acknowledged.
    pub fn last(&self) -> Option<&Beat> {
        self.beats.last()
    }

    /// The next one. A number that may have been used is not used again.
    pub fn next(&mut self, at_ms: i64, system: &str, timeline: u32) -> Turn {
        self.number += 1;
        let writer = format!("{}/{timeline}", self.id);
        Turn { writer, number: self.number, at_ms, system: system.into(), timeline }
    }

    /// This one was not acknowledged.
    pub fn miss(&mut self, number: u64) {
        match self.missed.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => self.missed.push((number, number)),
        }
        if self.missed.len() > RANGES {
            // Some between them were acknowledged, and count as missed from here on: less is claimed.
            let (from, _) = self.missed.remove(0);
            self.missed[0].0 = from;
        }
    }

    /// The one that was just missed was acknowledged after all.
    pub fn acknowledged(&mut self, number: u64) {
        let Some((from, to)) = self.missed.pop() else { return };
        if to != number {
            self.missed.push((from, to));
        } else if from < to {
            self.missed.push((from, to - 1));
        }
    }

    /// Begins anew: the row has a number that is not remembered. It was committed right before its writer was killed, or the memory is a
    /// copy, and another writes by its name.
    pub fn anew(&mut self) {
        (self.id, self.number, self.missed) = (new_id(), 0, Vec::new());
    }

    /// Remembers one that was acknowledged.
    pub async fn remember(&mut self, beat: Beat) -> std::io::Result<Beat> {
        let beat = Beat { missed: self.missed.clone(), ..beat };
        self.beats.retain(|known| (&known.system, known.timeline) != (&beat.system, beat.timeline));
        self.beats.push(beat.clone());
        if self.beats.len() > TIMELINES {
            self.beats.remove(0);
        }
        let memory = Memory { format: FORMAT, writer: self.id.clone(), beats: self.beats.clone() };
        let (path, new) =
            (path(&self.folder, &self.cluster), self.folder.join(format!("{}.new", self.cluster)));
        // A disk that hangs must not hold up the run beside which it beats.
        let written = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            let text = serde_json::to_string(&memory)?;
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            std::fs::rename(new, path)
        });
        written.await.map_err(std::io::Error::other)??;
        Ok(beat)
    }
}

fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::postgres::heartbeat::Ended;

    fn beat(turn: &Turn) -> Beat {
        Beat {
            writer: turn.writer.clone(),
            number: turn.number,
            missed: Vec::new(),
            at_ms: turn.at_ms,
            system: turn.system.clone(),
            region: "eu-west".into(),
            timeline: turn.timeline,
            flushed: "0/5000100".parse().unwrap(),
            ended: Ended { below: 5, until: 5, running: Some(Vec::new()) },
        }
    }

    #[tokio::test]
    async fn who_comes_next_goes_on_with_the_same_name_and_greater_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("heartbeats");
        assert_eq!(last(&folder, "orders", None), Ok(None));
        let mut writer = Writer::take(&folder, "orders", "ada, process 7").unwrap();
        let held = Writer::take(&folder, "orders", "bob").unwrap_err();
        assert_eq!(held.to_string(), "the heartbeat of orders is held by ada, process 7");
        let first = writer.next(1, "7", 1);
        writer.miss(first.number);
        writer.miss(first.number + 1);
        writer.acknowledged(first.number + 1);
        let second = writer.next(2, "7", 1);
        writer.remember(beat(&second)).await.unwrap();
        drop(writer);
        let mut writer = Writer::take(&folder, "orders", "bob").unwrap();
        assert_eq!(writer.last().unwrap().missed, [(1, 1)], "what was missed is not forgotten");
        let third = writer.next(3, "7", 1);
        assert!(first.number < second.number && second.number < third.number);
        assert_eq!(third.writer, second.writer);
        // Behind a promotion another row is written, and what was acknowledged before is still known.
        writer.remember(beat(&third)).await.unwrap();
        let fourth = writer.next(4, "7", 2);
        assert_ne!(fourth.writer, third.writer);
        writer.remember(beat(&fourth)).await.unwrap();
        let known = |before| last(&folder, "orders", before).unwrap().map(|beat| beat.number);
        assert_eq!((known(None), known(Some(2)), known(Some(1))), (Some(4), Some(3), None));
        writer.anew();
        assert_ne!(writer.next(4, "7", 2).writer, fourth.writer);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_said_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("orders.json"), "{\"format\":9").unwrap();
        assert!(last(folder.path(), "orders", None).unwrap_err().contains("orders.json"));
        let mut writer = Writer::take(folder.path(), "orders", "ada").unwrap();
        let turn = writer.next(1, "7", 1);
        writer.remember(beat(&turn)).await.unwrap();
        assert_eq!(last(folder.path(), "orders", None).unwrap().unwrap().number, 1);
    }

    #[test]
    fn many_misses_are_kept_in_few_words_and_never_count_as_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::take(folder.path(), "orders", "ada").unwrap();
        for number in (1..=400).filter(|number| number % 4 != 0) {
            writer.miss(number);
        }
        assert_eq!(writer.missed.len(), RANGES);
        let misses = |number: u64| writer.missed.iter().any(|(from, to)| (*from..=*to).contains(&number));
        assert!((1..=400).filter(|number| number % 4 != 0).all(misses) && !misses(400) && !misses(396));
    }
}
