//! mrctl executes regional failovers from a YAML runbook that reads like a pilot's checklist.
#![forbid(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod error;
pub mod exit_code;
pub mod journal;
pub mod lab;
pub mod language;
pub mod output;
pub mod plan;
pub mod redact;
pub mod rehearse;
pub mod runbook;
pub mod step;
pub mod store;
pub mod world;
