//! A question that waits for a person, for readers that are no terminal: what can be typed, and what would answer it beforehand.

use super::given::pivots;
use crate::engine::going_on::GoingOn;
use crate::engine::{Asked, AskedKind};
use crate::plan::{AskKind, Plan};

/// What is asked, as a word for programs.
pub fn kind(asked: &Asked) -> &'static str {
    match &asked.kind {
        AskedKind::Planned(AskKind::Item) => "item",
        AskedKind::Planned(AskKind::Confirm) => "confirm",
        AskedKind::Planned(AskKind::Typed(_)) => "consent",
        AskedKind::Adopt => "adopt",
        AskedKind::Paused { .. } => "paused",
    }
}

/// What can be typed.
pub fn answers(asked: &Asked) -> Vec<String> {
    let words: &[&str] = match &asked.kind {
        AskedKind::Planned(AskKind::Item) => &["y", "n"],
        AskedKind::Planned(AskKind::Confirm) => &["yes", "no"],
        AskedKind::Planned(AskKind::Typed(word)) => &[word, "no"],
        AskedKind::Adopt => &["adopt", "stop"],
        AskedKind::Paused { going_on: GoingOn::NotHere, can_roll_back: true } => &["roll back", "leave"],
        AskedKind::Paused { going_on: GoingOn::NotHere, can_roll_back: false } => &["leave"],
        AskedKind::Paused { can_roll_back: true, .. } => &["continue", "roll back", "leave"],
        AskedKind::Paused { can_roll_back: false, .. } => &["continue", "leave"],
    };
    words.iter().map(ToString::to_string).collect()
}

/// Options of `failover` and `resume` that would have answered it; none for what only a person can decide then and there.
pub fn beforehand(plan: &Plan, asked: &Asked) -> Vec<String> {
    match &asked.kind {
        AskedKind::Planned(AskKind::Item | AskKind::Confirm) => {
            let role = (!asked.role.is_empty()).then(|| format!("--approve role:{}", asked.role));
            role.into_iter().chain([format!("--approve step:{}", asked.step)]).collect()
        }
        AskedKind::Planned(AskKind::Typed(_)) => {
            let mut steps: Vec<&str> = pivots(plan).map(|step| step.id.as_str()).collect();
            if steps.is_empty() {
                steps.push(&asked.step);
            }
            let all: String = steps.iter().map(|step| format!("--approve step:{step} ")).collect();
            vec![format!("{all}--plan-digest {}", plan.digest())]
        }
        AskedKind::Adopt | AskedKind::Paused { .. } => Vec::new(),
    }
}

/// In one line, for a log.
pub fn in_words(asked: &Asked) -> String {
    let step = if asked.step.is_empty() { String::new() } else { format!("{}: ", asked.step) };
    let who = match (&asked.role, &asked.kind) {
        (role, _) if !role.is_empty() => role.as_str(),
        _ => "somebody",
    };
    format!("{step}waiting for {who} at the terminal ({}): {}", answers(asked).join(", "), asked.text)
}
