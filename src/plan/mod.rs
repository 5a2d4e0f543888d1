//! From text to a frozen plan: resolve, expand, digest, render.

mod model;

pub use model::{Ask, AskKind, Drill, FORMAT, Mode, Objectives, OnFailure, Plan, PlannedEffect, Step, Watch};
