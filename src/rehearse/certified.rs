//! What a certificate says of the rehearsal itself: which faults and invariants there were, and where it began.

use super::alphabet::ALPHABET;
use super::invariants::{INVARIANTS, When};
use super::source::Source;
use crate::plan::Mode;
use crate::world::sim::Sim;
use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeMap;

/// SHA-256 over the names and meanings of every fault, every invariant, and everything that a lost source may be like. Hexadecimal. Another digest: something else was tried, or something
/// else was checked.
pub fn tables() -> String {
    let faults = ALPHABET.iter().map(|row| ["fault", row.name, row.meaning, ""]);
    let invariants = INVARIANTS.iter().map(|row| {
        let when = match row.when {
            When::Always => "always",
            When::Ended => "ended",
            When::Told => "told",
        };
        ["invariant", row.id, row.title, when]
    });
    let sources = Source::of(Mode::Unplanned).iter().filter_map(|source| source.in_words());
    let sources = sources.map(|source| ["source", source, "", ""]);
    let mut hasher = Sha256::new();
    for text in faults.chain(invariants).chain(sources).flatten() {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// 128 bits over the world in which a rehearsal begins. Hexadecimal.
pub fn start(sim: &Sim) -> String {
    let mut hasher = SipHasher13::new();
    sim.digest(&BTreeMap::new(), &mut hasher);
    hex::encode(hasher.finish128().as_u128().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::sim::two_regions;

    #[test]
    fn worlds_that_differ_have_digests_that_differ() {
        let (one, other) = (two_regions(), two_regions());
        assert_eq!((start(&one), start(&one.fork())), (start(&other), start(&other)));
        other.postgres.add("billing", &["eu-west", "us-east"]);
        assert_ne!(start(&one), start(&other));
        assert_eq!(start(&one).len(), 32);
    }

    #[test]
    fn the_tables_have_one_digest() {
        assert_eq!(tables(), tables());
        assert_eq!(tables().len(), 64);
    }
}
