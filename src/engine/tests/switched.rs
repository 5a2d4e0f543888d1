//! A planned run is taken over as an unplanned one: what is carried over, what is forgotten, what stands against it.

use super::{Kill, Trial};
use crate::engine::record::{Choice, Record, Turn, Verdict};
use crate::engine::state::{Flight, RunState, Stage, find};
use crate::engine::switch::{Hindrance, keep_approved};
use crate::engine::{Task, decide};
use crate::plan::testing::made;
use crate::plan::{Mode, Plan};
use crate::step::{Remark, Standing};
use crate::world::Member;
use std::path::Path;

fn unplanned() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    made(&folder.join("trial.yaml"), &folder.join("production.yaml"), ["eu-west", "us-east"], Mode::Unplanned)
        .0
        .unwrap()
}

fn place(what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = Trial::new("trial.yaml");
    trial.process(Choice::Continue, Kill::Never);
    trial.records.iter().position(what).unwrap() + 1
}

fn looked_reached(record: &Record, of: &str) -> bool {
    matches!(record, Record::Looked { step, standing: Standing::Reached, .. } if step == of)
}

fn killed(what: impl Fn(&Record) -> bool) -> Trial {
    let at = place(what);
    let mut trial = Trial::new("trial.yaml");
    assert_eq!(trial.process(Choice::Continue, Kill::Record(at)), None);
    trial
}

/// Goes on with the other plan, as `mrctl resume --mode unplanned` does.
fn switch(trial: &mut Trial) {
    let (old, new) = (trial.plan.clone(), unplanned());
    trial.plan = new.clone();
    trial.state = RunState::of(&new, &trial.records);
    trial.append(&Record::Switched {
        from: old.digest(),
        plan: new.digest(),
        to: Box::new(new),
        by: "ada".into(),
        reason: "the region is gone".into(),
    });
    trial.append(&Record::Opened {
        version: "1".into(),
        operator: "ada".into(),
        host: "bastion".into(),
        pid: 8,
        terminal: false,
        choice: Choice::Continue,
        reason: String::new(),
        torn: 0,
    });
}

#[test]
fn what_stands_is_carried_over_and_what_was_seen_answered_or_proved_is_not() {
    let mut trial = killed(|record| looked_reached(record, "catch_up"));
    assert!(!trial.state.handovers.is_empty() && !trial.state.answers.is_empty());
    assert!(trial.state.gap_runs(&trial.plan));
    assert_eq!(trial.state.against_switching(&trial.plan, &unplanned()), []);
    let (s, e) = find(&trial.plan, "freeze", "read_only").unwrap();
    let before = trial.state.steps[s].effects[e].intent.clone().unwrap();
    switch(&mut trial);
    let (state, plan) = (&trial.state, &trial.plan);
    assert!(state.handovers.is_empty() && state.answers.is_empty());
    let (s, e) = find(plan, "freeze", "read_only").unwrap();
    let freeze = &state.steps[s].effects[e];
    assert!(freeze.stands() && freeze.seen.is_none());
    assert_eq!(freeze.intent.as_ref().unwrap().prior, before.prior, "what it has to be taken back to");
    // It is the death of the source that stops writes now, and thawing would not bring them back.
    assert!(!state.gap_runs(plan));
    let looks = [find(plan, "catch_up", "caught_up"), find(plan, "ready", "ready")];
    for (s, e) in looks.into_iter().flatten() {
        assert_eq!(state.steps[s].effects[e].seen, None, "seen for another plan");
    }
    assert!(
        !decide(plan, state).iter().any(|task| matches!(task, Task::Turn(turn) if turn.to == Turn::RollBack))
    );
}

#[test]
fn a_rollback_that_cannot_reach_the_source_is_turned_forward_and_what_it_took_back_is_made_again() {
    let mut trial = killed(|record| looked_reached(record, "catch_up"));
    trial.sim.postgres.faults.silence("orders in eu-west");
    let verdict = trial.process(Choice::RollBack, Kill::Never);
    assert_eq!(verdict, Some(Verdict::RollbackFailed), "{}", trial.story());
    assert_eq!(trial.state.against_switching(&trial.plan, &unplanned()), []);
    switch(&mut trial);
    assert_eq!(trial.state.stage, Stage::Forward, "{}", trial.story());
    let (s, e) = find(&trial.plan, "freeze", "read_only").unwrap();
    let freeze = &trial.state.steps[s].effects[e];
    assert!(freeze.stands() && freeze.undone.is_none() && freeze.undo.is_none());
    for (s, step) in trial.state.steps.iter().enumerate() {
        for (e, effect) in step.effects.iter().enumerate() {
            let listed = trial.state.intents.contains(&(s, e));
            assert_eq!(listed, effect.intent.is_some(), "{} {e}", trial.plan.steps[s].id);
        }
    }
}

#[test]
fn numbers_of_attempts_that_were_taken_back_are_not_used_again() {
    // Killed after the time to live was lowered, and taken back.
    let mut trial = killed(|record| matches!(record, Record::Intent { step, .. } if step == "freeze"));
    let (s, e) = find(
        &trial.plan,
        "short_ttl",
        &trial.plan.steps[trial.plan.step_index("short_ttl").unwrap()].effects[0].name,
    )
    .unwrap();
    assert_eq!(trial.process(Choice::RollBack, Kill::Never), Some(Verdict::RolledBack), "{}", trial.story());
    let used = trial.state.steps[s].effects[e].attempts;
    assert!(used > 0);
    switch(&mut trial);
    let effect = &trial.state.steps[s].effects[e];
    assert_eq!((effect.attempts, effect.tried_before), (used, used));
    assert!(effect.intent.is_none() && effect.undone.is_none() && !effect.stands());
}

#[test]
fn what_stands_against_it_is_named() {
    let new = unplanned();
    let trial = killed(|record| looked_reached(record, "catch_up"));
    let (state, old) = (&trial.state, &trial.plan);
    assert_eq!(state.against_switching(&new, &new), [Hindrance::Unplanned]);
    let mut other = new.clone();
    other.to = "ap-south".into();
    assert!(
        matches!(state.against_switching(old, &other).as_slice(), [Hindrance::Another(what)] if what.contains("ap-south"))
    );
    // The freeze would be forgotten.
    let mut renamed = new.clone();
    let step = renamed.step_index("freeze").unwrap();
    renamed.steps[step].id = "stop_writes".into();
    assert_eq!(state.against_switching(old, &renamed), [Hindrance::Lost("freeze/read_only".into())]);
    // Another server answers by now than the one that it was planned for: the reason for the switch says nothing about that.
    let system = old.identity.keys().find(|name| name.contains("system")).unwrap().clone();
    let mut stranger = new.clone();
    stranger.identity.insert(system.clone(), "4711".into());
    let found = state.against_switching(old, &stranger);
    assert!(
        matches!(found.as_slice(), [Hindrance::OtherServers(what)] if what.contains(&system) && what.contains("4711")),
        "{found:?}"
    );
    let other = Plan { inventory_sha256: "another".into(), ..new.clone() };
    assert_eq!(state.against_switching(old, &other), [Hindrance::OtherInventory], "the freeze stands");
    let mut vouched = killed(|record| looked_reached(record, "catch_up"));
    vouched.append(&Record::Attested {
        member: Member::new("orders", "us-east"),
        how: "fenced".into(),
        by: "ada".into(),
        reason: "a test".into(),
    });
    let found = vouched.state.against_switching(&vouched.plan, &new);
    assert!(matches!(found.as_slice(), [Hindrance::TargetFenced(_)]), "{found:?}");
    let mut diverged = trial.state.clone();
    diverged.remarks.push(("orders".into(), Remark::Divergence));
    let found = diverged.against_switching(old, &new);
    assert!(matches!(found.as_slice(), [Hindrance::Stopped(line)] if line.contains("orders")), "{found:?}");
    // The promotion may have been made.
    let intent = place(|record| matches!(record, Record::Intent { step, .. } if step == "promote"));
    let mut armed = Trial::new("trial.yaml");
    armed.process(Choice::Continue, Kill::Record(intent));
    assert_eq!(armed.state.against_switching(&armed.plan, &new), [Hindrance::MayPromote]);
    assert_eq!(armed.process(Choice::Continue, Kill::Never), Some(Verdict::Completed));
    assert_eq!(armed.state.against_switching(&armed.plan, &new), [Hindrance::Promoted]);
}

#[test]
fn what_was_approved_of_a_target_that_cannot_be_seen_now_is_kept_and_of_a_source_it_is_not() {
    let old = Trial::new("trial.yaml").plan;
    let seen = |region: &str| -> Vec<&String> {
        old.identity.keys().filter(|name| name.starts_with(&format!("postgres/orders/{region}/"))).collect()
    };
    assert!(!seen("us-east").is_empty() && !seen("eu-west").is_empty(), "{:?}", old.identity);
    let mut new = unplanned();
    new.identity.clear();
    // What is seen now counts.
    new.identity.insert(seen("us-east")[0].clone(), "now".into());
    keep_approved(&old, &mut new);
    assert_eq!(new.identity.keys().collect::<Vec<_>>(), seen("us-east"));
    assert_eq!(new.identity[seen("us-east")[0]], "now");
}

#[test]
fn a_mark_that_served_the_proof_of_the_planned_run_holds_no_takeover_up() {
    let mut whole = Trial::new("trial.yaml");
    whole.process(Choice::Continue, Kill::Never);
    let looked = |record: &Record| match record {
        Record::Looked { step, effect, facts, .. } if step == "catch_up" && effect == "mark" => {
            Some(facts.clone())
        }
        _ => None,
    };
    let prior = whole.records.iter().find_map(looked).unwrap();
    let mut trial = killed(|record| looked_reached(record, "freeze"));
    let (step, effect) = ("catch_up".to_string(), "mark".to_string());
    trial.append(&Record::Intent { step, effect, attempt: 1, undo: false, prior });
    let (s, e) = find(&trial.plan, "catch_up", "mark").unwrap();
    assert!(trial.state.steps[s].effects[e].stands());
    assert_eq!(find(&unplanned(), "catch_up", "mark"), None);
    assert_eq!(trial.state.against_switching(&trial.plan, &unplanned()), []);
    switch(&mut trial);
    assert!(trial.state.intents.iter().all(|(s, _)| trial.plan.steps[*s].id != "catch_up"));
}

#[test]
fn an_undo_at_the_source_that_died_is_not_waited_for() {
    // The unfreeze was sent, and the source died with its answer.
    let freeze = |record: &Record| looked_reached(record, "freeze");
    let undone =
        |record: &Record| matches!(record, Record::Intent { step, undo: true, .. } if step == "freeze");
    let mut dry = killed(freeze);
    dry.process(Choice::RollBack, Kill::Never);
    let at = dry.records.iter().position(undone).unwrap() + 1;
    let mut trial = killed(freeze);
    assert_eq!(trial.process(Choice::RollBack, Kill::Record(at)), None);
    let new = unplanned();
    assert!(new.steps[new.step_index("freeze").unwrap()].skipped.is_some());
    assert_eq!(trial.state.against_switching(&trial.plan, &new), []);
}

#[test]
fn an_undo_of_which_nobody_knows_what_became_is_looked_at_first() {
    let mut trial = killed(|record| matches!(record, Record::Intent { step, .. } if step == "freeze"));
    // Everything but the undo of the time to live is done.
    let undone =
        |record: &Record| matches!(record, Record::Intent { step, undo: true, .. } if step == "short_ttl");
    let mut dry = killed(|record| matches!(record, Record::Intent { step, .. } if step == "freeze"));
    dry.process(Choice::RollBack, Kill::Never);
    let at = dry.records.iter().position(undone).unwrap() + 1;
    assert_eq!(trial.process(Choice::RollBack, Kill::Record(at)), None);
    let found = trial.state.against_switching(&trial.plan, &unplanned());
    assert!(
        matches!(found.as_slice(), [Hindrance::UndoInDoubt(what)] if what.starts_with("short_ttl/")),
        "{found:?}"
    );
    let flight = |trial: &Trial| {
        trial
            .state
            .steps
            .iter()
            .flat_map(|step| &step.effects)
            .filter_map(|effect| effect.undo.clone())
            .any(|undo| matches!(undo.flight, Flight::InFlight { .. }))
    };
    assert!(flight(&trial));
}
