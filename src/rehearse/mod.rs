//! Rehearsal: the core, `perform` and the kinds of a real run, in a simulated world in which everything that can go wrong does.

pub mod alphabet;
mod digest;
pub mod invariants;
mod moves;
pub mod node;
pub mod replay;
pub mod report;
pub mod scene;
pub mod search;
pub mod story;
mod suffer;

#[cfg(test)]
mod tests;
