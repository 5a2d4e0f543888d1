//! Runbook and inventory: model, check, schema.

pub mod address;
pub mod check;
pub mod discovery;
mod fields;
pub mod inventory;
pub mod model;
pub mod parameter;
pub mod parse;
pub mod schema;

#[cfg(test)]
mod tests;

pub use check::{KindFact, KindFacts, LATER, Part};
pub use discovery::{Loaded, Search};
pub use inventory::Inventory;
pub use model::Runbook;
pub use parse::{Draft, KindNames};

use crate::error::{Problems, Sources};
use std::path::Path;

/// Reads and checks an inventory. `None` if it has errors; warnings are in `problems` either way.
pub fn open_inventory(
    path: &Path,
    leaving: Option<&str>,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Loaded> {
    let before = problems.errors();
    let loaded = discovery::load(path, sources, problems)?;
    check::inventory(&check::InventoryContext { loaded: &loaded, leaving }, problems);
    (problems.errors() == before).then_some(loaded)
}

/// Reads and checks a runbook. `None` if it has errors; warnings are in `problems` either way. Kinds' own parameters are
/// not read here: their values depend on regions and parameters of a run.
pub fn open_runbook(
    path: &Path,
    inventory: Option<&Loaded>,
    kinds: &dyn KindFacts,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Runbook> {
    let before = problems.errors();
    let draft = read_runbook(path, inventory, kinds, sources, problems)?;
    (problems.errors() == before).then_some(draft.runbook)
}

/// Reads and checks a runbook, and gives what could be read of it also when there are errors: for looking on for more.
pub fn read_runbook(
    path: &Path,
    inventory: Option<&Loaded>,
    kinds: &dyn KindFacts,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Draft> {
    let draft = parse::read(path, kinds, sources, problems)?;
    check::runbook(&check::Context { draft: &draft, kinds, inventory }, problems);
    Some(draft)
}
