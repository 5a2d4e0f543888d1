//! The table of kinds as the rules of `check` and the schema see it.

use crate::runbook::schema::{KindSchema, Short};
use crate::runbook::{KindFact, KindFacts, KindNames, Part};
use crate::step::contract::{Main, Part as KindPart};
use crate::step::table::{KINDS, info, schemas};

/// All kinds.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableOfKinds;

impl KindNames for TableOfKinds {
    fn names(&self) -> Vec<&str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }
}

impl KindFacts for TableOfKinds {
    fn facts(&self, kind: &str) -> Option<KindFact> {
        let info = info(kind)?;
        Some(KindFact {
            part: match info.part {
                KindPart::Pause => Part::Pause,
                KindPart::Freeze => Part::Freeze,
                KindPart::CatchUp => Part::CatchUp,
                KindPart::Pivot => Part::Pivot,
                KindPart::Traffic => Part::Traffic,
                // The one kind whose part depends on where it stands; the contract has no word for it.
                KindPart::Other if info.name == "postgres.stop" => Part::Stop,
                KindPart::Other => Part::Other,
            },
            changes: info.changes,
            undoable: info.changes && info.part != KindPart::Pivot && !info.undo.starts_with("nothing"),
            external: matches!(info.name, "exec" | "http.check"),
            resource: match info.main {
                Main::Resource(field, kind) => Some((field, kind)),
                Main::Field(_) | Main::None => None,
            },
        })
    }
}

/// The JSON Schema of runbooks, with every kind's parameters.
pub fn runbook_schema() -> serde_json::Value {
    crate::runbook::schema::runbook(|generator| {
        schemas(generator)
            .into_iter()
            .filter_map(|(name, schema)| {
                let info = info(name)?;
                let short = match info.main {
                    Main::Resource(..) => Short::Names,
                    Main::Field("items") | Main::None => Short::None,
                    Main::Field(_) => Short::Text,
                };
                Some(KindSchema { name: name.into(), summary: info.summary.into(), schema, short })
            })
            .collect()
    })
}
