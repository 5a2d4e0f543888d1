//! Times, names and counts in words.

use crate::world::clock::Moment;

/// A time in words, as short as it can be without misleading: `0.4s`, `12.3s`, `2m 05s`, `1h 02m`.
pub fn time(ms: i64) -> String {
    let ms = ms.max(0);
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{}.{}s", seconds, ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// What was measured, if that is known: records have the times of one clock, and it may have been set back.
pub fn measured(ms: Option<i64>) -> String {
    ms.map_or_else(|| "unknown, the clock was set back".into(), time)
}

/// An allowance, as a runbook writes it: `30s`, `2m`, `1.5s`.
pub fn allowance(ms: u64) -> String {
    match ms {
        _ if ms >= 3_600_000 && ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms >= 60_000 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// How long ago something was: `just now`, `5 minutes ago`, `3 days ago`. Never rounded up.
pub fn age(ms: u64) -> String {
    let minutes = ms / 60_000;
    let ago =
        |number: u64, thing| format!("{} ago", count(usize::try_from(number).unwrap_or(usize::MAX), thing));
    match minutes {
        0 => "just now".into(),
        1..60 => ago(minutes, "minute"),
        60..1440 => ago(minutes / 60, "hour"),
        _ => ago(minutes / 1440, "day"),
    }
}

/// Whole seconds in UTC, for logs.
pub fn stamp(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| Moment(at).rfc3339(), |at| format!("{at:.0}"))
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_never_rounded_up() {
        for (ms, words) in [
            (-5, "0.0s"),
            (0, "0.0s"),
            (999, "0.9s"),
            (12_345, "12.3s"),
            (59_999, "59.9s"),
            (60_000, "1m 00s"),
            (125_000, "2m 05s"),
            (3_725_000, "1h 02m"),
        ] {
            assert_eq!(time(ms), words);
        }
        for (ms, words) in [(30_000, "30s"), (120_000, "2m"), (1500, "1500ms"), (3_600_000, "1h"), (0, "0s")]
        {
            assert_eq!(allowance(ms), words);
        }
        for (ms, words) in [
            (59_999, "just now"),
            (60_000, "1 minute ago"),
            (3_599_999, "59 minutes ago"),
            (86_399_999, "23 hours ago"),
            (86_400_000, "1 day ago"),
            (40 * 86_400_000, "40 days ago"),
        ] {
            assert_eq!(age(ms), words);
        }
        assert_eq!(stamp(1_785_232_800_123), "2026-07-28T10:00:00Z");
    }
}
