//! From text to a frozen plan: resolve, expand, digest, render.

mod build;
mod consent;
mod directory;
mod kinds;
mod model;
mod names;
mod part;
#[cfg(test)]
pub mod testing;
mod values;
mod writers;

pub use build::{Request, build};
pub use consent::LOSE;
pub use directory::{InventoryDirectory, command};
pub use kinds::{TableOfKinds, runbook_schema};
pub use model::{Ask, AskKind, Drill, FORMAT, Mode, Objectives, OnFailure, Plan, PlannedEffect, Step, Watch};
