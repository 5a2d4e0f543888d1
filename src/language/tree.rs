//! A YAML text as a tree in which every node knows its place.
//!
//! The reader is the event parser `granit-parser` (YAML 1.2); what the language refuses is refused in [`parse`], with
//! its place and remedy. All scalars are text: whether `yes` or `0o7` means anything is for a typed reader to say.

mod build;
mod key;
mod scan;
mod syntax;

use crate::error::{FileId, Problems, Span};

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it is; for a block map or list from its first key or item to the end of its last.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One text.
    Scalar {
        /// After YAML's escapes.
        text: String,
        /// How it was written.
        style: Style,
    },
    /// Items in order.
    List(Vec<Node>),
    /// Entries in the order of the file; keys are unique.
    Map(Vec<(Key, Node)>),
    /// Something stood here and was refused with a problem: readers say nothing more about it.
    Refused,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The text.
    pub name: String,
    /// Where it is.
    pub span: Span,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// Without quotes: may become a number or boolean where one is asked for.
    Plain,
    /// In single or double quotes: always text.
    Quoted,
    /// `|` or `>`: always text.
    Block,
}

impl Node {
    /// A scalar.
    #[must_use]
    pub fn scalar(span: Span, text: impl Into<String>, style: Style) -> Node {
        Node { span, value: Value::Scalar { text: text.into(), style } }
    }

    /// The text of a scalar.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Map(_) | Value::Refused => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Scalar { .. } | Value::Map(_) | Value::Refused => None,
        }
    }

    /// The entries of a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { .. } | Value::List(_) | Value::Refused => None,
        }
    }

    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The key and value of a map's entry.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.as_map()?.iter().find(|(key, _)| key.name == name)
    }

    /// It was refused already: say nothing more about it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.value == Value::Refused
    }

    /// What it is, for messages: "a text", "a list", "a map".
    #[must_use]
    pub fn what(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Refused => "something refused",
        }
    }

    /// A short place to point at: a scalar itself, the first key of a map, the head of a list's first item.
    #[must_use]
    pub fn head(&self) -> Span {
        match &self.value {
            Value::Map(entries) => entries.first().map_or(self.span, |(key, _)| key.span),
            Value::List(items) => items.first().map_or(self.span, Node::head),
            Value::Scalar { .. } | Value::Refused => self.span,
        }
    }
}

/// Bounds for hostile files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Levels of maps and lists.
    pub depth: usize,
    /// Scalars, maps and lists.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 1 << 20, depth: 32, nodes: 200_000 }
    }
}

/// Reads a text into a tree, with everything that is wrong. The tree is absent when the text cannot be read to its end;
/// otherwise it holds all that was not refused.
#[must_use]
pub fn parse(file: FileId, text: &str, limits: Limits) -> (Option<Node>, Problems) {
    build::parse(file, text, limits)
}
