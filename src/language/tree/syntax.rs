//! What the YAML parser could not read, in words that help.

use granit_parser::{ErrorKind, ScanError};

use crate::error::{Code, FileId, Problem, Span};

/// The parser's error as a problem at its place.
pub(super) fn problem(file: FileId, text: &str, error: &ScanError) -> Problem {
    let at = offset(text, error).min(text.len());
    let end = text[at..].char_indices().nth(1).map_or(text.len(), |(next, _)| at + next);
    // A place behind the last character points at nothing: point at the end of the last line instead.
    let span = if at == text.len() { last_character(file, text) } else { Span::new(file, at..end) };
    let (code, message, help) = line_words(error.kind(), text, at).unwrap_or_else(|| words(error.kind()));
    let span = if code == Code::Tab { tab(file, text, at).unwrap_or(span) } else { span };
    let problem = Problem::error(code, message).at(span);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn offset(text: &str, error: &ScanError) -> usize {
    let marker = error.marker();
    let at = marker
        .byte_offset()
        .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(at, _)| at));
    if text.is_char_boundary(at) { at } else { text.len() }
}

/// The tab itself: the parser stops a little before or behind it.
fn tab(file: FileId, text: &str, at: usize) -> Option<Span> {
    let line = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let before = text[line..at].rfind('\t').map(|found| line + found);
    let start = before.or_else(|| text[at..].find('\t').map(|found| at + found))?;
    Some(Span::new(file, start..start + 1))
}

fn last_character(file: FileId, text: &str) -> Span {
    let trimmed = text.trim_end();
    let start = trimmed.char_indices().next_back().map_or(0, |(at, _)| at);
    Span::new(file, start..trimmed.len())
}

/// Better words where the line itself shows what was meant.
fn line_words(kind: &ErrorKind, text: &str, at: usize) -> Option<Words> {
    let start = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    let of = |message: &str, help: &'static str| Some((Code::Syntax, message.to_owned(), Some(help)));
    match kind {
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey
            if line
                .split_once(':')
                .is_some_and(|(key, value)| is_key(key) && !value.starts_with([' ', '/'])) =>
        {
            of("a line without `: ` is where a key is expected", "put a blank after the `:`")
        }
        // The key of this line was read as more of the text that began on a line above.
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement
            if start > 0 && is_key(text[start..at].trim()) && continues(text, start) =>
        {
            of(
                "this line continues the text above it",
                "indent it like the key above; a text that contains `: ` needs quotes",
            )
        }
        ErrorKind::ExpectedBlockSequenceEntry if !line.starts_with('-') => of(
            "this does not line up with the items above",
            "indent it like the keys of its item, or begin an item with `- ` at the same column",
        ),
        ErrorKind::ExpectedBlockMappingKey if line.starts_with("- ") => of(
            "this item lines up with no list above",
            "indent it like the other items of its list, or put it below its key",
        ),
        _ => None,
    }
}

/// One word that can be a key.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// The line before has a key with a plain text and is indented less than this one.
fn continues(text: &str, start: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let before = text[..start].trim_end().lines().next_back().unwrap_or_default();
    let this = text[start..].lines().next().unwrap_or_default();
    before.split_once(": ").is_some_and(|(key, _)| is_key(key.trim_start_matches([' ', '-'])))
        && indent(before) < indent(this)
}

type Words = (Code, String, Option<&'static str>);

fn words(kind: &ErrorKind) -> Words {
    let of = |code: Code, message: &str| -> Words { (code, message.to_owned(), None) };
    let syntax =
        |message: &str, help: &'static str| -> Words { (Code::Syntax, message.to_owned(), Some(help)) };
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => of(Code::Tab, "a tab is where only blanks may be"),
        ErrorKind::RecursionLimitExceeded => of(Code::TooDeep, "the file is nested too deeply"),
        ErrorKind::DirectiveDisallowed => of(Code::Directive, "a YAML directive"),
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::InvalidGlobalTagCharacter
        | ErrorKind::ExpectedTagBang
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidTagUtf8
        | ErrorKind::InvalidTagUtf8LeadingByte
        | ErrorKind::InvalidTagUtf8TrailingByte => (
            Code::Tag,
            "a text that begins with `!` is a tag".to_owned(),
            Some("put the text in quotes, or remove the tag"),
        ),
        ErrorKind::MissingAnchorOrAliasName => {
            syntax("a text begins with `*` or `&`", "put the text in quotes")
        }
        ErrorKind::CommentInterceptedScalar => (
            Code::TextCut,
            "a comment stands in the middle of a text of several lines".to_owned(),
            Some("put the text in quotes, or the comment above it"),
        ),
        ErrorKind::CommentNotSeparated => syntax(
            "a `#` directly after a value",
            "put a blank before the comment, or the whole text in quotes",
        ),
        ErrorKind::UnclosedQuotedScalar => syntax("a quote is not closed", "add the closing quote"),
        ErrorKind::UnclosedFlowCollection { open } => {
            (Code::Syntax, format!("`{open}` is not closed"), Some("add the closing bracket"))
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            syntax("the file ends inside brackets", "add the closing bracket")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (Code::Syntax, format!("`{open}` is closed by `{close}`"), None)
        }
        ErrorKind::UnexpectedCharacter { character } => (
            Code::Syntax,
            format!(
                "a value cannot begin with `{}`",
                crate::error::escape::outside(&character.to_string(), 12)
            ),
            Some("put the text in quotes"),
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => syntax(
            "a `: ` inside a text",
            "put a text that contains `: ` in quotes; if this is a key, check its indentation",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => syntax(
            "a line without `:` is where a key is expected",
            "write `key: value`, or indent the line to continue a text",
        ),
        ErrorKind::ExpectedBlockMappingKey => syntax(
            "this does not line up with the keys above",
            "indent it like the other keys of the same map",
        ),
        ErrorKind::ExpectedBlockSequenceEntry => syntax(
            "this does not line up with the items above",
            "begin each item with `- ` at the same column",
        ),
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => {
            syntax("the indentation fits nothing above", "indent it like the lines that it belongs to")
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => syntax(
            "a `,` or closing bracket is missing",
            "inside brackets, text with `,`, `{`, `}`, `[` or `]` needs quotes",
        ),
        ErrorKind::UnknownQuotedScalarEscape => {
            syntax("an unknown escape in double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            syntax("text follows a closing quote", "put the whole value in one pair of quotes")
        }
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            syntax("a `- ` item is not possible here", "begin a list on a new line below its key")
        }
        ErrorKind::BomInsideDocument => of(Code::InvisibleCharacter, "a byte order mark inside the text"),
        other => (Code::Syntax, other.to_string().to_lowercase(), None),
    }
}
