//! `${name}` in the text of scalars: after parsing, never re-parsed.

use super::tree::{Node, Style, Value};
use crate::error::escape::outside;
use crate::error::{Code, Problem, Problems, Span, suggest};

/// What a name in `${…}` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This text.
    Text(String),
    /// Known only while running.
    Later,
    /// May not be used here; `reason` is a lowercase fragment, `help` says what to do.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// There is no such name; these exist.
    Unknown {
        /// For a suggestion.
        candidates: Vec<String>,
    },
}

/// Where names are looked up.
pub trait Lookup {
    /// What `path` (such as `to` or `run.write_gap`) stands for.
    fn get(&self, path: &str) -> Found;

    /// Whether names known only while running may stand in the text. If so, the result is again a template, to be
    /// finished with [`interpolate_text`] when all is known: what is literal in it stays escaped.
    fn allows_later(&self) -> bool {
        false
    }
}

/// Replaces every `${…}` in all scalars of a tree, once: what comes in is never looked at again. Keys are literal.
pub fn interpolate(node: &Node, lookup: &dyn Lookup, problems: &mut Problems) -> Node {
    let value = match &node.value {
        Value::Scalar { text, style } => {
            match Place::of(node.span, text, *style).replace(text, lookup, problems) {
                // `"${n}"` has to be quoted inside `{ }`; what it stands for is a value like any other, and may be a number.
                Some(replaced) => {
                    Value::Scalar { text: replaced, style: if whole(text) { Style::Plain } else { *style } }
                }
                None => Value::Refused,
            }
        }
        Value::List(items) => {
            Value::List(items.iter().map(|item| interpolate(item, lookup, problems)).collect())
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| {
                if key.name.contains("${") {
                    let message = format!("the key `{}` contains `${{`", outside(&key.name, 60));
                    problems.push(Problem::error(Code::InterpolationInKey, message).at(key.span));
                }
                (key.clone(), interpolate(node, lookup, problems))
            });
            Value::Map(entries.collect())
        }
        Value::Refused => Value::Refused,
    };
    Node { span: node.span, value }
}

/// Whether a text is one `${…}` and nothing else.
fn whole(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains(['{', '}', '$']))
}

/// Replaces every `${…}` in one text that stands at `span`. `None` means that a problem was added.
pub fn interpolate_text(
    text: &str,
    span: Span,
    lookup: &dyn Lookup,
    problems: &mut Problems,
) -> Option<String> {
    // How it was written is not known here; the lengths tell most of it.
    let style = if span.range().len() == text.len() { Style::Plain } else { Style::Quoted };
    Place::of(span, text, style).replace(text, lookup, problems)
}

/// Where a text stands in its file.
struct Place {
    span: Span,
    /// Bytes before the text inside the span, if the text stands there as it was written.
    offset: Option<usize>,
}

impl Place {
    fn of(span: Span, text: &str, style: Style) -> Place {
        let offset = match style {
            Style::Plain if span.range().len() == text.len() => Some(0),
            // Quotes and nothing that is written otherwise inside.
            Style::Quoted if span.range().len() == text.len() + 2 => Some(1),
            Style::Plain | Style::Quoted | Style::Block => None,
        };
        Place { span, offset }
    }

    fn at(&self, from: usize, to: usize) -> Span {
        self.offset.map_or(self.span, |offset| self.span.part(offset + from, to - from))
    }

    fn replace(&self, text: &str, lookup: &dyn Lookup, problems: &mut Problems) -> Option<String> {
        // A result that is a template again must keep what is literal apart from what is still to come.
        let template = lookup.allows_later();
        let literal = if template { "$${" } else { "${" };
        let mut out = String::with_capacity(text.len());
        let mut fine = true;
        let mut position = 0;
        while let Some(found) = text[position..].find("${") {
            let start = position + found;
            if text[position..start].ends_with('$') {
                out.push_str(&text[position..start - 1]);
                out.push_str(literal);
                position = start + 2;
                continue;
            }
            out.push_str(&text[position..start]);
            let Some(length) = text[start..].find('}') else {
                let message = "`${` is not closed";
                problems
                    .push(Problem::error(Code::InterpolationUnclosed, message).at(self.at(start, start + 2)));
                return None;
            };
            let end = start + length + 1;
            position = end;
            match resolve(text[start + 2..end - 1].trim(), lookup) {
                Ok(Some(value)) if template => {
                    // `$` and what follows would become a name of their own.
                    if value.ends_with('$') && text[end..].starts_with(['{', '$']) {
                        fine = false;
                        let message = "the value ends with `$`, directly before what could be a name";
                        let problem = Problem::error(Code::InterpolationRefused, message);
                        problems.push(problem.help("put a blank behind it").at(self.at(start, end)));
                    }
                    out.push_str(&value.replace("${", "$${"));
                }
                Ok(Some(value)) => out.push_str(&value),
                Ok(None) => out.push_str(&text[start..end]),
                Err(problem) => {
                    fine = false;
                    problems.push(problem.at(self.at(start, end)));
                }
            }
        }
        out.push_str(&text[position..]);
        fine.then_some(out)
    }
}

/// The text of a name; nothing when it is kept for later.
fn resolve(name: &str, lookup: &dyn Lookup) -> Result<Option<String>, Problem> {
    let shown = outside(name, 60);
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > 128 || !name.chars().all(valid) {
        let message = match name {
            "" => "`${}` has no name".to_owned(),
            _ => format!("`{shown}` is no name for `${{}}`"),
        };
        return Err(Problem::error(Code::InterpolationName, message));
    }
    match lookup.get(name) {
        Found::Text(text) => Ok(Some(text)),
        Found::Later if lookup.allows_later() => Ok(None),
        Found::Later => Err(Problem::error(
            Code::InterpolationLater,
            format!("`${{{shown}}}` is known only while running"),
        )),
        Found::Refused { reason, help } => Err(Problem::error(Code::InterpolationRefused, reason).help(help)),
        Found::Unknown { candidates } => {
            let problem = Problem::error(Code::InterpolationUnknown, format!("`${{{shown}}}` is not known"));
            Err(match suggest::closest(name, candidates.iter().map(String::as_str)) {
                Some(close) => problem.help(format!("did you mean `${{{close}}}`?")),
                None => problem,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileId;
    use crate::language::tree::{Limits, parse};

    struct Names(bool);

    impl Lookup for Names {
        fn get(&self, path: &str) -> Found {
            match path {
                "to" => Found::Text("us-east".into()),
                "evil" => Found::Text("${to} \"quoted\": [1]".into()),
                "run.write_gap" => Found::Later,
                "free" => Found::Refused { reason: "it needs a pattern".into(), help: "add one".into() },
                _ => Found::Unknown { candidates: vec!["to".into(), "from".into()] },
            }
        }

        fn allows_later(&self) -> bool {
            self.0
        }
    }

    fn run(text: &str, later: bool) -> Result<String, String> {
        let mut problems = Problems::new();
        let span = Span::new(FileId(0), 100..100 + text.len());
        let out = interpolate_text(text, span, &Names(later), &mut problems);
        match problems.iter().next() {
            None => Ok(out.unwrap()),
            Some(problem) => {
                let help = problem.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
                Err(format!("{} {:?} {}{help}", problem.code, problem.span.unwrap().range(), problem.message))
            }
        }
    }

    #[test]
    fn names_are_replaced_and_never_parsed_again() {
        assert_eq!(run("to ${to}!", false).unwrap(), "to us-east!");
        assert_eq!(run("${ to }${to}", false).unwrap(), "us-eastus-east");
        assert_eq!(run("${evil}", false).unwrap(), "${to} \"quoted\": [1]");
        assert_eq!(run("cost $5, $${to}", false).unwrap(), "cost $5, ${to}");
    }

    #[test]
    fn what_is_known_later_stays_in_messages_only() {
        assert_eq!(run("gap ${run.write_gap} $${x}", true).unwrap(), "gap ${run.write_gap} $${x}");
        assert_eq!(
            run("gap ${run.write_gap}", false).unwrap_err(),
            "MR0204 104..120 `${run.write_gap}` is known only while running"
        );
    }

    #[test]
    fn what_is_wrong_is_shown_at_its_place() {
        let table = [
            ("ab ${tp}", "MR0203 103..108 `${tp}` is not known (did you mean `${to}`?)"),
            ("${", "MR0201 100..102 `${` is not closed"),
            ("${}", "MR0202 100..103 `${}` has no name"),
            ("${a b}", "MR0202 100..106 `a b` is no name for `${}`"),
            ("${free}", "MR0206 100..107 it needs a pattern (add one)"),
        ];
        for (text, expected) in table {
            assert_eq!(run(text, false).unwrap_err(), expected, "{text}");
        }
    }

    /// A tree of one text, interpolated: its result, or its problems with what they mark.
    fn tree(text: &str) -> String {
        let (node, mut problems) = parse(FileId(0), text, Limits::default());
        let node = interpolate(&node.unwrap(), &Names(false), &mut problems);
        let marked: Vec<String> = problems
            .iter()
            .map(|problem| format!("{} at `{}`", problem.message, &text[problem.span.unwrap().range()]))
            .collect();
        if marked.is_empty() { format!("{:?}", node.get("a").unwrap().value) } else { marked.join("; ") }
    }

    #[test]
    fn places_are_exact_where_the_text_stands_as_written() {
        insta::assert_snapshot!(tree("a: grüße ${tp}\n"), @"`${tp}` is not known at `${tp}`");
        insta::assert_snapshot!(tree("a: 'x ${tp} ${'\n"), @"`${tp}` is not known at `${tp}`; `${` is not closed at `${`");
        insta::assert_snapshot!(tree("a: \"x\\t${tp}\"\n"), @r#"`${tp}` is not known at `"x\t${tp}"`"#);
        insta::assert_snapshot!(tree("a: |\n  x ${tp}\n"), @r#"
        `${tp}` is not known at `x ${tp}
        `
        "#);
        insta::assert_snapshot!(tree("a: {b: [\"${tp}\", '${}']}\n${to}: 1\n"), @"`${tp}` is not known at `${tp}`; `${}` has no name at `${}`; the key `${to}` contains `${` at `${to}`");
    }

    #[test]
    fn one_name_alone_is_a_value_and_other_quoted_text_stays_text() {
        insta::assert_snapshot!(tree("a: ${to}\n"), @r#"Scalar { text: "us-east", style: Plain }"#);
        insta::assert_snapshot!(tree("a: \"${to}\"\n"), @r#"Scalar { text: "us-east", style: Plain }"#);
        insta::assert_snapshot!(tree("a: \"${to} \"\n"), @r#"Scalar { text: "us-east ", style: Quoted }"#);
        insta::assert_snapshot!(tree("a: '$${to}'\n"), @r#"Scalar { text: "${to}", style: Quoted }"#);
        insta::assert_snapshot!(tree("a: \"${evil}\"\n"), @r#"Scalar { text: "${to} \"quoted\": [1]", style: Plain }"#);
    }

    #[test]
    fn what_came_in_first_is_not_replaced_when_the_template_is_finished() {
        let first = run("${evil} $${to} ${run.write_gap}", true).unwrap();
        assert_eq!(first, "$${to} \"quoted\": [1] $${to} ${run.write_gap}");
        assert_eq!(
            run(&first.replace("run.write_gap", "to"), false).unwrap(),
            "${to} \"quoted\": [1] ${to} us-east"
        );
    }

    #[test]
    fn naughty_texts_are_replaced_or_refused() {
        for text in crate::language::naughty::TEXTS {
            for text in [(*text).to_owned(), format!("${{{text}}}"), format!("{text}${{to}}{text}")] {
                for later in [false, true] {
                    drop(run(&text, later));
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_replaced_or_refused(text in "([${}]|\\$\\{|to|run.write_gap|evil| |é){0,30}", later: bool) {
            if let Ok(out) = run(&text, later) && !text.contains("${") {
                proptest::prop_assert_eq!(out, text);
            }
        }
    }
}
