//! Files that were read, and places in them.

use std::ops::Range;

/// One file of a [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A range of bytes in one file: `start` inclusive, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Span {
    /// A span of `range` in `file`; offsets beyond 4 GiB saturate, an inverted range becomes empty.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        let start = u32::try_from(range.start).unwrap_or(u32::MAX);
        let end = u32::try_from(range.end).unwrap_or(u32::MAX).max(start);
        Span { file, start, end }
    }

    /// The bytes, for slicing.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The part of this span that begins `offset` bytes in and is `length` bytes long, cut at this span's end.
    #[must_use]
    pub fn part(self, offset: usize, length: usize) -> Span {
        let start = self.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX)).min(self.end);
        let end = start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX)).min(self.end);
        Span { file: self.file, start, end }
    }

    /// From the start of this span to the end of the other, in this span's file.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.start) }
    }
}

/// Where a span begins and ends, as people count: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line of the first character.
    pub line: usize,
    /// Column of the first character.
    pub column: usize,
    /// Line of the character after the last.
    pub end_line: usize,
    /// Column of the character after the last.
    pub end_column: usize,
}

#[derive(Debug, Clone)]
struct Source {
    path: String,
    text: String,
    /// Byte offset of the first character of each line; the first is 0.
    lines: Vec<usize>,
}

/// The paths and texts of all files read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// No files yet.
    #[must_use]
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Keeps a text under the path shown to people.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        self.files.push(Source { path: path.into(), text, lines });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// Whether no file was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The path as given; empty for a file that is not here.
    #[must_use]
    pub fn path(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.path)
    }

    /// The whole text; empty for a file that is not here.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// The text of a span, shortened to whole characters inside the file.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        let text = self.text(span.file);
        let start = floor(text, span.start as usize);
        &text[start..floor(text, span.end as usize).max(start)]
    }

    /// Line and column of a span; `None` when the file is not here. Offsets beyond the end count as the end.
    #[must_use]
    pub fn line_column(&self, span: Span) -> Option<Place> {
        let source = self.get(span.file)?;
        let (line, column) = source.position(span.start as usize);
        let (end_line, end_column) = source.position(span.end as usize);
        Some(Place { line, column, end_line, end_column })
    }

    /// The text of one line (from 1) without its line break, and the offset of its first byte.
    pub(crate) fn line(&self, file: FileId, number: usize) -> Option<(&str, usize)> {
        let source = self.get(file)?;
        let start = *source.lines.get(number.checked_sub(1)?)?;
        let end = source.lines.get(number).copied().unwrap_or(source.text.len());
        let text = source.text.get(start..end)?;
        Some((text.trim_end_matches(['\n', '\r']), start))
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }
}

impl Source {
    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor(&self.text, offset);
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |part| part.chars().count());
        (line, column + 1)
    }
}

/// The nearest character boundary at or before `offset`, at most the length of the text.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", "äb\r\nzwei\n");
        let place = sources.line_column(Span::new(file, 2..3)).unwrap();
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (1, 2, 1, 3));
        let place = sources.line_column(Span::new(file, 5..9)).unwrap();
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 1, 2, 5));
        assert_eq!(sources.slice(Span::new(file, 5..9)), "zwei");
        assert_eq!(sources.line(file, 1), Some(("äb", 0)));
        assert_eq!(sources.line(file, 3), Some(("", 10)));
        assert_eq!(sources.line(file, 4), None);
    }

    #[test]
    fn places_outside_of_the_text_and_inside_of_a_character_are_harmless() {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", "ä");
        assert_eq!(sources.slice(Span::new(file, 1..900)), "ä");
        assert_eq!(sources.line_column(Span::new(file, 1..900)).unwrap().end_column, 2);
        assert_eq!(sources.line_column(Span::new(FileId(7), 0..1)), None);
        assert_eq!(sources.slice(Span::new(FileId(7), 0..1)), "");
    }
}
