use super::*;

/// Problems of the writer's order with these steps; each is `id kind value`, or a line of YAML.
fn order(steps: &[&str]) -> Vec<String> {
    let mut text = String::from("mrctl: 1\nname: test\nroles: { commander: Decides }\nsteps:\n");
    for (at, step) in steps.iter().enumerate() {
        text.push_str(&format!("  - {{ id: s{at}, {step} }}\n"));
    }
    let lines = lines(&check_text(&text, Some(&production())).1);
    // `billing` and `stock` are in no inventory, which kinds and not these rules say.
    lines.into_iter().filter(|line| line.contains("MR04")).collect()
}

const FREEZE: &str = "postgres.freeze: orders";
const CATCH_UP: &str = "postgres.catch_up: orders";
const PROMOTE: &str = "postgres.promote: orders";

#[test]
fn freeze_catch_up_promote_is_the_order() {
    assert_eq!(order(&[FREEZE, CATCH_UP, PROMOTE]), Vec::<String>::new());
    for (steps, expected) in [
        (&[PROMOTE][..], "MR0412 `s0` promotes `orders`, but nothing freezes its writes before"),
        (&[FREEZE, PROMOTE], "MR0412 `orders` is not caught up between its freeze and its promotion"),
        (&[CATCH_UP, FREEZE, PROMOTE], "MR0412 `orders` is not caught up"),
        (&[PROMOTE, FREEZE, CATCH_UP], "MR0412 writes of `orders` are frozen and never moved"),
        (&[FREEZE, CATCH_UP], "MR0412 writes of `orders` are frozen and never moved"),
    ] {
        let found = order(steps);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{steps:?}: {found:#?}");
    }
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
