//! What is written once and stays: each change of the model as lines. The live screen writes them above what moves, and
//! `audit show` one after the other.

use super::checklist::{self, Frame, columns};
use super::model::{Change, Model, Phase};
use super::paint::{Text, Tone, wrap};
use super::streams::Style;
use super::summary::{self, ByHand};
use crate::engine::record::Record;

/// Writes changes as lines.
pub struct Scribe<'a> {
    /// What is not in the records.
    pub frame: &'a Frame,
    /// Commands that take an effect back by hand.
    pub by_hand: &'a ByHand,
    /// How text may look.
    pub style: Style,
    /// Columns.
    pub width: usize,
}

impl Scribe<'_> {
    /// The lines of one change. `record` is the one that made it.
    pub fn lines(&self, model: &Model, record: &Record, change: &Change) -> Vec<Text> {
        let (style, width) = (self.style, self.width);
        match change {
            Change::Opened { resumed } => self.opened(model, record, *resumed),
            Change::Section(section) => self.section(model, *section),
            // What is at work moves; it is written when it settles.
            Change::Began(_) | Change::UndoBegan(_) => Vec::new(),
            Change::Settled(s) => checklist::step(model, *s, style, width, model.at, 0),
            Change::Undoing { temporary } => {
                vec![Text::new(), checklist::undo_heading(*temporary, style, width)]
            }
            Change::UndoEnded(index) => {
                checklist::undo(model, &model.undo[*index], style, width, model.at, 0)
            }
            Change::Told(text, bad) => self.told(text, *bad),
            Change::Freezing(s, e) => self.freezing(model, record, *s, *e),
            Change::Ended => summary::summary(model, self.frame, self.by_hand, style, width),
        }
    }

    fn opened(&self, model: &Model, record: &Record, resumed: bool) -> Vec<Text> {
        let mut lines = checklist::header(&model.plan, self.frame, self.style, self.width);
        if resumed && let Record::Opened { operator, host, reason, .. } = record {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            lines.extend(self.told(&format!("resumed by {operator} on {host}{why}"), false));
            // What stays done is not looked at again: it is shown, so that the checklist is whole.
            let mut section = usize::MAX;
            for (s, row) in model.rows.iter().enumerate() {
                if matches!(row.phase, Phase::Done | Phase::Found | Phase::Warned) {
                    if section != model.plan.steps[s].section {
                        section = model.plan.steps[s].section;
                        lines.extend(self.section(model, section));
                    }
                    lines.extend(checklist::step(model, s, self.style, self.width, model.at, 0));
                }
            }
        }
        lines
    }

    fn section(&self, model: &Model, section: usize) -> Vec<Text> {
        let title = model.plan.sections.get(section).map_or("", String::as_str);
        if title.is_empty() {
            return vec![Text::new()];
        }
        vec![Text::new(), checklist::heading(title, self.style, self.width)]
    }

    fn told(&self, text: &str, bad: bool) -> Vec<Text> {
        let tone = if bad { Tone::Warn } else { Tone::Dim };
        let mark = if bad { "! " } else { "- " };
        let room = columns(self.width).saturating_sub(4);
        let lines = wrap(text, room, 4, self.style).into_iter().enumerate();
        lines
            .map(|(index, line)| {
                let lead = if index == 0 { mark } else { "  " };
                Text::of(Tone::Plain, "  ").and(tone, lead).and(tone, line)
            })
            .collect()
    }

    /// Before writes stop: how to let them go on without mrctl. Commands are copied, so they are never cut.
    fn freezing(&self, model: &Model, record: &Record, s: usize, e: usize) -> Vec<Text> {
        let Record::Intent { prior, .. } = record else { return Vec::new() };
        let commands = (self.by_hand)(s, e, prior);
        if commands.is_empty() {
            return Vec::new();
        }
        let mut lines = self.told(
            &format!("writes stop now; to let them go on by hand, while {} is not promoted:", model.plan.to),
            true,
        );
        lines.extend(commands.into_iter().map(|command| Text::of(Tone::Plain, "      ").plain(command)));
        lines
    }
}
