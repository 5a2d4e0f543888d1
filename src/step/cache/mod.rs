//! Caches.

pub mod warm;
