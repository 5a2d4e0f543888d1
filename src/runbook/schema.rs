//! JSON Schemas of runbook and inventory for editors, from the types that read them.
//!
//! A schema says less than `mrctl check`: it knows no other step and no resource. What it refuses, the reader refuses too.

use super::inventory::Inventory;
use super::inventory::read::TYPES;
use super::parameter::Parameter;
use super::parse::{ConfirmText, ObjectivesText, PolicyText, WatchText};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The parameters of one kind.
#[derive(Clone, Debug)]
pub struct KindSchema {
    /// Name of the kind: the key of the step.
    pub name: String,
    /// One sentence, shown by editors.
    pub summary: String,
    /// Schema of the long form, a map.
    pub schema: Schema,
    /// The short form.
    pub short: Short,
}

/// What may stand in place of a kind's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Nothing.
    None,
    /// A plain value.
    Text,
    /// The list of this field.
    List(&'static str),
    /// One name or a list of names.
    Names,
}

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of runbooks. `kinds` makes the schemas of all kinds with the generator that it is given.
pub fn runbook(kinds: impl FnOnce(&mut SchemaGenerator) -> Vec<KindSchema>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = kinds(&mut generator);
    let step = step(&mut generator, &kinds);
    let confirm = generator.subschema_for::<ConfirmText>();
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let steps = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Item" } });
    let section = json!({
        "type": "object",
        "description": "A part of the checklist.",
        "properties": { "title": text("What this part achieves."), "confirm": confirm, "steps": steps },
        "required": ["title", "steps"],
        "additionalProperties": false,
    });
    let item = json!({ "anyOf": [
        { "$ref": "#/$defs/Step" },
        {
            "type": "object",
            "description": "Steps that run together.",
            "properties": {
                "parallel": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Step" } },
            },
            "required": ["parallel"],
            "additionalProperties": false,
        },
    ] });
    let properties = json!({
        "mrctl": { "const": 1, "description": "Version of the format." },
        "name": text("Name of the runbook: lowercase letters, digits and hyphens."),
        "title": text("What it does, in one line."),
        "objectives": generator.subschema_for::<ObjectivesText>(),
        "roles": {
            "type": "object",
            "description": "Roles of people, with what they are for.",
            "additionalProperties": { "type": "string" },
        },
        "parameters": {
            "type": "object",
            "description": "Values that a run may be given.",
            "additionalProperties": generator.subschema_for::<Parameter>(),
        },
        "watch": {
            "type": "array",
            "description": "Conditions that must hold while steps run.",
            "items": generator.subschema_for::<WatchText>(),
        },
        "sections": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Section" } },
        "steps": steps,
    });
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Step".to_owned(), step);
    definitions.insert("Item".to_owned(), item);
    definitions.insert("Section".to_owned(), section);
    sorted(json!({
        "$schema": DIALECT,
        "title": "mrctl runbook",
        "type": "object",
        "properties": properties,
        "required": ["mrctl", "name"],
        "oneOf": [{ "required": ["sections"] }, { "required": ["steps"] }],
        "additionalProperties": false,
        "$defs": definitions,
    }))
}

/// Policy keys and one key for every kind, of which exactly one is there.
fn step(generator: &mut SchemaGenerator, kinds: &[KindSchema]) -> Value {
    let policy = <PolicyText as schemars::JsonSchema>::json_schema(generator);
    let mut properties = match policy.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    };
    properties.insert(
        "id".to_owned(),
        json!({
            "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "description": "Identity of the step.",
        }),
    );
    properties.insert("title".to_owned(), json!({
        "type": "string", "minLength": 1, "description": "One line; the kind's own sentence if not given.",
    }));
    properties.insert(
        "rollback".to_owned(),
        json!({
            "description": "How the step is taken back: `auto`, `none` with a reason, or steps.",
            "anyOf": [
                { "const": "auto" },
                {
                    "type": "object",
                    "properties": { "none": {
                        "type": "object",
                        "properties": { "because": { "type": "string", "minLength": 1 } },
                        "required": ["because"],
                        "additionalProperties": false,
                    } },
                    "required": ["none"],
                    "additionalProperties": false,
                },
                { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Step" } },
            ],
        }),
    );
    let mut one_of = Vec::new();
    for kind in kinds {
        let name = json!({ "type": "string", "minLength": 1 });
        let forms = match kind.short {
            Short::None => vec![kind.schema.clone().to_value()],
            Short::Text => {
                vec![json!({ "type": ["string", "number", "boolean"] }), kind.schema.clone().to_value()]
            }
            Short::List(field) => {
                let whole = kind.schema.clone().to_value();
                let list = definition(generator, &whole).pointer(&format!("/properties/{field}")).cloned();
                list.into_iter().chain([whole]).collect()
            }
            Short::Names => vec![
                name.clone(),
                json!({ "type": "array", "minItems": 1, "items": name }),
                kind.schema.clone().to_value(),
            ],
        };
        properties.insert(kind.name.clone(), json!({ "description": kind.summary, "anyOf": forms }));
        one_of.push(json!({ "required": [kind.name] }));
    }
    json!({
        "type": "object",
        "description": "One line of the checklist.",
        "properties": properties,
        "required": ["id"],
        "oneOf": one_of,
        "additionalProperties": false,
    })
}

/// What a schema refers to, or the schema itself.
fn definition(generator: &SchemaGenerator, schema: &Value) -> Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name)).unwrap_or(schema).clone()
}

/// The schema of inventories and of the files that they include.
pub fn inventory() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = <Inventory as schemars::JsonSchema>::json_schema(&mut generator);
    let mut properties = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    };
    properties.insert("mrctl".to_owned(), json!({ "const": 1, "description": "Version of the format." }));
    properties.insert(
        "include".to_owned(),
        json!({
            "type": "array",
            "description": "Files with more resources, relative to this file and inside its folder.",
            "items": { "type": "string", "minLength": 1 },
        }),
    );
    let defaults: Map<String, Value> = TYPES
        .iter()
        .filter(|kind| !matches!(**kind, "regions" | "groups"))
        .map(|kind| ((*kind).to_owned(), json!({ "type": "object" })))
        .collect();
    properties.insert(
        "defaults".to_owned(),
        json!({
            "type": "object",
            "description": "By type: keys for every resource of the type that does not have them itself.",
            "properties": defaults,
            "additionalProperties": false,
        }),
    );
    let mut definitions = generator.take_definitions(true);
    // What `defaults` may give cannot be required of the resource itself.
    for definition in definitions.values_mut().filter_map(Value::as_object_mut) {
        if definition.contains_key("properties")
            && definition.get("additionalProperties") == Some(&json!(false))
        {
            loosen(definition);
        }
    }
    sorted(json!({
        "$schema": DIALECT,
        "title": "mrctl inventory",
        "type": "object",
        "properties": properties,
        "required": ["mrctl"],
        "additionalProperties": false,
        "$defs": definitions,
    }))
}

/// Takes `required` from resources that can have defaults: those that have members, servers or a backend.
fn loosen(definition: &mut Map<String, Value>) {
    let properties = definition.get("properties").and_then(Value::as_object);
    let is_resource = properties.is_some_and(|keys| {
        ["members", "servers", "timeout", "at"].iter().any(|key| keys.contains_key(*key))
    });
    if is_resource {
        definition.remove("required");
        definition.remove("oneOf");
    }
}

/// Keys in order, whatever the map type of the JSON library is: the files are committed and compared.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
