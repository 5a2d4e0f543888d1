//! What a record at one name server can never show.

use crate::world::Known;
use crate::world::dns::RecordFacts;

pub(super) fn serial(before: Option<&RecordFacts>, now: &RecordFacts) -> Option<String> {
    const HALF: u32 = 1 << 31;
    let before = before?;
    // Of a zone that nobody copies by transfer it orders nothing: whoever loads it again from a file may bring a lower one.
    let followed = |facts: &RecordFacts| facts.transferred == Known::Known(true);
    if !followed(before) || !followed(now) {
        return None;
    }
    let (then, at) = (*before.serial.get()?, *now.serial.get()?);
    // Exactly half of the circle away is neither before nor after (RFC 1982).
    let behind = then.wrapping_sub(at);
    (behind != 0 && behind < HALF).then(|| format!("the serial of its zone went back from {then} to {at}"))
}
