//! Evaluation with three truth values: unknown propagates and never passes.

use super::{Call, Expr, Expression, Operator, Unit};

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
}

#[derive(Clone, Debug)]
enum Value {
    Truth(Option<bool>),
    Number(f64),
    Text(String),
    Unknown,
}

/// A value with its evidence.
struct Shown(Value, String);

impl Expression {
    /// Evaluates. Pure: all values come from `values`.
    pub fn evaluate(&self, values: &dyn Values) -> Evaluated {
        let Shown(value, evidence) = evaluate(&self.root, values);
        let truth = match value {
            Value::Truth(truth) => truth,
            Value::Number(_) | Value::Text(_) | Value::Unknown => None,
        };
        Evaluated { truth, evidence }
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

fn evaluate(expr: &Expr, values: &dyn Values) -> Shown {
    match expr {
        Expr::Quantity { value, text, .. } => Shown(Value::Number(*value), text.clone()),
        Expr::Boolean(truth) => Shown(Value::Truth(Some(*truth)), truth.to_string()),
        Expr::Text(text) => Shown(Value::Text(text.clone()), format!("'{text}'")),
        Expr::Name { name, .. } => match values.name(name) {
            Some(text) if text == "true" || text == "false" => {
                Shown(Value::Truth(Some(text == "true")), name.clone())
            }
            Some(text) => match text.parse::<f64>() {
                Ok(value) => Shown(Value::Number(value), format!("{name} = {text}")),
                Err(_) => Shown(Value::Text(text.clone()), format!("{name} = {text}")),
            },
            None => Shown(Value::Unknown, format!("{name} is unknown")),
        },
        Expr::Call { call, .. } => {
            let shown = values.shown(call);
            match values.call(call) {
                Ok(value) if value.is_finite() => Shown(
                    Value::Number(value),
                    format!("{shown} = {}", number(value, values.unit(&call.name))),
                ),
                Ok(value) => Shown(Value::Unknown, format!("{shown} is unknown (it is {value})")),
                Err(why) => Shown(Value::Unknown, format!("{shown} is unknown ({why})")),
            }
        }
        Expr::Not(inner) => {
            let Shown(value, evidence) = evaluate(inner, values);
            Shown(Value::Truth(truth(&value).map(|truth| !truth)), format!("not ({evidence})"))
        }
        Expr::And(left, right) => {
            let (Shown(a, left), Shown(b, right)) = (evaluate(left, values), evaluate(right, values));
            let both = match (truth(&a), truth(&b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            Shown(Value::Truth(both), format!("{left} and {right}"))
        }
        Expr::Or(left, right) => {
            let (Shown(a, left), Shown(b, right)) = (evaluate(left, values), evaluate(right, values));
            let either = match (truth(&a), truth(&b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            Shown(Value::Truth(either), format!("{left} or {right}"))
        }
        Expr::Binary { operator, left, right, .. } => {
            let (Shown(a, left), Shown(b, right)) = (evaluate(left, values), evaluate(right, values));
            binary(*operator, &a, &b, &left, &right)
        }
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Truth(truth) => *truth,
        Value::Number(_) | Value::Text(_) | Value::Unknown => None,
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
