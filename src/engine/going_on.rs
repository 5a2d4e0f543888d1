//! What stands against going on with an open run, for which a person has to say why. `mrctl resume` takes the same,
//! and a reason also where another cluster answers: whoever types it has gone to find out what it is.

use super::state::RunState;
use super::surprise::Surprise;
use crate::plan::Plan;

/// One thing that stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against<'a> {
    /// Both sides of a data set have what the other lacks: which.
    Diverged(&'a str),
    /// Something was seen that no rehearsal can show: its number, from 1.
    Surprised(usize, &'a Surprise),
}

/// What going on from a pause takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoingOn {
    /// The word.
    Free,
    /// The word, and a reason that stays in the journal.
    WithReason,
    /// More than whoever sits at this terminal can know now.
    NotHere,
}

impl Against<'_> {
    /// In one line.
    pub fn line(&self) -> String {
        match self {
            Self::Diverged(what) => format!(
                "{what}: the old primary took commits after the promotion: both sides have what the other lacks."
            ),
            Self::Surprised(_, surprise) => format!(
                "{}: no rehearsal can show this ({}), so none speaks for this run.",
                surprise.line(),
                surprise.rule
            ),
        }
    }

    /// Whether a typed reason is not enough: another cluster answers at the address, and whatever is done next may be done to it.
    fn not_here(&self) -> bool {
        matches!(self, Self::Surprised(_, surprise) if surprise.rule == "postgres.system")
    }
}

impl GoingOn {
    /// Whether it may be gone on with this reason.
    pub fn allows(self, reason: &str) -> bool {
        match self {
            Self::Free => true,
            Self::WithReason => !reason.trim().is_empty(),
            Self::NotHere => false,
        }
    }
}

impl RunState {
    /// Everything that stands against going on, and that nobody has gone on in spite of.
    pub fn against_going_on(&self, plan: &Plan) -> Vec<Against<'_>> {
        let diverged = self.diverged().map(Against::Diverged);
        let stops = self.surprised(plan).is_some();
        let surprises = self.surprises.iter().enumerate().filter(|(_, surprise)| stops && !surprise.accepted);
        let surprises = surprises.map(|(index, surprise)| Against::Surprised(index + 1, surprise));
        diverged.into_iter().chain(surprises).collect()
    }

    /// What going on takes at a terminal, and why, a line each.
    pub(super) fn going_on(&self, plan: &Plan) -> (GoingOn, Vec<String>) {
        let against = self.against_going_on(plan);
        let mut lines: Vec<String> = against.iter().map(Against::line).collect();
        if against.iter().any(Against::not_here) {
            lines.push(
                "Another cluster answers there, so it cannot be gone on with from here. Find out what it is; then `mrctl resume RUN --reason …`."
                    .into(),
            );
            (GoingOn::NotHere, lines)
        } else if against.is_empty() {
            (GoingOn::Free, lines)
        } else {
            lines.push("Going on takes a reason, which stays in the journal.".into());
            (GoingOn::WithReason, lines)
        }
    }
}
