//! The checklist as a flat list, as the rules about order see it.

use super::{Context, KindFact, Part};
use crate::runbook::model::{Only, Section, Step};

/// A step with its surroundings.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its section.
    pub section: &'a Section,
    /// Whether it is the first step of its section.
    pub opens: bool,
    /// Its item's position: steps that run together share it.
    pub position: usize,
    /// What is known of its kind.
    pub fact: KindFact,
}

/// Every step of a run in planned mode, in order. Order is only promised for planned runs: without a source there is nothing
/// to freeze.
pub fn lines<'a>(context: &Context<'a>) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    let mut position = 0;
    for section in &context.draft.runbook.sections {
        let mut opens = true;
        for item in &section.items {
            for step in item.steps() {
                let fact = context.kinds.facts(&step.kind.value);
                if let (Some(fact), true) = (fact, is_planned(step)) {
                    lines.push(Line { step, section, opens, position, fact });
                    opens = false;
                }
            }
            position += 1;
        }
    }
    lines
}

/// Whether a step can be part of a planned run.
fn is_planned(step: &Step) -> bool {
    let has = |wanted: Only| step.policy.only.iter().any(|only| only.value == wanted);
    has(Only::Planned) || !has(Only::Unplanned)
}

impl Line<'_> {
    /// Whether its kind has this part.
    pub fn is(&self, part: Part) -> bool {
        self.fact.part == part
    }
}
