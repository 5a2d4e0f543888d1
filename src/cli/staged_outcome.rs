//! What came of a counterexample on a lab, and how it is told.

use super::setup::{Format, Setup};
use crate::engine::record::Verdict;
use crate::exit_code::ExitCode;
use crate::rehearse::replay::Truth;
use crate::rehearse::report::{Counterexample, Report};

/// What came of it.
pub struct Outcome {
    /// Faults in words, with how each was caused.
    pub faults: Vec<(String, &'static str)>,
    /// Whether there are commands, for which others stood in.
    pub commands: bool,
    /// What is true in the model, and what the run says there.
    pub model: (Truth, Option<Verdict>),
    /// The same on the lab.
    pub lab: (Truth, Option<Verdict>),
    /// The stand-ins' folder, with its slash.
    pub folder: String,
    /// What could not be caused, if anything.
    pub trouble: Option<String>,
    /// What the last process of the run said.
    pub said: String,
}

impl Outcome {
    /// Nothing if model and lab agree.
    fn difference(&self) -> Option<String> {
        let word = |verdict: Option<Verdict>| verdict.map_or("no end", Verdict::word);
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        if self.model.1.is_some() && self.model.1 != self.lab.1 {
            return Some(format!("the run ended as {}, and not as {}", word(self.lab.1), word(self.model.1)));
        }
        (self.model.0 != self.lab.0).then(|| "something else is true in the end".to_owned())
    }
}

/// It cannot be caused for real.
pub fn model_only(setup: &Setup, why: &str) -> ExitCode {
    match setup.format {
        Format::Json => setup.data(
            &serde_json::json!({ "schema": 1, "event": "staged", "outcome": "model_only", "why": why })
                .to_string(),
        ),
        Format::Text => setup.data(&format!("model only: {why}")),
    }
    ExitCode::NotReady
}

/// Tells it; whether it was reproduced is the exit code.
pub fn told(setup: &Setup, report: &Report, one: &Counterexample, outcome: &Outcome) -> ExitCode {
    let difference = outcome.difference();
    let word = |verdict: Option<Verdict>| verdict.map_or("no end", Verdict::word);
    // Stand-ins by the names of what they stand for.
    let plainly = |truth: &Truth| truth.in_words().replace(&outcome.folder, "");
    let words = |(truth, verdict): &(Truth, Option<Verdict>)| {
        format!("{}; the run says: {}", plainly(truth), word(*verdict))
    };
    match setup.format {
        Format::Json => {
            let faults: Vec<_> = outcome
                .faults
                .iter()
                .map(|(fault, how)| serde_json::json!({ "fault": fault, "how": how }))
                .collect();
            let document = serde_json::json!({
                "schema": 1, "event": "staged", "runbook": report.runbook, "id": one.id, "invariant": one.invariant,
                "title": one.title, "faults": faults,
                "model": { "truth": plainly(&outcome.model.0), "verdict": word(outcome.model.1) },
                "lab": { "truth": plainly(&outcome.lab.0), "verdict": word(outcome.lab.1) },
                "outcome": if difference.is_none() { "reproduced" } else { "not_reproduced" },
                "why": difference.clone().unwrap_or_default(),
            });
            setup.data(&document.to_string());
        }
        Format::Text => {
            setup.data(&format!("{} · {} {} · {}", report.runbook, one.invariant, one.title, one.id));
            for (fault, how) in &outcome.faults {
                setup.data(&format!("  > {fault}: {how}"));
            }
            if outcome.commands {
                setup.data(
                    "  the runbook's commands were not run: stand-ins kept what the model says of them",
                );
            }
            setup.data(&format!("  true in the model: {}", words(&outcome.model)));
            setup.data(&format!("  true on the lab:   {}", words(&outcome.lab)));
            match &difference {
                None => setup.data("reproduced"),
                Some(why) => setup.data(&format!("not reproduced: {why}")),
            }
        }
    }
    if difference.is_some() {
        outcome.said.lines().for_each(|line| setup.say(&format!("  | {line}")));
        return ExitCode::Failed;
    }
    ExitCode::Completed
}
