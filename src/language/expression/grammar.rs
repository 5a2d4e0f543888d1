//! The grammar, on parser combinators.

use super::{Call, Expr, Operator, Unit};
use crate::language::units::{Period, Share, Size};
use winnow::combinator::{alt, cut_err, delimited, not, opt, peek, preceded, repeat, separated};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{literal, one_of, take_till, take_while};

type Input<'i> = LocatingSlice<&'i str>;

/// Reads a whole condition; an error is the offset and what was expected there.
pub(super) fn parse(text: &str) -> Result<Expr, (usize, String)> {
    let mut input = LocatingSlice::new(text);
    let read = (or, ws).map(|(expr, ())| expr).parse_next(&mut input);
    match read {
        Ok(expr) if input.is_empty() => Ok(expr),
        Ok(_) => Err((input.current_token_start(), "`and`, `or`, a comparison or the end".into())),
        Err(error) => {
            let context = match &error {
                ErrMode::Backtrack(context) | ErrMode::Cut(context) => said(context),
                ErrMode::Incomplete(_) => None,
            };
            Err((input.current_token_start(), context.unwrap_or_else(|| "a value".into())))
        }
    }
}

fn said(context: &ContextError) -> Option<String> {
    context.context().find_map(|context| match context {
        StrContext::Expected(StrContextValue::Description(what)) => Some((*what).to_string()),
        _ => None,
    })
}

fn ws(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., [' ', '\t', '\n', '\r']).void().parse_next(input)
}

fn word<'i>(text: &'static str) -> impl Parser<Input<'i>, (), ErrMode<ContextError>> {
    (ws, literal(text), not(one_of(('a'..='z', 'A'..='Z', '0'..='9', '_')))).void()
}

fn symbol<'i>(text: &'static str) -> impl Parser<Input<'i>, usize, ErrMode<ContextError>> {
    (ws, literal(text).span()).map(|((), span): ((), std::ops::Range<usize>)| span.start)
}

fn or(input: &mut Input<'_>) -> ModalResult<Expr> {
    let first = and.parse_next(input)?;
    let rest: Vec<Expr> = repeat(0.., preceded(word("or"), cut_err(and))).parse_next(input)?;
    Ok(rest.into_iter().fold(first, |left, right| Expr::Or(Box::new(left), Box::new(right))))
}

fn and(input: &mut Input<'_>) -> ModalResult<Expr> {
    let first = negation.parse_next(input)?;
    let rest: Vec<Expr> = repeat(0.., preceded(word("and"), cut_err(negation))).parse_next(input)?;
    Ok(rest.into_iter().fold(first, |left, right| Expr::And(Box::new(left), Box::new(right))))
}

fn negation(input: &mut Input<'_>) -> ModalResult<Expr> {
    if opt(word("not")).parse_next(input)?.is_some() {
        return cut_err(negation).map(|inner| Expr::Not(Box::new(inner))).parse_next(input);
    }
    compare.parse_next(input)
}

fn compare(input: &mut Input<'_>) -> ModalResult<Expr> {
    let left = sum.parse_next(input)?;
    let operator = opt(alt((
        symbol("==").map(|at| (Operator::Equal, at)),
        symbol("!=").map(|at| (Operator::NotEqual, at)),
        symbol("<=").map(|at| (Operator::AtMost, at)),
        symbol(">=").map(|at| (Operator::AtLeast, at)),
        symbol("<").map(|at| (Operator::Less, at)),
        symbol(">").map(|at| (Operator::Greater, at)),
    )))
    .parse_next(input)?;
    match operator {
        None => Ok(left),
        Some((operator, at)) => {
            let right = cut_err(sum).parse_next(input)?;
            Ok(Expr::Binary { operator, left: Box::new(left), right: Box::new(right), at })
        }
    }
}

fn chain(first: Expr, rest: Vec<((Operator, usize), Expr)>) -> Expr {
    rest.into_iter().fold(first, |left, ((operator, at), right)| Expr::Binary {
        operator,
        left: Box::new(left),
        right: Box::new(right),
        at,
    })
}

fn sum(input: &mut Input<'_>) -> ModalResult<Expr> {
    let first = term.parse_next(input)?;
    let operator =
        alt((symbol("+").map(|at| (Operator::Plus, at)), symbol("-").map(|at| (Operator::Minus, at))));
    let rest: Vec<_> = repeat(0.., (operator, cut_err(term))).parse_next(input)?;
    Ok(chain(first, rest))
}

fn term(input: &mut Input<'_>) -> ModalResult<Expr> {
    let first = factor.parse_next(input)?;
    let operator =
        alt((symbol("*").map(|at| (Operator::Times, at)), symbol("/").map(|at| (Operator::Over, at))));
    let rest: Vec<_> = repeat(0.., (operator, cut_err(factor))).parse_next(input)?;
    Ok(chain(first, rest))
}

fn factor(input: &mut Input<'_>) -> ModalResult<Expr> {
    ws.parse_next(input)?;
    // Looked at without being consumed, so that the word itself is what was found.
    not(alt((word("and"), word("or"), word("not"))))
        .context(expected("a value, a signal or `(`"))
        .parse_next(input)?;
    alt((delimited(symbol("("), cut_err(or), closing), negative, quantity, text, named))
        .context(expected("a value, a signal or `(`"))
        .parse_next(input)
}

/// The `)` that must follow.
fn closing(input: &mut Input<'_>) -> ModalResult<usize> {
    cut_err(symbol(")")).context(expected("`)`")).parse_next(input)
}

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// A quantity below zero.
fn negative(input: &mut Input<'_>) -> ModalResult<Expr> {
    let quantity = preceded('-', cut_err(quantity)).parse_next(input)?;
    Ok(match quantity {
        Expr::Quantity { value, unit, text } => {
            Expr::Quantity { value: -value, unit, text: format!("-{text}") }
        }
        other => other,
    })
}

fn text(input: &mut Input<'_>) -> ModalResult<Expr> {
    let closed = |quote: char| cut_err(quote).context(expected("a closing quote"));
    alt((
        delimited('\'', take_till(0.., '\''), closed('\'')),
        delimited('"', take_till(0.., '"'), closed('"')),
    ))
    .map(|text: &str| Expr::Text(text.to_string()))
    .parse_next(input)
}

fn quantity(input: &mut Input<'_>) -> ModalResult<Expr> {
    peek(one_of('0'..='9')).parse_next(input)?;
    let read = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '%')
        .verify_map(read_quantity);
    cut_err(read).context(expected("a number, or one with a unit such as 2%, 30s or 64MiB")).parse_next(input)
}

fn read_quantity(text: &str) -> Option<Expr> {
    let (value, unit) = number(text)?;
    Some(Expr::Quantity { value, unit, text: text.to_string() })
}

/// A number in the unit in which it is compared: shares of a whole, seconds, bytes. Always finite.
pub(super) fn number(text: &str) -> Option<(f64, Unit)> {
    let (value, unit) = if let Ok(share) = text.parse::<Share>() {
        (f64::from(share.basis_points()) / 10_000.0, Unit::Ratio)
    } else if let Ok(period) = text.parse::<Period>() {
        (period.millis() as f64 / 1000.0, Unit::Seconds)
    } else if let Ok(size) = text.parse::<Size>() {
        (size.bytes() as f64, Unit::Bytes)
    } else {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.ends_with('.');
        (text.parse::<f64>().ok().filter(|number| plain && number.is_finite())?, Unit::Number)
    };
    Some((value, unit))
}

fn name<'i>(input: &mut Input<'i>) -> ModalResult<&'i str> {
    let first = one_of(('a'..='z', 'A'..='Z', '_'));
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.');
    (first, rest).take().parse_next(input)
}

/// A name inside a call: dashes are part of it, because regions have them.
fn arguments(input: &mut Input<'_>) -> ModalResult<Vec<String>> {
    let argument = (ws, name).map(|((), name)| name.to_string());
    let list = separated(0.., argument, symbol(","));
    delimited(symbol("("), list, closing).parse_next(input)
}

fn named(input: &mut Input<'_>) -> ModalResult<Expr> {
    let at = input.current_token_start();
    // Outside of a call a dash is a minus: `a-b` subtracts.
    let bare = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let name: &str =
        (peek(one_of(('a'..='z', 'A'..='Z', '_'))), bare).map(|(_, name)| name).parse_next(input)?;
    match name {
        "true" => return Ok(Expr::Boolean(true)),
        "false" => return Ok(Expr::Boolean(false)),
        "and" | "or" | "not" => return Err(ErrMode::Backtrack(ContextError::new())),
        "at_start" => {
            let inner = (ws, bare_name.with_span(), arguments).map(|((), name, arguments)| (name, arguments));
            let inner = cut_err(inner).context(expected("a signal such as `p95(to)`"));
            let ((name, place), arguments) = delimited(symbol("("), inner, closing).parse_next(input)?;
            let call = Call { name: name.to_string(), arguments, at_start: true };
            return Ok(Expr::Call { call, at: place.start });
        }
        _ => {}
    }
    match opt(arguments).parse_next(input)? {
        Some(arguments) => {
            Ok(Expr::Call { call: Call { name: name.to_string(), arguments, at_start: false }, at })
        }
        None => Ok(Expr::Name { name: name.to_string(), at }),
    }
}

fn bare_name<'i>(input: &mut Input<'i>) -> ModalResult<&'i str> {
    take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_').parse_next(input)
}
