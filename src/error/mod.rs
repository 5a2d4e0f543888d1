//! Problems that a person must mend: codes, places in files, snippets, suggestions, safe text.
//!
//! This room knows no other room of the program.

pub mod code;
pub mod escape;
pub mod problem;
pub mod render;
pub mod source;
pub mod suggest;

pub use code::Code;
pub use problem::{Problem, Problems, Severity};
pub use source::{FileId, Place, Sources, Span};
