//! Each invariant that no mutant of the engine breaks alone, broken by hand: a check that cannot fail checks nothing.

use super::{inventory, plan};
use crate::engine::record::{Choice, Record, Verdict};
use crate::rehearse::invariants::broken;
use crate::rehearse::node::{Bend, Ground, Node};
use crate::rehearse::report::How;
use crate::world::postgres::Altered;

/// A run of a shipped runbook that has just begun.
fn begun() -> (Ground, Node) {
    let (plan, inventory) = (plan("runbooks/postgres-planned-failover.yaml"), inventory());
    let how = How::of(&plan, &inventory, 1, 1);
    let sim = (how.world)();
    let (ground, mut node) =
        Ground::begin(plan.clone(), sim, how.local.clone(), how.places.clone(), Bend::default()).unwrap();
    node.open(&ground, Choice::Continue);
    assert_eq!(found(&ground, &node), None);
    (ground, node)
}

fn found(ground: &Ground, node: &Node) -> Option<&'static str> {
    broken(ground, node, false).map(|(invariant, _)| invariant.id)
}

fn surveyed(node: &mut Node, ground: &Ground, frozen: &[&str]) {
    let frozen = frozen.iter().map(|name| (*name).to_string()).collect();
    let (world, unknown) = (String::new(), false);
    let (notes, diverged, promoted, waiting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    node.append(ground, Record::Surveyed { world, notes, frozen, diverged, unknown, promoted, waiting });
}

fn ended(node: &mut Node, ground: &Ground, verdict: Verdict) {
    node.append(ground, Record::Ended { verdict, why: String::new(), world: String::new() });
}

#[test]
fn two_writable_primaries_are_seen() {
    let (ground, node) = begun();
    node.sim.postgres.promoted_by_others("orders", "us-east");
    assert_eq!(found(&ground, &node), Some("I1"));
}

#[test]
fn users_who_are_sent_nowhere_are_seen() {
    let (ground, node) = begun();
    node.sim.dns.overwrite("www", "pdns-eu", Vec::new());
    assert_eq!(found(&ground, &node), Some("I2"));
}

#[test]
fn a_write_that_was_told_and_is_not_on_the_new_primary_is_seen() {
    let (ground, mut node) = begun();
    node.sim.postgres.with("orders", "us-east", |server| server.stuck = true);
    node.tell("orders", true);
    node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
    node.sim.postgres.promoted_by_others("orders", "us-east");
    assert_eq!(found(&ground, &node), Some("I3"));
}

#[test]
fn a_run_that_was_only_killed_and_gave_up_is_seen() {
    let (ground, mut node) = begun();
    node.mishaps = 1;
    surveyed(&mut node, &ground, &[]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I7"));
}

#[test]
fn a_freeze_that_is_told_and_is_not_there_is_seen() {
    let (ground, mut node) = begun();
    surveyed(&mut node, &ground, &["orders"]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I8"));
}

#[test]
fn what_others_changed_excuses_nothing_else() {
    let (ground, mut node) = begun();
    let others =
        crate::rehearse::alphabet::Mishap::PromotedByOthers(crate::world::Member::new("orders", "us-east"));
    node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
    node.suffer(&ground, &others);
    node.only_killed = false;
    assert_eq!(found(&ground, &node), None);
    let record = ground.plan.records.keys().next().unwrap().clone();
    node.sim.dns.overwrite(&record, "pdns-eu", Vec::new());
    assert_eq!(found(&ground, &node), Some("I2"));
}

#[test]
fn a_freeze_that_waits_to_be_loaded_and_is_not_told_is_seen() {
    let (ground, mut node) = begun();
    node.sim.postgres.with("orders", "eu-west", |server| server.altered = Altered::To("on".into()));
    surveyed(&mut node, &ground, &[]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I17"));
    let (world, unknown, waiting) = (String::new(), false, vec!["orders".to_string()]);
    let (notes, frozen, diverged, promoted) = (vec![], vec![], vec![], vec![]);
    node.append(&ground, Record::Surveyed { world, notes, frozen, diverged, unknown, promoted, waiting });
    assert_eq!(found(&ground, &node), None);
    // Said or not, a run that is over with it has not taken it back.
    ended(&mut node, &ground, Verdict::Completed);
    assert_eq!(found(&ground, &node), Some("I17"));
}
