//! Everything that people and programs see of a run: one model, several drawings of it.

pub mod paint;
pub mod streams;
pub mod words;

pub use streams::{Output, Style};
