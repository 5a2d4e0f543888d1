//! What several tests need.

pub mod pg;
pub mod terminal;
pub mod world;
