//! Names and units of a condition, before the run: what does not go together is refused with how to bring it together.

use super::{Environment, Expr, Operator, Unit, place};
use crate::error::escape::outside;
use crate::error::{Code, Problem, Span, suggest};

/// Boxed: a long chain is as many calls deep.
type Wrong = Box<Problem>;

/// The unit of an expression, or what is wrong with it. `text` is the whole condition, which stands at `span`.
pub(super) fn unit_of(
    expr: &Expr,
    environment: &dyn Environment,
    span: Span,
    text: &str,
) -> Result<Unit, Wrong> {
    let unit = |expr: &Expr| unit_of(expr, environment, span, text);
    let unknown = |name: &str, at: usize| {
        let problem =
            Problem::error(Code::ConditionName, format!("`{}` is not known here", outside(name, 60)));
        if environment.signal(name).is_some() {
            let problem = Problem::error(
                Code::ConditionName,
                format!("`{name}` is a signal: it is asked of something"),
            );
            let problem = problem.help(format!("write `{name}(to)`, or the name of a region"));
            return problem.at(place(span, text, at, name.len()));
        }
        let names = environment.names();
        let problem = match suggest::closest(name, names.iter().map(String::as_str)) {
            Some(close) => problem.help(format!("did you mean `{close}`?")),
            None if names.is_empty() || names.len() > 12 => problem,
            None => problem.help(format!("known here: `{}`", names.join("`, `"))),
        };
        problem.at(place(span, text, at, name.len()))
    };
    let boolean = |expr: &Expr, word: &str| match unit(expr)? {
        Unit::Boolean => Ok(Unit::Boolean),
        other => {
            let message = format!("`{word}` needs true or false, not {other}");
            let problem = Problem::error(Code::ConditionTypes, message).at(span);
            Err(Box::new(compare_help(problem, expr, environment)))
        }
    };
    match expr {
        Expr::Quantity { unit, .. } => Ok(*unit),
        Expr::Boolean(_) => Ok(Unit::Boolean),
        Expr::Text(_) => Ok(Unit::Text),
        Expr::Name { name, at } => environment.name(name).ok_or_else(|| Box::new(unknown(name, *at))),
        Expr::Call { call, at } => {
            let (unit, most) = environment.signal(&call.name).ok_or_else(|| {
                let what = format!("there is no signal `{}`", outside(&call.name, 60));
                let problem = Problem::error(Code::ConditionName, what);
                let mut signals = environment.names();
                signals.retain(|name| environment.signal(name).is_some());
                let problem = match suggest::closest(&call.name, signals.iter().map(String::as_str)) {
                    Some(close) => problem.help(format!("did you mean `{close}`?")),
                    None => problem.help("declare it under `signals` in the inventory"),
                };
                Box::new(problem.at(place(span, text, *at, call.name.len())))
            })?;
            if call.arguments.len() > most {
                let why = format!("`{}` takes at most {most} arguments", call.name);
                let at = place(span, text, *at, call.name.len());
                return Err(Box::new(Problem::error(Code::ConditionArguments, why).at(at)));
            }
            Ok(unit)
        }
        Expr::Not(inner) => boolean(inner, "not"),
        // What is wrong on either side is told at once.
        Expr::And(left, right) => both(boolean(left, "and"), boolean(right, "and")),
        Expr::Or(left, right) => both(boolean(left, "or"), boolean(right, "or")),
        Expr::Binary { operator, left, right, at } => {
            // Each side once: twice on every level would take for ever on a long sum.
            let (a, b) = (unit(left), unit(right));
            let known = (a.as_ref().ok().copied(), b.as_ref().ok().copied());
            let (a, b) = (bare_word(a, left, known.1), bare_word(b, right, known.0));
            let (a, b) = match (a, b) {
                (Ok(a), Ok(b)) => (a, b),
                (a, b) => return both(a, b),
            };
            let mixed = |what: &str| {
                let problem = Problem::error(Code::ConditionTypes, format!("{what} {a} and {b}"));
                let problem = problem.at(place(span, text, *at, sign_length(*operator)));
                Err(Box::new(match units_help(a, b) {
                    Some(help) => problem.help(help),
                    None if a == Unit::Text => compare_help(problem, left, environment),
                    None if b == Unit::Text => compare_help(problem, right, environment),
                    None => problem,
                }))
            };
            if let Some((problem, at)) = never(left, right, environment) {
                return Err(Box::new(problem.at(place(span, text, at, 1))));
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

/// The second, unless something is wrong with either.
fn both(left: Result<Unit, Wrong>, right: Result<Unit, Wrong>) -> Result<Unit, Wrong> {
    match (left, right) {
        (Err(left), Err(right)) => Err(Box::new(left.and(*right))),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => Err(problem),
        (Ok(_), Ok(unit)) => Ok(unit),
    }
}

/// A word that is compared with a text was meant as a text.
fn bare_word(unit: Result<Unit, Wrong>, expr: &Expr, other: Option<Unit>) -> Result<Unit, Wrong> {
    unit.map_err(|problem| match (expr, other) {
        (Expr::Name { name, .. }, Some(Unit::Text))
            if problem.code == Code::ConditionName
                && !problem.help.as_deref().is_some_and(|help| help.starts_with("did you")) =>
        {
            Box::new(problem.help(format!("for a text write `'{}'`", outside(name, 60))))
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
pub(super) fn compare_help(problem: Problem, expr: &Expr, environment: &dyn Environment) -> Problem {
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
