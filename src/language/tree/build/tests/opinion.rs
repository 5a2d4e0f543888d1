//! A second reader of YAML agrees with ours about every file that is shipped.

use crate::error::FileId;
use crate::language::Limits;
use crate::language::tree::{Node, Value, parse};
use std::path::Path;

/// Our tree in the other reader's form, with every scalar as text.
fn ours(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar { text, .. } => text.clone().into(),
        Value::List(items) => items.iter().map(ours).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(key, value)| (key.name.to_string(), ours(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Refused => panic!("refused at {:?}", node.span),
    }
}

/// The same of what the other reader gives: its numbers and truth values as they are written.
fn theirs(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => items.into_iter().map(theirs).collect(),
        serde_json::Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, theirs(value))).collect::<serde_json::Map<_, _>>().into()
        }
        serde_json::Value::String(text) => text.into(),
        other => other.to_string().into(),
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
            assert_eq!(ours(&node.unwrap()), theirs(other), "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} files");
}
