//! `mrctl rehearse --replay ID`: one counterexample once more, with what is true beside what the run believes; with `--real` on a lab.

use super::setup::{Format, Setup};
use super::staged;
use crate::exit_code::ExitCode;
use crate::output::replay::{heading, moment};
use crate::plan::Plan;
use crate::rehearse::replay::{Moment, replay as again};
use crate::rehearse::report::{Counterexample, How, Report};
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;

/// What is asked for.
pub struct Asked<'a> {
    /// The counterexample.
    pub id: &'a str,
    /// Whether it is to be caused on a lab.
    pub real: bool,
    /// The runbook.
    pub runbook: &'a Path,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Faults in one schedule.
    pub faults: u32,
}

/// Replays it in the first direction in which it was found. `hows`: how each direction was rehearsed.
pub fn replay(
    setup: &Setup,
    asked: &Asked<'_>,
    plans: &[Plan],
    reports: &[Report],
    hows: &[How<'_>],
) -> ExitCode {
    let Some((plan, report, one, how)) = find(plans, reports, hows, asked.id) else {
        return setup
            .usage(format!("no counterexample `{}` was found", asked.id), "see the list without --replay");
    };
    let replayed = match again(plan, how, one) {
        Ok(replayed) => replayed,
        Err(differs) => {
            setup.say(&format!("mrctl: {differs}"));
            setup.say("  this is a bug of the rehearsal, and not of the runbook: please report it");
            return ExitCode::Failed;
        }
    };
    if asked.real {
        return staged::staged(setup, asked, report, one, plan);
    }
    match setup.format {
        Format::Json => {
            let mut document = serde_json::json!({
                "schema": 1, "event": "replay", "runbook": report.runbook, "from": report.from, "to": report.to,
                "counterexample": one, "moments": replayed.moments,
            });
            setup.redactor.scrub_json(&mut document);
            setup.data(&document.to_string());
        }
        Format::Text => told(setup, report, one, &replayed.moments),
    }
    ExitCode::Failed
}

/// The counterexample with the plan and the report that it is of.
fn find<'a>(
    plans: &'a [Plan],
    reports: &'a [Report],
    hows: &'a [How<'a>],
    id: &str,
) -> Option<(&'a Plan, &'a Report, &'a Counterexample, &'a How<'a>)> {
    plans.iter().zip(reports).zip(hows).find_map(|((plan, report), how)| {
        Some((plan, report, report.counterexamples.iter().find(|one| one.id == *id)?, how))
    })
}

fn told(setup: &Setup, report: &Report, one: &Counterexample, moments: &[Moment]) {
    let style = setup.output.data_style();
    let print = |lines: Vec<crate::output::paint::Text>| {
        for line in lines {
            setup.data(setup.redactor.scrub(&line.paint(style)).as_ref());
        }
    };
    print(heading(report, one, style, setup.output.width));
    let steps = setup.output.interactive;
    if steps {
        setup.say("Enter: what happens next; q: leave");
    }
    let mut typed = std::io::stdin().lock().lines();
    let mut before: Option<&Moment> = None;
    for (number, now) in moments.iter().filter(|now| !now.text.is_empty()).enumerate() {
        if steps {
            match typed.next() {
                Some(Ok(line)) if !line.trim().eq_ignore_ascii_case("q") => {}
                _ => return,
            }
        }
        print(moment(number + 1, now, before, steps, style, setup.output.width));
        before = Some(now);
    }
}
