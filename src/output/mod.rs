//! Everything that people and programs see of a run: one model, several drawings of it.

pub mod canvas;
pub mod certified;
pub mod checklist;
pub mod events;
#[cfg(test)]
mod events_page;
pub mod given;
pub mod input;
pub mod junit;
mod lost;
pub mod meaning;
pub mod measure;
pub mod model;
pub mod moments;
pub mod ndjson;
pub mod paint;
pub mod plain;
pub mod plan;
pub mod prompt;
pub mod rehearsal;
pub mod replay;
pub mod rows;
pub mod sarif;
pub mod scribe;
pub mod show;
pub mod sink;
pub mod status;
pub mod streams;
pub mod summary;
pub mod table;
mod taking_back;
pub mod terminal;
pub mod waiting;
pub mod words;

pub use canvas::Canvas;
pub use checklist::Frame;
pub use given::{Approvals, Given, missing};
pub use input::Input;
pub use model::Model;
pub use ndjson::Ndjson;
pub use plain::Plain;
pub use prompt::AtTerminal;
pub use sink::Sink;
pub use streams::{Output, Style};

use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::engine::state::RunState;
use crate::engine::{Asked, Progress};
use crate::journal::chain::Line;
use std::rc::Rc;

/// Several readers of one run, such as the checklist on standard error and events on standard output.
pub struct Readers(pub Vec<Rc<dyn Reader>>);

impl Reader for Readers {
    fn record(&self, line: &Line, record: &Record, state: &RunState) {
        for reader in &self.0 {
            reader.record(line, record, state);
        }
    }

    fn progress(&self, progress: &Progress) {
        for reader in &self.0 {
            reader.progress(progress);
        }
    }

    fn waiting(&self, asked: &Asked) {
        for reader in &self.0 {
            reader.waiting(asked);
        }
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod ndjson_tests;
#[cfg(test)]
mod readability_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod screen_tests;
