//! Standard output and standard error: data on one, everything else on the other.

use super::sink::Sink;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What `--color` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColourChoice {
    /// If the stream is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always: it was asked for in so many words, so it also beats `NO_COLOR`.
    Always,
    /// Never.
    Never,
}

impl ColourChoice {
    /// Decides. `no_color`: the variable `NO_COLOR` is there and not empty (<https://no-color.org>).
    pub fn decide(self, terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Whether a locale (the first that is set of `LC_ALL`, `LC_CTYPE`, `LANG`) says that the terminal reads UTF-8.
pub fn reads_utf8(locale: Option<&str>) -> bool {
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// How text may look on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether the reader shows UTF-8; otherwise glyphs are `[ok]`, `[!!]`, `[..]`, `[--]`.
    pub unicode: bool,
}

/// Both streams, and what may be assumed of them.
#[derive(Clone)]
pub struct Output {
    /// Data.
    pub stdout: Sink,
    /// Everything else.
    pub stderr: Sink,
    /// How text on standard error may look.
    pub style: Style,
    /// Whether data may be coloured: standard output may be a file while standard error is a terminal.
    pub colour_data: bool,
    /// Columns.
    pub width: usize,
    /// Whether a person can be asked: input and standard error are terminals.
    pub interactive: bool,
}

impl Output {
    /// Over the process's own streams, without assuming anything of them: no colour, ASCII, 80 columns, nobody to ask.
    pub fn process() -> Self {
        Self::over(Sink::behind(io::stdout()), Sink::behind(io::stderr()))
    }

    /// Over given streams, without assuming anything of them.
    pub fn over(stdout: Sink, stderr: Sink) -> Self {
        Self {
            stdout,
            stderr,
            style: Style { colour: false, unicode: false },
            colour_data: false,
            width: 80,
            interactive: false,
        }
    }

    /// Streams into memory, for tests.
    pub fn captured() -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Self::over(Sink::new(out.clone()), Sink::new(err.clone())), out, err)
    }

    /// One line of data.
    pub fn data(&self, line: &str) -> io::Result<()> {
        self.stdout.write(&format!("{line}\n"))
    }

    /// One line for the person.
    pub fn say(&self, line: &str) -> io::Result<()> {
        self.stderr.write(&format!("{line}\n"))
    }

    /// Waits until everything is written, at most this long for each stream: what blocks it may never read again.
    pub fn drain(&self, at_most: std::time::Duration) {
        self.stdout.drain(at_most);
        self.stderr.drain(at_most);
    }

    /// How data may look.
    pub fn data_style(&self) -> Style {
        Style { colour: self.colour_data, ..self.style }
    }
}

/// What was written to a stream in memory.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// So far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_no_refusal_unless_asked_for() {
        for (choice, terminal, no_color, colour) in [
            (ColourChoice::Auto, true, false, true),
            (ColourChoice::Auto, true, true, false),
            (ColourChoice::Auto, false, false, false),
            (ColourChoice::Always, false, true, true),
            (ColourChoice::Never, true, false, false),
        ] {
            assert_eq!(choice.decide(terminal, no_color), colour, "{choice:?} {terminal} {no_color}");
        }
    }

    #[test]
    fn a_locale_says_utf8_or_ascii_is_used() {
        for (locale, utf8) in
            [(Some("de_DE.UTF-8"), true), (Some("C.utf8"), true), (Some("C"), false), (None, false)]
        {
            assert_eq!(reads_utf8(locale), utf8, "{locale:?}");
        }
    }
}
