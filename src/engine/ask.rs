//! Questions to people: how each is put, with facts read now, and what an answer covers.

use super::advance::substance;
use super::decide::Question;
use super::going_on::GoingOn;
use super::perform::Cx;
use super::record::{Choice, Record};
use super::state::{RunState, Stage};
use super::survey;
use crate::plan::{Ask, AskKind, Mode, Plan};
use crate::world::Answer;
use std::time::Duration;

/// A question as it is put to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Identity; an approval given beforehand names it.
    pub id: String,
    /// The step that asks; empty for the run itself.
    pub step: String,
    /// Role that should answer.
    pub role: String,
    /// The text.
    pub text: String,
    /// Facts read now, a line each.
    pub facts: Vec<String>,
    /// What kind of answer it takes.
    pub kind: AskedKind,
}

/// What kind of answer a question takes.
#[derive(Clone, Debug, PartialEq)]
pub enum AskedKind {
    /// As planned.
    Planned(AskKind),
    /// Adopt what was found, or stop.
    Adopt,
    /// Go on (if possible), roll back (if possible), or leave.
    Paused {
        /// What going on takes.
        going_on: GoingOn,
        /// Whether a rollback is possible.
        can_roll_back: bool,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Whether it is a yes.
    pub yes: bool,
    /// Who.
    pub by: String,
    /// How: `terminal`, `approve`, `yes`, `absent`, or `gone`: the terminal was closed while it was open.
    pub how: String,
    /// For a pause: what was chosen.
    pub choice: Choice,
    /// For a pause: why it is gone on with, if that was asked.
    pub reason: String,
}

/// Whoever answers questions: a terminal, approvals given beforehand, a script of a rehearsal.
pub trait Person {
    /// Asks. Dropping the future withdraws the question.
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered>;
}

pub(super) async fn ask(cx: &Cx<'_>, question: &Question, state: &RunState) -> Record {
    let (mut asked, within, covers) = asked(cx.plan, question, state);
    if let AskedKind::Planned(AskKind::Typed(_)) = &asked.kind {
        // Where there is no way back, what is shown is every member as it is now, and not only what the step looked at.
        asked.facts = survey::before_the_pivot(cx.plan, cx.world, &state.run).await;
        if cx.plan.mode == Mode::Unplanned {
            // What will be lost, and who may have more, was found by whoever made the handover.
            let made = cx.plan.effects().filter(|(_, _, planned)| planned.effect.makes.is_some());
            let seen = made.filter_map(|(s, e, _)| state.steps[s].effects[e].seen.as_ref());
            asked.facts.extend(seen.map(|seen| seen.evidence.clone()));
        }
    }
    let answer = cx.person.ask(&asked);
    let answered = if within.is_zero() {
        answer.await
    } else {
        let expiry = cx.world.clock.sleep(within);
        match futures_util::future::select(answer, expiry).await {
            futures_util::future::Either::Left((answered, _)) => answered,
            futures_util::future::Either::Right(_) => {
                let (by, reason) = (String::new(), String::new());
                Answered { yes: false, by, how: "absent".into(), choice: Choice::Leave, reason }
            }
        }
    };
    let answered = allowed(&asked.kind, answered);
    let substance = match question {
        Question::Paused => match answered.choice {
            Choice::Continue => "continue",
            Choice::RollBack => "roll_back",
            Choice::Leave | Choice::Abandon => "leave",
        }
        .to_string(),
        Question::Planned(..) | Question::Adopt(..) => covers,
    };
    let (id, reason) = (asked.id, answered.reason);
    Record::Answered {
        question: id,
        yes: answered.yes,
        by: answered.by,
        how: answered.how,
        substance,
        reason,
    }
}

/// Whoever asks for more than the question takes leaves it: nothing is gone on with in spite of what was seen without a reason.
fn allowed(kind: &AskedKind, answered: Answered) -> Answered {
    let AskedKind::Paused { going_on, .. } = kind else { return answered };
    let goes_on = answered.choice == Choice::Continue;
    match goes_on && !going_on.allows(&answered.reason) {
        true => Answered { yes: false, choice: Choice::Leave, reason: String::new(), ..answered },
        false => Answered { reason: answered.reason.trim().to_string(), ..answered },
    }
}

/// A question as it is put, how long it waits, and what a yes covers.
fn asked(plan: &Plan, question: &Question, state: &RunState) -> (Asked, Duration, String) {
    let facts_of = |s: usize| {
        state.steps[s]
            .effects
            .iter()
            .filter_map(|effect| effect.seen.as_ref())
            .map(|seen| seen.evidence.clone())
            .collect()
    };
    match question {
        Question::Planned(s, q) => {
            let step = &plan.steps[*s];
            let Ask { id, kind, role, text, within_ms, section: _ } = step.questions[*q].clone();
            let asked = Asked {
                id,
                step: step.id.clone(),
                role,
                text,
                facts: facts_of(*s),
                kind: AskedKind::Planned(kind),
            };
            (asked, Duration::from_millis(within_ms), substance(plan, state, *s))
        }
        Question::Adopt(s, e) => {
            let step = &plan.steps[*s];
            let asked = Asked {
                id: format!("adopt:{}/{}", step.id, step.effects[*e].name),
                step: step.id.clone(),
                role: String::new(),
                text: format!(
                    "{} is already so, and not by this run. Go on with it as it is? It will not be undone.",
                    step.title
                ),
                facts: facts_of(*s),
                kind: AskedKind::Adopt,
            };
            (asked, Duration::ZERO, String::new())
        }
        Question::Paused => {
            let can_roll_back = !state.armed(plan) && !state.passed(plan) && state.changed();
            let why = match &state.stage {
                Stage::Paused { why, .. } => why.clone(),
                _ => String::new(),
            };
            let (going_on, mut facts) = state.going_on(plan);
            let choices = match (going_on == GoingOn::NotHere, can_roll_back) {
                (false, true) => "Go on, roll back, or leave it?",
                (false, false) => "Go on, or leave it?",
                (true, true) => "Roll back, or leave it?",
                (true, false) => "It can only be left.",
            };
            // What the question says itself is not said again below it.
            facts.retain(|line| !why.contains(line.trim_end_matches('.')));
            let asked = Asked {
                id: format!("paused:{}", state.answers.len()),
                step: String::new(),
                role: String::new(),
                text: match state.armed(plan) {
                    true => format!(
                        "Paused: {why}. The promotion may still happen, so there is no way back now. {choices}"
                    ),
                    false => format!("Paused: {why}. {choices}"),
                },
                facts,
                kind: AskedKind::Paused { going_on, can_roll_back },
            };
            (asked, Duration::ZERO, String::new())
        }
    }
}
