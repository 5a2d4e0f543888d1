//! What several tests need.

pub mod pg;
pub mod picture;
pub mod terminal;
pub mod world;
