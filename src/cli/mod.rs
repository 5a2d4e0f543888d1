//! Commands, one file each.

pub mod drive;
pub mod failover;
pub mod lab;
pub mod setup;
pub mod wire;
