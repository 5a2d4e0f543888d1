//! A second reader of YAML agrees with ours about every file that is shipped.

use crate::error::FileId;
use crate::language::Limits;
use crate::language::tree::{Node, Value, parse};
use std::path::Path;

/// Whether both say the same. The other reader makes numbers and truth values of plain scalars, among them of `on`, which for us is
/// a word: what it calls true or false is only compared in its meaning.
fn same(ours: &Node, theirs: &serde_json::Value) -> bool {
    use serde_json::Value as Other;
    match (&ours.value, theirs) {
        (Value::Scalar { text, .. }, Other::String(other)) => text == other,
        (Value::Scalar { text, .. }, Other::Number(other)) => *text == other.to_string(),
        (Value::Scalar { text, .. }, Other::Bool(true)) => ["true", "on", "yes"].contains(&text.as_str()),
        (Value::Scalar { text, .. }, Other::Bool(false)) => ["false", "off", "no"].contains(&text.as_str()),
        (Value::List(items), Other::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| same(item, other))
        }
        (Value::Map(entries), Other::Object(others)) => {
            entries.len() == others.len()
                && entries
                    .iter()
                    .all(|(key, value)| others.get(key.name.as_str()).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

#[test]
fn another_reader_finds_the_same_in_every_shipped_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = 0;
    for folder in ["runbooks", "tests/fixtures"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap().flatten() {
            let path = entry.path();
            // What is broken on purpose is read by neither.
            if path.extension().is_none_or(|end| end != "yaml") || path.ends_with("broken.yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let (node, problems) = parse(FileId(0), &text, Limits::default());
            assert!(problems.is_empty(), "{}", path.display());
            let other: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            assert!(same(&node.unwrap(), &other), "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} files");
}
