//! A command that makes a server anew is not started a second time while nobody knows whether the first has ended: its answer was lost, and
//! on its host it may go on.

use super::{Kill, Trial};
use crate::engine::by_hand::Handling;
use crate::engine::by_hand::allowed::allowed;
use crate::engine::record::{Choice, Record, Verdict};
use crate::engine::state::Stage;
use crate::world::Member;
use crate::world::sim::exec::{Act, Script};
use crate::world::sim::{Fault, two_regions};

const REJOIN: &str = "ssh pg.eu.example.com sudo -u postgres /usr/local/bin/rejoin us-east";

/// The old primary is stopped, and another one was promoted.
fn trial() -> Trial {
    let sim = two_regions();
    sim.postgres.stop("orders", "eu-west");
    sim.postgres.promoted_by_others("orders", "us-east");
    let at = || Member::new("orders", "eu-west");
    let data = "ssh pg.eu.example.com sudo -u postgres /usr/lib/postgresql/15/bin/pg_controldata -D /var/lib/postgresql/15/main";
    for (command, act) in [
        (REJOIN, Act::Rejoin(at(), "us-east".into(), Some("eu_west".into()))),
        (data, Act::ControlData(at())),
        ("ssh pg.eu.example.com is-stopped postgresql", Act::Look(at())),
        ("ssh probe.example.com nobody-reaches pg.eu.example.com 5432", Act::Fenced(at())),
    ] {
        sim.exec.script(command, Script { acts: Some(act), ..Script::default() });
    }
    Trial::in_world("../../runbooks/postgres-reprotect.yaml", "../../runbooks/mrctl.yaml", sim)
}

fn started(trial: &Trial) -> usize {
    trial.sim.exec.ran().iter().filter(|command| command.argv.join(" ") == REJOIN).count()
}

fn said(trial: &mut Trial) {
    let s = trial.plan.step_index("standby").unwrap();
    assert_eq!(allowed(&trial.plan, &trial.state, s, Handling::Retry), Ok(()));
    trial.append(&Record::Handled {
        step: "standby".into(),
        how: Handling::Retry,
        by: "ada".into(),
        reason: "no process of it is left on the host".into(),
        looked: true,
        evidence: String::new(),
    });
}

#[test]
fn a_rejoin_whose_answer_was_lost_is_started_again_on_a_persons_word_alone() {
    let mut trial = trial();
    trial.sim.exec.faults.push(Fault::LostAbsent);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    for _ in 0..2 {
        assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
        assert_eq!(started(&trial), 1, "{}", trial.story());
        let Stage::Paused { why, .. } = &trial.state.stage else { panic!("{:?}", trial.state.stage) };
        assert!(why.contains("may still run") && why.contains("--retry"), "{why}");
    }
    said(&mut trial);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(started(&trial), 2);
}

#[test]
fn a_word_is_for_the_call_before_it_and_not_for_the_next_one() {
    let mut trial = trial();
    trial.sim.exec.faults.push(Fault::LostAbsent);
    trial.process(Choice::Continue, Kill::Never);
    said(&mut trial);
    trial.sim.exec.faults.push(Fault::LostAbsent);
    for _ in 0..2 {
        assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
        assert_eq!(started(&trial), 2, "{}", trial.story());
    }
}

#[test]
fn a_rejoin_that_has_done_its_work_or_was_refused_needs_no_word() {
    for fault in [Fault::LostApplied, Fault::Refuse] {
        let mut trial = trial();
        trial.sim.exec.faults.push(fault);
        trial.process(Choice::Continue, Kill::Never);
        trial.process(Choice::Continue, Kill::Never);
        assert_eq!(trial.state.verdict, Some(Verdict::Completed), "{}", trial.story());
    }
}

#[test]
fn killed_in_the_middle_it_is_asked_for_too() {
    let mut whole = trial();
    whole.process(Choice::Continue, Kill::Never);
    let intent =
        whole.records.iter().position(|r| matches!(r, Record::Intent { effect, .. } if effect == "rejoin"));
    let mut trial = trial();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(intent.unwrap() + 1)), None);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{}", trial.story());
    assert_eq!(started(&trial), 0);
}
