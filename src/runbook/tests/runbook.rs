use super::*;
use crate::runbook::model::{Item, OnFailure, Rollback, Where};

fn fixture_text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

#[test]
fn the_designs_runbook_is_read_and_clean() {
    let (draft, problems) = check_text(&fixture_text("orders-failover.yaml"), Some(&production()));
    assert_eq!(lines(&problems), Vec::<String>::new());
    let runbook = draft.unwrap().runbook;
    assert_eq!((runbook.name.value.as_str(), runbook.sections.len()), ("orders-failover", 3));
    assert_eq!(runbook.objectives.write_gap.millis(), 30_000);
    assert_eq!(runbook.roles.keys().collect::<Vec<_>>(), ["commander", "dba"]);
    assert_eq!(runbook.steps().count(), 12);
    let watch = &runbook.watch[0];
    assert_eq!((watch.during.first.value.as_str(), watch.during.last.value.as_str()), ("shift", "steady"));
    assert_eq!(runbook.sections[1].confirm.as_ref().unwrap().role.as_ref().unwrap().value, "commander");
    let promote = runbook.step("promote").unwrap();
    assert_eq!((promote.kind.value.as_str(), promote.body.as_text()), ("postgres.promote", Some("orders")));
    assert!(runbook.step("short_ttl").unwrap().policy.is_temporary());
    assert!(runbook.step("warm").unwrap().policy.is_best_effort());
    assert_eq!(runbook.step("catch_up").unwrap().policy.timeout.as_ref().unwrap().value.millis(), 10_000);
}

#[test]
fn groups_choices_and_every_form_of_policy_are_read() {
    let (loaded, _) = check_inventory(&fixture("split/mrctl.yaml"));
    let (draft, problems) = check_text(&fixture_text("two-writers.yaml"), loaded.as_ref());
    assert_eq!(lines(&problems), Vec::<String>::new());
    let runbook = draft.unwrap().runbook;
    assert!(matches!(&runbook.sections[0].items[0], Item::Parallel { steps, .. } if steps.len() == 2));
    let freeze = runbook.step("freeze").unwrap().policy.confirm.as_ref().unwrap();
    assert_eq!(freeze.typed.as_ref().unwrap().value, "${to}");
    assert_eq!(freeze.within.unwrap().millis(), 300_000);
    let look = &runbook.step("look").unwrap().policy;
    assert_eq!((look.retry.unwrap().times, look.retry.unwrap().every.millis()), (3, 500));
    assert_eq!(look.when.as_ref().unwrap().text.value, "level == 'high'");
    assert!(matches!(&runbook.step("banner").unwrap().policy.rollback, Rollback::None { .. }));
    let shift = &runbook.step("shift").unwrap().policy;
    assert_eq!(shift.place.as_ref().unwrap().value, Where::To);
    assert!(matches!(&shift.rollback, Rollback::Steps(steps) if steps[0].id.value == "shift_back"));
    assert!(runbook.parameters["patience"].is_required());
}

#[test]
fn all_problems_of_a_broken_runbook_show_at_once() {
    let (_, problems) = check_text(&fixture_text("broken.yaml"), Some(&production()));
    for expected in [
        "MR0111 `Broken Runbook` cannot be the name of a runbook",
        "MR0101 `tittle` is not a key of a runbook",
        "MR0404 there is no kind of step `postgres.promoted`",
        "MR0109",
        "MR0403 the step does several things",
        "MR0111 `Three` cannot be the id of a step",
        "MR0407 there is no role `comander`",
        "MR0402 the step does nothing",
        "MR0102 the step has no `id`",
        "MR0416 the rollback is left out without a reason",
    ] {
        assert_has(&problems, expected);
    }
    assert!(problems.iter().all(|problem| problem.span.is_some()));
    // Steps could not be read: what is missing is not blamed on what refers to it.
    assert!(!lines(&problems).iter().any(|line| line.starts_with("MR0406") || line.starts_with("MR0412")));
}

/// A runbook with these steps, in a list below `steps:`.
pub(super) fn with_steps(steps: &str) -> Problems {
    let text = format!("mrctl: 1\nname: test\nroles: {{ commander: Decides }}\nsteps:\n{steps}\n");
    check_text(&text, Some(&production())).1
}

#[test]
fn every_rule_for_steps_refuses_what_it_is_for() {
    for (steps, expected) in [
        ("  - { id: a, dns.shift: www }\n  - { id: a, http.check: shop }", "MR0405 there are two of `a`"),
        ("  - { id: a, dns.shift: www, rollback: [{ id: a, dns.ttl: www }] }", "MR0405 there are two of `a`"),
        ("  - { id: a, dns.shift: www, confirm: comander }", "MR0407 there is no role `comander`"),
        ("  - { id: a, checklist: { role: dba, items: [x] } }", "MR0407 there is no role `dba`"),
        ("  - { id: a, dns.shift: www, timout: 5s }", "MR0101 `timout` is not a key of a step"),
        ("  - { id: a, timout: 5s }", "MR0101 `timout` is not a key of a step"),
        ("  - { id: a, dns.shfit: www }", "MR0404 there is no kind of step `dns.shfit`"),
        ("  - { id: a, mysql.promote: x }", "MR0404 there is no kind of step `mysql.promote`"),
        ("  - { dns.shift: www }", "MR0102 the step has no `id`"),
        ("  - dns.shift", "MR0103 a step has to be a map"),
        ("  - { id: a, dns.shift: www, in: us-east }", "warning MR0417 the step acts in `us-east`"),
        ("  - { id: a, dns.shift: www, in: form }", "MR0501 there is no region `form`"),
        (
            "  - { id: a, http.check: { endpoint: shop, region: us-east } }",
            "warning MR0417 `us-east` is a region's name",
        ),
        (
            "  - { id: a, http.check: shop, temporary: true }",
            "MR0418 `temporary`: `http.check` changes nothing",
        ),
        ("  - { id: a, notify: hello, temporary: true }", "MR0418 `temporary`: `notify` cannot be put back"),
        (
            "  - { id: a, postgres.catch_up: orders, best_effort: true }",
            "MR0418 `best_effort` is not possible",
        ),
        (
            "  - { id: a, postgres.promote: orders, on_unknown: warn }",
            "MR0418 `on_unknown: warn` is not possible",
        ),
        ("  - { id: a, dns.shift: www, rollback: none }", "MR0416 the rollback is left out without a reason"),
        ("  - { id: a, dns.shift: www, rollback: { none: { because: ' ' } } }", "MR0416 the reason is empty"),
        ("  - { id: a, dns.shift: www, rollback: later }", "MR0416 `later` is not a rollback"),
        (
            "  - { id: a, dns.shift: www, rollback: [{ id: b, notify: x }] }",
            "MR0416 `notify` cannot be a step of a rollback",
        ),
        (
            "  - { id: a, postgres.promote: orders, rollback: [{ id: b, dns.ttl: www }] }",
            "MR0416 `postgres.promote` cannot be taken back",
        ),
        (
            "  - { id: a, dns.shift: www, marks: Service Restored }",
            "MR0111 `Service Restored` cannot be the name of a moment",
        ),
        ("  - { id: a, dns.shift: www, confirm: false }", "MR0104 `confirm: false` says nothing"),
        ("  - { id: a, dns.shift: www, retry: 0 }", "MR0104 a step is tried again 1 to 100 times"),
        ("  - { id: a, dns.shift: www, retry: often }", "MR0107 `often` is not a number of times"),
        ("  - { id: a, dns.shift: www, on_failure: ignore }", "MR0105"),
        ("  - { id: a, dns.shift: www, only: [planed] }", "MR0105"),
        ("  - { id: a, dns.shift: www, timeout: 5 }", "MR0109"),
        ("  - { id: a, dns.shift: www, when: error_rate(to) < 2% }", "MR0418 `when` asks `error_rate(to)`"),
        ("  - { id: a, dns.shift: www, require: ' ' }", "MR0301"),
        (
            "  - parallel: [{ id: a, postgres.freeze: orders }]",
            "MR0410 a freeze cannot stand inside `parallel`",
        ),
        (
            "  - parallel: [{ id: a, postgres.stop: orders }]",
            "MR0410 a stop of the source cannot stand inside `parallel`",
        ),
        (
            "  - parallel: [{ id: a, postgres.fence: orders }]",
            "MR0410 a fence cannot stand inside `parallel`",
        ),
        (
            "  - { id: a, postgres.fence: orders, rollback: [{ id: b, dns.ttl: www }] }",
            "MR0416 `postgres.fence` is not taken back by a rollback",
        ),
        (
            "  - { id: a, postgres.catch_up: orders }\n  - { id: b, postgres.fence: orders }",
            "MR0412 `orders` is fenced after it is caught up",
        ),
        (
            "  - { id: a, postgres.promote: orders }\n  - { id: b, postgres.fence: orders }",
            "MR0412 `orders` is fenced after it is promoted",
        ),
        (
            "  - parallel: [{ id: a, postgres.promote: orders }]",
            "MR0410 a promotion cannot stand inside `parallel`",
        ),
        (
            "  - parallel: [{ id: a, dns.shift: www, confirm: true }]",
            "MR0410 a confirmation cannot stand inside",
        ),
        ("  - parallel: [{ parallel: [{ id: a, dns.shift: www }] }]", "MR0410 `parallel` cannot stand here"),
        (
            "  - { parallel: [{ id: a, dns.shift: www }], timeout: 5s }",
            "MR0410 `timeout` stands beside `parallel`",
        ),
        (
            "  - parallel: [{ id: a, dns.shift: www }, { id: b, dns.ttl: { record: www } }]",
            "MR0411 `b` and `a` change `www` at the same time",
        ),
    ] {
        assert_has(&with_steps(steps), expected);
    }
}

/// A runbook with these lines above one harmless step.
pub(super) fn with_head(head: &str) -> Problems {
    let text = format!(
        "mrctl: 1\nname: test\n{head}\nsteps:\n  - {{ id: a, http.check: shop }}\n  - {{ id: b, http.check: shop }}\n"
    );
    check_text(&text, Some(&production())).1
}

#[test]
fn every_rule_for_the_head_refuses_what_it_is_for() {
    for (head, expected) in [
        ("watch: [{ id: w, ok: x < 1, during: c }]", "MR0406 there is no step `c`"),
        ("watch: [{ id: w, ok: x < 1, during: b..a }]", "MR0408 `b` comes after `a`"),
        (
            "watch: [{ id: w, ok: x < 1, during: a }, { id: w, ok: x < 1, during: b }]",
            "MR0405 there are two of `w`",
        ),
        ("watch: [{ id: w, ok: x < 1 }]", "MR0102"),
        ("watch: [{ id: w, ok: errors(to) < 2%, during: a }]", "MR0303 there is no signal `errors`"),
        (
            "watch: [{ id: w, ok: error_rate < 2%, during: a }]",
            "MR0303 `error_rate` is a signal: it is asked of something",
        ),
        ("watch: [{ id: w, ok: error_rate(to) < 2s, during: a }]", "MR0304"),
        (
            "watch: [{ id: w, ok: error_rate(two) < 2%, during: a }]",
            "MR0305 `error_rate(two)` asks for `two`",
        ),
        (
            "watch: [{ id: w, ok: error_rate(us-east) < 2%, during: a }]",
            "warning MR0417 `us-east` is a region's name",
        ),
        ("watch: [{ id: w, ok: error_rate(to), during: a }]", "MR0306"),
        ("watch: []", "MR0015"),
        ("sections: [{ title: t, steps: [{ id: c, http.check: shop }] }]", "MR0409 a runbook has either"),
        ("objectives: { rto: 2 }", "MR0109"),
        ("objectives: { rtoo: 2m }", "MR0101"),
        ("roles: { The Boss: Decides }", "MR0111 `The Boss` cannot be the name of a role"),
        ("roles: [commander]", "MR0103 `roles` has to be a map"),
        ("parameters: { from: { type: text } }", "MR0419 `from` has a meaning of its own"),
        ("parameters: { p: { type: choice } }", "MR0419 `p` is a choice without choices"),
        ("parameters: { p: { type: text, min: 1 } }", "MR0419 `min` means nothing for a text"),
        ("parameters: { p: { type: integer, min: one } }", "MR0419 `one` is not a whole number"),
        ("parameters: { p: { type: integer, min: 5, max: 4 } }", "MR0419 no value of `p` is possible"),
        ("parameters: { p: { type: integer, pattern: a } }", "MR0419 `pattern` means nothing for a integer"),
        ("parameters: { p: { pattern: 'a(' } }", "MR0419 the pattern cannot be read"),
        ("parameters: { p: { pattern: 'a)(b' } }", "MR0419 the pattern cannot be read"),
        (
            "parameters: { p: { type: boolean, choices: [true] } }",
            "MR0419 `choices` means nothing for a boolean",
        ),
        ("parameters: { p: { type: share, choices: [half] } }", "MR0419"),
        ("parameters: { p: { required: true, default: x } }", "MR0419 `p` is required and has a default"),
        ("parameters: { p: { required: false } }", "MR0419 `p` has no value when none is given"),
        (
            "parameters: { p: { type: integer, default: 0, min: 1 } }",
            "MR0420 the default of `p` does not fit: 0 is below",
        ),
        (
            "parameters: { p: { type: period, default: 2h, max: 1h } }",
            "MR0420 the default of `p` does not fit: 2h is above",
        ),
        ("parameters: { p: { type: share, default: '5' } }", "MR0420 the default of `p` does not fit"),
        (
            "parameters: { p: { type: boolean, default: maybe } }",
            "MR0420 the default of `p` does not fit: `maybe` is neither",
        ),
        (
            "parameters: { p: { type: choice, choices: [a, b], default: c } }",
            "MR0420 the default of `p` does not fit: `c` is none of",
        ),
        (
            "parameters: { p: { pattern: '[a-z]+', default: A1 } }",
            "MR0420 the default of `p` does not fit: `A1` does not match",
        ),
        ("parameters: { p: { type: number } }", "MR0105"),
    ] {
        assert_has(&with_head(head), expected);
    }
}

#[test]
fn the_version_comes_first_and_another_one_says_nothing_else() {
    let (draft, problems) = check_text("mrctl: 2\nnonsense: 1\n", None);
    assert!(draft.is_none());
    assert_eq!(lines(&problems), ["MR0401 version `2` of the format is not known to this mrctl"]);
    let (_, problems) = check_text("name: x\nsteps: [{ id: a, notify: x }]\n", None);
    assert_eq!(lines(&problems), ["MR0102 the runbook does not say its version"]);
    let (_, problems) = check_text("- mrctl\n", None);
    assert_has(&problems, "MR0103 the runbook has to be a map");
    let (_, problems) = check_text("mrctl: 1\nname: x\n", None);
    assert_has(&problems, "MR0409 the runbook has no steps");
}

#[test]
fn text_that_reaches_a_command_needs_a_pattern_or_choices() {
    let text = |definition: &str| {
        format!(
            "mrctl: 1\nname: t\nparameters: {{ p: {definition} }}\nsteps:\n  - {{ id: a, exec: {{ command: [x, \"${{p}}\"] }} }}\n"
        )
    };
    let problems = |definition: &str| check_text(&text(definition), None).1;
    assert_has(&problems("{ type: text }"), "MR0421 any text can reach `exec` through `p`");
    for fine in ["{ type: text, pattern: '[a-z]+' }", "{ choices: [a, b] }", "{ type: integer }"] {
        assert_eq!(lines(&problems(fine)), Vec::<String>::new(), "{fine}");
    }
    assert_eq!(crate::runbook::check::parameters::names_in("$${p} ${ p } ${q} ${"), ["p", "q"]);
}

#[test]
fn patterns_match_the_whole_value() {
    use super::parameter::matches;
    assert_eq!(matches("[a-z]+", "abc"), Ok(true));
    assert_eq!(matches("[a-z]+", "abc; rm"), Ok(false));
    assert_eq!(matches("a|b", "ab"), Ok(false));
    assert_eq!(matches("[a-z]+", "abc\n"), Ok(false));
    assert!(matches("(a{1000}){1000}", "a").is_err());
}

#[test]
fn failure_policies_keep_their_places() {
    let text = "mrctl: 1\nname: t\nsteps:\n  - id: a\n    notify: x\n    on_failure: retry\n";
    let (draft, problems) = check_text(text, None);
    assert!(problems.is_empty());
    let step = draft.unwrap().runbook.step("a").cloned().unwrap();
    let policy = step.policy.on_failure.unwrap();
    assert_eq!(policy.value, OnFailure::Retry);
    assert_eq!(&text[policy.span.range()], "retry");
    assert_eq!(&text[step.kind.span.range()], "notify");
}

#[test]
fn a_runbook_without_content_is_an_error() {
    for text in [
        "",
        "\n",
        " ",
        "\u{feff}",
        "# only\n",
        "---\n",
        "---",
        "--- # a\n",
        "# a\n---\n# b\n",
        "...\n",
        "---\n...\n",
        "~\n",
        "null\n",
        "--- ~\n",
    ] {
        let (draft, problems) = check_text(text, Some(&production()));
        assert!(draft.is_none(), "{text:?}");
        assert_has(&problems, "MR0021 the file has no content");
        assert_has(&check_inventory_text(text).1, "MR0021 the file has no content");
    }
    for (text, expected) in [
        ("{}\n", "MR0102 the runbook does not say its version"),
        ("mrctl: 1\nname: t\nsteps: []\n", "MR0015"),
        ("mrctl: 1\nname: t\nsections: []\n", "MR0015"),
        ("mrctl: 1\nname: t\nsections: [{ title: t, steps: [] }]\n", "MR0015"),
        ("mrctl: 1\nname: t\nsteps:\n", "MR0015"),
    ] {
        assert_has(&check_text(text, Some(&production())).1, expected);
    }
}
