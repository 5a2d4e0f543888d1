//! What `${…}` and bare names stand for when the plan is made.

use crate::language::interpolate::{Found, Lookup};
use crate::runbook::check::{LATER, REGIONS};
use crate::runbook::inventory::Inventory;
use std::collections::{BTreeMap, BTreeSet};

/// Names of a plan, in one region.
pub struct Names<'a> {
    /// Source region.
    pub from: &'a str,
    /// Target region.
    pub to: &'a str,
    /// The region in which the step acts.
    pub region: &'a str,
    /// Parameters, `mode`, `drill`.
    pub values: &'a BTreeMap<String, String>,
    /// The inventory, for facts of regions.
    pub inventory: &'a Inventory,
    /// What steps save, as `step.name`.
    pub outputs: &'a BTreeSet<String>,
    /// Whether the text is a message.
    pub message: bool,
}

impl Names<'_> {
    fn region(&self, word: &str) -> Option<&str> {
        match word {
            "from" => Some(self.from),
            "to" => Some(self.to),
            "region" => Some(self.region),
            _ => None,
        }
    }
}

impl Lookup for Names<'_> {
    fn get(&self, path: &str) -> Found {
        if let Some(region) = self.region(path) {
            return Found::Text(region.to_string());
        }
        if let Some(value) = self.values.get(path) {
            return Found::Text(value.clone());
        }
        if LATER.contains(&path) || self.outputs.contains(path) {
            return Found::Later;
        }
        let facts = path.split_once('.').and_then(|(word, fact)| Some((self.region(word)?, word, fact)));
        if let Some((region, word, fact)) = facts {
            let facts = self.inventory.regions.get(region).map(|region| &region.facts);
            return match facts.and_then(|facts| facts.get(fact)) {
                Some(value) => Found::Text(value.clone()),
                None => Found::Unknown {
                    candidates: facts
                        .map(|facts| facts.keys().map(|fact| format!("{word}.{fact}")).collect())
                        .unwrap_or_default(),
                },
            };
        }
        let words = REGIONS.iter().chain(LATER).copied().map(String::from);
        let outputs = self.outputs.iter().cloned();
        Found::Unknown { candidates: self.values.keys().cloned().chain(words).chain(outputs).collect() }
    }

    fn allows_later(&self) -> bool {
        self.message
    }
}
