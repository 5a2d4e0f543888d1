//! Problems as text and as JSON.

use super::problem::Problems;
use super::source::Sources;

/// As text for a terminal of `width` columns.
#[must_use]
pub fn text(_problems: &Problems, _sources: &Sources, _colour: bool, _width: usize) -> String {
    String::new()
}

/// As a list for programs.
#[must_use]
pub fn json(_problems: &Problems, _sources: &Sources) -> serde_json::Value {
    serde_json::Value::Array(Vec::new())
}
