//! Remedies: for each row of the table a bad runbook that it mends, and one that it seems to mend and does not.

use super::inventory;
use super::own::Own;
use crate::rehearse::remedy::Mender;
use crate::rehearse::report::{How, Report, rehearse, rehearse_in};

const MOVES: &str = "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
                     - { id: promote, postgres.promote: orders }\n";

/// The rehearsal of a runbook with these steps, and what mends it.
fn mended(steps: &str, faults: u32) -> Report {
    let own = Own::of(steps);
    let (request, plan) = (own.request(), own.plan());
    let inventory = inventory();
    let mut report = rehearse(&plan, &inventory, faults, 1);
    let again = |plan: &_, _, widths| rehearse_in(plan, &How { widths, ..How::of(plan, &inventory, 0, 1) });
    let mender = Mender { request: &request, sources: &own.sources, faults, again: &again };
    mender.mend(&plan, &mut report, None);
    report
}

/// What is suggested for each counterexample that is told.
fn suggested(report: &Report) -> Vec<(String, Option<String>)> {
    let told = report.counterexamples.iter().filter(|one| one.sought);
    told.map(|one| (one.invariant.clone(), one.remedy.as_ref().map(|remedy| remedy.change.clone()))).collect()
}

#[test]
fn each_row_mends_a_runbook_and_says_what_to_write() {
    let shift = |policy: &str| format!("{MOVES}  - {{ id: shift, dns.shift: www, {policy} }}\n");
    let page = "exec: { command: [page, show], look: [page, look], undo: [page, hide], effect: it is shown }";
    for (steps, faults, invariant, change) in [
        (shift("best_effort: true"), 1, "I10", "take `best_effort` from step shift (line 8)"),
        (shift("on_unknown: warn"), 1, "I10", "take `on_unknown: warn` from step shift (line 8)"),
        (
            format!("  - {{ id: early, dns.shift: www, on_failure: warn }}\n{MOVES}"),
            1,
            "I10",
            "take `on_failure: warn` from step early (line 5)",
        ),
        (shift("temporary: true"), 1, "I10", "take `temporary` from step shift (line 8)"),
        (
            format!(
                "  - id: early\n    {page}\n    rollback:\n      - {{ id: other, dns.ttl: {{ record: www, ttl: 5s }} }}\n{MOVES}"
            ),
            1,
            "I5",
            "take the steps under `rollback` from step early (line 5): its kind takes it back by itself",
        ),
    ] {
        let report = mended(&steps, faults);
        let found = suggested(&report);
        assert_eq!(
            found.first(),
            Some(&(invariant.to_owned(), Some(change.to_owned()))),
            "{steps}\n{found:?}"
        );
        let remedy = report.counterexamples[0].remedy.as_ref().unwrap();
        let words = format!("complete for up to {faults} fault{}", if faults == 1 { "" } else { "s" });
        assert_eq!(remedy.rehearsed, words, "{steps}");
        // What one change removes has one cause.
        let heads = report.counterexamples.iter().filter(|one| one.same_as.is_none()).count();
        assert_eq!(heads, 1, "{steps}: {:?}", super::told(&report));
    }
}

#[test]
fn a_step_in_the_wrong_place_is_put_into_the_right_one() {
    let (before, promote) = MOVES.split_once("  - { id: promote").unwrap();
    for (steps, change) in [
        (
            format!(
                "{before}  - {{ id: writable, postgres.verify_writable: orders }}\n  - {{ id: promote{promote}"
            ),
            "put step writable (line 7) behind promote",
        ),
        (
            format!("{MOVES}  - {{ id: ready, postgres.preflight: orders }}\n"),
            "put step ready (line 8) before freeze",
        ),
    ] {
        let report = mended(&steps, 1);
        assert!(report.fails_alone.is_some(), "{steps}");
        let remedy = report.remedy.unwrap_or_else(|| panic!("{steps}"));
        assert_eq!(
            (remedy.change.as_str(), remedy.rehearsed.as_str()),
            (change, "complete for up to 1 fault")
        );
        assert_eq!(report.fails_line, remedy.line);
    }
}

#[test]
fn a_change_that_leaves_the_counterexample_is_not_suggested() {
    // Either key alone makes the failure a warning: to take one away is not enough where the outcome is unknown.
    let both = format!("{MOVES}  - {{ id: shift, dns.shift: www, best_effort: true, on_unknown: warn }}\n");
    let report = mended(&both, 1);
    let silent = report.counterexamples.iter().find(|one| one.kinds == ["silent"]).unwrap();
    assert_eq!(silent.remedy, None, "{silent:?}");
    // It is told by itself, and not as one of those that the change removes.
    assert!(silent.sought && silent.same_as.is_none(), "{silent:?}");
    let stopped = report.counterexamples.iter().find(|one| one.kinds == ["asked_to_stop"]).unwrap();
    assert_eq!(stopped.remedy.as_ref().unwrap().rehearsed, "this is gone, others are left");
}

#[test]
fn a_change_that_mends_one_of_two_reasons_is_not_suggested() {
    // Of two changes that are not taken back, mending one leaves the run as it was not before.
    let page = "exec: { command: [page, show], look: [page, look], undo: [page, hide], effect: it is shown }";
    let wrong = |id: &str, ttl: &str| {
        format!("    rollback:\n      - {{ id: {id}, dns.ttl: {{ record: www, ttl: {ttl} }} }}\n")
    };
    let (_, rest) = MOVES.split_once('\n').unwrap();
    let two = format!(
        "  - id: page\n    {page}\n{}  - id: freeze\n    postgres.freeze: orders\n{}{rest}",
        wrong("one", "5s"),
        wrong("other", "6s")
    );
    let report = mended(&two, 1);
    let frozen = report.counterexamples.iter().find(|one| one.step == "freeze").unwrap();
    assert_eq!(frozen.remedy, None, "{frozen:?}");
}

#[test]
fn a_change_that_lets_another_come_to_light_says_so_or_is_not_suggested() {
    // Without `temporary` users stay where they were sent, and where it fails they are stranded: with one fault more, and that was
    // so before.
    let stays = format!("{MOVES}  - {{ id: shift, dns.shift: www, temporary: true, best_effort: true }}\n");
    let report = mended(&stays, 1);
    let remedy = report.counterexamples[0].remedy.clone();
    assert!(remedy.is_none_or(|remedy| remedy.rehearsed.contains("others")), "{:?}", suggested(&report));

    // Moved, it would complete; and then users are stranded by a fault that could not happen before.
    let (before, promote) = MOVES.split_once("  - { id: promote").unwrap();
    let hidden = format!(
        "{before}  - {{ id: writable, postgres.verify_writable: orders }}\n  - {{ id: promote{promote}  \
         - {{ id: shift, dns.shift: www, best_effort: true }}\n"
    );
    let report = mended(&hidden, 1);
    assert!(report.fails_alone.is_some());
    assert_eq!(report.remedy, None);
}

#[test]
fn to_stop_looking_is_no_remedy() {
    // What nothing but these steps takes back would be forgotten without them, and nothing would tell.
    let steps = format!(
        "  - id: page\n    exec: {{ command: [page, show], look: [page, look], effect: it is shown }}\n    rollback:\n      \
         - {{ id: other, dns.shift: {{ record: www }} }}\n{MOVES}"
    );
    let report = mended(&steps, 1);
    assert!(!report.counterexamples.is_empty());
    assert!(suggested(&report).iter().all(|(_, change)| change.is_none()), "{:?}", suggested(&report));
}
