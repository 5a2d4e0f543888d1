//! Commands, one file each.

pub mod lab;
