//! What several tests need.

pub mod pg;
pub mod world;
