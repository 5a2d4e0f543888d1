//! Checks that a person passes by name, should they be red.

use super::setup::{Setup, operator};
use super::step::known;
use crate::engine::by_hand::{not_waivable, waivable};
use crate::engine::record::Record;
use crate::exit_code::ExitCode;
use crate::plan::Plan;
use clap::Args;

/// What is passed.
#[derive(Debug, Default, Args)]
pub struct WaiveArgs {
    /// Pass this check, should it be red, and record why; may be given several times. Never for what proves who a server is, or that
    /// nothing is lost.
    #[arg(long, value_name = "STEP=REASON")]
    waive: Vec<String>,
}

/// A check, and why it is passed.
pub type Waived = (String, String);

impl WaiveArgs {
    /// The checks that are named; an error is told.
    pub fn checks(&self, setup: &Setup) -> Result<Vec<Waived>, ExitCode> {
        let mut waived: Vec<Waived> = Vec::new();
        for text in &self.waive {
            let (step, reason) = text.split_once('=').unwrap_or((text, ""));
            let (step, reason) = (step.trim(), reason.trim());
            if step.is_empty() || reason.is_empty() {
                return Err(setup.usage(
                    format!("--waive {text} has no reason"),
                    "write --waive STEP=REASON, such as --waive lag=\"the standby is slow on purpose\"",
                ));
            }
            if waived.iter().any(|(other, _)| other == step) {
                return Err(setup.usage(format!("--waive names {step} twice"), "give one reason for it"));
            }
            waived.push((step.to_string(), reason.to_string()));
        }
        Ok(waived)
    }
}

/// Whether each is a check of this plan that may be passed.
pub fn possible(setup: &Setup, plan: &Plan, waived: &[Waived]) -> Result<(), ExitCode> {
    for (id, _) in waived {
        let Some(step) = plan.steps.iter().find(|step| step.id == *id) else {
            return Err(setup.usage(format!("--waive {id}: the runbook has no such step"), known(plan, id)));
        };
        if let Some(why) = not_waivable(step) {
            let help = match waivable(plan).as_slice() {
                [] => "this plan has no check that can be".to_string(),
                checks => format!("what can be: {}", checks.join(", ")),
            };
            return Err(setup.usage(format!("--waive {id}: {why}"), help));
        }
    }
    Ok(())
}

/// What the journal keeps of it.
pub fn records(waived: &[Waived]) -> Vec<Record> {
    let record = |(step, reason): &Waived| Record::Waived {
        step: step.clone(),
        by: operator(),
        reason: reason.clone(),
    };
    waived.iter().map(record).collect()
}
