//! What several tests need.

pub mod kinds;
pub mod pg;
pub mod port;
pub mod world;
