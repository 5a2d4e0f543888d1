//! One integration binary: each extra test binary links every driver again.

mod postgres;
mod support;
