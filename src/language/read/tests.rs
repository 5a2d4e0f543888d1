//! What typed readers accept and what they say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Spanned, from_node};
use crate::error::{Problems, Sources};
use crate::language::tree::{Limits, parse};
use crate::language::{Label, Name, Period, Share, Size};

fn read<T: serde::de::DeserializeOwned>(text: &str) -> (Option<T>, String) {
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text);
    let (node, mut problems) = parse(file, text, Limits::default());
    let value = node.and_then(|node| from_node(&node, &mut problems));
    (value, listed(&problems, &sources))
}

fn listed(problems: &Problems, sources: &Sources) -> String {
    let line = |problem: &crate::error::Problem| {
        let place = sources.line_column(problem.span.unwrap()).unwrap();
        let (line, column, end) = (place.line, place.column, place.end_column);
        format!("{line}:{column}-{end} {} {}; {}", problem.code, problem.message, problem.remedy())
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn good<T: serde::de::DeserializeOwned>(text: &str) -> T {
    let (value, problems) = read(text);
    assert_eq!(problems, "");
    value.unwrap()
}

fn bad<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
    let (_, problems) = read::<T>(text);
    assert_ne!(problems, "");
    problems
}

#[derive(Debug, Deserialize, PartialEq)]
struct Step {
    id: Name,
    title: Option<String>,
    #[serde(default)]
    best_effort: bool,
    timeout: Option<Period>,
    retry: Option<Retry>,
    #[serde(default)]
    only: Vec<Mode>,
    weights: Option<BTreeMap<Label, Share>>,
    within: Option<Spanned<Size>>,
    pair: Option<(u8, String)>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Retry {
    times: u8,
    every: Period,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Planned,
    Unplanned,
    Custom { name: String, rank: i8 },
    Numbered(u32),
}

#[test]
fn good_values_are_read() {
    let step: Step = good(
        "id: warm\ntitle: 5\nbest_effort: true\ntimeout: 1h30m\nretry: { times: 3, every: \"10s\" }\nonly: [planned, {numbered: 7}, {custom: {name: yes, rank: -5}}]\nweights: {eu-west: 99.5%}\nwithin: 64MiB\npair: [1, on]\n",
    );
    assert_eq!(step.title.as_deref(), Some("5"));
    assert_eq!(step.retry, Some(Retry { times: 3, every: Period::from_secs(10) }));
    assert_eq!(step.only, [Mode::Planned, Mode::Numbered(7), Mode::Custom { name: "yes".into(), rank: -5 }]);
    let within = step.within.unwrap();
    assert_eq!((within.value, within.span.end - within.span.start), (Size::from_bytes(64 << 20), 5));
    assert_eq!(step.pair, Some((1, "on".to_owned())));
}

#[test]
fn untyped_values_are_text_unless_they_are_plain_numbers_or_booleans() {
    let value: serde_json::Value =
        good("a: [true, yes, 12, -3, 1e3, 0o7, '12', 1.5, 007, \"true\"]\nb: {c: x}\n");
    insta::assert_snapshot!(value, @r#"{"a":[true,"yes",12,-3,"1e3","0o7","12","1.5","007","true"],"b":{"c":"x"}}"#);
}

#[test]
fn all_unknown_keys_are_reported_with_suggestions() {
    insta::assert_snapshot!(bad::<Step>("id: a\ntimout: 1s\nbanana: 1\nretry: {times: 1, every: 1s, evry: 2s, x: 1}\nID: b\n"), @r#"
    2:1-7 MR0101 unknown key `timout`; did you mean `timeout`?
    3:1-7 MR0101 unknown key `banana`; known keys: `id`, `title`, `best_effort`, `timeout`, `retry`, `only`, `weights`, `within`, `pair`
    4:30-34 MR0101 unknown key `evry` in `retry`; known keys: `times`, `every`
    4:40-41 MR0101 unknown key `x` in `retry`; known keys: `times`, `every`
    5:1-3 MR0101 unknown key `ID`; known keys: `id`, `title`, `best_effort`, `timeout`, `retry`, `only`, `weights`, `within`, `pair`
    "#);
    let (value, _) = read::<Step>("id: a\nbanana: 1\n");
    assert!(value.is_some(), "unknown keys do not hide what else may be wrong");
}

#[test]
fn all_wrong_values_are_reported_at_once() {
    let text = "id: Catch Up\ntitle: [a]\nbest_effort: yes\ntimeout: 30\nretry: {times: 300, every: -1s}\nonly: [plannd, x, planned, {custom: {name: {}, rank: 0x1}}]\nweights: {EU: 1, us: 101%}\nwithin: {a: 1}\npair: [a, {}]\n";
    insta::assert_snapshot!(bad::<Step>(text), @r#"
    1:5-13 MR0111 `Catch Up` is not a name: it contains `C`; write `catch_up`: a name begins with a lowercase letter; then lowercase letters, digits and `_` may follow
    2:9-10 MR0103 expected a text, found a list; `mrctl kinds` and `mrctl schema` tell what is expected
    3:14-17 MR0106 `yes` is neither `true` nor `false`; write `true`
    4:10-12 MR0109 `30` needs a unit to be a time; write it with a unit, such as `500ms`, `30s`, `2m`, `1h30m` or `2d`
    5:16-19 MR0104 the number `300` is too large or too small; write a number from 0 to 255
    6:8-14 MR0105 `plannd` is none of the choices; did you mean `planned`? choices: `planned`, `unplanned`, `custom`, `numbered`
    7:11-13 MR0111 `EU` is not a name: it contains `E`; write `eu`: a name begins with a lowercase letter; then lowercase letters, digits, `_` and `-` may follow
    8:10-11 MR0103 expected a size with a unit, such as `64MiB`, found a map; `mrctl kinds` and `mrctl schema` tell what is expected
    9:8-9 MR0107 `a` is not a whole number; write a whole number in decimal digits
    "#);
}

#[test]
fn missing_keys_are_located_at_their_map() {
    insta::assert_snapshot!(bad::<Step>("title: x\nretry: {every: 1s}\n"), @"2:9-14 MR0102 in `retry` `times` is missing; add `times: …`");
    insta::assert_snapshot!(bad::<Step>("{}\n"), @"1:1-3 MR0102 `id` is missing; add `id: …`");
    insta::assert_snapshot!(bad::<Vec<Retry>>("- times: 1\n- every: 1s\n- times: 2\n  evry: 1s\n"), @r#"
    1:3-8 MR0102 `every` is missing; add `every: …`
    2:3-8 MR0102 `times` is missing; add `times: …`
    3:3-8 MR0102 `every` is missing; add `every: …`
    4:3-7 MR0101 unknown key `evry`; did you mean `every`?
    "#);
}

#[test]
fn booleans_are_only_true_and_false() {
    for text in
        ["yes", "no", "on", "off", "True", "FALSE", "1", "0", "maybe", "\"true\"", "'false'", "[]", "{}"]
    {
        assert!(!read::<Vec<bool>>(&format!("- {text}")).1.is_empty(), "{text}");
    }
    insta::assert_snapshot!(bad::<Vec<bool>>("- yes\n- off\n- maybe\n- 'true'\n- []\n"), @r#"
    1:3-6 MR0106 `yes` is neither `true` nor `false`; write `true`
    2:3-6 MR0106 `off` is neither `true` nor `false`; write `false`
    3:3-8 MR0106 `maybe` is neither `true` nor `false`; write `true` or `false`
    4:3-9 MR0108 expected `true` or `false`, found quoted text; remove the quotes
    5:3-5 MR0103 expected `true` or `false`, found a list; `mrctl kinds` and `mrctl schema` tell what is expected
    "#);
    assert_eq!(good::<Vec<bool>>("- true\n- false\n"), [true, false]);
}

#[test]
fn whole_numbers_are_decimal() {
    insta::assert_snapshot!(bad::<Vec<u16>>("- 0o7\n- 0x1F\n- 1e3\n- 1_000\n- 007\n- 1.0\n- '5'\n- -1\n- 65536\n- 99999999999999999999999999999999999999999\n- +5\n- ٣\n- 5s\n"), @r#"
    1:3-6 MR0107 `0o7` is not a whole number; write it in decimal digits
    2:3-7 MR0107 `0x1F` is not a whole number; write it in decimal digits
    3:3-6 MR0107 `1e3` is not a whole number; write a whole number in decimal digits
    4:3-8 MR0107 `1_000` is not a whole number; write the digits without separators
    5:3-6 MR0107 `007` is not a whole number; leave out the leading zeros
    6:3-6 MR0107 `1.0` is not a whole number; write a whole number in decimal digits
    7:3-6 MR0108 expected a number, found quoted text; remove the quotes
    8:3-5 MR0104 the number `-1` is too large or too small; write a number from 0 to 65535
    9:3-8 MR0104 the number `65536` is too large or too small; write a number from 0 to 65535
    10:3-44 MR0104 the number `99999999999999999999999999999999999999999` is too large or too small; write a number from 0 to 65535
    11:3-5 MR0107 `+5` is not a whole number; write a whole number in decimal digits
    12:3-4 MR0107 `٣` is not a whole number; write a whole number in decimal digits
    13:3-5 MR0107 `5s` is not a whole number; write a whole number in decimal digits
    "#);
    assert_eq!(
        good::<Vec<i64>>("- 0\n- -9223372036854775808\n- 9223372036854775807\n"),
        [0, i64::MIN, i64::MAX]
    );
    assert_eq!(good::<Vec<f64>>("- 0\n- -1.5\n"), [0.0, -1.5]);
    insta::assert_snapshot!(bad::<Vec<f64>>("- .nan\n- 1e5\n- '1'\n- .5\n"), @r#"
    1:3-7 MR0104 `.nan` is not a number; write a decimal number such as `12.5`
    2:3-6 MR0104 `1e5` is not a number; write a decimal number such as `12.5`
    3:3-6 MR0108 expected a number, found quoted text; remove the quotes
    4:3-5 MR0104 `.5` is not a number; write a decimal number such as `12.5`
    "#);
}

#[test]
fn choices_take_a_value_or_none_as_they_are_made() {
    insta::assert_snapshot!(bad::<Vec<Mode>>("- planned: 1\n- numbered\n- {planned: 1, numbered: 2}\n- {}\n- []\n- Planned\n- custom: {name: x, rank: 1, rnk: 2}\n"), @r#"
    1:12-13 MR0103 `planned` takes no value; write only `planned`
    2:3-11 MR0103 `numbered` needs a value; write `numbered: …`
    3:4-11 MR0103 expected exactly one key, found 2; use one of `planned`, `unplanned`, `custom`, `numbered`
    4:3-5 MR0103 expected exactly one key, found 0; use one of `planned`, `unplanned`, `custom`, `numbered`
    5:3-5 MR0103 expected one of `planned`, `unplanned`, `custom`, `numbered`, found a list; `mrctl kinds` and `mrctl schema` tell what is expected
    6:3-10 MR0105 `Planned` is none of the choices; did you mean `planned`? choices: `planned`, `unplanned`, `custom`, `numbered`
    7:30-33 MR0101 unknown key `rnk` in `custom`; known keys: `name`, `rank`
    "#);
}

#[test]
fn what_was_refused_already_is_not_reported_again() {
    insta::assert_snapshot!(bad::<Step>("id:\ntitle: *x\nretry: {times: ~, every: 1s}\nonly: [~]\n"), @r#"
    1:1-3 MR0015 `id` has no value; give it a value or remove it
    2:8-10 MR0011 the alias `*x`: text is written where it is meant; write the text out; a text that begins with `*` needs quotes: `"*x"`
    3:16-17 MR0015 `times` has no value; give it a value or remove it; for the text `~` write `"~"`
    4:8-9 MR0015 an item has no value; give it a value or remove it; for the text `~` write `"~"`
    "#);
    let (value, _) = read::<Step>("id: *x\n");
    assert!(value.is_none());
}

/// A type whose rule is checked after its parts were read.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Pair")]
struct Ordered(#[expect(dead_code, reason = "only read")] u8);

#[derive(Deserialize)]
struct Pair {
    low: u8,
    high: u8,
}

impl TryFrom<Pair> for Ordered {
    type Error = String;

    fn try_from(pair: Pair) -> Result<Ordered, String> {
        if pair.low < pair.high { Ok(Ordered(pair.low)) } else { Err("`low` is not below `high`".to_owned()) }
    }
}

#[test]
fn rules_checked_after_reading_are_located_too() {
    insta::assert_snapshot!(bad::<Ordered>("{low: 2, high: 1}\n"), @"1:2-5 MR0104 `low` is not below `high`; give another value");
    insta::assert_snapshot!(bad::<Vec<Ordered>>("- {low: 2, high: 1}\n- {low: 1, high: 2}\n- {low: 3, high: 3}\n"), @r#"
    1:4-7 MR0104 `low` is not below `high`; give another value
    3:4-7 MR0104 `low` is not below `high`; give another value
    "#);
    insta::assert_snapshot!(bad::<BTreeMap<String, Spanned<Ordered>>>("a: {low: 2, high: 1}\n"), @"1:5-8 MR0104 `low` is not below `high`; give another value");
}

#[test]
fn a_thousand_problems_cost_little_and_are_bounded() {
    let text: String = (0..5_000).map(|number| format!("- b{number}\n")).collect();
    let begin = std::time::Instant::now();
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text.as_str());
    let (node, mut problems) = parse(file, &text, Limits::default());
    assert!(from_node::<Vec<bool>>(&node.unwrap(), &mut problems).is_none());
    assert!(problems.len() >= 60 && problems.len() <= Problems::LIMIT);
    assert!(begin.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn naughty_texts_never_panic_in_typed_readers() {
    for text in crate::language::naughty::TEXTS {
        for key in ["id", "title", "best_effort", "timeout", "retry", "only", "weights", "within", "pair"] {
            let file = format!("id: a\n{key}: {}\n", serde_json::to_string(text).unwrap());
            drop(read::<Step>(&file));
            drop(read::<Step>(&format!("{key}: {text}\n")));
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_tree_is_read_or_refused(text in "(id|title|retry|only|times|planned|a|1|true|[-:,{}\\[\\]\"' ]|\n|: |- |\n  ){0,40}") {
        let (value, problems) = read::<Step>(&text);
        proptest::prop_assert!(value.is_some() || !problems.is_empty());
    }
}
