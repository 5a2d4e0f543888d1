//! The log: append-only lines with times, for files, CI and terminals that cannot draw.

use super::checklist::{self, Frame};
use super::model::{Change, Model, Phase};
use super::paint::{Text, Tone};
use super::sink::Sink;
use super::streams::{Output, Style};
use super::summary::{self, ByHand};
use super::terminal::{Desk, Now};
use super::waiting;
use super::words::{stamp, time};
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::engine::state::{RunState, Undone};
use crate::engine::{Asked, Progress};
use crate::journal::chain::Line;
use crate::plan::Plan;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The shortest time between two lines of progress of one effect. Milliseconds.
const PROGRESS_EVERY: i64 = 5000;
/// The longest line. Characters; a log is searched, not read at 80 columns.
const LONGEST: usize = 1000;

/// Writes the log of a run.
pub struct Plain {
    model: RefCell<Model>,
    told: RefCell<BTreeMap<(String, String), (i64, String)>>,
    frame: Frame,
    by_hand: Rc<ByHand>,
    sink: Sink,
    style: Style,
    width: usize,
    now: Now,
}

impl Plain {
    /// A log on standard error. `past`: what earlier processes recorded; it is not told again.
    pub fn new<'r>(
        plan: &Plan,
        past: impl IntoIterator<Item = (i64, &'r Record)>,
        frame: Frame,
        by_hand: Rc<ByHand>,
        output: &Output,
        now: Now,
    ) -> Self {
        Self {
            model: RefCell::new(Model::of(Arc::new(plan.clone()), past)),
            told: RefCell::default(),
            frame,
            by_hand,
            sink: output.stderr.clone(),
            style: output.style,
            width: output.width,
            now,
        }
    }

    fn say(&self, line: &str) {
        // Nobody can be told that telling failed; the journal has it.
        let _written = self.sink.write(&format!("{line}\n"));
    }

    fn text(&self, text: Text) {
        self.say(&text.spelled(self.style).cut(LONGEST, self.style).paint(self.style));
    }
}

impl Reader for Plain {
    fn record(&self, line: &Line, record: &Record, _state: &RunState) {
        let mut model = self.model.borrow_mut();
        for change in model.record(line.at, record) {
            match &change {
                Change::Opened { .. } => {
                    for text in checklist::header(&model.plan, &self.frame, self.style, self.width) {
                        self.text(text);
                    }
                }
                Change::Ended => {
                    let (frame, by_hand) = (&self.frame, &*self.by_hand);
                    for text in summary::summary(&model, frame, by_hand, self.style, self.width) {
                        self.say(&text.paint(self.style));
                    }
                    continue;
                }
                _ => {}
            }
            for text in lines(&model, record, &change, &*self.by_hand, line.at, self.style) {
                self.text(text);
            }
        }
    }

    fn progress(&self, progress: &Progress) {
        self.model.borrow_mut().progress(progress);
        let now = (self.now)();
        let key = (progress.step.clone(), progress.effect.clone());
        let mut told = self.told.borrow_mut();
        // The first one follows the line that says that the step begins, which is news enough for as long.
        let Some((at, text)) = told.get_mut(&key) else {
            told.insert(key, (now, String::new()));
            return;
        };
        if now - *at >= PROGRESS_EVERY && *text != progress.evidence {
            *at = now;
            text.clone_from(&progress.evidence);
            self.text(at_work(now, self.style).plain(format!("{}: {}", progress.step, progress.evidence)));
        }
    }

    fn waiting(&self, asked: &Asked) {
        self.text(mark((self.now)(), Phase::Warned, self.style).plain(waiting::in_words(asked)));
    }
}

impl Desk for Plain {
    fn hold(&self) {}

    fn write(&self, text: &str) {
        // See `say`.
        let _written = self.sink.write(text);
    }

    fn release(&self) {}
}

fn at_work(at: i64, style: Style) -> Text {
    mark(at, Phase::Running, style)
}

fn mark(at: i64, phase: Phase, style: Style) -> Text {
    let (sign, tone) = checklist::sign(phase, style, 0);
    Text::of(Tone::Dim, stamp(at)).plain(" ").and(tone, sign).plain(" ")
}

/// The lines of one change, each with its time. A log has no headings to stand under, so each line names its step.
pub fn lines(
    model: &Model,
    record: &Record,
    change: &Change,
    by_hand: &ByHand,
    at: i64,
    style: Style,
) -> Vec<Text> {
    let after = |evidence: &str| if evidence.is_empty() { String::new() } else { format!(": {evidence}") };
    match change {
        Change::Opened { resumed } => {
            let Record::Opened { operator, host, reason, version, .. } = record else { return Vec::new() };
            let what = if *resumed { "resumed" } else { "begun" };
            let text = format!("{what} by {operator} on {host} with mrctl {version}{}", after(reason));
            vec![at_work(at, style).plain(text)]
        }
        Change::Section(section) => {
            let title = model.plan.sections.get(*section).map_or("", String::as_str);
            vec![Text::of(Tone::Dim, stamp(at)).plain(" ").and(Tone::Strong, format!("== {title}"))]
        }
        Change::Began(s) => {
            let step = &model.plan.steps[*s];
            vec![at_work(at, style).plain(format!("{}: {}", step.id, step.title))]
        }
        Change::Settled(s) => {
            let (step, row) = (&model.plan.steps[*s], &model.rows[*s]);
            let took = match (row.began, row.ended) {
                (Some(began), Some(ended)) => format!(" ({})", time(ended - began)),
                _ => String::new(),
            };
            let text = format!("{}: {}{took}{}", step.id, row.phase.word(), after(&row.evidence));
            vec![mark(at, row.phase, style).plain(text)]
        }
        Change::Undoing { temporary } => {
            let what = if *temporary { "putting temporary changes back" } else { "rolling back" };
            vec![Text::of(Tone::Dim, stamp(at)).plain(" ").and(Tone::Strong, format!("== {what}"))]
        }
        Change::UndoBegan(index) => {
            let row = &model.undo[*index];
            let step = &model.plan.steps[row.step];
            let effect = &step.effects[row.effect].name;
            vec![at_work(at, style).plain(format!("{}/{effect}: taking back", step.id))]
        }
        Change::UndoEnded(index) => {
            let row = &model.undo[*index];
            let (phase, what) = match row.outcome {
                Some(Undone::Restored) => (Phase::Undone, "taken back"),
                Some(Undone::Foreign) => (Phase::Foreign, "changed by somebody else, left alone"),
                Some(Undone::Failed { .. }) | None => (Phase::UndoFailed, "NOT taken back"),
            };
            let step = &model.plan.steps[row.step];
            let effect = &step.effects[row.effect].name;
            vec![mark(at, phase, style).plain(format!(
                "{}/{effect}: {what}{}",
                step.id,
                after(&row.evidence)
            ))]
        }
        Change::Told(text, bad) => {
            let phase = if *bad { Phase::Warned } else { Phase::Waiting };
            vec![mark(at, phase, style).plain(text)]
        }
        Change::Freezing(s, e) => {
            let Record::Intent { prior, .. } = record else { return Vec::new() };
            let commands = by_hand(*s, *e, prior).into_iter();
            commands
                .map(|command| {
                    let when =
                        format!("to let writes go on by hand, while {} is not promoted: ", model.plan.to);
                    mark(at, Phase::Warned, style).plain(when).plain(command)
                })
                .collect()
        }
        Change::Ended => {
            let Some(ending) = &model.ending else { return Vec::new() };
            let (word, tone, code) = summary::verdict(ending);
            let text = format!(" (exit code {}){}", code.number(), after(&ending.why));
            vec![Text::of(Tone::Dim, stamp(at)).plain(" ").and(tone, format!("== {word}")).plain(text)]
        }
    }
}
