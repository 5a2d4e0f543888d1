//! States that were searched on from, with how many faults they had left then. Several workers share it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
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

/// What follows from a state, which one of several workers takes: number of the state, faults left there, and which of those that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim(u64);

impl Claim {
    /// None where there is no room for it: then each of them takes it.
    pub fn new(state: u32, left: u32, which: u32) -> Option<Self> {
        let fits = left < 1 << 4 && which < 1 << 20;
        fits.then(|| Self(u64::from(state) << 24 | u64::from(left) << 20 | u64::from(which)))
    }
}

/// A state is a hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, state: u128) {
        // Its low bits chose the part.
        self.0 = (state >> 64) as u64;
    }
}

/// A state that was searched on from.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its number, in the order in which they were seen.
    number: u32,
    /// Faults left then.
    left: u32,
}

type Shard = HashMap<u128, Entry, BuildHasherDefault<Hashed>>;

/// The states of one search.
#[derive(Debug)]
pub struct Seen {
    shards: Vec<Mutex<Shard>>,
    next: AtomicU32,
    claims: Vec<Mutex<HashSet<Claim>>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next: AtomicU32::new(0),
            claims: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Seen {
    /// Notes a state with so many faults left. Gives its number, too.
    pub fn meet(&self, state: u128, left: u32) -> (Met, u32) {
        let shard = &self.shards[(state as usize) % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(&state) {
            Some(before) if before.left >= left => (Met::Known, before.number),
            Some(before) => {
                before.left = left;
                (Met::Again, before.number)
            }
            None => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                shard.insert(state, Entry { number, left });
                (Met::New, number)
            }
        }
    }

    /// Whether nobody has claimed this yet; from here on somebody has.
    pub fn claim(&self, claim: Claim) -> bool {
        let shard = &self.claims[(claim.0 >> 24) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(claim)
    }

    /// How many distinct states there are.
    pub fn len(&self) -> u64 {
        u64::from(self.next.load(Ordering::Relaxed))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
