//! What others have set is never overwritten without a look that saw it and a recorded decision.
//!
//! For a change that is the look of which its intent keeps the facts: what stands when the call is sent is what stood in them. For a way
//! back it is the value that this run itself wrote there: contents and time to live of a record each for itself, `on` for a freeze.
//! Which of two equal values is whose nobody can see, so what others set to exactly ours counts as ours. A way back may write the
//! recorded contents under the time to live that stands now, on purpose. What others set while a call is on its way is not held against
//! it. A promotion is taken back by no call; what contradicts it is a second primary, which has an invariant of its own.

use super::node::{Ground, Happening, Node};
use crate::engine::record::Record;
use crate::engine::state::find;
use crate::step::Facts;
use crate::world::Known;
use crate::world::postgres::Altered;
use crate::world::record_content::in_words;
use crate::world::sim::theirs::{Seizure, Stood};

impl Node {
    /// Judges what was sent since the last record over what others had set.
    pub(super) fn note_seizures(&mut self, ground: &Ground) {
        for seizure in self.sim.take_seizures() {
            if seizure.key.undo || !self.seen_before(ground, &seizure) {
                self.seized = Some(in_story(&seizure));
            }
        }
    }

    /// Whether the intent of a change keeps a look that saw what stands: the last look before it, or the one before its first attempt, which
    /// is what a way back restores.
    fn seen_before(&self, ground: &Ground, seizure: &Seizure) -> bool {
        let key = &seizure.key;
        let of = find(&ground.plan, &key.step, &key.effect);
        let kept = of.and_then(|(s, e)| self.state.steps[s].effects[e].intent.as_ref());
        if kept.is_some_and(|intent| shows(&intent.prior, &seizure.stood)) {
            return true;
        }
        let mut link = self.trail.as_ref();
        while let Some(one) = link {
            if let Happening::Record(record) = &one.what
                && let Record::Intent { step, effect, undo: false, prior, .. } = &**record
                && (*step == key.step && *effect == key.effect)
            {
                return shows(prior, &seizure.stood);
            }
            link = one.before.as_ref();
        }
        false
    }
}

/// Whether the facts of a look show a value.
fn shows(facts: &Facts, stood: &Stood) -> bool {
    match (facts, stood) {
        (Facts::DnsShift(seen) | Facts::DnsTtl(seen) | Facts::DnsRestore(seen), Stood::Record(at, sets)) => {
            seen.servers.get(&at.server).is_some_and(|seen| seen.is(|seen| seen.sets == *sets))
        }
        (Facts::PostgresFreeze(seen), Stood::Setting(_, value)) => {
            seen.source.is(|source| source.read_only.altered == Known::Known(value.clone()))
        }
        (_, Stood::Record(..) | Stood::Setting(..)) => false,
    }
}

fn in_story(seizure: &Seizure) -> String {
    let what = match &seizure.stood {
        Stood::Record(at, sets) => format!("{} at {}, which gave {}", at.record, at.server, in_words(sets)),
        Stood::Setting(at, Altered::Unset) => {
            format!("default_transaction_read_only of {at}, which was not set")
        }
        Stood::Setting(at, Altered::To(value)) => {
            format!("default_transaction_read_only of {at}, which was {value}")
        }
    };
    let how = if seizure.key.undo { "taking it back" } else { "making it" };
    format!("{}/{}: {how} overwrote {what}, as others had set it", seizure.key.step, seizure.key.effect)
}
