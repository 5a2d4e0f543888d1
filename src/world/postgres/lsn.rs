//! Positions in the write-ahead log.

use serde::{Deserialize, Serialize};

/// A position in the write-ahead log. Subtract it, never parse it to a 32 bit number; across timelines positions do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Bytes from `earlier` to this position; zero if it is not ahead.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl std::str::FromStr for Lsn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(high, low)| {
            Some(
                (u64::from(u32::from_str_radix(high, 16).ok()?) << 32)
                    | u64::from(u32::from_str_radix(low, 16).ok()?),
            )
        });
        parsed.map(Self).ok_or_else(|| format!("`{text}` is not a write-ahead log position"))
    }
}

impl TryFrom<String> for Lsn {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_trip_and_subtract() {
        let lsn: Lsn = "1A/5BE01B0".parse().unwrap();
        assert_eq!(lsn.to_string(), "1A/5BE01B0");
        assert_eq!(lsn.bytes_since("1A/5BE0000".parse().unwrap()), 0x1B0);
        assert!("5BE01B0".parse::<Lsn>().is_err());
        assert!("1A/xyz".parse::<Lsn>().is_err());
    }
}
