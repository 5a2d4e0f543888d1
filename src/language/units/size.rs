//! An amount of data.

use std::fmt;
use std::str::FromStr;

use super::{Form, digits};
use crate::language::rejected::{Rejected, text_form};

/// An amount of data in bytes. Written `100B`, `5MB` (millions), `64MiB` (1024 × 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

const FORM: Form =
    Form { what: "a size", example: "write a whole number with a unit, such as `100B`, `5MB` or `64MiB`" };
/// Largest first: the order in which a unit is chosen for showing.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Size, Rejected> {
        let (number, unit) = digits(FORM.begin(text)?);
        if unit.starts_with('.') {
            return Err(FORM.bad(text, "it has a fraction; use a smaller unit"));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            // `k`, `M`, `mb`, `KB` mean different things to different people, so none is guessed.
            let near = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
            let why = match near {
                Some((name, _)) => format!("the unit `{unit}` is written `{name}`"),
                None => "its unit is none of B, kB, KiB, MB, MiB, GB, GiB, TB, TiB".to_owned(),
            };
            return Err(FORM.bad(text, &why));
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        bytes.map(Size).ok_or_else(|| FORM.bad(text, "it is too large"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("0B");
        }
        // The largest unit that divides it exactly, so that what is shown is what is meant.
        let unit = UNITS.iter().find(|(_, size)| self.0.is_multiple_of(*size));
        let (name, size) = unit.copied().unwrap_or(("B", 1));
        f.pad(&format!("{}{name}", self.0 / size))
    }
}

text_form!(
    Size,
    "a size with a unit, such as `64MiB`",
    r"^[0-9]+(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)$",
    "An amount of data: `100B`, `5MB` (millions), `64MiB` (1024 × 1024).",
    ["64MiB", "5MB"]
);

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("100B", 100, "100B"),
            ("64MiB", 64 << 20, "64MiB"),
            ("5MB", 5_000_000, "5MB"),
            ("1024B", 1024, "1KiB"),
            ("0GB", 0, "0B"),
            ("2TiB", 2 << 40, "2TiB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        let text = |text: &str| text.parse::<Size>().unwrap_err().to_string();
        insta::assert_snapshot!(text("64"), @"`64` needs a unit to be a size");
        insta::assert_snapshot!(text("64mib"), @"`64mib` is not a size: the unit `mib` is written `MiB`");
        insta::assert_snapshot!(text("5M"), @"`5M` is not a size: its unit is none of B, kB, KiB, MB, MiB, GB, GiB, TB, TiB");
        insta::assert_snapshot!(text("1.5GiB"), @"`1.5GiB` is not a size: it has a fraction; use a smaller unit");
        insta::assert_snapshot!(text("99999999TiB"), @"`99999999TiB` is not a size: it is too large");
        insta::assert_snapshot!(text("-1B"), @"`-1B` is not a size: it is negative");
    }
}
