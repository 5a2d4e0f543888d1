//! Conditions: a small language of our own, with units, types and three truth values.
//!
//! ```text
//! or      = and { "or" and }            and   = not { "and" not }        not = "not" not | compare
//! compare = sum [ ("=="|"!="|"<="|"<"|">="|">") sum ]
//! sum     = term { ("+"|"-") term }     term  = factor { ("*"|"/") factor }
//! factor  = quantity | "true" | "false" | "'" text "'" | name [ "(" [ name { "," name } ] ")" ]
//!         | "at_start" "(" name "(" … ")" ")" | "(" or ")"
//! ```

mod evaluate;
mod grammar;
mod typing;

pub use evaluate::{Evaluated, Values};
use typing::{compare_help, unit_of};

use crate::error::escape::outside;
use crate::error::{Code, Problem, Span};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// True or false.
    Boolean,
    /// A plain number.
    Number,
    /// A share of a whole; `2%` is 0.02.
    Ratio,
    /// Time, in seconds.
    Seconds,
    /// Data, in bytes.
    Bytes,
    /// Text.
    Text,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Ratio => "a percentage",
            Self::Seconds => "a time",
            Self::Bytes => "an amount of data",
            Self::Text => "a text",
        })
    }
}

/// A call of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The signal.
    pub name: String,
    /// Its arguments, names such as `to`.
    pub arguments: Vec<String>,
    /// Whether the value from the start of the run is meant.
    pub at_start: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = format!("{}({})", self.name, self.arguments.join(", "));
        if self.at_start { write!(f, "at_start({inner})") } else { f.write_str(&inner) }
    }
}

/// What names mean, for the check before the run.
pub trait Environment {
    /// Unit of a signal, and how many arguments it takes at most.
    fn signal(&self, name: &str) -> Option<(Unit, usize)>;
    /// Unit of a bare name that is known when the plan is made.
    fn name(&self, name: &str) -> Option<Unit>;
    /// All names of both sorts, for suggestions.
    fn names(&self) -> Vec<String>;
    /// What a bare name's text can be, the usual one first; empty if that is not known.
    fn choices(&self, name: &str) -> Vec<String> {
        let _ = name;
        Vec::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Plus,
    Minus,
    Times,
    Over,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Quantity { value: f64, unit: Unit, text: String },
    Boolean(bool),
    Text(String),
    Name { name: String, at: usize },
    Call { call: Call, at: usize },
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary { operator: Operator, left: Box<Expr>, right: Box<Expr>, at: usize },
}

/// Longest condition, in bytes.
const LENGTH: usize = 2_000;
/// Deepest nesting of parentheses and `not`.
const DEPTH: usize = 40;

/// A condition that was read. Compares, hashes and is stored as its text.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Expr,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl std::hash::Hash for Expression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Span::default()).map_err(|problem| serde::de::Error::custom(problem.message))
    }
}

/// The part of a span at an offset of the condition's text, where the two agree in length.
fn place(span: Span, text: &str, at: usize, length: usize) -> Span {
    // A plain scalar stands as it is; a quoted one may have its quotes around it and nothing else.
    match span.range().len().checked_sub(text.len()) {
        Some(0) => span.part(at.min(text.len()), length),
        Some(2) => span.part(at.min(text.len()) + 1, length),
        _ => span,
    }
}

/// Reads a condition; a problem is added when it cannot be read.
pub fn parse(text: &str, span: Span, problems: &mut crate::error::Problems) -> Option<Expression> {
    Expression::parse(text, span).map_err(|problem| problems.push(problem)).ok()
}

impl Expression {
    /// Reads a condition that stands at `span`.
    pub fn parse(text: &str, span: Span) -> Result<Self, Problem> {
        // Counted before anything recurses over it.
        let nots = text.split_whitespace().filter(|word| *word == "not").count();
        let mut depth = 0_usize;
        let mut deepest = 0;
        for character in text.chars() {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        if text.len() > LENGTH || deepest > DEPTH || nots > DEPTH {
            return Err(
                Problem::error(Code::ConditionTooLarge, "the condition is too long or too deep").at(span)
            );
        }
        match grammar::parse(text) {
            Ok(root) => Ok(Self { text: text.trim().to_string(), root }),
            Err((at, expected)) => Err(unreadable(text, at, &expected, span)),
        }
    }

    /// Checks names and units; the whole must be true or false.
    pub fn check(&self, environment: &dyn Environment, span: Span) -> Result<(), Problem> {
        match unit_of(&self.root, environment, span, &self.text).map_err(|problem| *problem)? {
            Unit::Boolean => Ok(()),
            other => {
                let message = format!("the condition is {other}, not true or false");
                let problem = Problem::error(Code::ConditionNotBoolean, message).at(span);
                Err(compare_help(problem, &self.root, environment))
            }
        }
    }

    /// The signals that an evaluation needs.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        collect(&self.root, &mut calls);
        calls.sort();
        calls.dedup();
        calls
    }
}

/// What was found where something else was expected, with a hint for what other languages write.
fn unreadable(text: &str, at: usize, expected: &str, span: Span) -> Problem {
    let rest = text.get(at..).unwrap_or_default();
    // The parser may stop before the blanks that lead to what it does not understand.
    let at = at + (rest.len() - rest.trim_start().len());
    let rest = rest.trim();
    let symbol = |c: char| "=<>!&|+-*/%~^".contains(c);
    let first = rest.chars().next().unwrap_or_default();
    let word: String = rest
        .chars()
        .take_while(|c| if symbol(first) { symbol(*c) } else { c.is_alphanumeric() || "_.%".contains(*c) })
        .collect();
    let word = if word.is_empty() { rest.chars().take(1).collect() } else { word };
    let found = match word.as_str() {
        "" => "the condition ends here".to_string(),
        word => format!("found `{}`", outside(word, 20)),
    };
    let problem = Problem::error(Code::ConditionSyntax, format!("expected {expected}, {found}")).at(place(
        span,
        text,
        at,
        word.len().max(1),
    ));
    match word.as_str() {
        "=" | "===" => problem.help("write `==` to compare"),
        "&&" | "&" => problem.help("write `and`"),
        "||" | "|" => problem.help("write `or`"),
        "!" | "!!" => problem.help("write `not`"),
        "<>" | "~=" | "=!" => problem.help("write `!=`"),
        "=<" | "=>" => problem.help("write `<=` or `>=`"),
        "<" | ">" | "<=" | ">=" | "==" | "!=" if expected.starts_with("`and`") => {
            problem.help("join two comparisons with `and`")
        }
        _ => problem,
    }
}

fn collect(expr: &Expr, calls: &mut Vec<Call>) {
    match expr {
        Expr::Call { call, .. } => calls.push(call.clone()),
        Expr::Not(inner) => collect(inner, calls),
        Expr::And(left, right) | Expr::Or(left, right) | Expr::Binary { left, right, .. } => {
            collect(left, calls);
            collect(right, calls);
        }
        Expr::Quantity { .. } | Expr::Boolean(_) | Expr::Text(_) | Expr::Name { .. } => {}
    }
}

#[cfg(test)]
mod tests;
