//! Human control of a run that stands still: what may be decided about which step, what becomes of it, and what is told of it.

mod waived;

use super::{Kill, Trial, Willing};
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::by_hand::Handling;
use crate::engine::by_hand::allowed::{Refusal, allowed};
use crate::engine::by_hand::look::{Looked, look};
use crate::engine::perform::Cx;
use crate::engine::record::{Choice, Record, Verdict};
use crate::step::condition::Starts;
use crate::step::testing::at_once;
use crate::world::http::Probe;
use crate::world::sim::exec::Script;
use crate::world::sim::{Fault, http, two_regions};
use crate::world::{Answer, Known, ready};
use std::rc::Rc;

fn trial() -> Trial {
    let sim = two_regions();
    sim.exec.script("banner show", Script { sets: Some("shown".into()), ..Script::default() });
    Trial::in_world("by-hand.yaml", "production.yaml", sim)
}

/// The place of the first record of a whole run that is so.
fn place(what: impl Fn(&Record) -> bool) -> usize {
    let mut trial = trial();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    trial.records.iter().position(what).unwrap_or_else(|| panic!("{}", trial.story())) + 1
}

fn intends(of: &str) -> impl Fn(&Record) -> bool {
    move |record| matches!(record, Record::Intent { step, undo: false, .. } if step == of)
}

/// Killed right after this record.
fn killed(what: impl Fn(&Record) -> bool) -> Trial {
    let record = place(what);
    let mut trial = trial();
    assert_eq!(trial.process(Choice::Continue, Kill::Record(record)), None);
    trial
}

/// Somebody sends users there by hand.
fn users_to(trial: &Trial, region: &str) {
    let mut moved = self::trial();
    if region == "us-east" {
        moved.process(Choice::Continue, Kill::Never);
    }
    trial.sim.dns.overwrite("www", "pdns-eu", moved.sim.dns.sets("www", "pdns-eu"));
}

fn broken() -> Probe {
    Probe { status: Known::Known(500), ..http::healthy(20_000) }
}

/// Paused behind the promotion: users get errors.
fn paused() -> Trial {
    let trial = trial();
    trial.sim.http.set("shop", "us-east", broken());
    let mut trial = trial;
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Paused), "{}", trial.story());
    trial
}

impl Trial {
    fn may(&self, step: &str, how: Handling) -> Result<(), Refusal> {
        allowed(&self.plan, &self.state, self.plan.step_index(step).unwrap(), how)
    }

    /// As `mrctl step` looks.
    fn seen(&self, step: &str, how: Handling) -> Result<Looked, Refusal> {
        let mut state = self.state.clone();
        state.fold(
            &self.plan,
            &Record::Opened {
                version: "1".into(),
                operator: "ada".into(),
                host: "bastion".into(),
                pid: 8,
                terminal: false,
                choice: Choice::Continue,
                reason: String::new(),
                torn: 0,
            },
        );
        let cx = Cx {
            plan: &self.plan,
            world: &self.world,
            starts: &Starts::new(),
            person: &Willing,
            progress: &|_| (),
            times: &self.times,
        };
        at_once(look(&cx, &state, self.plan.step_index(step).unwrap(), how))
    }

    /// As `mrctl step` decides.
    fn decide(&mut self, step: &str, how: Handling) {
        self.may(step, how).unwrap_or_else(|no| panic!("{no:?}"));
        let Looked { any: looked, evidence } = self.seen(step, how).unwrap_or_else(|no| panic!("{no:?}"));
        let (step, by, reason) = (step.into(), "ada".into(), "a test".into());
        self.append(&Record::Handled { step, how, by, reason, looked, evidence });
    }

    fn waive(&mut self, step: &str) {
        self.append(&Record::Waived { step: step.into(), by: "ada".into(), reason: "known".into() });
    }

    fn why(&self) -> String {
        match self.records.last() {
            Some(Record::Ended { why, .. }) => why.clone(),
            other => panic!("not ended: {other:?}"),
        }
    }

    fn shown(&self) -> usize {
        self.sim.exec.ran().into_iter().filter(|ran| ran.argv.join(" ") == "banner show").count()
    }
}

/// Each step, and which of skip, done and retry may be decided about it, as far as that is known without looking.
fn table(trial: &Trial) -> String {
    let one = |id: &str| {
        let word = |how, word: &'static str| if trial.may(id, how).is_ok() { word } else { "" };
        let words =
            [word(Handling::Skip, "skip"), word(Handling::Done, "done"), word(Handling::Retry, "retry")];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{id}: {}", if words.is_empty() { "nothing".to_string() } else { words.join(" ") })
    };
    trial.plan.steps.iter().map(|step| one(&step.id)).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_that_a_later_step_relies_on_is_left_out() {
    // Before anything is done.
    insta::assert_snapshot!(table(&killed(|record| matches!(record, Record::Opened { .. }))), @r"
    ready: done
    lag: skip done
    freeze: nothing
    catch_up: nothing
    promote: nothing
    writable: done
    shift: skip done
    users: skip done
    banner: skip done
    channel: skip done
    tell: skip done
    ");
    // The freeze is asked for, and nobody knows.
    insta::assert_snapshot!(table(&killed(intends("freeze"))), @r"
    ready: nothing
    lag: nothing
    freeze: done retry
    catch_up: nothing
    promote: nothing
    writable: done
    shift: skip done
    users: skip done
    banner: skip done
    channel: skip done
    tell: skip done
    ");
    // The promotion is armed.
    insta::assert_snapshot!(table(&killed(intends("promote"))), @r"
    ready: nothing
    lag: nothing
    freeze: nothing
    catch_up: nothing
    promote: done retry
    writable: done
    shift: skip done
    users: skip done
    banner: skip done
    channel: skip done
    tell: skip done
    ");
    // Behind it.
    insta::assert_snapshot!(table(&paused()), @r"
    ready: nothing
    lag: nothing
    freeze: nothing
    catch_up: nothing
    promote: nothing
    writable: nothing
    shift: nothing
    users: skip done retry
    banner: skip done
    channel: skip done
    tell: skip done
    ");
}

#[test]
fn each_no_says_why_and_what_there_is_instead() {
    let trial = killed(intends("freeze"));
    let no = |step: &str, how| {
        let Refusal { why, instead } = trial.may(step, how).unwrap_err();
        format!("{why} | {instead}")
    };
    let text = [
        no("ready", Handling::Skip),
        no("freeze", Handling::Skip),
        no("promote", Handling::Skip),
        no("promote", Handling::Done),
        no("catch_up", Handling::Done),
        no("users", Handling::Retry),
    ];
    insta::assert_snapshot!(text.join("\n"), @r"
    ready is done by this run already | `mrctl resume RUN` goes on
    freeze proves that nobody writes on the source, which promote demands | mend the cause and say `--retry`, or go back with `mrctl rollback RUN`
    promote is what this run is for, and everything behind it rests on it | go back with `mrctl rollback RUN`, or close the run with `mrctl abandon RUN --reason …`
    promote has no way back: what was promoted by hand has no handover that it could be held against | look what is so with `mrctl status`; then close the run with `mrctl abandon RUN --reason …`
    catch_up/mark is a proof that mrctl makes itself, and each process anew | `mrctl resume RUN` makes it
    users has not been tried yet | `mrctl resume RUN` comes to it
    ");
}

#[test]
fn a_step_that_is_left_out_is_left_out_and_told() {
    let mut trial = paused();
    trial.decide("users", Handling::Skip);
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(ended, Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(trial.why(), "left out by hand: users");
    assert_eq!(trial.state.by_hand.lines(&trial.plan), ["users was left out by ada: a test"]);
    assert_eq!(trial.sim.notify.sent().len(), 1);
}

#[test]
fn a_change_that_is_not_there_and_is_left_out_does_not_keep_the_run_open() {
    // Killed before the call of the shift: users are where they were.
    let mut trial = killed(intends("shift"));
    trial.sim.dns.faults.silence("pdns-eu");
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert!(ended.is_some_and(|verdict| !verdict.closes()), "{}", trial.story());
    trial.sim.dns.faults.unsilence("pdns-eu");
    trial.decide("shift", Handling::Skip);
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(ended, Some(Verdict::Completed), "{}", trial.story());
    assert!(trial.why().contains("left out by hand: shift"), "{}", trial.why());
}

#[test]
fn a_step_that_was_left_out_is_tried_again_when_somebody_says_so() {
    let mut trial = paused();
    trial.decide("users", Handling::Skip);
    trial.decide("users", Handling::Retry);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Paused), "{}", trial.story());
    trial.sim.http.heal();
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(trial.why(), "");
}

#[test]
fn an_effect_without_a_look_whose_answer_was_lost_is_never_sent_again_and_is_done_on_a_word() {
    for fault in [Fault::LostApplied, Fault::LostAbsent] {
        let mut trial = killed(intends("banner"));
        trial.fault = Some((trial.calls + 1, fault.clone()));
        // Killed before its call: nobody knows, and nothing can be looked at.
        for _ in 0..2 {
            assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Unknown), "{fault:?}");
        }
        assert_eq!(trial.shown(), 0, "{fault:?}: sent blindly");
        let retry = trial.may("banner", Handling::Retry).unwrap_err();
        assert!(retry.why.contains("never sent again blindly"), "{retry:?}");
        let skip = trial.may("banner", Handling::Skip).unwrap_err();
        assert!(skip.why.contains("is not known"), "{skip:?}");
        assert_eq!(
            trial.seen("banner", Handling::Done),
            Ok(Looked::default()),
            "there is nothing to look at"
        );
        trial.decide("banner", Handling::Done);
        let ended = trial.process(Choice::Continue, Kill::Never);
        assert_eq!(ended, Some(Verdict::Completed), "{}", trial.story());
        assert_eq!(trial.shown(), 0, "{fault:?}");
        let lines = trial.state.by_hand.lines(&trial.plan);
        assert_eq!(lines, ["banner was done by hand, on the word of ada alone: a test"]);
    }
}

/// Says yes to everything, and adopts nothing.
struct Strict;

impl Person for Strict {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        let yes = !matches!(asked.kind, AskedKind::Paused { .. } | AskedKind::Adopt);
        let (by, how) = ("ada".into(), "terminal".into());
        ready(Answered { yes, by, how, choice: Choice::Leave, reason: String::new() })
    }
}

#[test]
fn what_was_done_by_hand_is_looked_at_and_then_adopted() {
    let mut trial = killed(|record| matches!(record, Record::Looked { step, .. } if step == "writable"));
    trial.person = Rc::new(Strict);
    let no = trial.seen("shift", Handling::Done).unwrap_err();
    assert!(no.why.contains("shift/100 is not so"), "{no:?}");
    users_to(&trial, "us-east");
    let mut refused = killed(|record| matches!(record, Record::Looked { step, .. } if step == "writable"));
    refused.person = Rc::new(Strict);
    users_to(&refused, "us-east");
    assert_ne!(refused.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "adopted silently");
    trial.decide("shift", Handling::Done);
    let ended = trial.process(Choice::Continue, Kill::Never);
    assert_eq!(ended, Some(Verdict::Completed), "{}", trial.story());
    assert!(!trial.records.iter().any(intends("shift")), "{}", trial.story());
    assert_eq!(trial.why(), "done by hand: shift");
}

#[test]
fn what_a_person_says_is_done_and_is_not_so_any_more_is_made_as_planned() {
    let mut trial = killed(|record| matches!(record, Record::Looked { step, .. } if step == "writable"));
    users_to(&trial, "us-east");
    trial.decide("shift", Handling::Done);
    users_to(&trial, "eu-west");
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert!(trial.records.iter().any(intends("shift")), "{}", trial.story());
    assert!(trial.world_line().contains("traffic: 100% us-east"), "{}", trial.world_line());
}

#[test]
fn a_change_that_may_still_come_about_is_not_left_out() {
    let mut trial = killed(intends("shift"));
    let late = Fault::Late(std::time::Duration::from_secs(1));
    trial.fault = Some((trial.calls + 1, late));
    assert_eq!(trial.process(Choice::Continue, Kill::Call(trial.calls + 1)), None);
    let seen = trial.seen("shift", Handling::Skip);
    let no = seen.unwrap_err();
    assert!(no.why.contains("shift/100 has come about"), "looked at for as long as it may be late: {no:?}");
    trial.sim.dns.faults.silence("pdns-eu");
    let no = trial.seen("shift", Handling::Skip).unwrap_err();
    assert!(no.why.contains("cannot be told"), "{no:?}");
}

#[test]
fn an_item_of_a_checklist_is_done_on_a_word_and_its_approval_is_not() {
    let mut trial = killed(|record| matches!(record, Record::Replied { step, .. } if step == "banner"));
    trial.decide("channel", Handling::Done);
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    let asked = |record: &Record| matches!(record, Record::Answered { question, .. } if question.starts_with("channel/"));
    assert!(!trial.records.iter().any(asked), "{}", trial.story());
    // The consent to the promotion stands at the freeze, and is nobody's to leave out.
    let before = killed(|record| matches!(record, Record::Opened { .. }));
    let freeze = before.plan.step_index("freeze").unwrap();
    assert!(!before.plan.steps[freeze].questions.is_empty());
}
