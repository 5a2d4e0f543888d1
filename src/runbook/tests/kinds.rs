//! A few kinds, as far as the rules know them.

use crate::runbook::check::{KindFact, KindFacts, Part};
use crate::runbook::parse::KindNames;

pub(super) struct Kinds;

type Row = (&'static str, Part, bool, bool, bool, Option<(&'static str, &'static str)>);

const CLUSTER: Option<(&str, &str)> = Some(("cluster", "postgres"));
const RECORD: Option<(&str, &str)> = Some(("record", "dns_records"));

/// Name, part, changes, undoable, external, resource.
const ROWS: &[Row] = &[
    ("postgres.preflight", Part::Other, false, false, false, CLUSTER),
    ("postgres.freeze", Part::Freeze, true, true, false, CLUSTER),
    ("postgres.catch_up", Part::CatchUp, false, false, false, CLUSTER),
    ("postgres.stop", Part::Stop, true, true, false, CLUSTER),
    ("postgres.promote", Part::Pivot, true, false, false, CLUSTER),
    ("postgres.verify_writable", Part::Other, true, false, false, CLUSTER),
    ("dns.ttl", Part::Other, true, true, false, RECORD),
    ("dns.shift", Part::Traffic, true, true, false, RECORD),
    ("cache.warm", Part::Other, true, false, false, Some(("cache", "caches"))),
    ("http.check", Part::Other, false, false, true, Some(("endpoint", "endpoints"))),
    ("checklist", Part::Pause, false, false, false, None),
    ("wait", Part::Pause, false, false, false, None),
    ("notify", Part::Other, true, false, false, None),
    ("exec", Part::Other, true, true, true, None),
];

impl KindNames for Kinds {
    fn names(&self) -> Vec<&str> {
        ROWS.iter().map(|row| row.0).collect()
    }
}

impl KindFacts for Kinds {
    fn facts(&self, kind: &str) -> Option<KindFact> {
        let (_, part, changes, undoable, external, resource) = *ROWS.iter().find(|row| row.0 == kind)?;
        Some(KindFact { part, changes, undoable, external, resource })
    }
}
