//! Endpoints as users see them.

pub mod check;
