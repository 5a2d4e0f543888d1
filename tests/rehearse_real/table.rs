//! What was reproduced, as it stands in the documentation. Every row is a test.

/// A counterexample that is reproduced.
pub struct Case {
    /// The runbook, in `fixtures/rehearsal/bad`.
    pub runbook: &'static str,
    /// The counterexample.
    pub id: &'static str,
    /// The invariant that it breaks.
    pub invariant: &'static str,
    /// Its faults, and how each is caused.
    pub faults: &'static [(&'static str, &'static str)],
    /// What is wrong on the servers in the end.
    pub truth: &'static str,
    /// Whether it is reproduced in every run of the tests, or at night only.
    pub always: bool,
}

/// When all of them were last reproduced, and on what.
const FIGURES: &str =
    "Figures of 2026-11-28, on PostgreSQL 15, PowerDNS 4.7 and Redis 7 as Debian packages them.";

const WRONG_UNDO: &str = "done by commands: pool was-reset";
const BEHIND: &str =
    "writes to orders: us-east · www at pdns-eu: 100% eu-west · www at pdns-us: 100% eu-west";

const fn row(
    runbook: &'static str,
    id: &'static str,
    invariant: &'static str,
    faults: &'static [(&'static str, &'static str)],
    truth: &'static str,
    always: bool,
) -> Case {
    Case { runbook, id, invariant, faults, truth, always }
}

const STOP: &[(&str, &str)] = &[("the operator asks mrctl to stop", "SIGTERM")];
const KILLED: &[(&str, &str)] = &[("mrctl is killed", "kill -9 after the record")];
const SILENT: &[(&str, &str)] =
    &[("pdns-us does not answer any more", "a proxy, or the command's stand-in, swallows everything")];

/// All of them.
pub const CASES: &[Case] = &[
    row("users-sent-back", "39ac2e", "I10", &[], BEHIND, true),
    row("users-left-behind", "e15a2f", "I10", STOP, BEHIND, false),
    row("users-left-behind", "947817", "I10", STOP, BEHIND, true),
    row("users-left-behind", "414cc0", "I10", SILENT, BEHIND, true),
    row(
        "users-left-behind",
        "38f33b",
        "I10",
        SILENT,
        "www at pdns-eu: 100% us-east · www at pdns-us: 100% eu-west",
        false,
    ),
    row(
        "users-moved-first",
        "018cfa",
        "I10",
        &[("the answer is lost, and it was done", "a proxy drops the answer of the request")],
        "www at pdns-eu: 100% us-east · www at pdns-us: 100% eu-west",
        true,
    ),
    row(
        "users-moved-first",
        "e14e0f",
        "I10",
        &[("the answer is lost, and it was not done", "a proxy drops the request")],
        BEHIND,
        false,
    ),
    row(
        "users-moved-first",
        "7b7b4b",
        "I10",
        &[("refused; nothing was changed", "a proxy answers the request with an error")],
        BEHIND,
        false,
    ),
    row("undo-is-a-change", "1d6d58", "I5", KILLED, WRONG_UNDO, true),
    row("undo-is-a-change", "43d913", "I5", KILLED, WRONG_UNDO, false),
    row(
        "undo-is-a-change",
        "cb7a9f",
        "I5",
        &[(
            "the answer is lost, and it was not done",
            "the command's stand-in does nothing, and ends with 1",
        )],
        WRONG_UNDO,
        false,
    ),
    row(
        "undo-is-a-change",
        "fcd91a",
        "I5",
        &[("refused; nothing was changed", "the command's stand-in ends with 75")],
        WRONG_UNDO,
        false,
    ),
    row(
        "undo-is-a-change",
        "4f0aaa",
        "I5",
        &[(
            "pool was-reset does not answer any more",
            "a proxy, or the command's stand-in, swallows everything",
        )],
        WRONG_UNDO,
        false,
    ),
    row("undo-before-the-move", "62efe3", "I5", STOP, WRONG_UNDO, false),
    row("undo-before-the-move", "61ec8d", "I5", KILLED, WRONG_UNDO, false),
    row("undo-before-the-move", "19752e", "I5", KILLED, WRONG_UNDO, false),
    row(
        "undo-before-the-move",
        "247a91",
        "I5",
        &[("replay of orders in us-east stays behind", "pg_wal_replay_pause, and a write")],
        WRONG_UNDO,
        true,
    ),
    row(
        "undo-before-the-move",
        "92d01b",
        "I5",
        &[(
            "orders in us-east loses its upstream",
            "primary_conninfo of the target is taken away, and a write",
        )],
        WRONG_UNDO,
        false,
    ),
    row(
        "undo-before-the-move",
        "74ce08",
        "I5",
        &[("orders in us-east crashes and starts again", "kill -9 of the server, and its start")],
        WRONG_UNDO,
        false,
    ),
    row(
        "undo-before-the-move",
        "a6e066",
        "I5",
        &[(
            "a client that ignores the freeze commits on orders in eu-west",
            "a client with default_transaction_read_only=off commits",
        )],
        WRONG_UNDO,
        true,
    ),
    row(
        "undo-before-the-move",
        "4f0aaa",
        "I5",
        &[(
            "orders in eu-west does not answer any more",
            "a proxy, or the command's stand-in, swallows everything",
        )],
        WRONG_UNDO,
        false,
    ),
    row("undo-before-the-move", "847ef9", "I13", STOP, "writes to orders: us-east", false),
];

/// What exists in the model only, and why.
pub const ONLY: &[(&str, &str, &str)] = &[
    ("undo-before-the-move", "f9f760", "without a terminal nobody is asked"),
    ("undo-before-the-move", "6c5f66", "a lab is too fast for its write gap"),
];

fn page() -> String {
    let mut text = format!(
        "# Counterexamples on real servers\n\nRunbooks that are bad on purpose, the counterexamples that `mrctl rehearse` finds in them, and what came \
         of each with `--replay ID --real`: the same end of the run, and the same truth on the servers as in the model. The tests keep this list \
         true. {FIGURES}\n\n| Runbook | Counterexample | Fault | How it is caused | In the end, in the model and for real | Reproduced |\n|---|---|---|---|---|---|\n"
    );
    for case in CASES {
        let faults: Vec<&str> = case.faults.iter().map(|(fault, _)| *fault).collect();
        let hows: Vec<&str> = case.faults.iter().map(|(_, how)| *how).collect();
        let or_none = |list: Vec<&str>| if list.is_empty() { "none".to_owned() } else { list.join("; ") };
        let (runbook, id, invariant, truth) = (case.runbook, case.id, case.invariant, case.truth);
        let when = if case.always { "yes" } else { "yes, at night" };
        text += &format!(
            "| [{runbook}](../../tests/fixtures/rehearsal/bad/{runbook}.yaml) | {invariant} `{id}` | {} | {} | {truth} | {when} |\n",
            or_none(faults),
            or_none(hows)
        );
    }
    text += "\nAnd of the model only:\n\n| Runbook | Counterexample | Why |\n|---|---|---|\n";
    for (runbook, id, why) in ONLY {
        text +=
            &format!("| [{runbook}](../../tests/fixtures/rehearsal/bad/{runbook}.yaml) | `{id}` | {why} |\n");
    }
    text
}

#[test]
fn the_list_in_the_documentation_is_the_one_that_is_tested() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/rehearsal-real.md");
    if std::env::var_os("MRCTL_BLESS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "{} is out of date: run the tests with MRCTL_BLESS=1", path.display());
}
