//! Files made to harm: they cost little time and never panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::error::{Code, FileId, Problems};
use crate::language::tree::{Limits, parse};

/// Parses in bounded time. The bound tells a linear reader from a quadratic one on a busy machine in an unoptimised build; how fast
/// it is stands in the benchmarks.
fn quickly(text: &str) -> Problems {
    let begin = Instant::now();
    let (_, problems) = parse(FileId(0), text, Limits::default());
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(30), "{} bytes took {took:?}: {:.40}", text.len(), text);
    problems
}

fn codes(text: &str) -> Vec<Code> {
    quickly(text).iter().map(|problem| problem.code).collect()
}

#[test]
fn deep_nesting_is_refused_without_deep_recursion() {
    let many = 500_000;
    assert_eq!(codes(&"[".repeat(many)), [Code::TooDeep]);
    assert_eq!(codes(&"{a: ".repeat(many / 2)), [Code::TooDeep]);
    assert_eq!(codes(&"{".repeat(many)), [Code::TooDeep]);
    assert_eq!(codes(&"- ".repeat(many)), [Code::TooDeep]);
    assert_eq!(codes(&"? ".repeat(many)), [Code::TooDeep]);
    assert!(!codes(&"a: ".repeat(many / 2)).is_empty());
    let stairs: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(codes(&stairs), [Code::TooDeep]);
    let fits = format!("{}x{}", "[".repeat(32), "]".repeat(32));
    assert_eq!(codes(&fits), []);
}

#[test]
fn bombs_of_aliases_are_never_expanded() {
    let mut bomb = String::from("a0: &a0 [lol, lol]\n");
    for level in 1..40 {
        let before = level - 1;
        bomb += &format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n");
    }
    let problems = quickly(&bomb);
    assert!(problems.iter().all(|problem| matches!(problem.code, Code::Anchor | Code::Alias)));
    assert!(problems.len() > 100);
}

#[test]
fn long_and_wide_files_are_bounded() {
    let mebibyte = 1 << 20;
    assert_eq!(codes(&format!("a: {}", "x".repeat(mebibyte - 10))), []);
    assert_eq!(codes(&format!("a: \"{}\"", "x ".repeat(mebibyte / 2 - 10))), []);
    assert_eq!(codes(&"x".repeat(mebibyte + 1)), [Code::FileTooLarge]);
    assert_eq!(codes(&"- a\n".repeat(250_000)), [Code::TooManyNodes]);
    assert_eq!(codes(&format!("[{}]", "a,".repeat(300_000))), [Code::TooManyNodes]);
    assert!(codes(&"#\n".repeat(mebibyte / 2)).contains(&Code::EmptyFile));
    assert!(codes(&"# x\n".repeat(mebibyte / 4)).contains(&Code::EmptyFile));
    let keys: String = (0..24_000).map(|number| format!("k{number}: v\n")).collect();
    assert_eq!(codes(&keys), []);
    quickly(&"a: b\n".repeat(200_000));
    quickly(&"\n".repeat(mebibyte));
    quickly(&"&a ".repeat(mebibyte / 3));
    quickly(&"!a ".repeat(mebibyte / 3));
    quickly(&"\"".repeat(mebibyte));
    quickly(&"'".repeat(mebibyte));
    quickly(&"\u{0}".repeat(mebibyte));
    quickly(&"\u{202e}".repeat(mebibyte / 3));
    quickly(&"---\n".repeat(mebibyte / 4));
    quickly(&"a #b\n".repeat(mebibyte / 5));
    quickly(&format!("a: |\n{}", "  x\n".repeat(mebibyte / 4 - 10)));
    quickly(&format!("a: |\n{}", "\t\n".repeat(mebibyte / 2 - 10)));
    quickly(&"- - - - - - - - - -\n".repeat(mebibyte / 20));
    quickly(&"[a, {b: c}], ".repeat(mebibyte / 13));
    quickly(&"a:\n".repeat(mebibyte / 3));
}

#[test]
fn a_hundred_megabytes_are_refused_at_once() {
    let begin = Instant::now();
    let text = "[".repeat(100 << 20);
    let (tree, problems) = parse(FileId(0), &text, Limits::default());
    assert!(tree.is_none() && problems.len() == 1);
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn naughty_texts_never_panic_anywhere_in_a_file() {
    for text in crate::language::naughty::TEXTS {
        for file in [
            (*text).to_owned(),
            format!("a: {text}\n"),
            format!("{text}: a\n"),
            format!("- {text}\n- {text}\n"),
            format!("a: \"{text}\"\n"),
            format!("a: '{text}'\n"),
            format!("a: |\n  {text}\n"),
            format!("a: [{text}, {text}]\n"),
            format!("a: {{b: {text}}}\n"),
            format!("# {text}\na: b {text}\n"),
        ] {
            quickly(&file);
        }
    }
}

#[test]
fn escapes_of_no_character_are_refused_in_their_place() {
    use crate::language::naughty::{ESCAPES, TEXTS, quoted};
    for escape in ESCAPES {
        let text = format!("a: \"x{escape}y\"\n");
        let problems = quickly(&text);
        // The last code of all is a character that fonts may have, and two halves in order make a whole one, as in JSON.
        let whole = escape.contains("0010ffff") || *escape == "\\ud83d\\ude00";
        assert!(problems.has_errors() || whole, "{escape} is accepted");
        assert!(problems.iter().all(|problem| problem.span.is_some()), "{escape}");
    }
    for text in TEXTS {
        let (tree, problems) = parse(FileId(0), &format!("a: {}\n", quoted(text)), Limits::default());
        let read = tree.as_ref().and_then(|tree| tree.get("a")).and_then(|node| node.as_text());
        assert!(problems.has_errors() || read == Some(*text), "{text:?} became {read:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        quickly(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn anything_like_yaml_is_read_or_refused(text in "([a-c]|[-:?,{}#&*!|>'\"%@`<\\[\\]]| |\n|\t|\r|: |- |\n  |é|\u{feff}|\u{202e}|~|null|<<){0,60}") {
        let (tree, problems) = parse(FileId(0), &text, Limits::default());
        prop_assert!(tree.is_some() || problems.has_errors());
        for problem in &problems {
            if let Some(span) = problem.span {
                prop_assert!(text.get(span.range()).is_some(), "{span:?} is no part of {text:?}: {}", problem.message);
            }
        }
        if let Some(tree) = tree {
            prop_assert!(text.get(tree.span.range()).is_some());
        }
    }
}
