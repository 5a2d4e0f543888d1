//! What the writers were told, in the order in which they were told it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::lab::Region;

pub(super) struct Journal {
    /// Distinguishes this load's orders from those of others in the same table.
    pub(super) load: String,
    pub(super) began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default, Clone)]
pub(super) struct Inner {
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) attempted: u64,
    pub(super) errors: BTreeMap<String, u64>,
}

/// One acknowledged order.
#[derive(Clone)]
pub(super) struct Acknowledged {
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) region: Region,
    pub(super) long: bool,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self {
            load: uuid::Uuid::now_v7().simple().to_string(),
            began: Instant::now(),
            inner: Mutex::default(),
        }
    }

    pub(super) fn id(&self, client: u32, seq: i64) -> String {
        format!("{}-{client}-{seq}", self.load)
    }

    pub(super) fn attempt(&self) {
        self.change(|inner| inner.attempted += 1);
    }

    pub(super) fn acknowledge(&self, id: String, region: Region, long: bool) {
        // The time is taken under the lock: the list is sorted by it.
        self.change(|inner| inner.acknowledged.push(Acknowledged { id, at: Instant::now(), region, long }));
    }

    pub(super) fn error(&self, kind: &str) {
        self.change(|inner| *inner.errors.entry(kind.to_owned()).or_default() += 1);
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.len()
    }

    pub(super) fn read(&self) -> Inner {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
