//! States that are told apart by too little would hide what only one of them leads to.

use super::mutants::{MUTANTS, rehearsed_until};
use super::{How, inventory, plan};
use crate::plan::Mode;
use crate::rehearse::node::Bend;
use crate::rehearse::report::{Report, rehearse_in};
use crate::rehearse::source::Source;
use std::collections::BTreeSet;

/// What was found, and how runs ended.
fn outcome(report: &Report) -> (BTreeSet<&str>, BTreeSet<&str>, Vec<&String>) {
    // Of two ways to one state, the second is not told.
    let found = report.counterexamples.iter().map(|one| one.invariant.as_str()).collect();
    let ends = report.counts.ends.keys().map(String::as_str).collect();
    (found, ends, report.never_made.iter().chain(&report.never_taken_back).collect())
}

#[test]
fn nothing_is_found_that_a_search_which_merges_less_does_not_find_and_nothing_less() {
    let inventory = inventory();
    for (runbook, faults) in [
        ("runbooks/postgres-planned-failover.yaml", 1),
        ("runbooks/postgres-shutdown-failover.yaml", 1),
        ("runbooks/dns-drain.yaml", 2),
        ("tests/fixtures/rehearsal.yaml", 1),
    ] {
        let plan = plan(runbook);
        let of = |apart| {
            let bend = Bend { apart, ..Bend::default() };
            rehearse_in(&plan, &How { bend, ..How::of(&plan, &inventory, faults, 1) })
        };
        let (merged, apart) = (of(false), of(true));
        assert!(merged.counts.states < apart.counts.states, "{runbook}");
        assert_eq!(outcome(&merged), outcome(&apart), "{runbook}");
    }
}

#[test]
fn of_an_unplanned_run_nothing_less_is_found_either() {
    let (plan, inventory) = (super::unplanned::plan(["eu-west", "us-east"]), inventory());
    for source in Source::of(Mode::Unplanned) {
        let of = |apart| {
            let bend = Bend { apart, ..Bend::default() };
            rehearse_in(&plan, &How { bend, ..How::with(&plan, &inventory, *source, 1, 1) })
        };
        assert_eq!(outcome(&of(false)), outcome(&of(true)), "{source:?}");
    }
}

#[test]
fn what_is_broken_breaks_the_same_invariants_whether_states_are_merged_or_not() {
    // Of an ordinary day every third: what is merged does not depend on what is broken.
    let every = if std::env::var_os("MRCTL_TEST_NIGHTLY").is_some() { 1 } else { 3 };
    for mutant in MUTANTS.iter().filter(|mutant| !mutant.shutdown).step_by(every) {
        let of = |apart| rehearsed_until(mutant, 1, false, apart);
        let (merged, apart) = (of(false), of(true));
        assert_eq!(outcome(&merged), outcome(&apart), "{}", mutant.what);
    }
}
