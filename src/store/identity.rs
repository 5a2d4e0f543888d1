//! Identities of runs.

use super::Store;
use std::fs;

/// The last millisecond that an identity has room for.
const LAST: u64 = (1 << 48) - 1;

impl Store {
    /// An identity for a new run, begun at this time in milliseconds since the epoch. It sorts behind every run that is there, also if
    /// the clock was ahead then and is not any more: which run was the last is told by it.
    pub fn new_id(&self, now: i64) -> String {
        let of = |name: &str| uuid::Uuid::parse_str(name).ok()?.get_timestamp().map(|time| time.to_unix());
        let names = fs::read_dir(self.runs_folder()).into_iter().flatten().flatten();
        let times = names.filter_map(|entry| of(&entry.file_name().to_string_lossy()));
        let newest = times.map(|(seconds, nanos)| seconds * 1000 + u64::from(nanos) / 1_000_000).max();
        let time = u64::try_from(now).unwrap_or(0).max(newest.map_or(0, |newest| newest + 1)).min(LAST);
        let nanos = u32::try_from(time % 1000 * 1_000_000).unwrap_or(0);
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, time / 1000, nanos)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_sorts_behind_those_that_are_there_also_when_the_clock_went_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path()).unwrap();
        fs::create_dir_all(store.runs_folder().join("not a run")).unwrap();
        let mut ids = Vec::new();
        for now in [1_800_000_000_123, 1_900_000_000_999, 1_800_000_000_456, 0, 1_900_000_000_999] {
            let id = store.new_id(now);
            fs::create_dir_all(store.runs_folder().join(&id)).unwrap();
            ids.push(id);
        }
        assert!(ids.is_sorted(), "{ids:?}");
        let time = |id: &str| uuid::Uuid::parse_str(id).unwrap().get_timestamp().unwrap().to_unix();
        assert_eq!(time(&ids[0]), (1_800_000_000, 123_000_000));
        assert_eq!(time(&ids[2]), (1_900_000_001, 0));
    }
}
