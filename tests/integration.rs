//! One binary for all integration tests: each further one would link every driver again.

mod lab;
mod postgres;
mod support;
mod traffic;
