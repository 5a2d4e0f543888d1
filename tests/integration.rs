//! The one integration binary: a file per behaviour that a user can see. Each test starts real servers of its own.

mod failover;
mod lab;
mod postgres;
mod postgres_switch;
mod postgres_tls;
mod support;
mod traffic;
