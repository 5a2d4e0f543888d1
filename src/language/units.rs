//! Quantities with units. All are whole numbers inside: no rounding, `Eq` and `Hash` hold.

mod period;
mod rate;
mod share;
mod size;

pub use period::Period;
pub use rate::Rate;
pub use share::Share;
pub use size::Size;

use super::rejected::Rejected;
use crate::error::Code;
use crate::error::escape::outside;

/// What a quantity is called and how it is written, for messages.
struct Form {
    /// `a time`
    what: &'static str,
    /// `write a unit, such as `30s``
    example: &'static str,
}

impl Form {
    fn bad(&self, text: &str, why: &str) -> Rejected {
        let message = format!("`{}` is not {}: {why}", outside(text, 60), self.what);
        Rejected::new(Code::BadQuantity, message, self.example)
    }

    /// Checks shared by all quantities; what is left begins with a digit and is short.
    fn begin<'a>(&self, text: &'a str) -> Result<&'a str, Rejected> {
        if text.len() > 40 {
            return Err(self.bad(text, "it is too long"));
        }
        let Some(first) = text.chars().next() else { return Err(self.bad(text, "it is empty")) };
        if first == '-' {
            return Err(self.bad(text, "it is negative"));
        }
        if !first.is_ascii_digit() {
            return Err(self.bad(text, "it does not begin with a digit"));
        }
        if text.chars().any(char::is_whitespace) {
            return Err(self.bad(text, "it contains a blank"));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            let message = format!("`{text}` needs a unit to be {}", self.what);
            return Err(Rejected::new(Code::NoUnit, message, self.example));
        }
        Ok(text)
    }
}

/// Splits leading ASCII digits off.
fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Splits leading ASCII letters off.
fn letters(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            drop(text.parse::<Period>());
            drop(text.parse::<Share>());
            drop(text.parse::<Size>());
            drop(text.parse::<Rate>());
        }

        #[test]
        fn near_quantities_are_read_or_refused(text in "[0-9]{0,22}[.]?[0-9]{0,3}[a-zA-Z%/]{0,4}[0-9]{0,4}[a-zA-Z]{0,3}") {
            drop(text.parse::<Period>());
            drop(text.parse::<Share>());
            drop(text.parse::<Size>());
            drop(text.parse::<Rate>());
        }

        #[test]
        fn what_is_shown_is_read_again(number in 0_u64..3_000_000_000_000) {
            let period = Period::from_millis(number);
            prop_assert_eq!(period.to_string().parse::<Period>(), Ok(period));
            let size = Size::from_bytes(number);
            prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            let rate = Rate::from_per_hour(number);
            prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
            let share = Share::from_basis_points((number % 10_001) as u16);
            prop_assert_eq!(share.to_string().parse::<Share>(), Ok(share));
        }
    }
}
