//! A length of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Form, digits, letters};
use crate::language::rejected::{Rejected, text_form};

/// A length of time in whole milliseconds, at most 100 years. Written `500ms`, `30s`, `2m`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(u64);

const FORM: Form =
    Form { what: "a time", example: "write it with a unit, such as `500ms`, `30s`, `2m`, `1h30m` or `2d`" };
/// Largest first: the order in which they are written.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const LONGEST: u64 = 36_500 * 86_400_000;

impl Period {
    /// No time at all.
    pub const ZERO: Period = Period(0);

    /// From milliseconds; more than 100 years becomes 100 years.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Period {
        Period(if milliseconds > LONGEST { LONGEST } else { milliseconds })
    }

    /// From seconds; more than 100 years becomes 100 years.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Period {
        Period::from_millis(seconds.saturating_mul(1_000))
    }

    /// In milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// It is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Period {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Period, Rejected> {
        let mut rest = FORM.begin(text)?;
        let mut total: u64 = 0;
        let mut last = None;
        while !rest.is_empty() {
            let (number, after) = digits(rest);
            if after.starts_with('.') {
                return Err(FORM.bad(text, "it has a fraction; use a smaller unit"));
            }
            let (unit, after) = letters(after);
            if number.is_empty() {
                return Err(FORM.bad(text, "a unit has no number"));
            }
            if unit.is_empty() {
                return Err(FORM.bad(text, &format!("`{number}` has no unit")));
            }
            let Some(place) = UNITS.iter().position(|(name, _)| *name == unit) else {
                return Err(FORM.bad(text, &unknown_unit(unit)));
            };
            if last.is_some_and(|last| place <= last) {
                return Err(FORM.bad(text, "units go from large to small, each once"));
            }
            last = Some(place);
            let milliseconds =
                number.parse::<u64>().ok().and_then(|number| number.checked_mul(UNITS[place].1));
            total = milliseconds
                .and_then(|milliseconds| total.checked_add(milliseconds))
                .filter(|total| *total <= LONGEST)
                .ok_or_else(|| FORM.bad(text, "it is more than 100 years"))?;
            rest = after;
        }
        Ok(Period(total))
    }
}

fn unknown_unit(unit: &str) -> String {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" | "h" => "h",
        "day" | "days" | "d" => "d",
        "msec" | "millis" | "milliseconds" => "ms",
        _ => return format!("`{unit}` is not a unit"),
    };
    format!("the unit `{unit}` is written `{meant}`")
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("0s");
        }
        let mut text = String::new();
        let mut rest = self.0;
        for (unit, size) in UNITS {
            if rest >= size {
                text.push_str(&(rest / size).to_string());
                text.push_str(unit);
                rest %= size;
            }
        }
        f.pad(&text)
    }
}

text_form!(
    Period,
    "a time with a unit, such as `30s`",
    r"^([0-9]+(ms|s|m|h|d))+$",
    "A length of time with units: `500ms`, `30s`, `2m`, `1h30m`, `2d`.",
    ["30s", "1h30m"]
);

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn times_are_read_and_shown() {
        for (text, milliseconds, shown) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("2d", 172_800_000, "2d"),
            ("1s500ms", 1_500, "1s500ms"),
            ("0s", 0, "0s"),
            ("0ms", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.millis(), period.to_string().as_str()), (milliseconds, shown), "{text}");
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        let text = |text: &str| text.parse::<Period>().unwrap_err().to_string();
        insta::assert_snapshot!(text("30"), @"`30` needs a unit to be a time");
        insta::assert_snapshot!(text("1.5"), @"`1.5` needs a unit to be a time");
        insta::assert_snapshot!(text("-3s"), @"`-3s` is not a time: it is negative");
        insta::assert_snapshot!(text("1.5h"), @"`1.5h` is not a time: it has a fraction; use a smaller unit");
        insta::assert_snapshot!(text("30 s"), @"`30 s` is not a time: it contains a blank");
        insta::assert_snapshot!(text("5min"), @"`5min` is not a time: the unit `min` is written `m`");
        insta::assert_snapshot!(text("5parsecs"), @"`5parsecs` is not a time: `parsecs` is not a unit");
        insta::assert_snapshot!(text("30s1m"), @"`30s1m` is not a time: units go from large to small, each once");
        insta::assert_snapshot!(text("1m30"), @"`1m30` is not a time: `30` has no unit");
        insta::assert_snapshot!(text("forever"), @"`forever` is not a time: it does not begin with a digit");
        insta::assert_snapshot!(text(""), @"`` is not a time: it is empty");
        insta::assert_snapshot!(text("99999999999999999999d"), @"`99999999999999999999d` is not a time: it is more than 100 years");
        insta::assert_snapshot!(text("٣s"), @"`٣s` is not a time: it does not begin with a digit");
    }
}
