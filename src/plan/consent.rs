//! Where the consent to a promotion is taken.

use super::model::{Ask, AskKind, Mode, Step};
use crate::step::contract::Part;
use crate::step::table;

/// Consent to a pivot is taken once, by typing the target's name, at the last confirmation before the first freeze; it is added
/// there if the runbook has none.
pub(super) fn consent(steps: &mut [Step], to: &str, mode: Mode) {
    let part = |step: &Step| table::info(&step.kind).map(|info| info.part);
    let runs = |step: &&mut Step| step.skipped.is_none();
    let pivots = steps.iter().any(|step| step.skipped.is_none() && part(step) == Some(Part::Pivot));
    if !pivots {
        return;
    }
    let first = steps
        .iter()
        .position(|step| step.skipped.is_none() && matches!(part(step), Some(Part::Freeze | Part::Fence)))
        .or_else(|| steps.iter().position(|step| step.skipped.is_none() && part(step) == Some(Part::Pivot)));
    let Some(first) = first else { return };
    let last = steps[..=first]
        .iter_mut()
        .filter(runs)
        .flat_map(|step| &mut step.questions)
        .rfind(|ask| ask.kind != AskKind::Item);
    match last {
        Some(ask) => ask.kind = AskKind::Typed(to.to_string()),
        None => {
            let step = &mut steps[first];
            let ask = Ask {
                id: format!("{}/consent", step.id),
                kind: AskKind::Typed(to.to_string()),
                role: String::new(),
                text: format!("{}: after the promotion there is no way back. Go?", step.title),
                within_ms: 0,
                section: false,
            };
            step.questions.insert(0, ask);
        }
    }
    // Nobody knows how much is lost, so a planned move's consent does not cover it.
    for step in steps.iter_mut().filter(|_| mode == Mode::Unplanned) {
        if step.skipped.is_some() || part(step) != Some(Part::Pivot) {
            continue;
        }
        step.questions.push(Ask {
            id: format!("{}/loss", step.id),
            kind: AskKind::Typed(LOSE.into()),
            role: String::new(),
            text: format!("{}: what the old primary committed last is lost. Is that accepted?", step.title),
            within_ms: 0,
            section: false,
        });
    }
}

/// What a person types who accepts a loss.
pub const LOSE: &str = "lose";
