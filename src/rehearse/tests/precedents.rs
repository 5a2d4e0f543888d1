//! Precedents: each is told of some counterexample, and of none that it does not fit.

use super::mutants::rehearsed_all;
use crate::rehearse::alphabet::ALPHABET;
use crate::rehearse::invariants::INVARIANTS;
use crate::rehearse::precedent::{PRECEDENTS, precedent};
use crate::step::KINDS;

#[test]
fn a_row_names_what_there_is() {
    for row in PRECEDENTS {
        for id in row.invariants {
            assert!(INVARIANTS.iter().any(|invariant| invariant.id == *id), "{id}");
        }
        assert!(
            row.fault.is_empty() || ALPHABET.iter().any(|fault| fault.name == row.fault),
            "{}",
            row.fault
        );
        assert!(row.kind.is_empty() || KINDS.iter().any(|kind| kind.name == row.kind), "{}", row.kind);
        let source = row.precedent.source;
        assert!(source.starts_with("https://") || source.starts_with("measured on "), "{source}");
        assert!(!row.invariants.is_empty() || !row.fault.is_empty(), "a precedent of everything: {row:?}");
    }
}

#[test]
fn every_row_is_told_of_a_mutant() {
    let mut told = Vec::new();
    for mutant in [
        "a lost answer is taken for a failure",
        "a promotion that may still happen is forgotten by the next process",
        "the last look does not mention that both sides took commits",
    ] {
        let report = rehearsed_all(mutant, 1);
        told.extend(report.counterexamples.iter().filter_map(|one| one.precedent));
    }
    for row in PRECEDENTS {
        assert!(told.contains(&row.precedent), "{row:?}\n{told:#?}");
    }
}

#[test]
fn what_does_not_fit_is_not_told() {
    assert_eq!(precedent("I10", &[("silent", "dns.shift")]), None);
    // Late, and not the promotion.
    let other = precedent("I5", &[("late", "postgres.freeze")]).unwrap();
    let promotion = precedent("I1", &[("late", "postgres.promote")]).unwrap();
    assert_ne!(other, promotion);
    // It was met, and it broke something else.
    assert_eq!(precedent("I14", &[("wrote_through_freeze", "postgres.promote")]), None);
}
