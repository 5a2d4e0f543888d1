//! Values that cannot be what they stand for.

use super::runbook::{with_head, with_steps};
use super::*;

#[test]
fn directives_are_refused_wherever_they_stand() {
    let body = "mrctl: 1\nname: t\nsteps: [{ id: a, notify: x }]\n";
    for directive in
        ["%YAML 1.2", "%YAML 1.1", "%YAML 9.9", "%TAG ! tag:x,2000:", "%TAG !! x", "%ANY thing", "%"]
    {
        for text in [
            format!("{directive}\n---\n{body}"),
            format!("# a\n\n{directive}\n---\n{body}"),
            format!("\u{feff}{directive}\n---\n{body}"),
            format!("{directive} # a\n--- # b\n{body}"),
        ] {
            let (draft, problems) = check_text(&text, Some(&production()));
            assert!(draft.is_none(), "{text:?}");
            assert_has(&problems, "MR0022");
        }
    }
}

#[test]
fn a_quoted_number_is_not_a_number() {
    for (steps, expected) in [
        ("  - { id: a, notify: x, retry: '3' }", "MR0108 expected a number of times, found quoted text"),
        ("  - { id: a, notify: x, retry: \"3\" }", "MR0108 expected a number of times, found quoted text"),
        ("  - { id: a, notify: x, retry: { times: '3' } }", "MR0108"),
        ("  - { id: a, notify: x, retry: three }", "MR0107 `three` is not a number of times"),
        ("  - { id: a, notify: x, retry: 3.0 }", "MR0107 `3.0` is not a number of times"),
        ("  - { id: a, notify: x, retry: 007 }", "MR0107 `007` is not a number of times"),
        ("  - { id: a, notify: x, retry: -1 }", "MR0104 the number is negative"),
        (
            "  - { id: a, notify: x, confirm: 'true' }",
            "MR0108 expected `true` or the name of a role, found quoted text",
        ),
    ] {
        assert_has(&with_steps(steps), expected);
    }
    let (_, problems) = check_text("mrctl: '1'\nname: t\nsteps: [{ id: a, notify: x }]\n", None);
    assert_has(&problems, "MR0108 expected a number, found quoted text");
}

#[test]
fn a_quantity_that_cannot_be_read_says_so() {
    for (value, expected) in [
        ("5 min", "MR0110 `5 min` is not a time: it contains a blank"),
        ("5min", "MR0110 `5min` is not a time"),
        ("1.5m", "MR0110"),
        ("30s1m", "MR0110"),
        ("-5s", "MR0110"),
        ("soon", "MR0110"),
        ("5", "MR0109"),
    ] {
        assert_has(&with_steps(&format!("  - {{ id: a, notify: x, timeout: {value} }}")), expected);
        assert_has(&with_head(&format!("objectives: {{ rto: {value} }}")), expected);
        assert_has(
            &with_steps(&format!("  - {{ id: a, notify: x, retry: {{ times: 1, every: {value} }} }}")),
            expected,
        );
    }
}

#[test]
fn words_of_a_condition_are_compared_with_what_they_can_be() {
    for (when, expected) in [
        (
            "drill",
            "MR0306 the condition is a text, not true or false; compare it with a text: `drill == 'real'`",
        ),
        (
            "not drill",
            "MR0304 `not` needs true or false, not a text; compare it with a text: `drill == 'real'`",
        ),
        (
            "mode",
            "MR0306 the condition is a text, not true or false; compare it with a text: `mode == 'planned'`",
        ),
        (
            "mode == 'planned' and drill",
            "MR0304 `and` needs true or false, not a text; compare it with a text: `drill == 'real'`",
        ),
        (
            "drill == true",
            "MR0304 cannot compare a text and true or false; compare it with a text: `drill == 'real'`",
        ),
        ("drill == 'dryrun'", "MR0105 `drill` is never `dryrun`; did you mean `dry-run`?"),
        ("'reel' != drill", "MR0105 `drill` is never `reel`; did you mean `real`?"),
        ("mode == 'unplaned'", "MR0105 `mode` is never `unplaned`; did you mean `unplanned`?"),
        ("to == 'us-eats'", "MR0105 `to` is never `us-eats`; did you mean `us-east`?"),
        ("size == 'huge'", "MR0105 `size` is never `huge`; it is `small` or `large`"),
        ("drill == real", "MR0303 `real` is not known here; for a text write `'real'`"),
        ("drill != dry-run", "MR0303 `dry` is not known here; for a text write `'dry-run'`"),
        ("'!drill'", "MR0301 expected a value, a signal or `(`, found `!`; write `not`"),
        (
            "!drill",
            "MR0013 the tag `!drill`: the key says what a value is; remove it, or put the text in quotes if it begins with `!`; a condition writes `not`",
        ),
    ] {
        let when = if when.starts_with('!') || when.starts_with("'!") {
            when.to_owned()
        } else {
            format!("\"{when}\"")
        };
        let text = format!(
            "mrctl: 1\nname: t\nparameters: {{ size: {{ choices: [small, large], default: small }} }}\nsteps: [{{ id: a, notify: x, when: {when} }}]\n"
        );
        let (_, problems) = check_text(&text, Some(&production()));
        let found: Vec<_> = problems
            .iter()
            .map(|p| format!("{} {}; {}", p.code, p.message, p.help.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, [expected], "{when}");
    }
    for when in [
        "drill == 'real'",
        "drill != 'dry-run'",
        "'full' == drill",
        "mode == 'planned' or size == 'large'",
        "from == 'eu-west'",
    ] {
        let problems = with_steps(&format!("  - {{ id: a, notify: x, when: \"{when}\" }}"));
        let lines = lines(&problems);
        assert!(
            lines.iter().all(|line| !line.contains("MR01") && !line.contains("MR0304")),
            "{when}: {lines:?}"
        );
    }
}
