//! PostgreSQL.

pub mod facts;
pub mod more;
mod real;
mod stage;
mod stories;
mod tell;
