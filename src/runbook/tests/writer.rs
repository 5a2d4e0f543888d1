use super::*;

/// The inventory of the design's example, with a second data set.
fn two_data_sets() -> Loaded {
    let mut loaded = production();
    let orders = loaded.inventory.postgres["orders"].clone();
    loaded.inventory.postgres.insert("billing".to_owned(), orders);
    loaded
}

/// Problems of the writer's order with these steps; each is `id kind value`, or a line of YAML.
fn order(steps: &[&str]) -> Vec<String> {
    let mut text = String::from("mrctl: 1\nname: test\nroles: { commander: Decides }\nsteps:\n");
    for (at, step) in steps.iter().enumerate() {
        text.push_str(&format!("  - {{ id: s{at}, {step} }}\n"));
    }
    let lines = lines(&check_text(&text, Some(&two_data_sets())).1);
    lines.into_iter().filter(|line| line.contains("MR04")).collect()
}

const FREEZE: &str = "postgres.freeze: orders";
const CATCH_UP: &str = "postgres.catch_up: orders";
const PROMOTE: &str = "postgres.promote: orders";
const STOP: &str = "postgres.stop: orders";

#[test]
fn freeze_catch_up_promote_is_the_order() {
    assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE]), Vec::<String>::new());
    for (steps, expected) in [
        (&[PROMOTE][..], "MR0412 `s0` promotes `orders`, but nothing freezes its writes before"),
        (&[FREEZE, PROMOTE], "MR0412 `orders` is not caught up between its freeze and its promotion"),
        (&[CATCH_UP, FREEZE, PROMOTE], "MR0412 `orders` is not caught up"),
        (&[PROMOTE, FREEZE, CATCH_UP], "MR0412 `s0` promotes `orders` before its writes are frozen"),
        (&[FREEZE, CATCH_UP, PROMOTE, FREEZE], "MR0412 writes of `orders` are frozen and never moved"),
        (&[FREEZE, CATCH_UP], "MR0412 writes of `orders` are frozen and never moved"),
    ] {
        let found = order(steps);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{steps:?}: {found:#?}");
    }
}

#[test]
fn a_name_with_a_slip_is_told_once() {
    for steps in
        [["postgres.freeze: order", CATCH_UP, PROMOTE], [FREEZE, CATCH_UP, "postgres.promote: [ordes]"]]
    {
        let text: String =
            steps.iter().enumerate().map(|(at, step)| format!("  - {{ id: s{at}, {step} }}\n")).collect();
        let (_, problems) = check_text(&format!("mrctl: 1\nname: t\nsteps:\n{text}"), Some(&production()));
        assert!(problems.len() == 1, "{:?}", lines(&problems));
        assert_has(&problems, "MR0503 there is no PostgreSQL cluster `ord");
    }
    // Without an inventory nobody knows what there is.
    let (_, problems) = check_text("mrctl: 1\nname: t\nsteps: [{ id: a, postgres.preflight: x }]\n", None);
    assert_eq!(lines(&problems), Vec::<String>::new());
}

#[test]
fn only_a_source_that_was_stopped_rejoins_in_the_run_that_promotes() {
    const REJOIN: &str = "postgres.reprotect: orders";
    assert_eq!(order(&[FREEZE, STOP, PROMOTE, REJOIN]), Vec::<String>::new());
    assert_eq!(order(&[REJOIN]), Vec::<String>::new());
    for steps in [&[FREEZE, CATCH_UP, PROMOTE, REJOIN][..], &[FREEZE, CATCH_UP, PROMOTE, STOP, REJOIN]] {
        let told = order(steps);
        assert!(told.len() == 1 && told[0].contains("it was not stopped before"), "{told:?}");
    }
}

#[test]
fn a_stop_proves_as_much_as_a_catch_up() {
    for steps in [
        &[FREEZE, STOP, PROMOTE][..],
        // The source is drained while it runs and stopped then: the stronger handover counts.
        &[FREEZE, CATCH_UP, STOP, PROMOTE],
        // A fence: the old primary is stopped once the new one serves.
        &[FREEZE, CATCH_UP, PROMOTE, STOP],
    ] {
        assert_eq!(order(steps), Vec::<String>::new(), "{steps:?}");
    }
}

#[test]
fn a_stop_stands_behind_the_freeze_and_nothing_reads_the_source_after_it() {
    for (steps, expected) in [
        (&[STOP, PROMOTE][..], "MR0412 `s1` promotes `orders`, but nothing freezes its writes before"),
        (&[STOP, FREEZE, CATCH_UP, PROMOTE], "MR0412 `orders` is stopped before its writes are frozen"),
        (
            &[FREEZE, STOP, CATCH_UP, PROMOTE],
            "MR0412 `s2` reads the source of `orders`, which `s1` has stopped",
        ),
        (&[FREEZE, PROMOTE, STOP], "MR0412 `orders` is not caught up between its freeze and its promotion"),
        (&[STOP], "MR0412 `orders` is stopped and never moved"),
        (
            &["postgres.promote: orders, only: [unplanned]", STOP],
            "MR0412 `orders` is stopped and never moved",
        ),
    ] {
        assert_eq!(order(steps), [expected], "{steps:?}");
    }
}

#[test]
fn nobody_is_waited_for_around_a_stop_before_the_promotion() {
    for between in ["checklist: { items: [Ready] }", "wait: { for: 1m }", "dns.ttl: www, confirm: commander"]
    {
        for steps in [[FREEZE, between, STOP, PROMOTE], [FREEZE, STOP, between, PROMOTE]] {
            assert!(
                order(&steps).iter().any(|line| line.starts_with("MR0413")),
                "{steps:?}: {:?}",
                order(&steps)
            );
        }
        // Behind the promotion the new primary takes writes.
        assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE, between, STOP]), Vec::<String>::new(), "{between}");
    }
}

#[test]
fn a_stop_is_taken_back_only_before_the_promotion() {
    let found = |steps: &[&str], expected: &str| {
        let found = order(steps);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{steps:?}: {found:#?}");
    };
    let keep = "`temporary`: what `postgres.stop` stops is not started again beside the new primary";
    let keep = format!("MR0418 {keep}");
    found(&[FREEZE, "postgres.stop: orders, temporary: true", PROMOTE], &keep);
    found(&[FREEZE, CATCH_UP, PROMOTE, "postgres.stop: orders, temporary: true"], &keep);
    found(
        &["postgres.freeze: orders, temporary: true", CATCH_UP, PROMOTE],
        "MR0418 `temporary`: what `postgres.freeze` stops is not started again beside the new primary",
    );
    found(
        &[FREEZE, CATCH_UP, PROMOTE, "postgres.stop: orders, on_failure: roll_back"],
        "MR0418 `on_failure: roll_back`: behind the promotion `postgres.stop` is not taken back",
    );
    let before = "postgres.stop: orders, on_failure: roll_back";
    assert_eq!(order(&[FREEZE, before, PROMOTE]), Vec::<String>::new());
    found(
        &[FREEZE, "postgres.stop: orders, best_effort: true", PROMOTE],
        "MR0418 `best_effort` is not possible for `postgres.stop`",
    );
    // As a fence it may fail: the freeze still holds, and the run watches it.
    let fence = "postgres.stop: orders, best_effort: true";
    assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE, fence]), Vec::<String>::new());
}

#[test]
fn several_data_sets_may_be_proven_in_different_ways() {
    let (freeze, stop, promote) =
        ("postgres.freeze: billing", "postgres.stop: billing", "postgres.promote: billing");
    assert_eq!(order(&[FREEZE, freeze, CATCH_UP, stop, PROMOTE, promote]), Vec::<String>::new());
    assert_eq!(order(&[FREEZE, freeze, CATCH_UP, stop, PROMOTE, STOP, promote]), Vec::<String>::new());
    assert_eq!(
        order(&[FREEZE, freeze, CATCH_UP, PROMOTE, stop, promote]),
        ["MR0414 `billing` is caught up only after another data set was promoted"]
    );
}

#[test]
fn a_promotion_of_unplanned_runs_needs_no_freeze() {
    assert_eq!(order(&["postgres.promote: orders, only: [unplanned]"]), Vec::<String>::new());
    let freeze = "postgres.freeze: orders, only: [planned]";
    assert_eq!(order(&[freeze, CATCH_UP, PROMOTE]), Vec::<String>::new());
}

#[test]
fn nobody_is_waited_for_while_writes_stand_still() {
    for (between, expected) in [
        ("checklist: { items: [Ready] }", "MR0413 `checklist` stands between freeze and promotion"),
        ("wait: { for: 1m }", "MR0413 `wait` stands between freeze and promotion"),
        ("dns.ttl: www, confirm: commander", "MR0413 a confirmation stands between freeze and promotion"),
    ] {
        assert_eq!(order(&[FREEZE, between, CATCH_UP, PROMOTE]), [expected]);
        assert_eq!(order(&[between, FREEZE, CATCH_UP, PROMOTE]), Vec::<String>::new(), "{between}");
        assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE, between]), Vec::<String>::new(), "{between}");
    }
    let asked = "postgres.promote: orders, confirm: true";
    assert_eq!(
        order(&[FREEZE, CATCH_UP, asked]),
        ["MR0413 a confirmation stands between freeze and promotion"]
    );
    assert_eq!(order(&["postgres.freeze: orders, confirm: true", CATCH_UP, PROMOTE]), Vec::<String>::new());
}

#[test]
fn a_sections_confirmation_counts_where_the_section_begins() {
    let text = |confirm: &str| {
        format!(
            "mrctl: 1\nname: t\nroles: {{ c: Decides }}\nsections:\n  - title: One\n    confirm: c\n    steps:\n      - {{ id: a, {FREEZE} }}\n  - title: Two\n{confirm}    steps:\n      - {{ id: b, {CATCH_UP} }}\n      - {{ id: c, {PROMOTE} }}\n"
        )
    };
    let (_, problems) = check_text(&text(""), Some(&production()));
    assert_eq!(lines(&problems), Vec::<String>::new());
    let (_, problems) = check_text(&text("    confirm: c\n"), Some(&production()));
    assert_eq!(lines(&problems), ["MR0413 the section's confirmation stands between freeze and promotion"]);
}

#[test]
fn every_data_set_is_caught_up_before_the_first_is_promoted() {
    let billing = ["postgres.freeze: billing", "postgres.catch_up: billing", "postgres.promote: billing"];
    let [freeze, catch_up, promote] = billing;
    assert_eq!(order(&[FREEZE, freeze, CATCH_UP, catch_up, PROMOTE, promote]), Vec::<String>::new());
    let lists = [
        "postgres.freeze: [orders, billing]",
        "postgres.catch_up: [orders, billing]",
        "postgres.promote: [orders, billing]",
    ];
    assert_eq!(order(&lists), Vec::<String>::new());
    assert_eq!(
        order(&[FREEZE, CATCH_UP, PROMOTE, freeze, catch_up, promote]),
        [
            "MR0414 `billing` is caught up only after another data set was promoted",
            "MR0414 `billing` is frozen only after another data set was promoted",
        ]
    );
}

#[test]
fn users_move_behind_the_writer() {
    let shift = "dns.shift: www";
    assert_eq!(
        order(&[shift, FREEZE, CATCH_UP, PROMOTE]),
        ["warning MR0415 `s0` moves users before `orders` can be written where they go"]
    );
    assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE, shift]), Vec::<String>::new());
}

#[test]
fn names_in_text_exist_in_every_direction() {
    let found = |text: &str| order(&[&format!("notify: \"{text}\"")]);
    let all = |text: &str| {
        let text = format!("mrctl: 1\nname: t\nsteps: [{{ id: a, notify: \"{text}\" }}]\n");
        lines(&check_text(&text, Some(&production())).1)
    };
    assert_eq!(found("${from} ${to.metrics} ${run.write_gap} ${mode} $${x}"), Vec::<String>::new());
    for wrong in ["${form}", "${to.metric}", "${nothing}"] {
        assert!(all(wrong).iter().any(|line| line.starts_with("MR0203")), "{wrong}: {:?}", all(wrong));
    }
}
