//! The language of runbooks and inventories: a spanned YAML tree, typed reading, interpolation, conditions.
//!
//! This room knows no word of the domain: no region, no step, no database. It imports `error` only.

pub mod expression;
pub mod file;
pub mod interpolate;
pub mod name;
#[cfg(test)]
pub(crate) mod naughty;
pub mod read;
pub mod rejected;
pub mod tree;
pub mod units;

pub use name::{Label, Name};
pub use read::{Spanned, from_node};
pub use rejected::Rejected;
pub use tree::{Key, Limits, Node, Style, Value};
pub use units::{Period, Rate, Share, Size};
