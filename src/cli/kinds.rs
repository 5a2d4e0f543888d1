//! `mrctl kinds`: what each kind does, may touch and needs, and the keys that it reads.

use super::setup::{Format, Setup};
use crate::error::suggest;
use crate::exit_code::ExitCode;
use crate::step::contract::{KindInfo, Main, Place};
use crate::step::table::{KINDS, schemas};
use clap::Args;
use serde_json::Value;

/// Lists kinds of steps, or tells everything of one: what it does, what it may touch, rights, undo.
#[derive(Debug, Args)]
pub struct KindsArgs {
    /// The kind.
    kind: Option<String>,
}

/// `mrctl kinds`.
pub fn kinds(setup: &Setup, args: &KindsArgs) -> ExitCode {
    let Some(name) = &args.kind else {
        for kind in KINDS {
            match setup.format {
                Format::Json => setup.data(&json(kind).to_string()),
                Format::Text => setup.data(&format!("{:<26}{}", kind.name, kind.summary)),
            }
        }
        return ExitCode::Completed;
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let close = suggest::closest(name, KINDS.iter().map(|kind| kind.name));
        let help =
            close.map_or_else(|| "see `mrctl kinds`".to_string(), |close| format!("did you mean `{close}`?"));
        return setup.usage(format!("there is no kind `{name}`"), help);
    };
    match setup.format {
        Format::Json => setup.data(&json(kind).to_string()),
        Format::Text => kind_text(kind).lines().for_each(|line| setup.data(line)),
    }
    ExitCode::Completed
}

/// One key of a kind, as its schema tells it.
struct Key {
    name: String,
    required: bool,
    what: String,
    value: String,
}

impl Key {
    fn line(&self) -> String {
        let Self { name, required, what, value } = self;
        let need = if *required { "required" } else { "optional" };
        format!("- `{name}`: {value}, {need}. {what}\n")
    }

    fn json(&self) -> Value {
        serde_json::json!({
            "key": self.name, "required": self.required, "value": self.value, "what": self.what,
        })
    }
}

/// The keys of a kind, from the same types that read them.
fn keys(kind: &KindInfo) -> Vec<Key> {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let all = schemas(&mut generator);
    let definitions = generator.definitions();
    let Some((_, schema)) = all.into_iter().find(|(name, _)| *name == kind.name) else { return Vec::new() };
    let schema = resolved(schema.as_value(), definitions).clone();
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let key = |(name, property): (&String, &Value)| Key {
        name: name.clone(),
        required: required(name),
        what: text(property).unwrap_or_default(),
        value: value(property, definitions),
    };
    let mut keys: Vec<Key> = properties.iter().map(key).collect();
    keys.sort_by_key(|key| !key.required);
    keys
}

/// What a schema refers to, or the schema itself.
fn resolved<'a>(schema: &'a Value, definitions: &'a serde_json::Map<String, Value>) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

/// The fixed words that a schema allows, if that is all that it allows.
fn choices(schema: &Value) -> Vec<String> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let fixed = list("oneOf").into_iter().filter_map(|one| one.get("const").cloned()).chain(list("enum"));
    fixed.filter_map(|word| word.as_str().map(|word| format!("`{word}`"))).collect()
}

fn text(schema: &Value) -> Option<String> {
    let text = schema.get("description")?.as_str()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What may stand there, in words.
fn value(schema: &Value, definitions: &serde_json::Map<String, Value>) -> String {
    let named = resolved(schema, definitions);
    if !std::ptr::eq(named, schema) {
        let words = choices(named);
        if !words.is_empty() {
            return words.join(" or ");
        }
        let description = text(named).unwrap_or_default();
        let first = description.split(':').next().unwrap_or_default().trim_end_matches('.');
        let mut letters = first.chars();
        let first = letters.next().map_or_else(String::new, |c| c.to_lowercase().chain(letters).collect());
        let example = named.get("examples").and_then(|all| all.get(0)).and_then(Value::as_str);
        return example.map_or(first.clone(), |example| format!("{first}, such as `{example}`"));
    }
    for either in ["anyOf", "oneOf"] {
        if let Some(list) = schema.get(either).and_then(Value::as_array) {
            let words = list.iter().filter(|one| one.get("type").is_none_or(|of| of != "null"));
            let mut words: Vec<String> = words.map(|one| value(one, definitions)).collect();
            words.dedup();
            return words.join(" or ");
        }
    }
    let words = choices(schema);
    if !words.is_empty() {
        return words.join(" or ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect()
        }
        _ => Vec::new(),
    };
    let word = |word: &&str| match *word {
        "string" => "text".to_string(),
        "array" => {
            let items = schema.get("items").map(|items| value(items, definitions));
            items.map_or_else(|| "a list".into(), |items| format!("a list of {items}"))
        }
        "object" => "a map".into(),
        "integer" => "a whole number".into(),
        "number" => "a number".into(),
        "boolean" => "true or false".into(),
        other => other.to_string(),
    };
    types.iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn json(kind: &KindInfo) -> serde_json::Value {
    serde_json::json!({
        "name": kind.name, "summary": kind.summary, "changes": kind.changes, "touches": kind.touches, "undo": kind.undo,
        "unplanned": kind.unplanned.to_string(), "grants": kind.grants, "version": kind.version, "keys": keys(kind).iter().map(Key::json).collect::<Vec<_>>(),
    })
}

/// A kind's page, in Markdown that also reads well in a terminal.
pub fn kind_text(kind: &KindInfo) -> String {
    let place = match kind.place {
        Place::From => "the region that is left",
        Place::To => "the target region",
        Place::Both => "both regions",
        Place::Others => "every region but source and target",
        Place::All => "every region",
        Place::Nowhere => "between the regions, or nowhere in particular",
    };
    let short = match kind.main {
        Main::None => "none".to_string(),
        Main::Field(field) => format!("`{}: VALUE` fills `{field}`", kind.name),
        Main::Resource(field, resource) => {
            format!("`{}: NAME` fills `{field}`; a list or a group of `{resource}` works too", kind.name)
        }
    };
    let grants = if kind.grants.is_empty() {
        "none".to_string()
    } else {
        kind.grants.iter().map(|grant| format!("\n    {grant};")).collect()
    };
    let keys: String = keys(kind).iter().map(Key::line).collect();
    format!(
        "## {}\n\n{}\n\n- Changes: {}\n- Touches: {}\n- Undo: {}\n- In an unplanned run: {}\n- Acts in: {place}\n- Short form: {short}\n- Rights: {grants}\n\nKeys:\n\n{keys}",
        kind.name,
        kind.summary,
        if kind.changes { "yes" } else { "no, it only looks" },
        kind.touches,
        kind.undo,
        kind.unplanned,
    )
}
