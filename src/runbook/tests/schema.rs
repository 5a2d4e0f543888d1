use super::kinds::Kinds;
use crate::runbook::parse::{KindNames, POLICY_KEYS, SECTION_KEYS, TOP_KEYS};
use crate::runbook::schema::{self, KindSchema, Short};
use serde_json::Value;

fn runbook() -> Value {
    schema::runbook(|_| {
        let kind = |name: &str| KindSchema {
            name: name.to_owned(),
            summary: "Does something.".to_owned(),
            schema: schemars::json_schema!({ "type": "object" }),
            short: if name.starts_with("postgres") { Short::Names } else { Short::Text },
        };
        Kinds.names().into_iter().map(kind).collect()
    })
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys
}

#[test]
fn the_runbooks_schema_has_the_keys_that_are_read() {
    let schema = runbook();
    assert_eq!(keys(&schema["properties"]), sorted(TOP_KEYS));
    assert_eq!(keys(&schema["$defs"]["Section"]["properties"]), sorted(SECTION_KEYS));
    let names = Kinds.names();
    let step: Vec<&str> = POLICY_KEYS.iter().copied().chain(names.iter().copied()).collect();
    assert_eq!(keys(&schema["$defs"]["Step"]["properties"]), sorted(&step));
    assert_eq!(schema["$defs"]["Step"]["oneOf"].as_array().unwrap().len(), names.len());
}

#[test]
fn the_inventorys_schema_has_the_keys_that_are_read() {
    use crate::runbook::inventory::read::{HEAD_KEYS, TYPES};
    let schema = schema::inventory();
    let known: Vec<&str> = HEAD_KEYS.iter().chain(TYPES).copied().collect();
    assert_eq!(keys(&schema["properties"]), sorted(&known));
}

#[test]
fn every_reference_leads_to_a_definition_and_the_output_is_stable() {
    for (schema, again) in [(runbook(), runbook()), (schema::inventory(), schema::inventory())] {
        assert_eq!(schema.to_string(), again.to_string());
        let text = schema.to_string();
        for part in text.split("\"#/$defs/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schema["$defs"].get(name).is_some(), "no definition of {name}");
        }
    }
}

#[test]
fn every_property_is_described() {
    for (name, definition) in schema::inventory()["$defs"].as_object().unwrap() {
        let Some(properties) = definition.get("properties").and_then(Value::as_object) else { continue };
        for (key, property) in properties {
            assert!(property.get("description").is_some(), "{name}.{key} has no description");
        }
    }
}
