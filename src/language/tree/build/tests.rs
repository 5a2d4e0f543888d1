//! Every refusal and trap of the tree, with its place and message.

use crate::error::{FileId, Sources};
use crate::language::tree::{Limits, Node, Value, parse};

/// `line:column-end code message (related line:column label) help`, one problem a line.
fn problems(text: &str) -> String {
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text);
    let (_, problems) = parse(file, text, Limits::default());
    let mut lines = Vec::new();
    for problem in &problems {
        let mut line = match problem.span.and_then(|span| sources.line_column(span)) {
            Some(place) => {
                format!("{}:{}-{}:{} ", place.line, place.column, place.end_line, place.end_column)
            }
            None => "- ".to_owned(),
        };
        line += &format!("{} {}", problem.code, problem.message);
        for (span, label) in &problem.related {
            let place = sources.line_column(*span).unwrap();
            line += &format!(" ({label} {}:{})", place.line, place.column);
        }
        line += &format!("; {}", problem.remedy());
        lines.push(line);
    }
    lines.join("\n")
}

/// A tree on one line, with styles as marks.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, style } => format!("{style:?}({text:?})"),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, node)| format!("{}: {}", key.name, shown(node))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Refused => "refused".to_owned(),
    }
}

fn tree(text: &str) -> String {
    let (node, problems) = parse(FileId(0), text, Limits::default());
    assert!(problems.is_empty(), "{problems:?}");
    shown(&node.unwrap())
}

#[test]
fn scalars_are_text_with_their_style() {
    insta::assert_snapshot!(tree("a: yes\nb: 0o7\nc: \"1\"\nd: 'no'\ne: |\n  x\n  y\nf: [1e3, on, 'q']\n5: true\nno: x\n"), @r#"{a: Plain("yes"), b: Plain("0o7"), c: Quoted("1"), d: Quoted("no"), e: Block("x\ny\n"), f: [Plain("1e3"), Plain("on"), Quoted("q")], 5: Plain("true"), no: Plain("x")}"#);
    insta::assert_snapshot!(tree("---\n- a\n- b: c\n  d: {}\n- []\n...\n"), @r#"[Plain("a"), {b: Plain("c"), d: {}}, []]"#);
    insta::assert_snapshot!(tree("\u{feff}title: Move Orders from ${from} to ${to}\r\nx: \"null\"\r\n"), @r#"{title: Plain("Move Orders from ${from} to ${to}"), x: Quoted("null")}"#);
    insta::assert_snapshot!(tree("a: b # a comment\n# c\nb: c #------\nc: d ## e\nd: e #\ne: 'x' #12\n"), @r#"{a: Plain("b"), b: Plain("c"), c: Plain("d"), d: Plain("e"), e: Quoted("x")}"#);
}

#[test]
fn spans_are_exact() {
    let text = "a: one\nb:\n  - two  \n  - { c: 'thrée' }\n\n\nd: |\n  x\n";
    let (node, _) = parse(FileId(0), text, Limits::default());
    let node = node.unwrap();
    let slice = |node: &Node| text[node.span.range()].to_owned();
    assert_eq!(slice(node.get("a").unwrap()), "one");
    let list = node.get("b").unwrap();
    assert_eq!(slice(list), "- two  \n  - { c: 'thrée' }");
    assert_eq!(slice(&list.as_list().unwrap()[0]), "two");
    assert_eq!(slice(&list.as_list().unwrap()[1]), "{ c: 'thrée' }");
    assert_eq!(slice(list.as_list().unwrap()[1].get("c").unwrap()), "'thrée'");
    assert_eq!(&text[node.entry("d").unwrap().0.span.range()], "d");
    assert_eq!(node.head().range(), 0..1);
}

#[test]
fn anchors_aliases_merge_keys_and_tags_are_refused() {
    insta::assert_snapshot!(problems("a: &x 1\nb: *x\nc: *missing\nd:\n  <<: *x\n  e: !drill yes\nf: &y\n  g: !!str 1\n"), @r#"
    1:4-1:6 MR0010 the anchor `&x`: text is written where it is meant; remove `&x`; a text that begins with `&` needs quotes
    2:4-2:6 MR0011 the alias `*x`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*x"`
    3:4-3:12 MR0011 the alias `*missing`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*missing"`
    5:3-5:5 MR0012 the merge key `<<`: keys are written where they are meant; write the keys out, or use `defaults` in the inventory
    5:7-5:9 MR0011 the alias `*x`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*x"`
    6:6-6:12 MR0013 the tag `!drill`: the key says what a value is; remove it, or put the text in quotes if it begins with `!`; a condition writes `not`
    7:4-7:6 MR0010 the anchor `&y`: text is written where it is meant; remove `&y`; a text that begins with `&` needs quotes
    8:6-8:11 MR0013 the tag `!!str`: the key says what a value is; remove it, or put the text in quotes if it begins with `!`; a condition writes `not`
    "#);
    insta::assert_snapshot!(problems("on_call: *urgent*\n"), @r#"1:10-1:18 MR0011 the alias `*urgent*`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*urgent*"`"#);
    insta::assert_snapshot!(problems("x: !e!y 1\n"), @"1:4-1:5 MR0013 a text that begins with `!` is a tag; put the text in quotes, or remove the tag");
    insta::assert_snapshot!(problems("x: !\ny: &a\nz: 1\n"), @r#"
    1:4-1:5 MR0013 the tag `!`: the key says what a value is; remove it, or put the text in quotes if it begins with `!`; a condition writes `not`
    2:4-2:6 MR0010 the anchor `&a`: text is written where it is meant; remove `&a`; a text that begins with `&` needs quotes
    "#);
    insta::assert_snapshot!(problems("&a k: 1\n*a : 2\n"), @r#"
    1:1-1:3 MR0010 the anchor `&a`: text is written where it is meant; remove `&a`; a text that begins with `&` needs quotes
    2:1-2:3 MR0011 the alias `*a`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*a"`
    "#);
}

#[test]
fn duplicate_keys_show_both_places() {
    insta::assert_snapshot!(problems("a: 1\nb: 2\n\"a\": 3\nc: {d: 1, d: 2, d: 3}\n"), @r#"
    3:1-3:4 MR0014 `a` is given twice (first here 1:1); keep one of the two
    4:11-4:12 MR0014 `d` is given twice (first here 4:5); keep one of the two
    4:17-4:18 MR0014 `d` is given twice (first here 4:5); keep one of the two
    "#);
}

#[test]
fn keys_and_items_without_value_are_refused() {
    insta::assert_snapshot!(problems("confirm:\nb: ~\nc: null\nd:\n  - x\n  -\n  - null\ne: {f: , g}\nh: [a, ~]\n"), @r#"
    1:1-1:8 MR0015 `confirm` has no value; give it a value or remove it
    2:4-2:5 MR0015 `b` has no value; give it a value or remove it; for the text `~` write `"~"`
    3:4-3:8 MR0015 `c` has no value; give it a value or remove it; for the text `null` write `"null"`
    6:3-6:4 MR0015 an item has no value; give it a value or remove it
    7:5-7:9 MR0015 an item has no value; give it a value or remove it; for the text `null` write `"null"`
    8:5-8:6 MR0015 `f` has no value; give it a value or remove it
    8:10-8:11 MR0015 `g` has no value; give it a value or remove it
    9:8-9:9 MR0015 an item has no value; give it a value or remove it; for the text `~` write `"~"`
    "#);
    insta::assert_snapshot!(problems("channel: #ops\nb: 1\n"), @"1:1-1:8 MR0015 `channel` has no value; text after a blank and `#` is a comment: put it in quotes if it is the value");
    insta::assert_snapshot!(problems("- id: x\n  confirm:\n- id: y\n"), @"2:3-2:10 MR0015 `confirm` has no value; give it a value or remove it");
}

#[test]
fn empty_files_and_several_documents_are_refused() {
    insta::assert_snapshot!(problems(""), @"1:1-1:1 MR0021 the file has no content; begin with `mrctl: 1`");
    insta::assert_snapshot!(problems("# only a comment\n\n"), @"1:1-1:1 MR0021 the file has no content; begin with `mrctl: 1`");
    insta::assert_snapshot!(problems("---\n"), @"1:1-1:1 MR0021 the file has no content; begin with `mrctl: 1`");
    insta::assert_snapshot!(problems("null\n"), @"1:1-1:5 MR0021 the file has no content; begin with `mrctl: 1`");
    insta::assert_snapshot!(problems("a: 1\nb:\n---\na: &x 2\n---\nb: 3\n"), @r#"
    2:1-2:2 MR0015 `b` has no value; give it a value or remove it
    3:1-3:4 MR0016 a second document begins here; put each document into its own file
    "#);
    insta::assert_snapshot!(problems("%YAML 1.2\n---\na: 1\n"), @"1:1-1:2 MR0022 a YAML directive; remove the line that begins with `%`");
    insta::assert_snapshot!(problems("a: 1\n...\ngarbage: [\n"), @"3:1-3:2 MR0016 a second document begins here; put each document into its own file");
}

#[test]
fn text_cut_by_a_number_sign_is_reported() {
    insta::assert_snapshot!(problems("title: Fix issue #12 today\nb: [a #b\n  ]\nc: ok # fine\nd: x#y\n- e #f\n"), @r#"
    1:18-1:21 MR0017 the text is cut at `#12`; put the whole text in quotes; if a comment is meant, put a blank after `#`
    2:7-2:9 MR0017 the text is cut at `#b`; put the whole text in quotes; if a comment is meant, put a blank after `#`
    6:3-6:4 MR0008 this item lines up with no list above; indent it like the other items of its list, or put it below its key
    "#);
    insta::assert_snapshot!(problems("a:\n  first line\n  second #3\nb: 1\n"), @"3:10-3:12 MR0017 the text is cut at `#3`; put the whole text in quotes; if a comment is meant, put a blank after `#`");
    insta::assert_snapshot!(problems("a:\n  first #2\n  second\nb: 1\n"), @"2:9-2:11 MR0017 the text is cut at `#2`; put the whole text in quotes; if a comment is meant, put a blank after `#`");
}

#[test]
fn keys_are_text() {
    insta::assert_snapshot!(problems("[a, b]: 1\n{c: d}: 2\n? e\n: 3\n~: 4\n: 5\nnull: 6\n"), @r#"
    1:1-1:7 MR0018 a list or map is used as a key; use a short text as key; text that begins with `{` or `[`, such as `${name}` inside brackets, needs quotes
    2:1-2:7 MR0018 a list or map is used as a key; use a short text as key; text that begins with `{` or `[`, such as `${name}` inside brackets, needs quotes
    5:1-5:2 MR0018 a key is missing; write a name; for the text `~` write `"~"`
    6:1-6:1 MR0018 a key is missing; write a name before the `:`
    7:1-7:5 MR0018 a key is missing; write a name; for the text `null` write `"null"`
    "#);
    insta::assert_snapshot!(problems("a: {rate: ${warm_rate}}\n"), @"1:12-1:13 MR0008 a `,` or closing bracket is missing (inside this bracket 1:4); close the `{`, or put text that contains brackets, `,` or `: ` in quotes");
}

#[test]
fn tabs_are_explained() {
    insta::assert_snapshot!(problems("a:\n\tb: 1\n"), @"2:1-2:2 MR0009 a tab is where only blanks may be; indent with spaces");
    insta::assert_snapshot!(problems("a:\n  b: 1\n\tc: 2\n"), @"3:1-3:2 MR0009 a tab is where only blanks may be; indent with spaces");
    insta::assert_snapshot!(problems("a:\n  - b\n\t- c\n"), @"3:1-3:2 MR0009 a tab is where only blanks may be; indent with spaces");
}

#[test]
fn control_and_direction_characters_are_refused_with_the_rest() {
    insta::assert_snapshot!(problems("a: x\u{0}y\nb: \u{202e}cba\nc: \"\\u202e\\e[2J\"\nd: z\u{200b}\ne: q\u{9b}\nf: &x 1\ng: a\rb\n"), @r#"
    1:5-1:6 MR0006 the control character U+0000; remove the character
    2:4-2:5 MR0007 U+202E changes the direction of text, so that it reads differently from what it says; remove the character; it can make text look like something else
    3:4-3:17 MR0007 the text contains U+202E; remove the escape
    4:5-4:6 MR0007 the invisible character U+200B; remove the character; it can make text look like something else
    5:5-5:6 MR0006 the control character U+009B; remove the character
    6:4-6:6 MR0010 the anchor `&x`: text is written where it is meant; remove `&x`; a text that begins with `&` needs quotes
    7:5-7:6 MR0006 a carriage return (U+000D) without a line feed; remove the character
    "#);
    insta::assert_snapshot!(problems("a: 👩\u{200d}💻 می\u{200c}خواهم\n"), @"");
    insta::assert_snapshot!(problems("\"a\\0b\": 1\n"), @"1:1-1:7 MR0006 the text contains U+0000; remove the escape");
}

#[test]
fn broken_yaml_says_what_to_do() {
    insta::assert_snapshot!(problems("a: \"x\n"), @"1:4-1:5 MR0008 a quote is not closed; add the closing quote");
    insta::assert_snapshot!(problems("a: [1, 2\nb: 3\n"), @"2:2-2:3 MR0008 a `: ` inside a text (inside this bracket 1:4); close the `[`, or put text that contains brackets, `,` or `: ` in quotes");
    insta::assert_snapshot!(problems("a: [1, 2\n"), @"1:4-1:5 MR0008 `[` is not closed; add the closing bracket");
    insta::assert_snapshot!(problems("a: [1}\n"), @"1:4-1:5 MR0008 `[` is closed by `}`; check indentation, quotes and brackets at this place");
    insta::assert_snapshot!(problems("a: b: c\n"), @"1:5-1:6 MR0008 a `: ` inside a text; put a text that contains `: ` in quotes; if this is a key, check its indentation");
    insta::assert_snapshot!(problems("a: 1\n b: 2\n"), @"2:3-2:4 MR0008 this line continues the text above it; indent it like the key above; a text that contains `: ` needs quotes");
    insta::assert_snapshot!(problems("a:\n  b: 1\n c: 2\n"), @"3:2-3:3 MR0008 this does not line up with the keys above; indent it like the other keys of the same map");
    insta::assert_snapshot!(problems("a: @x\n"), @"1:4-1:5 MR0008 a value cannot begin with `@`; put the text in quotes");
    insta::assert_snapshot!(problems("a: 'x' y\n"), @"1:8-1:9 MR0008 text follows a closing quote; put the whole value in one pair of quotes");
    insta::assert_snapshot!(problems("a: \"\\q\"\n"), @r#"1:4-1:5 MR0008 an unknown escape in double quotes; write `\\` for a backslash, or use single quotes"#);
    insta::assert_snapshot!(problems("a: 1\nb\nc: 2\n"), @"2:1-2:2 MR0008 a line without `:` is where a key is expected; write `key: value`, or indent the line to continue a text");
    insta::assert_snapshot!(problems("a: - b\n"), @"1:4-1:5 MR0008 a `- ` item is not possible here; begin a list on a new line below its key");
    insta::assert_snapshot!(problems("a: %x\n"), @"1:4-1:5 MR0008 a value cannot begin with `%`; put the text in quotes");
    insta::assert_snapshot!(problems("a: {b c: d e: f}\n"), @"1:13-1:14 MR0008 a `,` or closing bracket is missing (inside this bracket 1:4); close the `{`, or put text that contains brackets, `,` or `: ` in quotes");
    insta::assert_snapshot!(problems("- a\nb: c\n"), @"2:1-2:2 MR0008 this does not line up with the items above; indent it like the keys of its item, or begin an item with `- ` at the same column");
    insta::assert_snapshot!(problems("a: \"x\"#y\n"), @"1:7-1:8 MR0008 a `#` directly after a value; put a blank before the comment, or the whole text in quotes");
}

mod hostile;
mod opinion;

#[test]
fn an_escape_cannot_smuggle_in_what_the_raw_text_may_not_hold() {
    assert!(problems(r#"title: "Move to us-\u202Etsae""#).contains("MR0007 the text contains U+202E"));
    assert!(problems(r#"title: "Move\u0008 orders""#).contains("U+0008"));
    assert_eq!(problems(r#"title: "two\nlines\tand a tab""#), "");
}
