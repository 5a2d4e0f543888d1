//! Commands, one file each.

pub mod lab;
pub mod setup;
pub mod wire;
