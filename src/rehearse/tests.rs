//! What a rehearsal finds, and what it does not.

use super::node::Ground;
use super::scene::scene;
use super::search::{Bound, Search};
use super::story;
use crate::error::{Problems, Sources};
use crate::plan::testing::planned;
use crate::runbook::open_inventory;
use std::path::Path;

#[test]
fn measure() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runbook = std::env::var("RB").unwrap_or("runbooks/postgres-planned-failover.yaml".into());
    let inv = std::env::var("INV").unwrap_or("runbooks/mrctl.yaml".into());
    let inventory = folder.join(inv);
    let (plan, problems, sources) = planned(&folder.join(runbook), &inventory);
    let plan =
        plan.unwrap_or_else(|| panic!("{}", crate::error::render::text(&problems, &sources, false, 100)));
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let inventory = open_inventory(&inventory, None, &mut sources, &mut problems).unwrap();
    let sim = scene(&plan, &inventory.inventory);
    for mishaps in 0..=std::env::var("K").map_or(1, |k| k.parse().unwrap()) {
        let (ground, node) = Ground::begin(plan.clone(), sim.fork()).unwrap();
        let mut search = Search::new(&ground, Bound { mishaps, states: 3_000_000 });
        let begun = std::time::Instant::now();
        search.run(node);
        println!("k={mishaps} {:?} {:?} findings {}", begun.elapsed(), search.counts, search.findings.len());
        let mut all: Vec<_> = search.findings.iter().collect();
        all.sort_by_key(|(_, (finding, _))| (finding.mishaps, finding.length));
        for (cause, (finding, count)) in all.iter().take(6) {
            println!("--- {cause} ×{count}: {}", finding.what);
            for happening in story::happenings(finding.trail.as_ref()) {
                if let Some((line, fault)) = story::line(&happening) {
                    println!("{} {line}", if fault { "!!" } else { "  " });
                }
            }
        }
    }
}
