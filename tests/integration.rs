//! The one integration binary: a file per behaviour that a user can see. Each test starts real servers of its own.

mod lab;
mod postgres;
mod support;
mod traffic;
