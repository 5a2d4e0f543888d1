//! Where the same has happened: public reports of incidents, and what was measured on real servers.

use serde::Serialize;

/// Something that has happened outside of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Precedent {
    /// What happened, in one line.
    pub text: &'static str,
    /// Where that can be read, or on what it was measured.
    pub source: &'static str,
}

/// A row: to which counterexamples a precedent truly fits.
#[derive(Debug)]
pub struct Row {
    /// Invariants of which one is broken; empty for any.
    pub invariants: &'static [&'static str],
    /// A fault that is among those met, by its name in the alphabet; empty for any.
    pub fault: &'static str,
    /// Kind of the step that it met; empty for any.
    pub kind: &'static str,
    /// The precedent.
    pub precedent: Precedent,
}

/// All of them: the first that fits is told, so what fits more closely comes first.
pub const PRECEDENTS: &[Row] = &[
    Row {
        invariants: &[],
        fault: "late",
        kind: "postgres.promote",
        precedent: Precedent {
            text: "pg_promote gave up waiting and answered false; the server became a primary two seconds later, by itself",
            source: "measured on PostgreSQL 15.20",
        },
    },
    Row {
        invariants: &["I3", "I6"],
        fault: "wrote_through_freeze",
        kind: "",
        precedent: Precedent {
            text: "under default_transaction_read_only=on a session that said SET ... off wrote, and a transaction from before committed",
            source: "measured on PostgreSQL 15.20",
        },
    },
    Row {
        invariants: &["I5", "I9", "I13"],
        fault: "late",
        kind: "",
        precedent: Precedent {
            text: "AWS, October 2025: a delayed worker applied an old plan over a newer one, and the record that users needed ended up empty",
            source: "https://simonwillison.net/2025/Oct/23/aws-postmortem",
        },
    },
];

/// The precedent of a counterexample, from its invariant and its faults, each with the kind of the step that it met.
pub fn precedent(invariant: &str, met: &[(&'static str, &str)]) -> Option<Precedent> {
    let fits = |row: &&Row| {
        let met_so =
            |(fault, kind): &(&str, &str)| row.fault == *fault && (row.kind.is_empty() || row.kind == *kind);
        (row.invariants.is_empty() || row.invariants.contains(&invariant))
            && (row.fault.is_empty() || met.iter().any(met_so))
    };
    PRECEDENTS.iter().find(fits).map(|row| row.precedent)
}
