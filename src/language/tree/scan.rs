//! What can be seen in the raw text: characters that have no place in a runbook.

use crate::error::{Code, FileId, Problem, Problems, Span};

/// Reports control characters and those that make text look like something else.
pub(super) fn characters(file: FileId, text: &str, problems: &mut Problems) -> bool {
    let mut fine = true;
    for (at, character) in text.char_indices() {
        let (code, what) = match character {
            '\n' | '\t' => continue,
            '\r' if text[at + 1..].starts_with('\n') => continue,
            c if c.is_control() => (Code::ControlCharacter, "a control character"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}' => {
                (Code::InvisibleCharacter, "a character that turns the direction of text")
            }
            '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{2028}' | '\u{2029}' => {
                (Code::InvisibleCharacter, "an invisible character")
            }
            _ => continue,
        };
        fine = false;
        let span = Span::new(file, at..at + character.len_utf8());
        problems.push(Problem::error(code, format!("{what}: U+{:04X}", character as u32)).at(span));
    }
    fine
}
