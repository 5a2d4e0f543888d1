//! Checks that a person passes by name.

use super::{intends, paused, trial};
use crate::engine::by_hand::{not_waivable, waivable};
use crate::engine::record::{Choice, Record, Turn, Verdict};
use crate::engine::tests::{Kill, Trial};

#[test]
fn a_red_check_with_a_waiver_is_passed_once_and_stays_passed() {
    let mut trial = paused();
    trial.waive("users");
    trial.waive("lag");
    let before = trial.records.len();
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(ended, Some(Verdict::Completed), "{}", trial.story());
    let passed =
        |record: &&Record| matches!(record, Record::Turned { to: Turn::Warn, step, .. } if step == "users");
    let passed: Vec<_> = trial.records[before..].iter().filter(passed).collect();
    let [Record::Turned { why, .. }] = passed.as_slice() else { panic!("{}", trial.story()) };
    assert!(why.starts_with("users: passed by ada (known): ") && why.contains("500"), "{why}");
    assert_eq!(trial.why(), "passed although red: users");
    let lines = trial.state.by_hand.lines(&trial.plan);
    assert_eq!(
        lines,
        ["ada waived lag, and that was not needed: known", "users was red, and ada passed it: known"]
    );
}

#[test]
fn a_check_that_was_passed_before_the_promotion_is_not_asked_behind_it() {
    let red = |trial: &Trial| {
        trial.sim.postgres.with("orders", "us-east", |server| server.behind = 3);
        trial.sim.postgres.write("orders", "eu-west", "not replayed", false);
    };
    let promoted = {
        let mut trial = trial();
        trial.process(Choice::Continue, Kill::Never);
        trial.records.iter().position(intends("promote")).unwrap() + 3
    };
    let mut trial = trial();
    red(&trial);
    trial.created();
    trial.waive("lag");
    trial.at(8, |trial| {
        trial.sim.postgres.with("orders", "us-east", |server| server.behind = 0);
    });
    let ended = trial.process(Choice::Continue, Kill::Record(promoted + 1));
    assert_eq!(ended, None, "{}", trial.story());
    assert!(
        trial.records.iter().any(|record| matches!(record, Record::Turned { to: Turn::Warn, .. })),
        "{}",
        trial.story()
    );
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
}

#[test]
fn no_waiver_covers_who_a_server_is() {
    let mut trial = trial();
    trial.created();
    trial.waive("lag");
    // Behind the preflight another cluster answers.
    trial.at(4, |trial| {
        trial.sim.postgres.with("orders", "us-east", |server| server.system = "system-of-others".into());
    });
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert!(matches!(ended, Some(Verdict::Refused | Verdict::Unknown)), "{}", trial.story());
    assert!(!trial.records.iter().any(intends("freeze")), "{}", trial.story());
}

#[test]
fn only_what_looks_and_proves_nothing_for_others_can_be_waived() {
    let mut plan = trial().plan;
    assert_eq!(waivable(&plan), ["lag", "users"]);
    // The approval of a section stands at its first step, and would be passed with it.
    let users = plan.step_index("users").unwrap();
    let ask = plan.steps[plan.step_index("freeze").unwrap()].questions[0].clone();
    plan.steps[users].questions.push(ask);
    assert_eq!(waivable(&plan), ["lag"]);
    let why = |id: &str| not_waivable(&plan.steps[plan.step_index(id).unwrap()]).unwrap();
    insta::assert_snapshot!(
        ["ready", "freeze", "catch_up", "promote", "shift", "channel"].map(why).join("\n"),
        @r"
        it proves who the servers are, that there is one primary, and that the move can work, which nobody's word replaces
        it proves that nobody writes on the source, which nobody's word replaces
        it proves that the target has everything, or what is lost, which nobody's word replaces
        it proves that the target is the primary, and the only one, which nobody's word replaces
        it is no check: it changes something
        it is no check: a person answers it
        "
    );
}
