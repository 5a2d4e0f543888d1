//! Events into a tree.
use super::{Limits, Node};
use crate::error::{FileId, Problems};
pub(super) fn parse(_file: FileId, _text: &str, _limits: Limits) -> (Option<Node>, Problems) {
    (None, Problems::new())
}
