//! The simulated servers and the real ones, told the same and asked the same: one script a case, run on both, and what each says
//! compared line by line. What a rehearsal believes is then what a run meets.
//!
//! `table` is the list of all cases; `page` makes `docs/reference/conformance.md` of it; `provenance` reads the sources of the
//! simulation for the cases that they name.

#[macro_use]
mod table;

mod cache;
mod dns;
mod page;
mod postgres;
mod provenance;
mod wire;
