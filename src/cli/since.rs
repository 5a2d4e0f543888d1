//! `--since`: when the incident was declared.

use crate::error::escape::outside;
use crate::language::units::Period;
use crate::world::clock::Moment;

/// The longest that an incident can have lasted: more is a slip. Milliseconds.
const LONGEST: i64 = 7 * 24 * 3_600_000;

/// When the incident was declared, in milliseconds since the epoch: a time, or how long ago.
pub fn declared(text: &str, now: i64) -> Result<i64, String> {
    let at = match text.parse::<Period>() {
        Ok(ago) => now.saturating_sub(i64::try_from(ago.millis()).unwrap_or(i64::MAX)),
        Err(_) => text
            .parse::<jiff::Timestamp>()
            .map_err(|_| format!("`{}` is neither a time with its zone nor a duration", outside(text, 40)))?
            .as_millisecond(),
    };
    match now.saturating_sub(at) {
        ..0 => Err(format!("{} is not over yet: it is {} now", Moment(at).rfc3339(), Moment(now).rfc3339())),
        LONGEST.. => Err(format!("{} is more than seven days ago", Moment(at).rfc3339())),
        _ => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_was_declared_at_a_time_or_so_long_ago() {
        let now = "2026-11-28T21:14:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        for (text, ago) in [
            ("12m", 720_000),
            ("0s", 0),
            ("2026-11-28T21:10:00Z", 240_000),
            ("2026-11-28T22:10:00+01:00", 240_000),
        ] {
            assert_eq!(declared(text, now), Ok(now - ago), "{text}");
        }
        for (text, word) in [
            ("2026-11-28T21:15:00Z", "not over yet"),
            ("2026-11-01T21:15:00Z", "more than seven days"),
            ("2026-11-28 21:10", "neither a time with its zone"),
            ("twelve", "neither"),
        ] {
            assert!(
                declared(text, now).is_err_and(|why| why.contains(word)),
                "{text}: {:?}",
                declared(text, now)
            );
        }
    }
}
