//! The rows of a rollback, and of temporary changes that are put back.

use super::{Change, Model, UndoRow};
use crate::engine::state::{Stage, find};

impl Model {
    pub(super) fn undo_row(&mut self, s: usize, e: usize, at: i64, changes: &mut Vec<Change>) -> usize {
        if let Some(index) =
            self.undo.iter().rposition(|row| (row.step, row.effect) == (s, e) && row.ended.is_none())
        {
            return index;
        }
        let temporary = self.state.stage == Stage::Finishing;
        if self.undoing != Some(temporary) {
            self.undoing = Some(temporary);
            changes.push(Change::Undoing { temporary });
        }
        self.undo.push(UndoRow {
            step: s,
            effect: e,
            temporary,
            outcome: None,
            began: at,
            ended: None,
            evidence: String::new(),
        });
        changes.push(Change::UndoBegan(self.undo.len() - 1));
        self.undo.len() - 1
    }

    pub(super) fn looked_back(
        &mut self,
        step: &str,
        effect: &str,
        evidence: &str,
        at: i64,
        changes: &mut Vec<Change>,
    ) {
        let Some((s, e)) = find(&self.plan, step, effect) else { return };
        let index = self.undo_row(s, e, at, changes);
        let outcome = self.state.steps[s].effects[e].undone;
        let row = &mut self.undo[index];
        row.evidence = evidence.to_string();
        // The state decides: a change in doubt that looks undone is undone all the same, and the line goes on.
        if outcome.is_some() {
            row.outcome = outcome;
            row.ended = Some(at);
            changes.push(Change::UndoEnded(index));
        }
    }
}
