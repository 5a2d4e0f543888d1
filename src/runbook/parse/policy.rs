//! Policy keys as they are written, and what they mean.

use crate::error::escape::outside;
use crate::error::{Code, Problem, Problems};
use crate::language::expression::Expression;
use crate::language::units::Period;
use crate::language::{Rejected, Spanned};
use crate::runbook::model::{Condition, Confirm, OnFailure, Only, Policy, Retry, Rollback, Where};
use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

/// Every key of a step that is not its action.
pub const POLICY_KEYS: &[&str] = &[
    "id",
    "title",
    "only",
    "when",
    "in",
    "require",
    "confirm",
    "timeout",
    "retry",
    "on_failure",
    "on_unknown",
    "best_effort",
    "temporary",
    "rollback",
    "marks",
];

/// How a step is run. What is not given follows the defaults that `mrctl plan` prints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Runs of which the step is part; all if not given.
    #[serde(default)]
    only: Option<Vec<Spanned<Only>>>,
    /// Condition on parameters, `mode`, `from` and `to`, decided before the run: otherwise the step is left out.
    #[serde(default)]
    when: Option<Spanned<String>>,
    /// Where it acts: `from`, `to`, `both`, `others`, `all`. A region's name makes the runbook serve one direction only.
    #[serde(default, rename = "in")]
    place: Option<Spanned<String>>,
    /// Condition that must hold before the step begins.
    #[serde(default)]
    require: Option<Spanned<String>>,
    /// Asks a person before the step changes anything.
    #[serde(default)]
    confirm: Option<Spanned<ConfirmText>>,
    /// Longest time, looks included.
    #[serde(default)]
    timeout: Option<Spanned<Period>>,
    /// Tries again, only on proof that nothing happened.
    #[serde(default)]
    retry: Option<Spanned<RetryText>>,
    /// What a failure does.
    #[serde(default)]
    on_failure: Option<Spanned<OnFailure>>,
    /// What it does when the outcome cannot be told.
    #[serde(default)]
    on_unknown: Option<Spanned<OnFailure>>,
    /// A failure only warns.
    #[serde(default)]
    best_effort: Option<Spanned<bool>>,
    /// Put back when the run ends, however it ends.
    #[serde(default)]
    temporary: Option<Spanned<bool>>,
    /// Names a moment of the run's measures, such as `service_restored`.
    #[serde(default)]
    marks: Option<Spanned<String>>,
}

/// `true`, the name of a role, or a map.
#[derive(Debug)]
pub struct ConfirmText(ConfirmMap);

/// The long form of `confirm`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmMap {
    /// Role that answers; anyone if not given.
    #[serde(default)]
    role: Option<Spanned<String>>,
    /// Text that has to be typed, such as `${to}`.
    #[serde(default)]
    typed: Option<Spanned<String>>,
    /// The question.
    #[serde(default)]
    ask: Option<Spanned<String>>,
    /// After this time without an answer it counts as no.
    #[serde(default)]
    within: Option<Period>,
}

impl<'de> Deserialize<'de> for ConfirmText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = ConfirmText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, the name of a role, or a map with `role`, `typed`, `ask`, `within`")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<ConfirmText, E> {
                if value {
                    Ok(ConfirmText(ConfirmMap::default()))
                } else {
                    Err(E::custom("`confirm: false` says nothing; remove the key"))
                }
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<ConfirmText, E> {
                match value {
                    // Without quotes it is no text.
                    "true" | "false" => Err(quoted("`true` or the name of a role").into_serde()),
                    role => Ok(ConfirmText(ConfirmMap {
                        // The place of the whole value is the place of the role: the caller fills it in.
                        role: Some(Spanned { value: role.to_owned(), span: crate::error::Span::default() }),
                        ..ConfirmMap::default()
                    })),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConfirmText, A::Error> {
                ConfirmMap::deserialize(MapAccessDeserializer::new(map)).map(ConfirmText)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for ConfirmText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Confirm".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = generator.subschema_for::<ConfirmMap>();
        schemars::json_schema!({ "anyOf": [{ "const": true }, { "type": "string" }, map] })
    }
}

/// A text in quotes where something else is meant.
fn quoted(what: &str) -> Rejected {
    Rejected::new(Code::QuotedValue, format!("expected {what}, found quoted text"), "remove the quotes")
}

/// A number of times, or a map.
#[derive(Debug)]
pub struct RetryText(RetryMap);

/// The long form of `retry`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryMap {
    /// Tries after the first.
    times: u32,
    /// Time between tries; 2s if not given.
    #[serde(default)]
    every: Option<Period>,
}

/// Most tries after the first.
const MOST_TRIES: u32 = 100;

impl<'de> Deserialize<'de> for RetryText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = RetryText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of times, or a map with `times` and `every`")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<RetryText, E> {
                let times = u32::try_from(value).unwrap_or(u32::MAX);
                Ok(RetryText(RetryMap { times, every: None }))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<RetryText, E> {
                let value = u64::try_from(value).map_err(|_| E::custom("the number is negative"))?;
                self.visit_u64(value)
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<RetryText, E> {
                // A whole number without quotes is no text.
                let plain = value.parse::<u64>().is_ok_and(|number| number.to_string() == value);
                if plain {
                    return Err(quoted("a number of times").into_serde());
                }
                let message = format!("`{}` is not a number of times", outside(value, 60));
                Err(Rejected::new(Code::NotAnInteger, message, "write a whole number such as `3`")
                    .into_serde())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RetryText, A::Error> {
                RetryMap::deserialize(MapAccessDeserializer::new(map)).map(RetryText)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for RetryText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Retry".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = generator.subschema_for::<RetryMap>();
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": MOST_TRIES }, map] })
    }
}

/// The model's form of a confirmation.
pub(super) fn confirm(text: Spanned<ConfirmText>) -> Confirm {
    let ConfirmMap { role, typed, ask, within } = text.value.0;
    let role = role.map(|mut role| {
        if role.span == crate::error::Span::default() {
            role.span = text.span;
        }
        role
    });
    Confirm { role, typed, ask, within, span: text.span }
}

/// A condition from its text.
pub(super) fn condition(text: Spanned<String>, problems: &mut Problems) -> Option<Condition> {
    match Expression::parse(&text.value, text.span) {
        Ok(expression) => Some(Condition { text, expression }),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// The model's form of all policy keys but `rollback`.
pub(super) fn policy(text: PolicyText, problems: &mut Problems) -> Policy {
    if let Some(retry) = &text.retry
        && !(1..=MOST_TRIES).contains(&retry.value.0.times)
    {
        problems.push(
            Problem::error(Code::BadValue, format!("a step is tried again 1 to {MOST_TRIES} times"))
                .at(retry.span),
        );
    }
    Policy {
        only: text.only.unwrap_or_default(),
        when: text.when.and_then(|text| condition(text, problems)),
        place: text.place.map(|place| Spanned { value: place_of(place.value), span: place.span }),
        require: text.require.and_then(|text| condition(text, problems)),
        confirm: text.confirm.map(confirm),
        timeout: text.timeout,
        retry: text.retry.map(|retry| Retry {
            times: retry.value.0.times,
            every: retry.value.0.every.unwrap_or_else(|| Period::from_secs(2)),
        }),
        on_failure: text.on_failure,
        on_unknown: text.on_unknown,
        best_effort: text.best_effort,
        temporary: text.temporary,
        rollback: Rollback::Auto,
        marks: text.marks,
    }
}

fn place_of(text: String) -> Where {
    match text.as_str() {
        "from" => Where::From,
        "to" => Where::To,
        "both" => Where::Both,
        "others" => Where::Others,
        "all" => Where::All,
        _ => Where::Region(text),
    }
}
