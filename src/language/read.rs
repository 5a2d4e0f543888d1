//! Typed values out of a tree, with every problem at its place.

use serde::de::DeserializeOwned;

use super::tree::Node;
use crate::error::{Problems, Span};

/// Reads a node as `T`; every problem found is added, and `None` means that at least one is an error.
pub fn from_node<T: DeserializeOwned>(_node: &Node, _problems: &mut Problems) -> Option<T> {
    None
}

/// A value with its place; works inside derived structs that are read by [`from_node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}
