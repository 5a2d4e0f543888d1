//! How a rehearsal is made.

use super::live::{Snapshot, stage};
use super::node::Bend;
use super::scene::{local_writers, places, scene};
use super::source::Source;
use crate::plan::Plan;
use crate::runbook::inventory::Inventory;
use crate::world::sim::Sim;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// How a rehearsal is made.
pub struct How<'a> {
    /// Makes the world that it begins in, once for each worker.
    pub world: Box<dyn Fn() -> Sim + Sync + 'a>,
    /// What the source is like in it.
    pub source: Source,
    /// The plan with which a person may take a planned run over as unplanned, if there is one.
    pub unplanned: Option<Plan>,
    /// Clusters whose applications write only where the primary is.
    pub local: BTreeSet<String>,
    /// What answers in each region.
    pub places: BTreeMap<String, BTreeSet<String>>,
    /// What is broken on purpose.
    pub bend: Bend,
    /// Faults in one schedule with which everything is tried, one number after the other.
    pub widths: RangeInclusive<u32>,
    /// Whether the first finding ends it.
    pub first: bool,
    /// Threads that share the work.
    pub workers: usize,
}

impl<'a> How<'a> {
    /// With a sound engine, in the world that the inventory describes.
    pub fn of(plan: &'a Plan, inventory: &'a Inventory, mishaps: u32, workers: usize) -> Self {
        Self {
            world: Box::new(|| scene(plan, inventory)),
            source: Source::Serves,
            unplanned: None,
            local: local_writers(plan, inventory),
            places: places(inventory),
            bend: Bend::default(),
            widths: 0..=mishaps,
            first: false,
            workers,
        }
    }
}

impl<'a> How<'a> {
    /// With a sound engine, in the world that the inventory describes, in which the source has become like this.
    pub fn with(
        plan: &'a Plan,
        inventory: &'a Inventory,
        source: Source,
        mishaps: u32,
        workers: usize,
    ) -> Self {
        let world = Box::new(move || {
            let sim = scene(plan, inventory);
            source.befalls(plan, &sim);
            sim
        });
        Self { world, source, ..Self::of(plan, inventory, mishaps, workers) }
    }

    /// The same, and a person may take the run over with this plan, if there is one.
    pub fn or(self, unplanned: Option<Plan>) -> Self {
        Self { unplanned, ..self }
    }

    /// With a sound engine, in the world that was seen, in which the source has then become like this.
    pub fn live(
        plan: &'a Plan,
        inventory: &'a Inventory,
        snapshot: &'a Snapshot,
        source: Source,
        mishaps: u32,
        workers: usize,
    ) -> Self {
        let world = Box::new(move || {
            let sim = stage(plan, inventory, snapshot).sim;
            source.befalls(plan, &sim);
            sim
        });
        Self { world, source, ..Self::of(plan, inventory, mishaps, workers) }
    }
}
