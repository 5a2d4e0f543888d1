//! Text from outside, made safe to show.
//!
//! A server's answer, a DNS record or a runbook from a pull request can hold escape sequences that clear the screen, set
//! the clipboard (OSC 52), overwrite a prompt with `\r`, or reverse what is read (CWE-150, CVE-2021-42574).

use std::fmt::Write as _;

/// True for what may not reach a terminal as it is: controls, and characters that are invisible or change direction.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// True for characters that cannot be seen but change what is seen: bidirectional controls, separators that look like
/// nothing, zero-width characters, variation and language tags. Joiners of scripts and emoji are included.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One line that is safe to show: everything of [`is_unsafe`] becomes a visible `\n`, `\t`, `\r` or `\u{..}`. A
/// result longer than `max_chars` characters is cut and ends with `…`. Reads no more of `text` than it shows.
#[must_use]
pub fn outside(text: &str, max_chars: usize) -> String {
    let mut safe = String::new();
    let mut length = 0;
    // Where to cut so that the ellipsis still fits.
    let mut fits = 0;
    let mut piece = String::new();
    for c in text.chars() {
        piece.clear();
        match c {
            '\n' => piece.push_str("\\n"),
            '\r' => piece.push_str("\\r"),
            '\t' => piece.push_str("\\t"),
            // Writing to a String cannot fail.
            c if is_unsafe(c) => drop(write!(piece, "\\u{{{:x}}}", u32::from(c))),
            c => piece.push(c),
        }
        length += piece.chars().count();
        if length > max_chars {
            safe.truncate(fits);
            if max_chars > 0 {
                safe.push('…');
            }
            return safe;
        }
        safe.push_str(&piece);
        if length < max_chars {
            fits = safe.len();
        }
    }
    safe
}

/// [`outside`] for each line of a text: line breaks stay, the rest is escaped. At most `max_lines` lines are kept.
#[must_use]
pub fn outside_lines(text: &str, max_lines: usize, max_chars: usize) -> String {
    let mut lines = text.split('\n').map(|line| outside(line.strip_suffix('\r').unwrap_or(line), max_chars));
    let mut safe: Vec<String> = lines.by_ref().take(max_lines).collect();
    if lines.next().is_some() {
        safe.push("…".to_owned());
    }
    safe.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_invisible_characters_become_visible() {
        assert_eq!(outside("a\u{1b}[2Jb\rc\nd\te", 80), "a\\u{1b}[2Jb\\rc\\nd\\te");
        assert_eq!(outside("x\u{202e}y\u{0}\u{7f}\u{9b}31m", 80), "x\\u{202e}y\\u{0}\\u{7f}\\u{9b}31m");
        assert_eq!(outside("\u{2028}\u{200b}\u{feff}\u{e0041}", 80), "\\u{2028}\\u{200b}\\u{feff}\\u{e0041}");
        assert_eq!(outside("Größe 日本 é 🚀", 80), "Größe 日本 é 🚀");
    }

    #[test]
    fn length_is_capped_and_never_exceeded() {
        assert_eq!(outside("abcdef", 6), "abcdef");
        assert_eq!(outside("abcdefg", 6), "abcde…");
        assert_eq!(outside("abc\u{1b}", 6), "abc…");
        assert_eq!(outside("abc", 0), "");
        assert_eq!(outside("\u{1b}", 1), "…");
        let long = "\u{202e}".repeat(1 << 20);
        assert!(outside(&long, 50).chars().count() <= 50);
    }

    #[test]
    fn lines_are_kept_where_asked_for() {
        assert_eq!(outside_lines("a\r\nb\u{7}\nc", 2, 10), "a\nb\\u{7}\n…");
        assert_eq!(outside_lines("", 2, 10), "");
    }
}
