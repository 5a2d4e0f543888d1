//! States that were searched on from, with how many faults they had left then. Several workers share it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Parts of the table, so that workers seldom wait for each other.
const SHARDS: usize = 64;

/// What a state is to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Never seen.
    New,
    /// Seen, with fewer faults left.
    Again,
    /// Seen, with as many left: nothing new comes of it.
    Known,
}

/// The states of one search.
#[derive(Debug)]
pub struct Seen(Vec<Mutex<HashMap<u128, u32>>>);

impl Default for Seen {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Seen {
    /// Notes a state with so many faults left.
    pub fn meet(&self, state: u128, left: u32) -> Met {
        let shard = &self.0[(state as usize) % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(&state) {
            Some(before) if *before >= left => Met::Known,
            Some(before) => {
                *before = left;
                Met::Again
            }
            None => {
                shard.insert(state, left);
                Met::New
            }
        }
    }

    /// How many distinct states there are.
    pub fn len(&self) -> u64 {
        let lengths = self.0.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len());
        lengths.map(|length| length as u64).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
