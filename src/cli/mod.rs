//! Commands, one file each.

pub mod lab;
pub mod wire;
