//! The chain: each line's hash covers the one before it, so that an edit anywhere shows.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The hash that the first line names as its predecessor.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line of the journal as a reader reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Counts from 0.
    pub seq: u64,
    /// Milliseconds since the epoch, on the writer's clock.
    pub at: i64,
    /// The line's own hash, in hexadecimal.
    pub hash: String,
    /// Everything else: `type` and the record's fields.
    pub body: Map<String, Value>,
}

/// Why a line is not what its hash says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not JSON, or not an object with the fields of a line.
    #[error("line {number} is not a journal line: {why}")]
    Form {
        /// Counts from 1, as editors do.
        number: usize,
        /// The reader's reason.
        why: String,
    },
    /// The hash does not fit.
    #[error(
        "line {number} was changed after it was written: its hash is {found}, its content gives {computed}"
    )]
    Hash {
        /// Counts from 1.
        number: usize,
        /// As written.
        found: String,
        /// As computed.
        computed: String,
    },
    /// The line does not follow the one before it.
    #[error("line {number} does not follow the line before it: a line was removed, added or moved")]
    Order {
        /// Counts from 1.
        number: usize,
    },
}

/// The text of a line, without the newline: canonical JSON with `hash` as its last field.
///
/// The hash is SHA-256 over the body's canonical text, which holds `prev`; `sha256sum` can check it by hand.
pub fn write(seq: u64, at: i64, prev: &str, mut body: Map<String, Value>) -> (String, String) {
    body.insert("seq".into(), seq.into());
    body.insert("at".into(), at.into());
    body.insert("prev".into(), prev.into());
    // serde_json keeps map keys sorted, which is what makes this canonical; numbers are integers by construction.
    let text = Value::Object(body).to_string();
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    let open = text.strip_suffix('}').unwrap_or(&text);
    (format!("{open},\"hash\":\"{hash}\"}}"), hash)
}

/// Reads line `number` (from 1) and checks it against its predecessor's hash and sequence number.
pub fn read(number: usize, text: &str, prev: &str, seq: u64) -> Result<Line, ChainError> {
    let form = |why: &str| ChainError::Form { number, why: why.into() };
    let marker = ",\"hash\":\"";
    let cut = text.rfind(marker).ok_or_else(|| form("it has no hash"))?;
    let (open, rest) = text.split_at(cut);
    let found = rest
        .strip_prefix(marker)
        .and_then(|rest| rest.strip_suffix("\"}"))
        .filter(|hash| {
            hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
        .ok_or_else(|| form("its hash is cut or malformed"))?;
    let content = format!("{open}}}");
    let computed = hex::encode(Sha256::digest(content.as_bytes()));
    if computed != found {
        return Err(ChainError::Hash { number, found: found.into(), computed });
    }
    let Ok(Value::Object(mut body)) = serde_json::from_str::<Value>(&content) else {
        return Err(form("it is not a JSON object"));
    };
    let own_seq =
        body.remove("seq").and_then(|v| v.as_u64()).ok_or_else(|| form("it has no sequence number"))?;
    let at = body.remove("at").and_then(|v| v.as_i64()).ok_or_else(|| form("it has no time"))?;
    let own_prev = body.remove("prev").ok_or_else(|| form("it names no predecessor"))?;
    if own_prev.as_str() != Some(prev) || own_seq != seq {
        return Err(ChainError::Order { number });
    }
    Ok(Line { seq, at, hash: found.to_string(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_lines() -> (String, String) {
        let body = |text: &str| Map::from_iter([("type".to_string(), Value::from(text))]);
        let (first, hash) = write(0, 1, GENESIS, body("created"));
        let (second, _) = write(1, 2, &hash, body("opened"));
        (first, second)
    }

    #[test]
    fn a_chain_reads_back() {
        let (first, second) = two_lines();
        let line = read(1, &first, GENESIS, 0).unwrap();
        assert_eq!(line.body["type"], "created");
        let next = read(2, &second, &line.hash, 1).unwrap();
        assert_eq!((next.seq, next.at), (1, 2));
    }

    #[test]
    fn a_flip_of_any_byte_is_seen() {
        let (first, _) = two_lines();
        for position in 0..first.len() {
            let mut bytes = first.clone().into_bytes();
            bytes[position] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(read(1, &text, GENESIS, 0).is_err(), "flipping byte {position} went unnoticed");
        }
    }

    #[test]
    fn a_line_in_the_wrong_place_is_seen() {
        let (first, second) = two_lines();
        assert_eq!(read(1, &second, GENESIS, 0), Err(ChainError::Order { number: 1 }));
        let hash = read(1, &first, GENESIS, 0).unwrap().hash;
        assert_eq!(read(2, &first, &hash, 1), Err(ChainError::Order { number: 2 }));
    }
}
