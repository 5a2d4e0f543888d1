//! Text with tones, laid out by its visible width first and coloured last: the layout is the same without colour.

use super::streams::Style;
use crate::error::escape::outside;
use console::{measure_text_width, truncate_str};

/// What a piece of text is, not which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tone {
    /// Ordinary.
    #[default]
    Plain,
    /// Headings, verdicts.
    Strong,
    /// Reached.
    Good,
    /// Failed.
    Bad,
    /// Wants attention.
    Warn,
    /// Less important.
    Dim,
}

impl Tone {
    fn ansi(self) -> anstyle::Style {
        let colour = |colour: anstyle::AnsiColor| anstyle::Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Strong => anstyle::Style::new().bold(),
            Self::Good => colour(anstyle::AnsiColor::Green),
            Self::Bad => colour(anstyle::AnsiColor::Red).bold(),
            Self::Warn => colour(anstyle::AnsiColor::Yellow),
            Self::Dim => anstyle::Style::new().dimmed(),
        }
    }
}

/// The longest text from outside that is shown in one place. Characters.
const LONGEST: usize = 2000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text(Vec<(Tone, String)>);

impl Text {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of one tone.
    pub fn of(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::new().and(tone, text)
    }

    /// Adds a piece. Everything is escaped here, so that nothing reaches a terminal around it.
    #[must_use]
    pub fn and(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.0.push((tone, outside(text.as_ref(), LONGEST)));
        self
    }

    /// Adds a piece of ordinary text.
    #[must_use]
    pub fn plain(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Plain, text)
    }

    /// Adds another line's pieces.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Visible columns.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| measure_text_width(text)).sum()
    }

    /// Letters that every terminal has, if the reader does not show UTF-8.
    #[must_use]
    pub fn spelled(mut self, style: Style) -> Self {
        if !style.unicode {
            for (_, text) in &mut self.0 {
                *text = ascii(text);
            }
        }
        self
    }

    /// Cuts to a width; what was cut ends with an ellipsis. Spell before, because spelling changes the width.
    #[must_use]
    pub fn cut(mut self, width: usize, style: Style) -> Self {
        if self.width() <= width {
            return self;
        }
        let tail = if style.unicode { "…" } else { "..." };
        let mut room = width.saturating_sub(measure_text_width(tail));
        for index in 0..self.0.len() {
            let text = &self.0[index].1;
            let wide = measure_text_width(text);
            if wide > room {
                let cut = format!("{}{tail}", truncate_str(text, room, ""));
                self.0[index].1 = cut;
                self.0.truncate(index + 1);
                break;
            }
            room -= wide;
        }
        self
    }

    /// Breaks between words into lines of at most this width, all but the first with the indent. A word that is longer than that
    /// stays whole: it may be there to be copied. Spell before, because spelling changes the width.
    #[must_use]
    pub fn broken(self, width: usize, indent: &str) -> Vec<Self> {
        if self.width() <= width {
            return vec![self];
        }
        let mut lines = Vec::new();
        let mut line = Self::new();
        // Nothing is broken before the first word: the blanks before it are the line's own indent.
        let mut words = 0;
        for (tone, text) in self.0 {
            for piece in text.split_inclusive(' ') {
                if words > 0 && line.width() + measure_text_width(piece.trim_end()) > width {
                    lines.push(std::mem::replace(&mut line, Self::of(Tone::Plain, indent)));
                    words = 0;
                }
                words += usize::from(!piece.trim().is_empty());
                line.0.push((tone, piece.to_string()));
            }
        }
        lines.push(line);
        lines
    }

    /// Fills with blanks up to a width.
    #[must_use]
    pub fn filled(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        if missing == 0 { self } else { self.plain(" ".repeat(missing)) }
    }

    /// This line with another at the right edge; the left one gives way.
    #[must_use]
    pub fn right(self, other: Self, width: usize, style: Style) -> Self {
        let room = width.saturating_sub(other.width() + 1);
        self.spelled(style).cut(room, style).filled(room).plain(" ").with(other)
    }

    /// For the stream: coloured or not.
    pub fn paint(&self, style: Style) -> String {
        let mut line = String::new();
        for (tone, text) in &self.0 {
            if style.colour && *tone != Tone::Plain && !text.trim().is_empty() {
                let ansi = tone.ansi();
                line.push_str(&format!("{ansi}{text}{ansi:#}"));
            } else {
                line.push_str(text);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Our own signs in plain letters. Names keep theirs: a log may be read elsewhere than it is written.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => plain.push(c),
            '→' => plain.push_str("->"),
            '←' => plain.push_str("<-"),
            '…' => plain.push_str("..."),
            '·' => plain.push('|'),
            '–' | '—' => plain.push('-'),
            c => plain.push(c),
        }
    }
    plain
}

/// Breaks a text from outside at blanks into lines of at most `width` columns, at most `lines` of them; the last one is cut.
pub fn wrap(text: &str, width: usize, lines: usize, style: Style) -> Vec<String> {
    let width = width.max(8);
    let safe = outside(text, LONGEST);
    let safe = if style.unicode { safe } else { ascii(&safe) };
    let mut broken: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in safe.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        loop {
            let room =
                if line.is_empty() { width } else { width.saturating_sub(measure_text_width(&line) + 1) };
            if measure_text_width(word) <= room {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                // A word that is longer than a line (a path, a position) is broken where the line ends.
                let cut =
                    truncate_str(word, width, "").len().max(word.chars().next().map_or(0, char::len_utf8));
                broken.push(word[..cut].to_string());
                word = &word[cut..];
                if word.is_empty() {
                    break;
                }
            } else {
                broken.push(std::mem::take(&mut line));
            }
        }
    }
    if !line.is_empty() {
        broken.push(line);
    }
    if broken.len() > lines.max(1) {
        broken.truncate(lines.max(1));
        if let Some(last) = broken.last_mut() {
            let tail = if style.unicode { "…" } else { "..." };
            let room = width.saturating_sub(measure_text_width(tail));
            let cut = truncate_str(last.trim_end(), room, "").into_owned();
            *last = format!("{cut}{tail}");
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNICODE: Style = Style { colour: false, unicode: true };
    const ASCII: Style = Style { colour: false, unicode: false };

    #[test]
    fn a_line_is_cut_to_its_width_with_an_ellipsis() {
        let text = || Text::of(Tone::Strong, "abc").plain("def 日本");
        assert_eq!(text().cut(11, UNICODE).paint(UNICODE), "abcdef 日本");
        assert_eq!(text().cut(9, UNICODE).paint(UNICODE), "abcdef …");
        assert_eq!(text().cut(3, UNICODE).width(), 3);
        assert_eq!(text().spelled(ASCII).cut(7, ASCII).paint(ASCII), "abcd...");
    }

    #[test]
    fn the_right_part_stays_whole() {
        let line = Text::of(Tone::Plain, "a long title here").right(Text::of(Tone::Dim, "1.2s"), 14, UNICODE);
        assert_eq!(line.paint(UNICODE), "a long t… 1.2s");
        assert_eq!(line.width(), 14);
    }

    #[test]
    fn escape_sequences_from_outside_never_reach_the_terminal() {
        let line = Text::of(Tone::Plain, "a\u{1b}]52;c;aGk=\u{7}b\rc\u{202e}");
        let shown = line.paint(UNICODE);
        assert!(!shown.chars().any(crate::error::escape::is_unsafe), "{shown:?}");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let colour = Style { colour: true, unicode: true };
        let line = Text::of(Tone::Good, "ok").plain(" fine").and(Tone::Bad, " no");
        assert_eq!(console::strip_ansi_codes(&line.paint(colour)), line.paint(UNICODE));
        assert_ne!(line.paint(colour), line.paint(UNICODE));
    }

    #[test]
    fn long_text_is_wrapped_and_at_the_end_cut() {
        assert_eq!(wrap("one two three four", 9, 9, UNICODE), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 9, 2, UNICODE), ["one two", "three…"]);
        assert_eq!(wrap("abcdefghijklmnop", 8, 9, UNICODE), ["abcdefgh", "ijklmnop"]);
        assert!(wrap("", 8, 9, UNICODE).is_empty());
    }
}
