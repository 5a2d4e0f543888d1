//! What problems look like, and that nothing unsafe comes through.

use super::*;
use crate::error::{Code, FileId};

fn shown(text_of_file: &str, problem: Problem) -> String {
    let mut sources = Sources::new();
    sources.add("runbook.yaml", text_of_file);
    let mut problems = Problems::new();
    problems.push(problem);
    text(&problems, &sources, false, 80)
}

fn at(start: usize, end: usize) -> Span {
    Span::new(FileId(0), start..end)
}

#[test]
fn problems_look_like_those_of_a_compiler() {
    let problem = Problem::error(Code::UnknownKey, "unknown key `timout`")
        .at(at(8, 14))
        .help("did you mean `timeout`?");
    insta::assert_snapshot!(shown("id: x\n\n timout: 1\nb: 2\n", problem), @r#"
    error[MR0101]: unknown key `timout`
     --> runbook.yaml:3:2
      |
    3 |  timout: 1
      |  ^^^^^^
      |
      = help: did you mean `timeout`?
    "#);
    let problem = Problem::error(Code::DuplicateKey, "`a` is given twice")
        .at(at(15, 16))
        .label("again here")
        .related(at(0, 1), "first here");
    insta::assert_snapshot!(shown("a: 1\nb: 2\nc: 3\na: 4\n", problem), @r#"
    error[MR0014]: `a` is given twice
     --> runbook.yaml:4:1
      |
    1 | a: 1
      | - first here
    ...
    4 | a: 4
      | ^ again here
      |
      = help: keep one of the two
    "#);
    insta::assert_snapshot!(shown("", Problem::error(Code::EmptyFile, "the file has no content").at(at(0, 0))), @r#"
    error[MR0021]: the file has no content
     --> runbook.yaml:1:1
      |
    1 |
      | ^
      |
      = help: begin with `mrctl: 1`
    "#);
    insta::assert_snapshot!(shown("", Problem::warning(Code::FileNotFound, "`x` does not exist")), @r#"
    warning[MR0001]: `x` does not exist
     |
     = help: check the path
    "#);
}

#[test]
fn several_lines_tabs_and_the_end_of_a_file_have_their_marks() {
    insta::assert_snapshot!(shown("a:\n  b: 1\n  c: 2\n", Problem::error(Code::BadValue, "several lines").at(at(5, 16))), @r#"
    error[MR0104]: several lines
     --> runbook.yaml:2:3
      |
    2 |   b: 1
      |   ^^^^
      |
      = help: give another value
    "#);
    insta::assert_snapshot!(shown("a:\n\tb: 1\n", Problem::error(Code::Tab, "a tab").at(at(3, 4))), @r#"
    error[MR0009]: a tab
     --> runbook.yaml:2:1
      |
    2 |     b: 1
      | ^^^^
      |
      = help: indent with spaces
    "#);
    insta::assert_snapshot!(shown("a: 1", Problem::error(Code::Syntax, "the end").at(at(4, 4))), @r#"
    error[MR0008]: the end
     --> runbook.yaml:1:5
      |
    1 | a: 1
      |     ^
      |
      = help: check indentation, quotes and brackets at this place
    "#);
    insta::assert_snapshot!(shown("größe: 日本 x\n", Problem::error(Code::BadValue, "wide").at(at(16, 17))), @r#"
    error[MR0104]: wide
     --> runbook.yaml:1:11
      |
    1 | größe: 日本 x
      |             ^
      |
      = help: give another value
    "#);
}

#[test]
fn long_and_hostile_lines_stay_short_and_safe() {
    let long = format!("{}MARK{}", "x".repeat(100_000), "y".repeat(100_000));
    let text = shown(&long, Problem::error(Code::BadValue, "a".repeat(5_000)).at(at(100_000, 100_004)));
    assert!(text.len() < 3_000, "{}", text.len());
    assert!(text.contains("MARK"));
    let hostile = "a: \u{1b}[2J\u{202e}x\u{9b}\u{200b}\u{2028}z\n";
    let problem = Problem::error(Code::ControlCharacter, "\u{1b}]52;c;x\u{7}")
        .at(at(3, 4))
        .label("\u{1b}")
        .help("\r\u{8}");
    insta::assert_snapshot!(shown(hostile, problem), @r#"
    error[MR0006]: \u{1b}]52;c;x\u{7}
     --> runbook.yaml:1:4
      |
     ::: 
    1 | a: \u{1b}[2J\u{202e}x\u{9b}\u{200b}\u{2028}z
      |    ^^^^^^ \u{1b}
      |
      = help: \r\u{8}
    "#);
}

#[test]
fn naughty_texts_and_every_place_in_them_are_rendered_safely() {
    for naughty in crate::language::naughty::TEXTS {
        let file = format!("a: {naughty}\nb: {naughty}");
        for start in 0..=file.len() + 1 {
            let problem = Problem::error(Code::BadValue, *naughty)
                .at(at(start, start + 2))
                .label(*naughty)
                .help(*naughty);
            let text = shown(&file, problem.related(at(0, start), *naughty));
            let bad = text.chars().find(|c| *c != '\n' && is_unsafe(*c));
            assert_eq!(bad, None, "{naughty:?} at {start}: {text}");
        }
    }
}

#[test]
fn json_has_places_from_one_in_characters() {
    let mut sources = Sources::new();
    sources.add("größe.yaml", "ä: 1\nä: 2\n");
    let mut problems = Problems::new();
    problems.push(
        Problem::error(Code::DuplicateKey, "`ä` is given twice").at(at(6, 8)).related(at(0, 2), "first here"),
    );
    problems.push(Problem::warning(Code::FileNotFound, "`x` does not exist"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&json(&problems, &sources)).unwrap(), @r#"
    [
      {
        "code": "MR0001",
        "column": null,
        "end_column": null,
        "end_line": null,
        "explain": "mrctl explain MR0001",
        "file": null,
        "help": "check the path",
        "line": null,
        "message": "`x` does not exist",
        "related": [],
        "severity": "warning"
      },
      {
        "code": "MR0014",
        "column": 1,
        "end_column": 2,
        "end_line": 2,
        "explain": "mrctl explain MR0014",
        "file": "größe.yaml",
        "help": "keep one of the two",
        "line": 2,
        "message": "`ä` is given twice",
        "related": [
          {
            "column": 1,
            "file": "größe.yaml",
            "label": "first here",
            "line": 1
          }
        ],
        "severity": "error"
      }
    ]
    "#);
}

#[test]
fn what_was_not_kept_is_counted() {
    let mut problems = Problems::new();
    for number in 0..Problems::LIMIT + 7 {
        problems.push(Problem::error(Code::BadValue, format!("number {number}")));
    }
    assert!(text(&problems, &Sources::new(), false, 80).ends_with("\n\nand 7 more\n"));
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let mut problems = Problems::new();
    problems.push(Problem::error(Code::BadValue, "x"));
    assert!(!text(&problems, &Sources::new(), false, 80).contains('\u{1b}'));
    assert!(text(&problems, &Sources::new(), true, 80).contains('\u{1b}'));
}
