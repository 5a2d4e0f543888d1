//! A step that has no undo, and is taken back by steps of its own.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Record, Verdict};
use crate::world::sim::exec::Script;
use crate::world::sim::{Fault, two_regions};

fn script(sets: Option<&str>, clears: Option<&str>, asks: Option<&str>) -> Script {
    let word = |word: Option<&str>| word.map(str::to_string);
    Script { sets: word(sets), clears: word(clears), asks: word(asks), ..Script::default() }
}

/// A run in which the target never catches up: the freeze is taken back, then the banner, then the TTL.
fn trial() -> Trial {
    let sim = two_regions();
    for (command, script) in [
        ("banner show", script(Some("shown"), Some("hidden"), None)),
        ("banner look", script(None, None, Some("shown"))),
        ("banner hide", script(Some("hidden"), Some("shown"), None)),
        ("banner hidden", script(None, None, Some("hidden"))),
        ("banner count", script(Some("counted"), None, None)),
        ("banner counted", script(None, None, Some("counted"))),
        ("banner uncount", script(None, Some("counted"), None)),
    ] {
        sim.exec.script(command, script);
    }
    let trial = Trial::in_world("ways-back.yaml", "production.yaml", sim);
    trial.sim.postgres.with("orders", "us-east", |server| server.behind = 3);
    trial.sim.postgres.write("orders", "eu-west", "not replayed", false);
    trial
}

/// Commands that changed something, in their order.
fn changes(trial: &Trial) -> Vec<String> {
    let looks = ["banner look", "banner hidden", "banner counted"];
    let commands = trial.sim.exec.ran().into_iter().map(|command| command.argv.join(" "));
    commands.filter(|command| !looks.contains(&command.as_str())).collect()
}

fn back(trial: &Trial, what: &str) {
    assert!(trial.untouched(), "{what}\n{}", trial.story());
    let done = changes(trial);
    assert!(
        done.ends_with(&["banner hide".into(), "banner count".into()]),
        "{what}: {done:?}\n{}",
        trial.story()
    );
}

#[test]
fn a_step_is_taken_back_by_its_own_steps_in_its_turn() {
    let mut trial = trial();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    back(&trial, "whole");
    assert_eq!(changes(&trial), ["banner show", "banner hide", "banner count"]);
    let at = |step: &str, undo: bool| {
        let intent =
            |r: &Record| matches!(r, Record::Intent { step: s, undo: u, .. } if s == step && *u == undo);
        trial.records.iter().position(intent).unwrap()
    };
    assert!(at("freeze", true) < at("hide", false), "newest first: {}", trial.story());
    assert!(
        at("hide", false) < at("count", false) && at("count", false) < at("short_ttl", true),
        "{}",
        trial.story()
    );
}

#[test]
fn killed_anywhere_it_is_still_taken_back_whole() {
    let mut whole = trial();
    whole.process(Choice::Continue, Kill::Never);
    let kills = (2..whole.records.len()).map(Kill::Record).chain((1..=whole.calls).map(Kill::Call));
    for kill in kills {
        let mut trial = trial();
        assert_eq!(trial.process(Choice::Continue, kill), None, "{kill:?}");
        let intended =
            trial.records.iter().any(|r| matches!(r, Record::Intent { step, .. } if step == "banner"));
        let ended = trial.process(Choice::RollBack, Kill::Never);
        assert_eq!(ended, Some(Verdict::RolledBack), "{kill:?}\n{}", trial.story());
        if intended {
            back(&trial, &format!("{kill:?}"));
        } else {
            assert!(trial.untouched() && changes(&trial).is_empty(), "{kill:?}\n{}", trial.story());
        }
    }
}

#[test]
fn a_way_back_that_fails_is_told_and_tried_again_when_a_person_says_so() {
    let mut whole = trial();
    whole.process(Choice::Continue, Kill::Never);
    // The last but two calls: hide, count, and the TTL's undo.
    let mut trial = trial();
    trial.fault = Some((whole.calls - 2, Fault::Refuse));
    let verdict = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(verdict, Some(Verdict::RollbackFailed), "{}", trial.story());
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    back(&trial, "after a second try");
}
