//! Redis.

mod cases;
mod stage;

pub use cases::{CASES, simulation};
