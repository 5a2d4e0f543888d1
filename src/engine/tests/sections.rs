//! A section's confirmation stands for all of it: whatever becomes of its first step, nothing in there is changed unasked.

use super::{Kill, Trial};
use crate::engine::ask::{Answered, Asked, AskedKind, Person};
use crate::engine::record::{Choice, Record, Verdict};
use crate::world::sim::exec::Script;
use crate::world::sim::{Fault, two_regions};
use crate::world::{Answer, ready};
use std::rc::Rc;

/// Answers the section's question so, and everything else with yes.
struct Says(bool);

impl Person for Says {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        let section = asked.id.ends_with("/section");
        let yes = (self.0 || !section) && !matches!(asked.kind, AskedKind::Paused { .. });
        let (by, how) = ("ada".into(), "terminal".into());
        ready(Answered { yes, by, how, choice: Choice::Leave, reason: String::new() })
    }
}

/// What the first step's look ends with: 0 is there already, 1 is not, anything else cannot be told.
fn trial(banner: i32, yes: bool) -> Trial {
    trial_of("sections.yaml", banner, yes)
}

fn trial_of(runbook: &str, banner: i32, yes: bool) -> Trial {
    let sim = two_regions();
    let word = |word: &str| Some(word.to_string());
    for (command, script) in [
        ("banner show", Script { sets: word("banner"), ..Script::default() }),
        ("banner look", Script { code: banner, ..Script::default() }),
        ("page show", Script { sets: word("page"), clears: word("none"), ..Script::default() }),
        ("page look", Script { asks: word("page"), ..Script::default() }),
    ] {
        sim.exec.script(command, script);
    }
    let mut trial = Trial::in_world(runbook, "production.yaml", sim);
    trial.person = Rc::new(Says(yes));
    trial
}

fn place(trial: &Trial, what: impl Fn(&Record) -> bool) -> Option<usize> {
    trial.records.iter().position(what)
}

fn asked(record: &Record) -> bool {
    matches!(record, Record::Answered { question, .. } if question == "banner/section")
}

fn page(record: &Record) -> bool {
    matches!(record, Record::Intent { step, .. } if step == "page")
}

#[test]
fn a_section_is_confirmed_although_its_first_step_is_found_done_or_was_left_out() {
    for banner in [0, 7] {
        let mut trial = trial(banner, true);
        assert_eq!(
            trial.process(Choice::Continue, Kill::Never),
            Some(Verdict::Completed),
            "{}",
            trial.story()
        );
        let (asked, page) = (place(&trial, asked), place(&trial, page));
        assert!(asked.is_some() && page.is_some() && asked < page, "{banner}\n{}", trial.story());
    }
}

#[test]
fn a_no_to_a_section_is_no_warning_of_a_first_step_that_may_fail() {
    for banner in [0, 1, 7] {
        let mut trial = trial(banner, false);
        assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Refused), "{}", trial.story());
        assert!(place(&trial, asked).is_some(), "{banner}\n{}", trial.story());
        assert!(trial.sim.exec.marks().is_empty(), "{banner}\n{}", trial.story());
    }
}

#[test]
fn a_section_is_asked_for_once() {
    let mut trial = trial(1, true);
    trial.fault = Some((1, Fault::Refuse));
    assert_eq!(trial.process(Choice::Continue, Kill::Never), Some(Verdict::Completed), "{}", trial.story());
    assert_eq!(trial.records.iter().filter(|record| asked(record)).count(), 1, "{}", trial.story());
}

#[test]
fn what_comes_behind_a_confirmed_section_is_not_changed_unasked_either() {
    for banner in [0, 7] {
        let mut agreed = trial_of("sections-before.yaml", banner, true);
        assert_eq!(
            agreed.process(Choice::Continue, Kill::Never),
            Some(Verdict::Completed),
            "{}",
            agreed.story()
        );
        let (asked, page) = (place(&agreed, asked), place(&agreed, page));
        assert!(asked.is_some() && asked < page, "{banner}\n{}", agreed.story());
        let mut refused = trial_of("sections-before.yaml", banner, false);
        assert_eq!(
            refused.process(Choice::Continue, Kill::Never),
            Some(Verdict::Refused),
            "{}",
            refused.story()
        );
        assert!(refused.sim.exec.marks().is_empty(), "{banner}\n{}", refused.story());
    }
}
