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

pub use evaluate::{Evaluated, Values};

use crate::error::escape::outside;
use crate::error::{Code, Problem, Span, suggest};
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
        match unit_of(&self.root, environment, span, &self.text)? {
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

fn unit_of(expr: &Expr, environment: &dyn Environment, span: Span, text: &str) -> Result<Unit, Problem> {
    let unit = |expr: &Expr| unit_of(expr, environment, span, text);
    let unknown = |name: &str, at: usize| {
        let problem =
            Problem::error(Code::ConditionName, format!("`{}` is not known here", outside(name, 60)));
        let names = environment.names();
        let problem = match suggest::closest(name, names.iter().map(String::as_str)) {
            Some(close) => problem.help(format!("did you mean `{close}`?")),
            None => problem,
        };
        problem.at(place(span, text, at, name.len()))
    };
    let boolean = |expr: &Expr, word: &str| match unit(expr)? {
        Unit::Boolean => Ok(Unit::Boolean),
        other => {
            let message = format!("`{word}` needs true or false, not {other}");
            let problem = Problem::error(Code::ConditionTypes, message).at(span);
            Err(compare_help(problem, expr, environment))
        }
    };
    match expr {
        Expr::Quantity { unit, .. } => Ok(*unit),
        Expr::Boolean(_) => Ok(Unit::Boolean),
        Expr::Text(_) => Ok(Unit::Text),
        Expr::Name { name, at } => environment.name(name).ok_or_else(|| unknown(name, *at)),
        Expr::Call { call, at } => {
            let (unit, most) = environment.signal(&call.name).ok_or_else(|| unknown(&call.name, *at))?;
            if call.arguments.len() > most {
                let why = format!("`{}` takes at most {most} arguments", call.name);
                return Err(Problem::error(Code::ConditionArguments, why).at(place(
                    span,
                    text,
                    *at,
                    call.name.len(),
                )));
            }
            Ok(unit)
        }
        Expr::Not(inner) => boolean(inner, "not"),
        Expr::And(left, right) => boolean(left, "and").and_then(|_| boolean(right, "and")),
        Expr::Or(left, right) => boolean(left, "or").and_then(|_| boolean(right, "or")),
        Expr::Binary { operator, left, right, at } => {
            // Each side once: twice on every level would take for ever on a long sum.
            let (a, b) = (unit(left), unit(right));
            let known = (a.as_ref().ok().copied(), b.as_ref().ok().copied());
            let (a, b) = (bare_word(a, left, known.1)?, bare_word(b, right, known.0)?);
            let mixed = |what: &str| {
                let problem = Problem::error(Code::ConditionTypes, format!("{what} {a} and {b}"));
                let problem = problem.at(place(span, text, *at, sign_length(*operator)));
                Err(match units_help(a, b) {
                    Some(help) => problem.help(help),
                    None if a == Unit::Text => compare_help(problem, left, environment),
                    None if b == Unit::Text => compare_help(problem, right, environment),
                    None => problem,
                })
            };
            if let Some((problem, at)) = never(left, right, environment) {
                return Err(problem.at(place(span, text, at, 1)));
            }
            match operator {
                Operator::Equal | Operator::NotEqual if a == b => Ok(Unit::Boolean),
                Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast
                    if a == b && !matches!(a, Unit::Boolean | Unit::Text) =>
                {
                    Ok(Unit::Boolean)
                }
                Operator::Equal
                | Operator::NotEqual
                | Operator::Less
                | Operator::AtMost
                | Operator::Greater
                | Operator::AtLeast => mixed("cannot compare"),
                Operator::Plus | Operator::Minus if a == b && !matches!(a, Unit::Boolean | Unit::Text) => {
                    Ok(a)
                }
                Operator::Times | Operator::Over if matches!(a, Unit::Boolean | Unit::Text) => {
                    mixed("cannot calculate with")
                }
                Operator::Times | Operator::Over if b == Unit::Number => Ok(a),
                Operator::Times if a == Unit::Number && !matches!(b, Unit::Boolean | Unit::Text) => Ok(b),
                Operator::Times if b == Unit::Ratio || a == Unit::Ratio => {
                    Ok(if a == Unit::Ratio { b } else { a })
                }
                Operator::Over if a == b => Ok(Unit::Number),
                Operator::Plus | Operator::Minus | Operator::Times | Operator::Over => {
                    mixed("cannot calculate with")
                }
            }
        }
    }
}

/// A word that is compared with a text was meant as a text.
fn bare_word(unit: Result<Unit, Problem>, expr: &Expr, other: Option<Unit>) -> Result<Unit, Problem> {
    unit.map_err(|problem| match (expr, other) {
        (Expr::Name { name, .. }, Some(Unit::Text)) if problem.help.is_none() => {
            problem.help(format!("for a text write `'{}'`", outside(name, 60)))
        }
        _ => problem,
    })
}

fn sign_length(operator: Operator) -> usize {
    match operator {
        Operator::Equal | Operator::NotEqual | Operator::AtMost | Operator::AtLeast => 2,
        Operator::Less
        | Operator::Greater
        | Operator::Plus
        | Operator::Minus
        | Operator::Times
        | Operator::Over => 1,
    }
}

/// How two units that do not go together are brought together.
fn units_help(a: Unit, b: Unit) -> Option<&'static str> {
    match (a, b) {
        (Unit::Number, Unit::Ratio) | (Unit::Ratio, Unit::Number) => Some(
            "write the number in percent, such as `2%`; a signal that counts parts of a whole declares `unit: ratio`",
        ),
        (Unit::Number, Unit::Seconds) | (Unit::Seconds, Unit::Number) => {
            Some("give the number a unit, such as `30s`")
        }
        (Unit::Number, Unit::Bytes) | (Unit::Bytes, Unit::Number) => {
            Some("give the number a unit, such as `64MiB`")
        }
        _ => None,
    }
}

/// How a name that stands for a text becomes true or false.
fn compare_help(problem: Problem, expr: &Expr, environment: &dyn Environment) -> Problem {
    let Expr::Name { name, .. } = expr else { return problem };
    match environment.choices(name).first() {
        Some(usual) => problem.help(format!(
            "compare it with a text: `{} == '{}'`",
            outside(name, 60),
            outside(usual, 60)
        )),
        None => problem,
    }
}

/// A name is compared with a text that it can never be: such a condition would be false for ever, silently.
fn never(left: &Expr, right: &Expr, environment: &dyn Environment) -> Option<(Problem, usize)> {
    let (name, at, text) = match (left, right) {
        (Expr::Name { name, at }, Expr::Text(text)) | (Expr::Text(text), Expr::Name { name, at }) => {
            (name, *at, text)
        }
        _ => return None,
    };
    let choices = environment.choices(name);
    if choices.is_empty() || choices.contains(text) {
        return None;
    }
    let message = format!("`{}` is never `{}`", outside(name, 60), outside(text, 60));
    let problem = Problem::error(Code::UnknownChoice, message);
    let problem = match suggest::closest(text, choices.iter().map(String::as_str)) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => {
            let all: Vec<_> = choices.iter().map(|choice| format!("`{}`", outside(choice, 60))).collect();
            problem.help(format!("it is {}", all.join(" or ")))
        }
    };
    Some((problem, at))
}

#[cfg(test)]
mod tests;
