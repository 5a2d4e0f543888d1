//! The user's runbook with a stand-in for every program that it would run: on a lab nobody's real commands are run.

use crate::error::Sources;
use crate::lab::error::{LabError, Result};
use crate::language::tree::{Limits, Node, Style, Value, parse};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lists of `exec` whose first item is a program.
const LISTS: [&str; 3] = ["command", "look", "undo"];

/// The text with the first item of every command replaced by a file in this folder, and these files with what they stand for. The same
/// program has the same stand-in everywhere.
pub fn rewritten(text: &str, folder: &Path) -> Result<(String, BTreeMap<PathBuf, String>)> {
    let mut sources = Sources::new();
    let file = sources.add("runbook", text);
    let (tree, problems) = parse(file, text, Limits::default());
    let Some(tree) = tree.filter(|_| !problems.has_errors()) else {
        return Err(LabError::Refused("the runbook cannot be read".into()));
    };
    let mut found = Vec::new();
    programs(&tree, &mut found);
    found.sort_by_key(|node| std::cmp::Reverse(node.span.start));
    let (mut text, mut files) = (text.to_owned(), BTreeMap::new());
    for node in found {
        let Value::Scalar { text: program, style } = &node.value else { continue };
        if *style == Style::Block {
            return Err(LabError::Refused(format!(
                "the program {program:?} is written as a block: write it on one line"
            )));
        }
        let stand_in = folder.join(name(program));
        let quoted = serde_json::Value::from(stand_in.display().to_string().replace("${", "$${")).to_string();
        text.replace_range(node.span.range(), &quoted);
        files.insert(stand_in, program.clone());
    }
    Ok((text, files))
}

/// A file's name for a program: the name itself where it is plain.
fn name(program: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !program.is_empty() && program.chars().all(plain) {
        return program.to_owned();
    }
    let last: String = program.rsplit('/').next().unwrap_or_default().chars().filter(|c| plain(*c)).collect();
    format!("{last}-{}", hex::encode(&Sha256::digest(program.as_bytes())[..3]))
}

fn programs<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    match &node.value {
        Value::Map(entries) => {
            for (key, value) in entries {
                if key.name == "exec" {
                    let lists = LISTS.iter().filter_map(|list| value.get(list)?.as_list()?.first());
                    found.extend(lists);
                }
                programs(value, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| programs(item, found)),
        Value::Scalar { .. } | Value::Refused => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_replaced_and_nothing_else() {
        let text = "steps:\n  - { id: a, exec: { command: [banner, \"show\"], look: [\"banner\", is], undo: [/usr/bin/x, y] } }\n  \
                    - id: b\n    exec:\n      command:\n        - '${tool}'\n        - banner\n      effect: banner\n    \
                    rollback:\n      - exec: { command: [banner, hide] }\n  - notify: banner\n";
        let (new, files) = rewritten(text, Path::new("/lab/commands")).unwrap();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(
            new.contains(
                "command: [\"/lab/commands/banner\", \"show\"], look: [\"/lab/commands/banner\", is]"
            ),
            "{new}"
        );
        assert!(new.contains("undo: [\"/lab/commands/x-"), "{new}");
        assert!(
            new.contains("- \"/lab/commands/tool-") && new.contains("        - banner\n      effect: banner"),
            "{new}"
        );
        assert!(
            new.contains(
                "rollback:\n      - exec: { command: [\"/lab/commands/banner\", hide] }\n  - notify: banner"
            ),
            "{new}"
        );
    }

    #[test]
    fn what_is_no_runbook_is_refused() {
        assert!(rewritten("steps: [", Path::new("/lab")).is_err());
    }
}
