//! `mrctl drill --dry-run`, and `mrctl failover --dry-run`: looks at everything, changes nothing.

use super::certificate;
use super::hold::Hold;
use super::prepare::{Gate, PlanArgs, Prepared, prepare};
use super::setup::{Format, Setup};
use crate::engine::preview::obstacles;
use crate::exit_code::ExitCode;
use crate::output::certified::{document, in_words};
use crate::output::plan::{Seen, Sightings, render};
use crate::plan::{Drill, Mode};
use clap::Args;

/// Practises a runbook.
#[derive(Debug, Args)]
pub struct DrillArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Look at every step read-only and say what it would change.
    #[arg(long, required = true)]
    dry_run: bool,
}

/// Prints what a dry run saw.
pub(super) fn show(setup: &Setup, prepared: &Prepared) -> ExitCode {
    let plan = &prepared.plan;
    let mut obstacles = obstacles(plan, &prepared.seen);
    let rehearsal = &prepared.rehearsal;
    if rehearsal.unmet() && plan.mode == Mode::Planned {
        obstacles.now.push(certificate::obstacle(&prepared.rehearse));
    }
    let (for_good, waits): (Vec<&Hold>, Vec<&Hold>) = prepared.holds.iter().partition(|hold| hold.for_good);
    obstacles.now.extend(for_good.iter().map(|hold| hold.line()));
    // With a reason the button works.
    let named: Vec<String> = waits.iter().map(|hold| hold.named()).collect();
    let waits: Vec<String> = waits.iter().map(|hold| hold.line()).collect();
    let ready = obstacles.now.is_empty();
    let digest = plan.digest();
    match setup.format {
        Format::Json => {
            let steps: Vec<_> = prepared
                .seen
                .iter()
                .map(|((s, e), preview)| {
                    let step = &plan.steps[*s];
                    serde_json::json!({
                        "step": step.id, "effect": step.effects[*e].name, "standing": preview.judged.standing,
                        "evidence": preview.judged.evidence, "would": preview.would,
                    })
                })
                .collect();
            let document = serde_json::json!({
                "schema": 1, "event": "dry_run", "verdict": if ready { "completed" } else { "not_ready" },
                "digest": digest, "from": plan.from, "to": plan.to, "obstacles": obstacles.now, "later": obstacles.later, "steps": steps,
                "rehearsal": document(rehearsal),
            });
            let mut document = document;
            if !waits.is_empty() {
                document["needs_reason"] = waits.into();
                document["needs_named"] = named.into();
            }
            setup.redactor.scrub_json(&mut document);
            setup.data(&document.to_string());
        }
        Format::Text => {
            let seen: Sightings = prepared
                .seen
                .iter()
                .map(|(at, preview)| {
                    let seen = Seen {
                        standing: preview.judged.standing,
                        later: preview.later,
                        evidence: preview.judged.evidence.clone(),
                        would: preview.would.clone(),
                    };
                    (*at, seen)
                })
                .collect();
            let style = setup.output.data_style();
            for line in render(plan, &seen, style, setup.output.width) {
                setup.data(setup.redactor.scrub(&line.paint(style)).as_ref());
            }
            setup.data("");
            setup.data(setup.redactor.scrub(&in_words(rehearsal)).as_ref());
            certificate::unusable(setup, rehearsal);
            let listed = |what: &str, list: &[String]| {
                setup.data(what);
                list.iter().for_each(|one| setup.data(setup.redactor.scrub(&format!("  {one}")).as_ref()));
            };
            if !obstacles.later.is_empty() {
                listed("cannot be told before its turn comes:", &obstacles.later);
            }
            if !waits.is_empty() {
                let pairs = waits.iter().zip(&named).map(|(line, name)| format!("{line} ({name})"));
                listed("needs a --reason, and each of these by its name:", &pairs.collect::<Vec<_>>());
            }
            match ready {
                true => setup.data("ready: nothing was changed"),
                false => listed("not ready:", &obstacles.now),
            }
        }
    }
    if ready { ExitCode::Completed } else { ExitCode::NotReady }
}

/// `mrctl drill`.
pub async fn drill(setup: &Setup, args: DrillArgs) -> ExitCode {
    match prepare(setup, &args.plan, Drill::Real, Gate::Tell).await {
        Ok(prepared) => show(setup, &prepared),
        Err(code) => code,
    }
}
