//! Quantities with units. Whole numbers inside; a bare number is an error, because nobody knows what it means at three at night.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Why a quantity cannot be read. The text is a lowercase fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// No unit.
    #[error("`{0}` needs a unit, such as {1}")]
    NoUnit(String, &'static str),
    /// Not of the form.
    #[error("`{0}` is not {1}")]
    Form(String, &'static str),
    /// Too large.
    #[error("`{0}` is too large")]
    Large(String),
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $schema, "pattern": $pattern })
            }
        }
    };
}

quantity!(
    /// A length of time, in milliseconds.
    Period(u64), "a time such as 500ms, 30s, 2m, 1h30m, 2d", r"^([0-9]+(ms|s|m|h|d))+$"
);
quantity!(
    /// A part of a whole, in basis points: 10 000 is everything.
    Share(u16), "a percentage such as 10% or 12.5%", r"^[0-9]+(\.[0-9]{1,2})?%$"
);
quantity!(
    /// An amount of data, in bytes.
    Size(u64), "an amount of data such as 64MiB, 5MB, 100B", r"^[0-9]+(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
);
quantity!(
    /// How often a second.
    Rate(u64), "a rate such as 500/s", r"^[0-9]+/s$"
);

impl Period {
    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// Milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library's duration.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Period {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const FORM: &str = "a time such as 500ms, 30s, 2m or 1h30m";
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::NoUnit(text.into(), "30s, 5m or 500ms"));
        }
        let form = || QuantityError::Form(text.into(), FORM);
        let large = || QuantityError::Large(text.into());
        let mut rest = text;
        let mut total: u64 = 0;
        let mut last = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
            let number: u64 =
                rest[..digits].parse().map_err(|_| if digits == 0 { form() } else { large() })?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(form()),
            };
            if unit >= last {
                return Err(form());
            }
            last = unit;
            total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(large)?;
            rest = &rest[letters..];
        }
        if text.is_empty() { Err(form()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl Share {
    /// From basis points; more than everything becomes everything.
    pub const fn from_basis_points(points: u16) -> Self {
        Self(if points > 10_000 { 10_000 } else { points })
    }

    /// Basis points.
    pub fn basis_points(self) -> u32 {
        u32::from(self.0)
    }
}

impl FromStr for Share {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const FORM: &str = "a percentage such as 10% or 12.5%, at most 100%";
        let form = || QuantityError::Form(text.into(), FORM);
        let Some(number) = text.strip_suffix('%') else {
            let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            return Err(if bare { QuantityError::NoUnit(text.into(), "10%") } else { form() });
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 2 || number.ends_with('.') {
            return Err(form());
        }
        let whole: u32 = whole.parse().map_err(|_| form())?;
        let part: u32 = format!("{part:0<2}").parse().map_err(|_| form())?;
        let points = whole.checked_mul(100).and_then(|points| points.checked_add(part)).ok_or_else(form)?;
        u16::try_from(points).ok().filter(|points| *points <= 10_000).map(Self).ok_or_else(form)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}%"),
        }
    }
}

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Size {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::NoUnit(text.into(), "64MiB, 5MB or 100B"));
        }
        let form = || QuantityError::Form(text.into(), "an amount of data such as 64MiB, 5MB or 100B");
        let (unit, number) =
            SIZES.iter().find_map(|(name, unit)| Some((*unit, text.strip_suffix(name)?))).ok_or_else(form)?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(form());
        }
        let number: u64 = number.parse().map_err(|_| QuantityError::Large(text.into()))?;
        number.checked_mul(unit).map(Self).ok_or_else(|| QuantityError::Large(text.into()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Rate {
    /// From a number a second.
    pub const fn from_per_second(rate: u64) -> Self {
        Self(rate)
    }

    /// How often a second.
    pub const fn per_second(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::NoUnit(text.into(), "500/s"));
        }
        let form = || QuantityError::Form(text.into(), "a rate such as 500/s");
        let number = text.strip_suffix("/s").ok_or_else(form)?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(form());
        }
        number.parse().map(Self).map_err(|_| QuantityError::Large(text.into()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_shown() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("0s", 0)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.millis(), period.to_string().as_str()), (millis, text));
        }
        for (text, points) in [("10%", 1000), ("12.5%", 1250), ("0.05%", 5), ("100%", 10_000)] {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.basis_points(), share.to_string().as_str()), (points, text));
        }
        for (text, bytes) in [("64MiB", 64 << 20), ("5MB", 5_000_000), ("100B", 100)] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, text));
        }
    }

    #[test]
    fn what_is_not_a_quantity_says_why() {
        let say = |text: &str| text.parse::<Period>().unwrap_err().to_string();
        assert_eq!(say("30"), "`30` needs a unit, such as 30s, 5m or 500ms");
        for bad in ["", "-5s", "5", "1.5s", "s", "5 s", "5m1h", "99999999999999999999s", "5S"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        for bad in ["", "10", "-1%", "101%", "1.234%", "%", ".5%", "5.%", "1e2%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
        for bad in ["", "5", "MiB", "5 MB", "5mb", "-1B", "99999999TiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
