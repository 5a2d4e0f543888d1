//! The real ports: the only place where drivers, sockets and processes appear.
//!
//! Each port takes a plain settings struct of its own; `cli/` makes it from the inventory. Secrets arrive resolved.

pub mod addresses;
pub mod cache;
mod cache_copy;
pub mod client;
pub mod clock;
pub mod dns;
mod dns_api;
pub mod dns_ask;
pub mod exec;
pub mod haproxy;
pub mod http;
pub mod notify;
pub mod postgres;
pub mod process;
pub mod program;
pub mod secret;
pub mod signal;
pub mod tls;
