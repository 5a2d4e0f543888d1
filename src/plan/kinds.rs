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
                KindPart::Stop => Part::Stop,
                KindPart::Fence => Part::Fence,
                KindPart::Rejoin => Part::Rejoin,
                KindPart::Probe | KindPart::Other => Part::Other,
            },
            changes: info.changes,
            undoable: info.changes && info.part != KindPart::Pivot && !info.undo.starts_with("nothing"),
            external: matches!(info.name, "exec" | "http.check"),
            resource: match info.main {
                Main::Resource(field, kind) => Some((field, kind)),
                // It has no short form, because it needs a second field; it names a resource all the same.
                Main::None if info.name == "dns.ttl" => Some(("record", "dns_records")),
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
                    Main::None => Short::None,
                    Main::Field(field @ "items") => Short::List(field),
                    Main::Field(_) => Short::Text,
                };
                Some(KindSchema { name: name.into(), summary: info.summary.into(), schema, short })
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_see_every_resource_that_a_kind_names() {
        let mut generator = schemars::SchemaGenerator::default();
        let all = schemas(&mut generator);
        let definitions = generator.definitions();
        for (name, schema) in all {
            let place = schema.get("$ref").and_then(|r| r.as_str()).unwrap_or_default();
            let definition = &definitions[place.rsplit('/').next().unwrap_or_default()];
            let Some(fields) = definition.get("properties").and_then(|fields| fields.as_object()) else {
                continue;
            };
            for (field, kind) in [
                ("cluster", "postgres"),
                ("record", "dns_records"),
                ("cache", "caches"),
                ("endpoint", "endpoints"),
            ] {
                let fact = TableOfKinds.facts(name).and_then(|fact| fact.resource);
                assert!(!fields.contains_key(field) || fact == Some((field, kind)), "{name}: {fact:?}");
            }
        }
    }

    /// Editors show these names; a number behind one says that two types have the same.
    #[test]
    fn every_type_of_the_schema_has_a_name_of_its_own() {
        let schema = runbook_schema();
        let names = schema["$defs"].as_object().unwrap().keys();
        let numbered: Vec<_> = names
            .filter(|name| name.starts_with("Params") || name.ends_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert!(numbered.is_empty(), "{numbered:?}");
    }

    #[test]
    fn only_one_kind_stops_the_source() {
        let stops = |name: &&str| TableOfKinds.facts(name).is_some_and(|fact| fact.part == Part::Stop);
        assert_eq!(TableOfKinds.names().into_iter().filter(stops).collect::<Vec<_>>(), ["postgres.stop"]);
    }
}
