//! Problems as text and as JSON.

use super::escape;
use super::problem::{Problem, Problems, Severity};
use super::source::{FileId, Sources, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Longest line that is shown around a problem, in bytes; a longer one is cut around the place.
const LINE: usize = 400;

/// As text for a terminal of `width` columns.
#[must_use]
pub fn text(problems: &Problems, sources: &Sources, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width.max(40));
    let mut out = String::new();
    for problem in problems.iter() {
        out.push_str(&renderer.render(&[group(problem, sources)]));
        out.push_str("\n\n");
    }
    if problems.omitted() > 0 {
        out.push_str(&format!("and {} more\n", problems.omitted()));
    }
    out
}

/// A window of the text around a span: its lines, cut where they are very long. Gives the text made safe, the number of its
/// first line, and the span inside it.
fn window(sources: &Sources, span: Span) -> Option<(String, usize, std::ops::Range<usize>)> {
    let place = sources.line_column(span)?;
    let (line, start) = sources.line(span.file, place.line)?;
    let from = span.range().start.saturating_sub(start).min(line.len());
    let to = span.range().end.saturating_sub(start).clamp(from, line.len());
    let cut = |at: usize| (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let (first, last) = if line.len() > LINE {
        (cut(from.saturating_sub(LINE / 2)), cut(from + LINE / 2))
    } else {
        (0, line.len())
    };
    let (from, to) = (cut(from), cut(to.min(last)).max(cut(from)));
    // The caret must stand under the same character after escaping: each part is made safe by itself.
    let safe = |text: &str| escape::outside(text, usize::MAX);
    let (before, inside, after) =
        (safe(&line[first..from]), safe(&line[from..to]), safe(&line[to..last.max(to)]));
    let range = before.len()..before.len() + inside.len();
    Some((format!("{before}{inside}{after}"), place.line, range))
}

fn group<'a>(problem: &'a Problem, sources: &'a Sources) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(
        level.primary_title(escape::outside(&problem.message, 2_000)).id(problem.code.to_string()),
    );
    let primary =
        problem.span.map(|span| (span, problem.label.clone().unwrap_or_default(), AnnotationKind::Primary));
    let related = problem.related.iter().map(|(span, label)| (*span, label.clone(), AnnotationKind::Context));
    for (span, label, kind) in primary.into_iter().chain(related) {
        if let Some((text, line, range)) = window(sources, span) {
            let annotation = if label.is_empty() { kind.span(range) } else { kind.span(range).label(label) };
            let path = escape::outside(sources.path(span.file), 300);
            group = group.element(Snippet::source(text).line_start(line).path(path).annotation(annotation));
        }
    }
    group.element(Level::HELP.message(escape::outside(problem.remedy(), 2_000)))
}

/// As a list for programs: 1-based lines and columns in characters.
#[must_use]
pub fn json(problems: &Problems, sources: &Sources) -> serde_json::Value {
    let items = problems.iter().map(|problem| {
        let place = problem.span.and_then(|span| Some((span.file, sources.line_column(span)?)));
        let at = |pick: fn(&super::source::Place) -> usize| place.as_ref().map(|(_, place)| pick(place));
        serde_json::json!({
            "code": problem.code.to_string(),
            "severity": match problem.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "message": problem.message,
            "file": place.as_ref().map(|(file, _): &(FileId, _)| sources.path(*file)),
            "line": at(|p| p.line),
            "column": at(|p| p.column),
            "end_line": at(|p| p.end_line),
            "end_column": at(|p| p.end_column),
            "help": problem.remedy(),
            "explain": format!("mrctl explain {}", problem.code),
        })
    });
    serde_json::Value::Array(items.collect())
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;

    fn example() -> (Problems, Sources) {
        let mut sources = Sources::new();
        let file =
            sources.add("orders.yaml", "mrctl: 1\nsteps:\n  - id: freeze\n    postgres.freze: orders\n");
        let mut problems = Problems::new();
        problems.push(
            Problem::error(Code::UnknownKey, "there is no kind `postgres.freze`")
                .at(Span::new(file, 35..49))
                .help("did you mean `postgres.freeze`?"),
        );
        (problems, sources)
    }

    #[test]
    fn a_problem_is_shown_with_its_line_and_remedy() {
        let (problems, sources) = example();
        insta::assert_snapshot!(text(&problems, &sources, false, 80), @r"
        error[MR0101]: there is no kind `postgres.freze`
         --> orders.yaml:4:5
          |
        4 |     postgres.freze: orders
          |     ^^^^^^^^^^^^^^
          |
          = help: did you mean `postgres.freeze`?
        ");
    }

    #[test]
    fn programs_get_places_in_characters() {
        let (problems, sources) = example();
        let json = json(&problems, &sources);
        assert_eq!(json[0]["line"], 4);
        assert_eq!(json[0]["column"], 5);
        assert_eq!(json[0]["end_column"], 19);
        assert_eq!(json[0]["explain"], "mrctl explain MR0101");
    }

    #[test]
    fn hostile_lines_are_cut_and_made_safe() {
        let mut sources = Sources::new();
        let text_of = format!("a: {}\u{1b}]52;c;x\u{7}{}", "x".repeat(100_000), "y".repeat(100_000));
        let file = sources.add("evil\u{202e}.yaml", &text_of);
        let mut problems = Problems::new();
        let at = text_of.find('\u{1b}').unwrap();
        problems
            .push(Problem::error(Code::ControlCharacter, "found \u{1b}[31m").at(Span::new(file, at..at + 1)));
        let shown = text(&problems, &sources, false, 80);
        assert!(shown.len() < 5_000, "{}", shown.len());
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
    }
}
