//! The real world: the only place where drivers appear.

pub mod postgres;
pub mod tls;
