//! Characters that no runbook needs, found before anything is parsed.

use std::borrow::Cow;

use crate::error::escape::is_invisible;
use crate::error::{Code, FileId, Problem, Problems, Span};

/// How many characters are reported one by one.
const REPORTED: usize = 20;

/// Reports characters that are refused and gives a text of the same length, byte for byte, that has none of them: what
/// else is wrong can then be found at its true place.
pub(super) fn characters<'a>(file: FileId, text: &'a str, problems: &mut Problems) -> Cow<'a, str> {
    let mut clean: Option<String> = None;
    let mut reported = 0;
    for (at, c) in text.char_indices() {
        // A byte order mark may begin a file.
        let begins = at == 0 && c == '\u{feff}';
        let Some((code, message)) = refused(c, &text[at + c.len_utf8()..]).filter(|_| !begins) else {
            if let Some(clean) = &mut clean {
                clean.push(c);
            }
            continue;
        };
        if reported < REPORTED {
            problems.push(Problem::error(code, message).at(Span::new(file, at..at + c.len_utf8())));
            reported += 1;
        }
        let clean = clean.get_or_insert_with(|| text[..at].to_owned());
        clean.push(match c.len_utf8() {
            1 => '?',
            2 => '\u{bf}',
            3 => '\u{fffd}',
            _ => '\u{1f7f0}',
        });
    }
    clean.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Reports a character that was hidden behind an escape in quotes (`"\u202e"`): it is gone from the file's view but would
/// reach terminals, messages and servers.
pub(super) fn escaped(text: &str, span: Span, problems: &mut Problems) {
    if let Some(c) = text.chars().find(|c| *c != '\n' && refused(*c, "").is_some()) {
        let code = if c.is_control() { Code::ControlCharacter } else { Code::InvisibleCharacter };
        let message = format!("the text contains U+{:04X}", u32::from(c));
        problems.push(Problem::error(code, message).at(span).help("remove the escape"));
    }
}

/// Why a character is refused. Joiners, variation selectors and soft hyphens stay: scripts and emoji need them.
fn refused(c: char, after: &str) -> Option<(Code, String)> {
    let shown = u32::from(c);
    match c {
        '\n' | '\t' => None,
        '\r' if after.starts_with('\n') => None,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some((
            Code::InvisibleCharacter,
            format!("U+{shown:04X}, a line break that editors do not show as one"),
        )),
        '\r' => Some((Code::ControlCharacter, "a carriage return (U+000D) without a line feed".to_owned())),
        c if c.is_control() => Some((Code::ControlCharacter, format!("the control character U+{shown:04X}"))),
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some((
            Code::InvisibleCharacter,
            format!(
                "U+{shown:04X} changes the direction of text, so that it reads differently from what it says"
            ),
        )),
        '\u{00ad}' | '\u{200c}' | '\u{200d}' | '\u{180b}'..='\u{180f}' => None,
        // Flags of England, Scotland and Wales are written with tags; nothing that a runbook needs.
        c if is_invisible(c) => {
            Some((Code::InvisibleCharacter, format!("the invisible character U+{shown:04X}")))
        }
        _ => None,
    }
}
