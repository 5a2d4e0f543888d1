//! Faults of mrctl that rehearsals have found: each with the runbook in which it was found, at the number of faults that it takes. Every one
//! of these failed before it was mended.

use super::own::Own;
use super::{inventory, told};
use crate::rehearse::report::rehearse;

/// What it was, the steps, and the faults that it takes.
const FOUND: &[(&str, &str, u32)] = &[
    (
        "a time to live that was put back already made the undo of the shift leave it as somebody else's",
        "  - { id: short_ttl, dns.ttl: { record: www, ttl: 1s }, temporary: true }\n  - { id: shift, dns.shift: www }\n",
        1,
    ),
    (
        "a stop that proves nothing, since the target is a primary by now, was looked at for ever",
        "  - { id: freeze, postgres.freeze: orders }\n  - { id: stop, postgres.stop: orders }\n  \
         - { id: promote, postgres.promote: orders }\n",
        1,
    ),
    (
        "what was left out with a warning was forgotten by a process that found all steps done",
        "  - { id: banner, exec: { command: [banner, show], look: [banner, look], undo: [banner, hide], effect: it is shown }, \
         best_effort: true }\n",
        2,
    ),
    (
        "an undo of the freeze reset what somebody else had set between the look and the statement",
        "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
         - { id: promote, postgres.promote: orders }\n",
        2,
    ),
    (
        "a freeze that was written and not loaded was taken for taken back because it was not in force, although its undo was not done",
        "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  \
         - { id: promote, postgres.promote: orders }\n",
        2,
    ),
    (
        "a freeze that was kept on purpose and may have been written and not loaded ended as rolled back, and nobody was told any more",
        "  - { id: freeze, postgres.freeze: orders, rollback: { none: { because: the database people thaw it } } }\n  \
         - { id: catch_up, postgres.catch_up: orders }\n  - { id: promote, postgres.promote: orders }\n",
        1,
    ),
];

#[test]
fn what_rehearsals_have_found_is_mended() {
    for (what, steps, faults) in FOUND {
        let report = rehearse(&Own::of(steps).plan(), &inventory(), *faults, 1);
        assert!(report.clean(), "{what}: {}", told(&report));
        assert_eq!(report.complete_for, Some(*faults), "{what}");
    }
}
