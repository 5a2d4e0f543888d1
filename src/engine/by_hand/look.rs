//! What a look says to a person's decision: the look of the engine itself, judged for this end.

use super::Handling;
use super::allowed::{Refusal, no};
use crate::engine::decide::Task;
use crate::engine::perform::{Cx, perform};
use crate::engine::record::{Purpose, Record};
use crate::engine::state::{Flight, RunState};
use crate::plan::Plan;
use crate::step::{Class, Proof, Standing};

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Whether anything was.
    pub any: bool,
    /// What was seen, in words.
    pub evidence: String,
}

/// Looks as far as the decision needs it. `state` is that of a process that begins now: what was in flight is in doubt.
pub async fn look(cx: &Cx<'_>, state: &RunState, s: usize, how: Handling) -> Result<Looked, Refusal> {
    let mut seen = Vec::new();
    for (e, purpose) in wanted(cx.plan, state, s, how) {
        let Some(record) = perform(cx, &Task::Look(s, e, purpose), state, None).await else { continue };
        let (step, effect) = (&cx.plan.steps[s].id, &cx.plan.steps[s].effects[e].name);
        let (standing, evidence) = match record {
            Record::Looked { standing, evidence, .. } => (standing, evidence),
            Record::Surprised { case, .. } => (Standing::Unknown, format!("{}: {}", case.place, case.what)),
            other => (Standing::Unknown, format!("{other:?}")),
        };
        judge(how, &format!("{step}/{effect}"), standing, &evidence, purpose)?;
        seen.push(format!("{effect}: {evidence}"));
    }
    Ok(Looked { any: !seen.is_empty(), evidence: seen.join("; ") })
}

/// Effects that have to be looked at, and how.
fn wanted(plan: &Plan, state: &RunState, s: usize, how: Handling) -> Vec<(usize, Purpose)> {
    let pairs = plan.steps[s].effects.iter().zip(&state.steps[s].effects).enumerate();
    let looked = pairs.filter(|(_, (planned, _))| planned.effect.proof == Proof::Look);
    let wanted = looked.filter_map(|(e, (planned, effect))| {
        let ours = effect.intent.as_ref().filter(|intent| !matches!(intent.flight, Flight::Refused { .. }));
        match (how, ours) {
            (Handling::Done, Some(_)) => Some((e, Purpose::After)),
            (Handling::Done, None) => Some((e, Purpose::Before)),
            // What was never sent, or refused, needs no look now: it is looked at before it is sent.
            (Handling::Retry | Handling::Skip, None) => None,
            (Handling::Retry | Handling::Skip, Some(_)) => {
                (planned.effect.class != Class::Looks && !effect.landed()).then_some((e, Purpose::After))
            }
        }
    });
    wanted.collect()
}

fn judge(
    how: Handling,
    what: &str,
    standing: Standing,
    evidence: &str,
    purpose: Purpose,
) -> Result<(), Refusal> {
    match (how, standing) {
        (_, Standing::Unknown | Standing::Moving) => Err(no(
            format!("{what}: what is so cannot be told: {evidence}"),
            "wait, or mend what hides it, and say it again; `mrctl resume RUN` looks, too",
        )),
        (Handling::Done, Standing::Reached) | (Handling::Retry, Standing::Reached) => Ok(()),
        (Handling::Done, Standing::NotReached | Standing::Blocked) => Err(no(
            format!("{what} is not so: {evidence}"),
            match purpose {
                Purpose::Before | Purpose::After => {
                    "do it and say it again, or let `mrctl resume RUN` do it; a check that is red is passed with `mrctl resume RUN --waive STEP=REASON`"
                }
                Purpose::Undo | Purpose::Undone => "`mrctl rollback RUN` goes on",
            },
        )),
        (Handling::Skip, Standing::Reached) => {
            Err(no(format!("{what} has come about: {evidence}"), "`mrctl resume RUN` sees it, and goes on"))
        }
        (Handling::Retry | Handling::Skip, Standing::NotReached | Standing::Blocked) => Ok(()),
    }
}
