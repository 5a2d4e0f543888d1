//! Commands, one file each; the only place that wires real ports.

pub mod describe;
pub mod drive;
pub mod failover;
pub mod history;
pub mod lab;

mod readiness;
pub mod resume;
mod root;
pub mod setup;
pub mod status;
pub mod wire;

pub use root::{Cli, completions, main, man};
