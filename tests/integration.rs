//! One integration binary: each extra test binary links every driver again.

mod postgres;
mod postgres_switch;
mod postgres_tls;
mod support;
