//! Reads a runbook's text into its model, with every problem at its place.

mod policy;
mod step;
mod top;

pub use policy::{ConfirmText, POLICY_KEYS, PolicyText, RetryText};
pub use top::{ObjectivesText, SECTION_KEYS, TOP_KEYS, WatchText};

use super::model::Runbook;
use crate::error::{Code, FileId, Problem, Problems, Sources};
use crate::language::tree::{self, Node, Style, Value};
use crate::language::{Limits, file};
use std::path::Path;

/// The names of all kinds.
pub trait KindNames {
    /// Names such as `postgres.promote`, in the order of the documentation.
    fn names(&self) -> Vec<&str>;
}

/// What could be read.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The runbook, without the parts that could not be read.
    pub runbook: Runbook,
    /// Whether every step is there: otherwise rules about what is missing would blame the wrong thing.
    pub whole: bool,
}

/// The only version of the format.
pub const VERSION: &str = "1";

/// Reads a runbook from a file.
pub fn read(
    path: &Path,
    kinds: &dyn KindNames,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Draft> {
    let id = file::read_file(path, sources, problems)?;
    parse(id, sources.text(id), kinds, problems)
}

/// Reads a runbook from a text of [`Sources`].
pub fn parse(file: FileId, text: &str, kinds: &dyn KindNames, problems: &mut Problems) -> Option<Draft> {
    let (node, found) = tree::parse(file, text, Limits::default());
    problems.append(found);
    top::runbook(&node?, kinds, problems)
}

/// Whether the version at the top of a runbook or inventory is ours. Of another version nothing else can be said.
pub(super) fn version(root: &Node, what: &str, problems: &mut Problems) -> bool {
    if root.is_refused() {
        return false;
    }
    let Some(entries) = root.as_map() else {
        problems.push(
            Problem::error(Code::WrongType, format!("{what} has to be a map, but this is {}", root.what()))
                .at(root.head())
                .help("begin with `mrctl: 1`"),
        );
        return false;
    };
    let Some((key, value)) = entries.iter().find(|(key, _)| key.name == "mrctl") else {
        problems.push(
            Problem::error(Code::MissingKey, format!("{what} does not say its version"))
                .at(root.head())
                .help("begin with `mrctl: 1`"),
        );
        return true;
    };
    if value.is_refused() {
        return true;
    }
    match value.as_text() {
        Some(VERSION) if matches!(value.value, Value::Scalar { style: Style::Plain, .. }) => true,
        Some(VERSION) => {
            problems.push(
                Problem::error(Code::QuotedValue, "expected a number, found quoted text")
                    .at(value.span)
                    .help("remove the quotes: `mrctl: 1`"),
            );
            // The version is clear, and so is everything else.
            true
        }
        Some(other) => {
            problems.push(
                Problem::error(
                    Code::UnsupportedVersion,
                    format!("version `{other}` of the format is not known to this mrctl"),
                )
                .at(value.span),
            );
            false
        }
        None => {
            problems.push(
                Problem::error(
                    Code::UnsupportedVersion,
                    format!("the version of {what} is {}", value.what()),
                )
                .at(key.span),
            );
            false
        }
    }
}
