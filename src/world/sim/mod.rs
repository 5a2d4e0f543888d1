//! The simulated ports: deterministic, in memory, every answer ready at once.

pub mod silent;
