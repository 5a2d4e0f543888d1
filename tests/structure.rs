//! The rooms of the program import only rooms above them; files stay small.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in import order, each with what it may import besides those above it.
const ROOMS: &[&str] = &[
    "error",
    "language",
    "redact",
    "journal",
    "world",
    "step",
    "runbook",
    "plan",
    "engine",
    "rehearse",
    "store",
    "exit_code",
    "output",
    "lab",
    "cli",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    });
    named.collect()
}

fn room(file: &str) -> Option<usize> {
    let first = file.split('/').next()?.trim_end_matches(".rs");
    ROOMS.iter().position(|room| *room == first)
}

#[test]
fn a_room_imports_only_rooms_above_it() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(own) = room(&file) else { continue };
        // Tests of a room may use what is below it.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        if file.ends_with("tests.rs")
            || file.contains("/tests/")
            || file.ends_with("/sample.rs")
            || file.ends_with("/testing.rs")
            || file.ends_with("/simulated.rs")
        {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let name: String =
                    line[at + 7..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if let Some(other) = ROOMS.iter().position(|room| *room == name)
                    && other > own
                {
                    wrong.push(format!("{file} imports {name}"));
                }
            }
            let inner = line.contains("world::real") || line.contains("world::sim");
            if inner && matches!(ROOMS[own], "step" | "engine" | "plan" | "runbook") {
                wrong.push(format!("{file} knows a world from the inside: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_longer_than_the_hard_limit() {
    let long: Vec<_> =
        sources().into_iter().filter(|(_, text)| text.lines().count() > 800).map(|(file, _)| file).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_shipped_runbook_passes_the_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = fs::read_dir(root.join("runbooks")).unwrap();
    let mut runbooks: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    runbooks
        .retain(|path| path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("mrctl.yaml"));
    runbooks.sort();
    assert!(runbooks.len() >= 4, "{runbooks:?}");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mrctl"));
    command.arg("check").args(runbooks);
    let output = command.arg("--inventory").arg(root.join("runbooks/mrctl.yaml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("no errors, no warnings"), "{said}");
}

#[test]
fn every_piece_of_a_runbook_in_the_guide_passes_the_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root.join("tests/fixtures/production.yaml"), folder.path().join("mrctl.yaml")).unwrap();
    let guide = fs::read_to_string(root.join("docs/guide/writing-a-runbook.md")).unwrap();
    let pieces: Vec<_> =
        guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(pieces.len() >= 2);
    for (number, piece) in pieces.iter().enumerate() {
        let steps = match piece.starts_with("- ") {
            true => {
                format!("steps:\n{}", piece.lines().map(|line| format!("  {line}\n")).collect::<String>())
            }
            false => (*piece).to_string(),
        };
        let path = folder.path().join(format!("{number}.yaml"));
        fs::write(&path, format!("mrctl: 1\nname: a\ntitle: A\n{steps}")).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mrctl")).arg("check").arg(&path).output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(said.contains("no errors"), "{piece}\n{said}");
    }
}
