//! Everything that people and programs see of a run: one model, several drawings of it.

pub mod checklist;
pub mod events;
pub mod given;
pub mod input;
pub mod measure;
pub mod model;
pub mod ndjson;
pub mod paint;
pub mod plain;
pub mod prompt;
pub mod scribe;
pub mod show;
pub mod streams;
pub mod summary;
pub mod terminal;
pub mod words;

pub use checklist::Frame;
pub use given::{Approvals, Given, missing};
pub use input::Input;
pub use model::Model;
pub use ndjson::Ndjson;
pub use plain::Plain;
pub use prompt::AtTerminal;
pub use streams::{Output, Style};

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod screen_tests;
