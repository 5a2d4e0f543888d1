//! Typed values out of a tree, with every problem at its place.
//!
//! A serde deserializer over [`Node`]. Serde stops at the first error of a value; to report all of them, a value that
//! failed is read again with what failed moved to the end, until nothing new is found (at most `MOST_RUNS` times).
//!
//! `flatten`, `untagged` and internally tagged enums lose places and are not for user input.

mod access;
mod error;
mod node;
mod spanned;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

pub use self::error::Error;
pub use self::spanned::Spanned;

use super::tree::{Key, Node, Value};
use crate::error::escape::outside;
use crate::error::{Code, Problem, Problems, suggest};

/// How often one value is read in search of more problems.
const MOST_RUNS: usize = 128;

/// Reads a node as `T` and adds every problem found: wrong types and values, unknown and missing keys. Quoted text never
/// becomes a number or boolean. `None` means that at least one error was added; unknown keys are errors, but are skipped
/// and do not prevent a value, so that later checks can find more (`problems.has_errors()` decides).
pub fn from_node<T: DeserializeOwned>(node: &Node, problems: &mut Problems) -> Option<T> {
    from_named_node(node, None, problems)
}

/// [`from_node`] for the value of a key, whose name then stands in messages ("`retry` needs `times`").
pub fn from_named_node<T: DeserializeOwned>(
    node: &Node,
    name: Option<&str>,
    problems: &mut Problems,
) -> Option<T> {
    if node.is_refused() {
        return None;
    }
    let context = Context::default();
    let mut value = None;
    for run in 0..MOST_RUNS {
        let before = context.progress.get();
        match (node::Reader { node, name, context: &context }).seed(PhantomData::<T>) {
            Ok(read) if run == 0 => value = Some(read),
            Ok(_) => {}
            Err(_) if context.progress.get() != before && !context.is_full() => continue,
            Err(_) => {}
        }
        break;
    }
    problems.append(context.problems.into_inner());
    value
}

/// The problem of a key that is none of those known, for what is read by hand.
#[must_use]
pub fn unknown_key(key: &Key, known: &[&str]) -> Problem {
    let message = format!("unknown key `{}`", outside(&key.name, 60));
    let help = match suggest::closest(&key.name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known keys: {}", access::list(known)),
    };
    Problem::error(Code::UnknownKey, message).at(key.span).help(help)
}

/// What is known across the runs over one value.
#[derive(Default)]
struct Context {
    problems: RefCell<Problems>,
    /// Nodes that failed, by address, and whether their last run told nothing new.
    failed: RefCell<HashMap<usize, bool>>,
    /// Counts problems found and nodes that have no more to tell: a run that moves it not is the last.
    progress: Cell<usize>,
}

impl Context {
    fn is_full(&self) -> bool {
        self.problems.borrow().omitted() > 0
    }

    fn report(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        let before = problems.len();
        problems.push(problem);
        if problems.len() > before {
            self.progress.set(self.progress.get() + 1);
        }
    }

    /// Notes that a node failed; `before` is the progress before it was read.
    fn fail(&self, node: &Node, before: usize) {
        let leaf = matches!(node.value, Value::Scalar { .. } | Value::Refused);
        let exhausted = leaf || self.progress.get() == before;
        let earlier = self.failed.borrow_mut().insert(std::ptr::from_ref(node) as usize, exhausted);
        if exhausted && earlier != Some(true) {
            self.progress.set(self.progress.get() + 1);
        }
    }

    /// When to read a node among its siblings: good ones first, then those that may have more to tell.
    fn turn(&self, node: &Node) -> u8 {
        match self.failed.borrow().get(&(std::ptr::from_ref(node) as usize)) {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        }
    }
}

#[cfg(test)]
mod tests;
