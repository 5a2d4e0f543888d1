//! PostgreSQL.

pub mod facts;
pub mod gone;
pub mod lost;
pub mod managed;
pub mod more;
mod real;
pub mod stage;
mod stories;
mod tell;
