//! Rehearsal: the core, `perform` and the kinds of a real run, in a simulated world in which everything that can go wrong does.

mod accepted;
mod aftermath;
pub mod alphabet;
mod as_before;
mod branches;
mod cause;
pub mod certified;
mod changes;
pub mod counterexample;
mod digest;
pub mod found;
pub mod ground;
mod hands;
mod how;
mod idle;
pub mod invariants;
mod left;
pub mod live;
mod loops;
pub mod moves;
pub mod node;
mod open;
pub mod precedent;
pub mod remedy;
pub mod replay;
pub mod report;
pub mod scene;
pub mod search;
mod seen;
mod seized;
pub mod source;
pub mod start;
pub mod story;
mod suffer;
mod takeover;
mod told;
mod trespass;
mod waiting;
mod way_out;

#[cfg(test)]
mod tests;
