//! A part of a whole.

use std::fmt;
use std::str::FromStr;

use super::{Form, digits};
use crate::language::rejected::{Rejected, text_form};

/// A part of a whole in basis points (hundredths of a percent): `0%` to `100%`, at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u16);

const FORM: Form =
    Form { what: "a share", example: "write it in percent from `0%` to `100%`, such as `12.5%`" };

impl Share {
    /// `0%`
    pub const NONE: Share = Share(0);
    /// `100%`
    pub const ALL: Share = Share(10_000);

    /// From basis points; more than 10 000 becomes the whole.
    #[must_use]
    pub const fn from_basis_points(points: u16) -> Share {
        if points > 10_000 { Share::ALL } else { Share(points) }
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn basis_points(self) -> u32 {
        self.0 as u32
    }
}

impl FromStr for Share {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Share, Rejected> {
        let (whole, rest) = digits(FORM.begin(text)?);
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("0", rest),
        };
        if rest != "%" || fraction.is_empty() {
            return Err(FORM.bad(text, "it is no number followed by `%`"));
        }
        if fraction.len() > 2 {
            return Err(FORM.bad(text, "it has more than two decimals"));
        }
        let hundredths = format!("{fraction:0<2}");
        let points = whole.parse::<u16>().ok().zip(hundredths.parse::<u16>().ok());
        let points = points.and_then(|(whole, part)| whole.checked_mul(100)?.checked_add(part));
        let points = points.filter(|points| *points <= 10_000);
        points.map(Share).ok_or_else(|| FORM.bad(text, "it is more than the whole"))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match part {
            0 => f.pad(&format!("{whole}%")),
            _ if part.is_multiple_of(10) => f.pad(&format!("{whole}.{}%", part / 10)),
            _ => f.pad(&format!("{whole}.{part:02}%")),
        }
    }
}

text_form!(
    Share,
    "a share in percent, such as `25%`",
    r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$",
    "A part of a whole in percent, at most two decimals.",
    ["25%", "12.5%"]
);

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn shares_are_read_and_shown() {
        for (text, points, shown) in [
            ("0%", 0, "0%"),
            ("100%", 10_000, "100%"),
            ("12.5%", 1_250, "12.5%"),
            ("0.05%", 5, "0.05%"),
            ("1.20%", 120, "1.2%"),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.basis_points(), share.to_string().as_str()), (points, shown), "{text}");
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        let text = |text: &str| text.parse::<Share>().unwrap_err().to_string();
        insta::assert_snapshot!(text("50"), @"`50` needs a unit to be a share");
        insta::assert_snapshot!(text("0.5"), @"`0.5` needs a unit to be a share");
        insta::assert_snapshot!(text("101%"), @"`101%` is not a share: it is more than the whole");
        insta::assert_snapshot!(text("100.01%"), @"`100.01%` is not a share: it is more than the whole");
        insta::assert_snapshot!(text("1.234%"), @"`1.234%` is not a share: it has more than two decimals");
        insta::assert_snapshot!(text("1.%"), @"`1.%` is not a share: it is no number followed by `%`");
        insta::assert_snapshot!(text("-1%"), @"`-1%` is not a share: it is negative");
        insta::assert_snapshot!(text("5%%"), @"`5%%` is not a share: it is no number followed by `%`");
        insta::assert_snapshot!(text("99999999%"), @"`99999999%` is not a share: it is more than the whole");
    }
}
