//! What several tests need.

pub mod kinds;
pub mod pg;
pub mod picture;
pub mod port;
pub mod terminal;
pub mod world;
