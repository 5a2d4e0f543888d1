//! The simulated ports.
