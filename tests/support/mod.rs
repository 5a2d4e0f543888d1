//! What several tests need.

pub mod api;
pub mod kinds;
pub mod observer;
pub mod pg;
pub mod picture;
pub mod port;
pub mod proxy;
pub mod terminal;
pub mod world;
