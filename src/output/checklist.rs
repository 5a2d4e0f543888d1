//! Lines of the checklist, as text. What moves and what is written once both come from here.

use super::measure::Span;
use super::model::{Model, Phase, UndoRow};
use super::paint::{Text, Tone, wrap};
use super::streams::Style;
use super::words::{allowance, count, measured};
use crate::engine::state::Undone;
use crate::plan::{Drill, Plan};

/// What a drawing needs that is not in the records.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frame {
    /// The run's identity as commands take it: its shortest unique prefix.
    pub run: String,
    /// Where the journal is.
    pub journal: String,
}

/// The widest that a line of text gets, however wide the terminal is.
const WIDEST: usize = 100;
/// Lines of evidence under a step that failed.
const LINES_OF_TROUBLE: usize = 6;

/// Columns that are used of those there are.
pub fn columns(width: usize) -> usize {
    width.clamp(20, WIDEST)
}

/// The sign of a phase and its tone. `beat` turns the one that is at work.
pub fn sign(phase: Phase, style: Style, beat: usize) -> (&'static str, Tone) {
    const WORK: [&str; 4] = ["◐", "◓", "◑", "◒"];
    let (unicode, ascii, tone) = match phase {
        Phase::Waiting => ("·", "[  ]", Tone::Dim),
        Phase::Skipped => ("–", "[--]", Tone::Dim),
        Phase::Running => (WORK[beat % WORK.len()], "[..]", Tone::Strong),
        Phase::Halted => ("◌", "[..]", Tone::Warn),
        Phase::Done => ("✓", "[ok]", Tone::Good),
        Phase::Found => ("=", "[==]", Tone::Good),
        Phase::Warned => ("!", "[! ]", Tone::Warn),
        Phase::Failed => ("✗", "[!!]", Tone::Bad),
        Phase::Unknown => ("?", "[??]", Tone::Bad),
        Phase::Undone => ("↩", "[<-]", Tone::Warn),
        Phase::Foreign => ("≠", "[/=]", Tone::Warn),
        Phase::UndoFailed => ("✗", "[!!]", Tone::Bad),
    };
    (if style.unicode { unicode } else { ascii }, tone)
}

/// The head of a run: what, where, how, and where the journal is.
pub fn header(plan: &Plan, frame: &Frame, style: Style, width: usize) -> Vec<Text> {
    let width = columns(width);
    let drill = match plan.drill {
        Drill::Real => Text::of(Tone::Plain, "real"),
        Drill::DryRun => Text::of(Tone::Warn, "dry run"),
    };
    let mut lines: Vec<Text> =
        wrap(&plan.title, width, 3, style).into_iter().map(|line| Text::of(Tone::Strong, line)).collect();
    let mut facts = vec![
        Text::of(Tone::Strong, &plan.environment),
        Text::of(Tone::Plain, format!("{} → {}", plan.from, plan.to)),
        Text::of(Tone::Plain, plan.mode.to_string()),
        drill,
    ];
    if !frame.run.is_empty() {
        facts.push(Text::of(Tone::Plain, format!("run {}", frame.run)));
    }
    lines.extend(flow(facts, width, style));
    if !frame.journal.is_empty() {
        lines.extend(path("journal", &frame.journal, width, style));
    }
    lines
}

/// A label and a path; the path is never cut, because people copy it.
pub fn path(label: &str, path: &str, width: usize, style: Style) -> Vec<Text> {
    let one = Text::of(Tone::Dim, format!("{label} ")).plain(path).spelled(style);
    if one.width() <= width {
        return vec![one];
    }
    vec![Text::of(Tone::Dim, label), Text::of(Tone::Plain, path).spelled(style)]
}

/// Pieces with dots between them, over as many lines as they need. A piece is never cut: a wider one wraps where it is shown.
pub fn flow(pieces: Vec<Text>, width: usize, style: Style) -> Vec<Text> {
    let mut lines: Vec<Text> = Vec::new();
    for piece in pieces {
        let piece = piece.spelled(style);
        match lines.last_mut() {
            Some(line) if line.width() + 3 + piece.width() <= width => {
                *line = std::mem::take(line).with(Text::of(Tone::Dim, " · ").spelled(style)).with(piece);
            }
            _ => lines.push(piece),
        }
    }
    lines
}

/// The heading of a section.
pub fn heading(title: &str, style: Style, width: usize) -> Text {
    Text::of(Tone::Strong, title).spelled(style).cut(columns(width), style)
}

/// A step: sign, title, time; evidence beneath it.
pub fn step(model: &Model, s: usize, style: Style, width: usize, now: i64, beat: usize) -> Vec<Text> {
    let width = columns(width);
    let (row, planned) = (&model.rows[s], &model.plan.steps[s]);
    let (glyph, tone) = sign(row.phase, style, beat);
    let mut title = Text::of(Tone::Plain, "  ").and(tone, glyph).plain(" ").plain(&planned.title);
    if row.tries > 1 {
        title = title.and(Tone::Dim, format!(" (try {})", row.tries));
    }
    let right = match (row.phase, row.began) {
        (Phase::Skipped, _) => Text::of(Tone::Dim, "skipped"),
        (Phase::Found, _) => Text::of(Tone::Dim, "was so already"),
        (Phase::Waiting, _) | (_, None) => Text::new(),
        (_, Some(began)) => {
            Text::of(Tone::Dim, measured(Span { ended: row.ended, ..Span::from(began) }.length(now)))
        }
    };
    let mut lines = vec![title.right(right, width, style)];
    lines.extend(beneath(model, s, style, width));
    lines
}

fn beneath(model: &Model, s: usize, style: Style, width: usize) -> Vec<Text> {
    let row = &model.rows[s];
    let indent = if style.unicode { "    " } else { "       " };
    let evidence = match row.phase {
        Phase::Running if !row.moving.is_empty() => &row.moving,
        _ => &row.evidence,
    };
    match row.phase {
        Phase::Failed | Phase::Unknown | Phase::UndoFailed | Phase::Warned => {
            let tone = if row.phase == Phase::Warned { Tone::Warn } else { Tone::Bad };
            wrap(evidence, width.saturating_sub(indent.len()), LINES_OF_TROUBLE, style)
                .into_iter()
                .map(|line| Text::of(Tone::Plain, indent).and(tone, line))
                .collect()
        }
        _ => {
            let mut line = Text::of(Tone::Plain, indent);
            let (there, effects) = row.effects;
            if row.phase == Phase::Running && effects > 1 {
                line = line.and(Tone::Dim, format!("{there} of {effects}: "));
            }
            let (answered, questions) = row.answered;
            if evidence.is_empty() && questions > 0 {
                line =
                    line.and(Tone::Dim, format!("{answered} of {} answered", count(questions, "question")));
            } else if evidence.is_empty() {
                return Vec::new();
            }
            vec![line.and(Tone::Dim, evidence).spelled(style).cut(width, style)]
        }
    }
}

/// The heading of a rollback, or of putting temporary changes back.
pub fn undo_heading(temporary: bool, style: Style, width: usize) -> Text {
    heading(if temporary { "Putting temporary changes back" } else { "Rolling back" }, style, width)
}

/// A line of the rollback.
pub fn undo(model: &Model, row: &UndoRow, style: Style, width: usize, now: i64, beat: usize) -> Vec<Text> {
    let width = columns(width);
    let phase = match row.outcome {
        Some(Undone::Restored) => Phase::Undone,
        Some(Undone::Foreign) => Phase::Foreign,
        Some(Undone::Failed { .. }) => Phase::UndoFailed,
        None if model.ending.is_some() => Phase::UndoFailed,
        None => Phase::Running,
    };
    let (glyph, tone) = sign(phase, style, beat);
    let planned = &model.plan.steps[row.step];
    let mut title = Text::of(Tone::Plain, "  ").and(tone, glyph).plain(" ");
    title = title.plain(match phase {
        Phase::Undone => "taken back: ",
        Phase::Foreign => "changed by somebody else, left alone: ",
        Phase::UndoFailed => "NOT taken back: ",
        _ => "taking back: ",
    });
    title = title.plain(&planned.title);
    if planned.effects.len() > 1 {
        title = title.and(Tone::Dim, format!(" ({})", planned.effects[row.effect].name));
    }
    let right = Text::of(Tone::Dim, measured(Span { ended: row.ended, ..Span::from(row.began) }.length(now)));
    let mut lines = vec![title.right(right, width, style)];
    let indent = if style.unicode { "    " } else { "       " };
    let room = width.saturating_sub(indent.len());
    if phase == Phase::UndoFailed {
        let wrapped = wrap(&row.evidence, room, LINES_OF_TROUBLE, style);
        lines.extend(wrapped.into_iter().map(|line| Text::of(Tone::Plain, indent).and(Tone::Bad, line)));
    } else if !row.evidence.is_empty() {
        lines.push(
            Text::of(Tone::Plain, indent).and(Tone::Dim, &row.evidence).spelled(style).cut(width, style),
        );
    }
    lines
}

/// The clocks of the objectives while a run goes on, and how far it is.
pub fn clocks(model: &Model, style: Style, width: usize, now: i64) -> Vec<Text> {
    let objectives = &model.plan.objectives;
    let mut pieces = Vec::new();
    if let Some(gap) = model.measures.write_gap().filter(|gap| gap.ended.is_none()) {
        let ms = gap.length(now);
        let allowed = objectives.write_gap_ms;
        let text = format!("writes stopped {} of {}", measured(ms), allowance(allowed));
        pieces.push(Text::of(pressure(ms, allowed), text));
    }
    if let Some(allowed) = objectives.rto_ms
        && !model.measures.restored()
        && let Some(recovery) = model.measures.recovery()
    {
        let ms = recovery.length(now);
        pieces
            .push(Text::of(pressure(ms, allowed), format!("rto {} of {}", measured(ms), allowance(allowed))));
    }
    let (done, all) = model.counters();
    pieces.push(Text::of(Tone::Dim, format!("{done} of {}", count(all, "step"))));
    let indented = columns(width).saturating_sub(2);
    flow(pieces, indented, style).into_iter().map(|line| Text::of(Tone::Plain, "  ").with(line)).collect()
}

/// A clock turns yellow at two thirds and red when it is over.
fn pressure(ms: Option<i64>, allowed: u64) -> Tone {
    let Some(ms) = ms else { return Tone::Bad };
    let ms = u64::try_from(ms).unwrap_or(0);
    if ms > allowed {
        Tone::Bad
    } else if ms.saturating_mul(3) > allowed.saturating_mul(2) {
        Tone::Warn
    } else {
        Tone::Plain
    }
}

/// What moves at the foot of a live screen: steps at work, the undo at work, what comes next, the clocks.
pub fn live(model: &Model, style: Style, width: usize, now: i64, beat: usize) -> Vec<Text> {
    let mut lines = Vec::new();
    if model.ending.is_some() {
        return lines;
    }
    for s in model.current() {
        lines.extend(step(model, s, style, width, now, beat));
    }
    for row in model.undo.iter().filter(|row| row.ended.is_none()) {
        lines.extend(undo(model, row, style, width, now, beat));
    }
    if let (false, Some(next)) = (model.current().is_empty(), model.next()) {
        let (glyph, tone) = sign(Phase::Waiting, style, beat);
        let line = Text::of(Tone::Plain, "  ")
            .and(tone, glyph)
            .and(Tone::Dim, format!(" next: {}", model.plan.steps[next].title));
        lines.push(line.spelled(style).cut(columns(width), style));
    }
    if model.measures.run.is_some() {
        lines.extend(clocks(model, style, width, now));
    }
    lines
}
