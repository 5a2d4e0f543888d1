//! Parameters of a runbook: what may be given, and whether a value fits.

use crate::error::Span;
use crate::language::Spanned;
use crate::language::expression::Unit;
use crate::language::units::{Period, Share};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A parameter. Values are kept as text; [`Parameter::fit`] says whether one is possible.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What its values are.
    #[serde(rename = "type", default)]
    pub kind: ParameterType,
    /// Value when none is given.
    #[serde(default)]
    pub default: Option<Spanned<String>>,
    /// Least value of an integer, share or period.
    #[serde(default)]
    pub min: Option<Spanned<String>>,
    /// Greatest value of an integer, share or period.
    #[serde(default)]
    pub max: Option<Spanned<String>>,
    /// Regular expression that a text must match as a whole.
    #[serde(default)]
    pub pattern: Option<Spanned<String>>,
    /// The possible values.
    #[serde(default)]
    pub choices: Vec<Spanned<String>>,
    /// What it is for, in one line.
    #[serde(default)]
    pub help: Option<String>,
    /// Has to be given; the rule for a parameter without `default`.
    #[serde(default)]
    pub required: Option<Spanned<bool>>,
    /// Where it is declared.
    #[serde(skip)]
    #[schemars(skip)]
    pub span: Span,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// Text of one line.
    #[default]
    Text,
    /// Whole number.
    Integer,
    /// Share, such as `25%`.
    Share,
    /// Period, such as `90s`.
    Period,
    /// `true` or `false`.
    Boolean,
    /// One of `choices`.
    Choice,
}

impl ParameterType {
    /// What its values are in a condition. Never guessed from a value: `007` of a text is a text.
    pub fn unit(self) -> Unit {
        match self {
            Self::Boolean => Unit::Boolean,
            Self::Integer => Unit::Number,
            Self::Text | Self::Choice | Self::Share | Self::Period => Unit::Text,
        }
    }

    /// As written in a runbook.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Share => "share",
            Self::Period => "period",
            Self::Boolean => "boolean",
            Self::Choice => "choice",
        }
    }
}

/// Longest value of a parameter, in bytes.
pub const LONGEST: usize = 1024;

impl Parameter {
    /// Whether a run has to be given a value.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// Whether every possible value is harmless in a query, a URL or an argument.
    pub fn is_guarded(&self) -> bool {
        self.kind != ParameterType::Text || self.pattern.is_some() || !self.choices.is_empty()
    }

    /// Whether a value is possible.
    ///
    /// # Errors
    /// A lowercase fragment that says why not, such as `500 is below the minimum of 1000`.
    pub fn fit(&self, value: &str) -> Result<(), String> {
        if value.len() > LONGEST {
            return Err(format!("the value is longer than {LONGEST} bytes"));
        }
        if value.chars().any(char::is_control) {
            return Err("the value contains a control character".to_owned());
        }
        let number = self.kind.measure(value)?;
        for (bound, is_least) in [(&self.min, true), (&self.max, false)] {
            let Some(bound) = bound else { continue };
            // A bound that cannot be read is a problem of its own.
            let (Some(number), Ok(Some(limit))) = (number, self.kind.measure(&bound.value)) else { continue };
            if is_least && number < limit {
                return Err(format!("{value} is below the minimum of {}", bound.value));
            }
            if !is_least && number > limit {
                return Err(format!("{value} is above the maximum of {}", bound.value));
            }
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice.value == value) {
            let choices: Vec<_> = self.choices.iter().map(|choice| format!("`{}`", choice.value)).collect();
            return Err(format!("`{value}` is none of {}", choices.join(", ")));
        }
        if let Some(pattern) = &self.pattern
            && matches(&pattern.value, value) == Ok(false)
        {
            return Err(format!("`{value}` does not match the pattern `{}`", pattern.value));
        }
        Ok(())
    }
}

impl ParameterType {
    /// The number behind a value, so that bounds can be compared; none for types without order.
    ///
    /// # Errors
    /// Why the text is no value of this type.
    pub fn measure(self, value: &str) -> Result<Option<i128>, String> {
        match self {
            Self::Text | Self::Choice => Ok(None),
            Self::Boolean => match value {
                "true" | "false" => Ok(None),
                _ => Err(format!("`{value}` is neither `true` nor `false`")),
            },
            Self::Integer => value
                .parse::<i64>()
                .map(|number| Some(i128::from(number)))
                .map_err(|_| format!("`{value}` is not a whole number")),
            Self::Share => value
                .parse::<Share>()
                .map(|share| Some(i128::from(share.basis_points())))
                .map_err(|error| error.to_string()),
            Self::Period => value
                .parse::<Period>()
                .map(|period| Some(i128::from(period.millis())))
                .map_err(|error| error.to_string()),
        }
    }
}

/// Whether the whole of `value` matches.
///
/// The engine is the one without backtracking: time is linear in the value, whatever the pattern.
///
/// # Errors
/// What is wrong with the pattern.
pub fn matches(pattern: &str, value: &str) -> Result<bool, String> {
    use regex_automata::nfa::thompson::{Config, pikevm::PikeVM};
    // `(?:…)` is compiled alone first, so that `a)(b` cannot escape from the group around it.
    let config = || Config::new().nfa_size_limit(Some(1 << 20));
    let whole = format!(r"\A(?:{pattern})\z");
    for text in [pattern, &whole] {
        PikeVM::builder().thompson(config()).build(text).map_err(|error| reason(&error))?;
    }
    let engine = PikeVM::builder().thompson(config()).build(&whole).map_err(|error| reason(&error))?;
    Ok(engine.is_match(&mut engine.create_cache(), value))
}

/// The innermost cause in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("not a regular expression")
        .trim()
        .to_owned()
}
