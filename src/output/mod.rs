//! Everything that people and programs see of a run: one model, several drawings of it.

pub mod checklist;
pub mod measure;
pub mod model;
pub mod paint;
pub mod plain;
pub mod scribe;
pub mod show;
pub mod streams;
pub mod summary;
pub mod terminal;
pub mod words;

pub use checklist::Frame;
pub use model::Model;
pub use plain::Plain;
pub use streams::{Output, Style};

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod screen_tests;
