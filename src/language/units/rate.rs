//! A number of things in a time.

use std::fmt;
use std::str::FromStr;

use super::{Form, digits};
use crate::language::rejected::{Rejected, text_form};

/// A number of things in a time, kept as things in an hour. Written `500/s`, `30/m`, `10/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(u64);

const FORM: Form = Form {
    what: "a rate",
    example: "write a whole number for a second, minute or hour, such as `500/s` or `30/m`",
};
/// Shortest time first: the order in which a unit is chosen for showing.
const UNITS: [(&str, u64); 3] = [("/s", 3_600), ("/m", 60), ("/h", 1)];

impl Rate {
    /// From things in an hour.
    #[must_use]
    pub const fn from_per_hour(things: u64) -> Rate {
        Rate(things)
    }

    /// From things in a second; saturates.
    #[must_use]
    pub const fn from_per_second(things: u64) -> Rate {
        Rate(things.saturating_mul(3_600))
    }

    /// Things in an hour.
    #[must_use]
    pub const fn per_hour(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Rate, Rejected> {
        let (number, unit) = digits(FORM.begin(text)?);
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(FORM.bad(text, "it is no whole number followed by `/s`, `/m` or `/h`"));
        };
        let things = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        things.map(Rate).ok_or_else(|| FORM.bad(text, "it is too large"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, size)| self.0.is_multiple_of(*size));
        let (name, size) = unit.copied().unwrap_or(("/h", 1));
        f.pad(&format!("{}{name}", self.0 / size))
    }
}

text_form!(
    Rate,
    "a rate, such as `500/s`",
    r"^[0-9]+/[smh]$",
    "A number of things in a second, minute or hour.",
    ["500/s", "30/m"]
);

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn rates_are_read_and_shown() {
        for (text, shown) in
            [("500/s", "500/s"), ("60/m", "1/s"), ("30/m", "30/m"), ("10/h", "10/h"), ("0/h", "0/s")]
        {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        let text = |text: &str| text.parse::<Rate>().unwrap_err().to_string();
        insta::assert_snapshot!(text("500"), @"`500` needs a unit to be a rate");
        insta::assert_snapshot!(text("500/d"), @"`500/d` is not a rate: it is no whole number followed by `/s`, `/m` or `/h`");
        insta::assert_snapshot!(text("1.5/s"), @"`1.5/s` is not a rate: it is no whole number followed by `/s`, `/m` or `/h`");
        insta::assert_snapshot!(text("99999999999999999999/s"), @"`99999999999999999999/s` is not a rate: it is too large");
    }
}
