//! One thing that is wrong, and the collection of all of them.

use super::code::Code;
use super::source::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing runs until this is mended.
    Error,
    /// It runs, and it is probably not what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// Its kind, with a page that explains it.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: a lowercase fragment. May contain outside text; it is escaped where it is shown.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// A few words shown under the place.
    pub label: Option<Box<str>>,
    /// What mends it; the code's remedy when absent.
    pub help: Option<String>,
    /// Other places that matter, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What else is wrong in the same text; told as problems of their own.
    pub also: Option<Box<Also>>,
}

/// Further problems of the same text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Also(Vec<Problem>);

impl Problem {
    /// An error without a place.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem {
            code,
            severity: Severity::Error,
            message,
            span: None,
            label: None,
            help: None,
            related: Vec::new(),
            also: None,
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(code, message) }
    }

    /// Gives it a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Problem {
        self.span = Some(span);
        self
    }

    /// Gives it a few words under the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = Some(label.into().into_boxed_str());
        self
    }

    /// Says what mends it, better than the code's remedy can.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Problem {
        self.related.push((span, label.into()));
        self
    }

    /// Both together; [`Problems::push`] takes them apart again.
    #[must_use]
    pub fn and(mut self, mut other: Problem) -> Problem {
        let more = other.also.take().map(|also| also.0).unwrap_or_default();
        let also = self.also.get_or_insert_default();
        also.0.extend(std::iter::once(other).chain(more));
        also.0.truncate(Problems::LIMIT);
        self
    }

    /// The help to show: its own, else the code's remedy.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.help.as_deref().unwrap_or(self.code.remedy())
    }

    /// Order of showing: by file and place (those without a place first), errors before warnings.
    fn key(&self) -> (Option<(u32, u32, u32)>, Severity, Code, &str) {
        (self.span.map(|span| (span.file.0, span.start, span.end)), self.severity, self.code, &self.message)
    }
}

/// All problems found: bounded, without repetition, in order of place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    /// Always in order.
    list: Vec<Problem>,
    omitted: usize,
    errors: usize,
}

impl Problems {
    /// How many are kept; more are only counted.
    pub const LIMIT: usize = 200;

    /// None yet.
    #[must_use]
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds one, unless an equal one is there or [`Problems::LIMIT`] is reached (then it is counted).
    pub fn push(&mut self, mut problem: Problem) {
        for also in problem.also.take().map(|also| also.0).unwrap_or_default() {
            self.push(also);
        }
        if self.list.contains(&problem) {
            return;
        }
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        if self.list.len() >= Self::LIMIT {
            self.omitted += 1;
            return;
        }
        let at = self.list.partition_point(|other| other.key() <= problem.key());
        self.list.insert(at, problem);
    }

    /// Takes over all of another collection.
    pub fn append(&mut self, other: Problems) {
        let Problems { list, omitted, errors } = other;
        let kept = list.iter().filter(|problem| problem.severity == Severity::Error).count();
        for problem in list {
            self.push(problem);
        }
        self.omitted += omitted;
        self.errors += errors.saturating_sub(kept);
    }

    /// Those kept, in order of place.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were found but not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// How many errors were found, kept or not.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// At least one is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        for problem in problems {
            self.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileId;

    fn at(start: usize) -> Problem {
        Problem::error(Code::UnknownKey, "unknown key").at(Span::new(FileId(0), start..start + 1))
    }

    #[test]
    fn problems_are_sorted_and_equal_ones_are_kept_once() {
        let mut problems = Problems::new();
        problems.extend([at(5), at(1), at(5), Problem::warning(Code::Tab, "no place")]);
        let starts: Vec<_> = problems.iter().map(|problem| problem.span.map(|span| span.start)).collect();
        assert_eq!(starts, [None, Some(1), Some(5)]);
        assert_eq!(problems.errors(), 2);
    }

    #[test]
    fn more_than_the_limit_are_counted_and_an_error_is_never_forgotten() {
        let mut problems = Problems::new();
        for start in 0..Problems::LIMIT {
            problems.push(Problem { severity: Severity::Warning, ..at(start) });
        }
        assert!(!problems.has_errors());
        problems.push(at(9999));
        assert!(problems.has_errors());
        assert_eq!((problems.len(), problems.omitted()), (Problems::LIMIT, 1));
        let mut all = Problems::new();
        all.append(problems);
        assert!(all.has_errors());
        assert_eq!((all.len(), all.omitted()), (Problems::LIMIT, 1));
    }
}
