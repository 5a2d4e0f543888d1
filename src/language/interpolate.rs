//! `${name}` in the text of scalars: after parsing, never re-parsed.

use super::tree::{Node, Style, Value};
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

/// Replaces every `${…}` in all scalars of a tree. Keys are not touched.
pub fn interpolate(node: &Node, lookup: &dyn Lookup, problems: &mut Problems) -> Node {
    let value = match &node.value {
        Value::Scalar { text, style } => {
            // In a plain scalar on one line the text stands as it was written, and places inside it are exact.
            let exact = *style == Style::Plain && node.span.range().len() == text.len();
            match replace(text, node.span, exact, lookup, problems) {
                // `"${n}"` has to be quoted inside `{ }`; what it stands for is a value like any other, and may be a number.
                Some(replaced) => {
                    let style = if whole(text) { Style::Plain } else { *style };
                    Value::Scalar { text: replaced, style }
                }
                None => Value::Refused,
            }
        }
        Value::List(items) => {
            Value::List(items.iter().map(|item| interpolate(item, lookup, problems)).collect())
        }
        Value::Map(entries) => {
            let entries =
                entries.iter().map(|(key, node)| (key.clone(), interpolate(node, lookup, problems)));
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

/// Replaces every `${…}` in one text that stands at `span`.
pub fn interpolate_text(
    text: &str,
    span: Span,
    lookup: &dyn Lookup,
    problems: &mut Problems,
) -> Option<String> {
    replace(text, span, span.range().len() == text.len(), lookup, problems)
}

fn replace(
    text: &str,
    span: Span,
    exact: bool,
    lookup: &dyn Lookup,
    problems: &mut Problems,
) -> Option<String> {
    if !text.contains("${") {
        return Some(text.to_string());
    }
    let at = |from: usize, to: usize| if exact { span.part(from, to - from) } else { span };
    let escape = if lookup.allows_later() { "$${" } else { "${" };
    let mut out = String::with_capacity(text.len());
    let mut fine = true;
    let mut position = 0;
    while let Some(found) = text[position..].find("${") {
        let start = position + found;
        if start > position && text[..start].ends_with('$') {
            out.push_str(&text[position..start - 1]);
            out.push_str(escape);
            position = start + 2;
            continue;
        }
        out.push_str(&text[position..start]);
        let Some(length) = text[start..].find('}') else {
            problems.push(
                Problem::error(Code::InterpolationUnclosed, "`${` is not closed").at(at(start, start + 2)),
            );
            return None;
        };
        let end = start + length + 1;
        let name = text[start + 2..end - 1].trim();
        position = end;
        match resolve(name, lookup) {
            Ok(Some(value)) => out.push_str(&value),
            Ok(None) => out.push_str(&text[start..end]),
            Err(problem) => {
                fine = false;
                problems.push(problem.at(at(start, end)));
            }
        }
    }
    out.push_str(&text[position..]);
    fine.then_some(out)
}

/// The text of a name; nothing when it is kept for later.
fn resolve(name: &str, lookup: &dyn Lookup) -> Result<Option<String>, Problem> {
    let shown = crate::error::escape::outside(name, 60);
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > 128 || !name.chars().all(valid) {
        return Err(Problem::error(Code::InterpolationName, format!("`{shown}` is no name for `${{}}`")));
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
            ("${}", "MR0202 100..103 `` is no name for `${}`"),
            ("${a b}", "MR0202 100..106 `a b` is no name for `${}`"),
            ("${free}", "MR0206 100..107 it needs a pattern (add one)"),
        ];
        for (text, expected) in table {
            assert_eq!(run(text, false).unwrap_err(), expected, "{text}");
        }
    }
}
