//! Redis.

mod cases;
pub mod lost;
mod stage;

pub use cases::{CASES, simulation};
