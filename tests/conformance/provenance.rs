//! Every simulated fact names its case: the sources of the simulation are read for `(case F7)`, `Cases P8 and F14.` and the like.

use super::page::{ELSEWHERE, all_cases};
use super::table::Case;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The files that hold facts: those of the servers, and the faults that a call meets.
fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/world/sim");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = files.filter_map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let holds = ["postgres", "dns", "cache", "fault"].iter().any(|start| name.starts_with(start));
        (holds && name.ends_with(".rs")).then(|| (name, fs::read_to_string(path).unwrap()))
    });
    named.collect()
}

/// The comments of a source, joined: a name may stand on the next line.
fn comments(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("//"));
    lines.map(|line| line.trim_start_matches(['/', '!', ' '])).collect::<Vec<_>>().join(" ")
}

/// `F7` and the like.
fn is_name(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && word.len() > 1
        && letters.all(|letter| letter.is_ascii_digit())
}

/// The names of cases in a text: those after the word, up to the first other one.
fn named(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let bare = |word: &str| word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_string();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        if !matches!(bare(word).to_lowercase().as_str(), "case" | "cases") {
            continue;
        }
        let after = words[at + 1..].iter().map(|word| bare(word)).filter(|word| word != "and");
        found.extend(after.take_while(|word| is_name(word)));
    }
    found
}

#[test]
fn names_are_found_in_every_form() {
    let text = "/// The file is loaded (cases\n    /// P8 and F14).\n  // Case D9.\n let case = F7;\n  // In this case nothing (case R1).\n";
    assert_eq!(Vec::from_iter(named(&comments(text))), ["D9", "F14", "P8", "R1"].map(String::from));
}

#[test]
fn every_case_that_the_simulation_names_is_there_and_every_case_is_named() {
    let mut wrong = Vec::new();
    let there: BTreeSet<String> = all_cases().iter().map(Case::id).collect();
    let mut seen = BTreeSet::new();
    for (file, text) in sources() {
        for name in named(&comments(&text)) {
            if !there.contains(&name) {
                wrong.push(format!("{file} names {name}, and there is no such case"));
            }
            seen.insert(name);
        }
    }
    wrong.extend(there.difference(&seen).map(|name| format!("{name} is named nowhere in world/sim")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fields that are no fact of a server.
const BOOKKEEPING: &[&str] = &["written", "theirs", "findings"];

/// What a source declares and says in the comment before: `(declaration, names of cases)`.
fn declared(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let (mut found, mut comment) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(more) => comment += more,
            None => {
                found.push((line.to_string(), named(&std::mem::take(&mut comment))));
            }
        }
    }
    found
}

#[test]
fn every_field_of_a_simulated_server_and_everything_that_happens_to_it_names_a_case() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in sources() {
        let state = ["postgres_server.rs", "cache.rs"].contains(&file.as_str());
        let happens = file == "postgres_others.rs";
        for (line, cases) in declared(&text) {
            let field = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "));
            let field = field.map(|(name, _)| name).filter(|name| state && !name.contains(['(', ' ']));
            let event = line.starts_with("pub fn ") && line.contains("cluster: &str") && happens;
            let meant = field.is_some_and(|name| name != "faults" && !BOOKKEEPING.contains(&name)) || event;
            seen += usize::from(meant);
            if meant && cases.is_empty() {
                wrong.push(format!("{file}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "without a case: {wrong:#?}");
    assert!(seen > 30, "the sources are read wrongly: {seen}");
}

#[test]
fn no_two_cases_have_one_name_and_those_that_are_seen_elsewhere_are_seen() {
    let mut names = BTreeSet::new();
    for name in all_cases().iter().map(Case::id).chain(ELSEWHERE.iter().map(|fact| fact.id.to_string())) {
        assert!(names.insert(name.clone()), "{name} stands twice");
    }
    for fact in ELSEWHERE {
        let (file, word) = fact.tests;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {file}: {error}", fact.id));
        let tests = text.split("#[tokio::test]").skip(1);
        let mut heads = tests.filter_map(|test| test.split('(').next());
        assert!(
            heads.any(|head| head.contains(word)),
            "{}: no test of {file} has `{word}` in its name",
            fact.id
        );
    }
}
