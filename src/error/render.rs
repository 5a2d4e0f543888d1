//! Problems as text and as JSON.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::escape::{is_unsafe, outside};
use super::problem::{Problem, Problems, Severity};
use super::source::{Place, Sources, Span};

/// Most characters of a message, label or help.
const WORDS: usize = 600;
/// Characters of a source line that are shown around what is marked.
const WINDOW: usize = 160;

/// As text, like a compiler's: title, place, the line with what is marked, other places, help. Everything that came from a
/// file is escaped. `width` is the terminal's, in columns.
#[must_use]
pub fn text(problems: &Problems, sources: &Sources, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width.clamp(40, 400));
    let mut shown: Vec<String> = problems.iter().map(|problem| one(problem, sources, &renderer)).collect();
    if problems.omitted() > 0 {
        shown.push(format!("and {} more", problems.omitted()));
    }
    let mut whole = shown.join("\n\n");
    if !whole.is_empty() {
        whole.push('\n');
    }
    whole
}

fn one(problem: &Problem, sources: &Sources, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(outside(&problem.message, WORDS)).id(problem.code.as_str());
    let mut group = Group::with_title(title);
    let mut marks: Vec<Mark<'_>> = Vec::new();
    if let Some(span) = problem.span {
        marks.extend(Mark::new(sources, span, problem.label.as_deref(), AnnotationKind::Primary));
    }
    for (span, label) in problem.related.iter().take(8) {
        marks.extend(Mark::new(sources, *span, Some(label), AnnotationKind::Context));
    }
    group = match together(&marks, sources) {
        Some(snippet) => group.element(snippet),
        None => apart(group, &marks, sources),
    };
    group = group.element(Level::HELP.message(outside(problem.remedy(), WORDS)));
    renderer.render(&[group])
}

/// A place to show.
struct Mark<'a> {
    span: Span,
    place: Place,
    label: Option<&'a str>,
    kind: AnnotationKind,
    cut: Cut,
}

impl<'a> Mark<'a> {
    fn new(sources: &Sources, span: Span, label: Option<&'a str>, kind: AnnotationKind) -> Option<Mark<'a>> {
        let place = sources.line_column(span)?;
        let cut = Cut::new(sources, span, place)?;
        Some(Mark { span, place, label, kind, cut })
    }

    fn annotation(&self, offset: usize) -> annotate_snippets::Annotation<'a> {
        let label = self.label.map(|label| outside(label, 80));
        self.kind.span(offset + self.cut.start..offset + self.cut.end).label(label)
    }
}

/// All marks in one snippet: if they lie in one file, not far from each other, in lines that are shown as they are.
fn together<'a>(
    marks: &[Mark<'a>],
    sources: &Sources,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let file = marks.first()?.span.file;
    let first = marks.iter().map(|mark| mark.place.line).min()?;
    let last = marks.iter().map(|mark| mark.place.line).max()?;
    if last - first > 2_000 || marks.iter().any(|mark| mark.span.file != file || mark.cut.changed) {
        return None;
    }
    let mut text = String::new();
    let mut annotations = Vec::new();
    for line in first..=last {
        annotations.extend(
            marks.iter().filter(|mark| mark.place.line == line).map(|mark| mark.annotation(text.len())),
        );
        // Lines between marks are shown when there are few of them, else folded away.
        if marks.iter().any(|mark| mark.place.line.abs_diff(line) <= 4) {
            let start = u32::try_from(sources.line(file, line)?.1).ok()?;
            let span = Span { file, start, end: start };
            text.push_str(&Cut::new(sources, span, sources.line_column(span)?)?.text);
        }
        text.push('\n');
    }
    let snippet = Snippet::source(text).line_start(first).path(outside(sources.path(file), 300));
    Some(snippet.annotations(annotations))
}

/// Each mark in a snippet of its own. It is a piece of a line, so the place in the file is told apart from it.
fn apart<'a>(mut group: Group<'a>, marks: &[Mark<'a>], sources: &Sources) -> Group<'a> {
    for mark in marks {
        let path = outside(sources.path(mark.span.file), 300);
        let origin = Origin::path(path).line(mark.place.line).char_column(mark.place.column);
        let snippet = Snippet::source(mark.cut.text.clone()).line_start(mark.place.line);
        group = group.element(origin).element(snippet.annotation(mark.annotation(0)));
    }
    group
}

/// One source line, made safe and short, with the marked part in it.
struct Cut {
    text: String,
    start: usize,
    end: usize,
    /// The text differs from the file's, so that its columns mean nothing.
    changed: bool,
}

impl Cut {
    /// The first line of the span; a span over several lines is marked to the end of the first.
    fn new(sources: &Sources, span: Span, place: Place) -> Option<Cut> {
        let (line, offset) = sources.line(span.file, place.line)?;
        let from = (span.start as usize).saturating_sub(offset);
        let to = (span.end as usize).saturating_sub(offset);
        let mut cut = Cut { text: String::new(), start: 0, end: 0, changed: false };
        // Long lines are shown from a little before the mark.
        let long = line.len() > WINDOW;
        let before = if long { line.char_indices().take_while(|(at, _)| *at < from).count() } else { 0 };
        let skip = before.saturating_sub(WINDOW / 4);
        if skip > 0 {
            cut.changed = true;
            cut.text.push('…');
        }
        let (mut begun, mut ended) = (false, false);
        for (number, (at, c)) in line.char_indices().skip(skip).enumerate() {
            if number >= WINDOW {
                cut.changed = true;
                cut.text.push('…');
                break;
            }
            if at >= from && !begun {
                (cut.start, begun) = (cut.text.len(), true);
            }
            if at >= to && !ended {
                (cut.end, ended) = (cut.text.len(), true);
            }
            match c {
                // The renderer makes blanks of tabs, and moves the mark with them.
                '\t' => cut.text.push(c),
                c if is_unsafe(c) => {
                    cut.changed = true;
                    cut.text.push_str(&outside(&c.to_string(), 20));
                }
                c => cut.text.push(c),
            }
        }
        if !begun {
            cut.start = cut.text.len();
        }
        if !ended {
            cut.end = cut.text.len();
        }
        cut.end = cut.end.max(cut.start);
        Some(cut)
    }
}

/// A line each, without the text that is marked: for what has to be known and is not what one is busy with. Escaped as in [`text`].
#[must_use]
pub fn lines(problems: &Problems, sources: &Sources) -> Vec<String> {
    let line = |problem: &Problem| {
        let place = problem.span.and_then(|span| Some((span, sources.line_column(span)?)));
        let place = place.map_or_else(String::new, |(span, place)| {
            format!(" {}:{}:{}", outside(sources.path(span.file), WORDS), place.line, place.column)
        });
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{word}[{}]{place}: {}", problem.code, outside(&problem.message, WORDS))
    };
    let mut lines: Vec<String> = problems.iter().map(line).collect();
    if problems.omitted() > 0 {
        lines.push(format!("and {} more", problems.omitted()));
    }
    lines
}

/// As a list for programs: `code`, `severity`, `message`, `file`, `line`, `column`, `end_line`, `end_column`, `help`, `explain`,
/// `related`. Lines and columns count from 1, columns in characters; they are null where there is no place.
#[must_use]
pub fn json(problems: &Problems, sources: &Sources) -> Value {
    Value::Array(problems.iter().map(|problem| json_one(problem, sources)).collect())
}

fn json_one(problem: &Problem, sources: &Sources) -> Value {
    let place = problem.span.and_then(|span| Some((span, sources.line_column(span)?)));
    let number = |pick: fn(&Place) -> usize| place.as_ref().map(|(_, place)| pick(place));
    let related: Vec<Value> = problem
        .related
        .iter()
        .filter_map(|(span, label)| {
            let place = sources.line_column(*span)?;
            Some(json!({ "file": sources.path(span.file), "line": place.line, "column": place.column, "label": label }))
        })
        .collect();
    json!({
        "code": problem.code.as_str(),
        "severity": problem.severity,
        "message": problem.message,
        "file": place.as_ref().map(|(span, _)| sources.path(span.file)),
        "line": number(|place| place.line),
        "column": number(|place| place.column),
        "end_line": number(|place| place.end_line),
        "end_column": number(|place| place.end_column),
        "help": problem.remedy(),
        "explain": format!("mrctl explain {}", problem.code),
        "related": related,
    })
}

#[cfg(test)]
mod tests;
