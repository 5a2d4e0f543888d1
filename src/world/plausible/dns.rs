//! What a record at one name server can never show.

use crate::world::dns::RecordFacts;

pub(super) fn serial(before: Option<&RecordFacts>, now: &RecordFacts) -> Option<String> {
    const HALF: u32 = 1 << 31;
    let (then, at) = (*before?.serial.get()?, *now.serial.get()?);
    // Exactly half of the circle away is neither before nor after (RFC 1982).
    let behind = then.wrapping_sub(at);
    (behind != 0 && behind < HALF).then(|| format!("the serial of its zone went back from {then} to {at}"))
}
