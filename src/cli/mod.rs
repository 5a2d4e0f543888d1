//! Commands, one file each; the only place that wires real ports.

pub mod abandon;
mod beside;
pub mod describe;
mod directions;
pub mod drive;
pub mod failover;
pub mod history;
pub mod lab;

mod readiness;
pub mod resume;
mod root;
mod secrets;
pub mod setup;
pub mod status;
mod verify;
pub mod wire;

pub use root::{Cli, completions, main, man};
