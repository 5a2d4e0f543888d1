//! Evaluation with three truth values: unknown propagates and never passes.

use super::{Call, Expr, Expression, Operator, Unit, grammar};
use crate::error::escape::outside;

/// Where values come from.
pub trait Values {
    /// A signal's value in its unit, or why it is unknown.
    fn call(&self, call: &Call) -> Result<f64, String>;
    /// A signal's unit, to show it.
    fn unit(&self, name: &str) -> Unit;
    /// A bare name's text.
    fn name(&self, name: &str) -> Option<String>;
    /// How a call is shown, with its arguments decided.
    fn shown(&self, call: &Call) -> String;
}

/// What an evaluation gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// True, false, or nothing: cannot be told.
    pub truth: Option<bool>,
    /// The condition with its numbers.
    pub evidence: String,
    /// Each signal and name that was read, in the order of the text: how it is shown, and its value or why it is unknown.
    pub leaves: Vec<(String, Result<String, String>)>,
}

#[derive(Clone, Debug)]
enum Value {
    Truth(Option<bool>),
    Number(f64),
    Text(String),
    /// A bare name's text: it is what the other side is.
    Raw(String),
    Unknown,
}

/// A value with its evidence.
struct Shown(Value, String);

impl Expression {
    /// Evaluates. Pure: all values come from `values`.
    pub fn evaluate(&self, values: &dyn Values) -> Evaluated {
        let mut leaves = Vec::new();
        let Shown(value, evidence) = evaluate(&self.root, values, &mut leaves);
        Evaluated { truth: truth(&value), evidence, leaves }
    }
}

/// A number for people.
fn number(value: f64, unit: Unit) -> String {
    let short = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    match unit {
        Unit::Ratio => format!("{}%", short(value * 100.0)),
        Unit::Seconds if value.abs() < 1.0 => format!("{}ms", short(value * 1000.0)),
        Unit::Seconds => format!("{}s", short(value)),
        Unit::Bytes => format!("{value:.0} bytes"),
        Unit::Number | Unit::Boolean | Unit::Text => short(value),
    }
}

type Leaves = Vec<(String, Result<String, String>)>;

fn evaluate(expr: &Expr, values: &dyn Values, leaves: &mut Leaves) -> Shown {
    match expr {
        Expr::Quantity { value, text, .. } => Shown(Value::Number(*value), text.clone()),
        Expr::Boolean(truth) => Shown(Value::Truth(Some(*truth)), truth.to_string()),
        Expr::Text(text) => Shown(Value::Text(text.clone()), format!("'{}'", outside(text, 80))),
        Expr::Name { name, .. } => {
            let read = values.name(name).map(|text| (Value::Raw(text.clone()), outside(&text, 80)));
            leaf(name.clone(), read.ok_or_else(|| "it has no value".to_string()), leaves)
        }
        Expr::Call { call, .. } => {
            let read = values.call(call).and_then(|value| match value.is_finite() {
                true => Ok((Value::Number(value), number(value, values.unit(&call.name)))),
                false => Err(format!("it is {value}")),
            });
            leaf(values.shown(call), read, leaves)
        }
        Expr::Not(inner) => {
            let Shown(value, evidence) = evaluate(inner, values, leaves);
            Shown(Value::Truth(truth(&value).map(|truth| !truth)), format!("not ({evidence})"))
        }
        Expr::And(left, right) => {
            let (Shown(a, left), Shown(b, right)) =
                (evaluate(left, values, leaves), evaluate(right, values, leaves));
            let both = match (truth(&a), truth(&b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            Shown(Value::Truth(both), format!("{left} and {right}"))
        }
        Expr::Or(left, right) => {
            let (Shown(a, left), Shown(b, right)) =
                (evaluate(left, values, leaves), evaluate(right, values, leaves));
            let either = match (truth(&a), truth(&b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            Shown(Value::Truth(either), format!("{left} or {right}"))
        }
        Expr::Binary { operator, left, right, .. } => {
            let (Shown(a, left), Shown(b, right)) =
                (evaluate(left, values, leaves), evaluate(right, values, leaves));
            binary(*operator, &a, &b, &left, &right)
        }
    }
}

/// A signal or name with its value, or why there is none. What comes from outside is made safe to show.
fn leaf(shown: String, read: Result<(Value, String), String>, leaves: &mut Leaves) -> Shown {
    let shown = outside(&shown, 120);
    match read {
        Ok((value, text)) => {
            let evidence = format!("{shown} = {text}");
            leaves.push((shown, Ok(text)));
            Shown(value, evidence)
        }
        Err(why) => {
            let why = outside(&why, 120);
            let evidence = format!("{shown} (unknown: {why})");
            leaves.push((shown, Err(why)));
            Shown(Value::Unknown, evidence)
        }
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Truth(truth) => *truth,
        Value::Raw(text) => match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        Value::Number(_) | Value::Text(_) | Value::Unknown => None,
    }
}

/// Reads a bare name's text as what the other side is; units were checked before the run.
fn settle(value: &Value, other: &Value, calculates: bool) -> Value {
    let Value::Raw(text) = value else { return value.clone() };
    let number = || match text.strip_prefix('-') {
        Some(rest) => grammar::number(rest).map(|(number, _)| -number),
        None => grammar::number(text).map(|(number, _)| number),
    };
    match other {
        Value::Number(_) => number().map_or(Value::Unknown, Value::Number),
        Value::Truth(_) => truth(value).map_or(Value::Unknown, |truth| Value::Truth(Some(truth))),
        Value::Raw(_) | Value::Unknown if calculates => number().map_or(Value::Unknown, Value::Number),
        Value::Text(_) | Value::Raw(_) | Value::Unknown => Value::Text(text.clone()),
    }
}

fn binary(operator: Operator, a: &Value, b: &Value, left: &str, right: &str) -> Shown {
    let sign = match operator {
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::Greater => ">",
        Operator::AtLeast => ">=",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Times => "*",
        Operator::Over => "/",
    };
    let evidence = format!("{left} {sign} {right}");
    let calculates = !matches!(operator, Operator::Equal | Operator::NotEqual);
    let (a, b) = (&settle(a, b, calculates), &settle(b, a, calculates));
    let value = match (a, b) {
        (Value::Number(a), Value::Number(b)) => arithmetic(operator, *a, *b),
        (Value::Text(a), Value::Text(b)) => match operator {
            Operator::Equal => Value::Truth(Some(a == b)),
            Operator::NotEqual => Value::Truth(Some(a != b)),
            _ => Value::Unknown,
        },
        (Value::Truth(Some(a)), Value::Truth(Some(b))) => match operator {
            Operator::Equal => Value::Truth(Some(a == b)),
            Operator::NotEqual => Value::Truth(Some(a != b)),
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    };
    Shown(value, evidence)
}

/// A result that is not finite (a division by zero) is unknown: with NaN every comparison would quietly be false.
fn arithmetic(operator: Operator, a: f64, b: f64) -> Value {
    let number = |value: f64| if value.is_finite() { Value::Number(value) } else { Value::Unknown };
    match operator {
        Operator::Equal => Value::Truth(Some((a - b).abs() <= f64::EPSILON * a.abs().max(b.abs()).max(1.0))),
        Operator::NotEqual => {
            Value::Truth(Some((a - b).abs() > f64::EPSILON * a.abs().max(b.abs()).max(1.0)))
        }
        Operator::Less => Value::Truth(Some(a < b)),
        Operator::AtMost => Value::Truth(Some(a <= b)),
        Operator::Greater => Value::Truth(Some(a > b)),
        Operator::AtLeast => Value::Truth(Some(a >= b)),
        Operator::Plus => number(a + b),
        Operator::Minus => number(a - b),
        Operator::Times => number(a * b),
        Operator::Over => number(a / b),
    }
}
