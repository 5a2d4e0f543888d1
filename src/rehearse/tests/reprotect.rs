//! The run after a failover: it begins in the aftermath, and ends with a standby whatever goes wrong on the way.

use super::{inventory, inventory_of, plan, plan_in, told};
use crate::rehearse::report::rehearse;
use crate::rehearse::scene::scene;
use crate::world::Member;

const RUNBOOK: &str = "runbooks/postgres-reprotect.yaml";

#[test]
fn the_reprotection_begins_behind_the_promotion_and_survives_every_fault() {
    let (plan, inventory) = (plan(RUNBOOK), inventory());
    let servers = scene(&plan, &inventory).postgres.servers();
    let (old, new) =
        (&servers[&Member::new("orders", "eu-west")], &servers[&Member::new("orders", "us-east")]);
    assert!(!old.up && !new.recovery && new.timeline == 2, "{old:?} {new:?}");
    let report = rehearse(&plan, &inventory, 1, 1);
    assert!(report.clean(), "{}", told(&report));
    assert_eq!(report.complete_for, Some(1));
    assert!(report.never_made.is_empty(), "{:?}", report.never_made);
    assert!(report.counts.ends.contains_key("completed"), "{:?}", report.counts.ends);
}

#[test]
fn a_move_that_protects_itself_survives_every_fault() {
    let inventory = "runbooks/mrctl.yaml";
    let plan = plan_in("tests/fixtures/moved-and-protected.yaml", inventory);
    let report = rehearse(&plan, &inventory_of(inventory), 1, 1);
    assert!(report.clean(), "{}", told(&report));
    assert_eq!(report.complete_for, Some(1));
    assert!(report.never_made.is_empty(), "{:?}", report.never_made);
}
