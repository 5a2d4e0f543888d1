//! Why a text is not what it should be, in a form that survives a trip through serde.

use std::fmt;

use crate::error::{Code, Problem, Span};

/// Why a text was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// Its kind.
    pub code: Code,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What mends it.
    pub help: String,
}

/// Separates the parts of the form that goes through serde; it reads well when another format shows it.
const HELP: &str = "; help: ";

impl Rejected {
    /// A rejection.
    pub fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Rejected {
        Rejected { code, message: message.into(), help: help.into() }
    }

    /// As a problem at a place.
    #[must_use]
    pub fn at(self, span: Span) -> Problem {
        Problem::error(self.code, self.message).at(span).help(self.help)
    }

    /// As an error of a serde deserializer. The reader of this room takes it apart again, so that code and help reach
    /// the operator; use it in every hand-written `Deserialize`.
    pub fn into_serde<E: serde::de::Error>(self) -> E {
        E::custom(Wire(&self))
    }

    /// Takes apart what [`Rejected::into_serde`] made; any other message is a bad value without help.
    pub(super) fn from_serde(text: &str) -> (Code, String, Option<String>) {
        let parts = text.split_once(": ").and_then(|(code, rest)| {
            let code = code.starts_with("MR").then(|| code.parse().ok())??;
            let (message, help) = rest.rsplit_once(HELP)?;
            Some((code, message.to_owned(), Some(help.to_owned())))
        });
        parts.unwrap_or_else(|| (Code::BadValue, text.to_owned(), None))
    }
}

struct Wire<'a>(&'a Rejected);

impl fmt::Display for Wire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{HELP}{}", self.0.code, self.0.message, self.0.help)
    }
}

/// Gives a type with `FromStr<Err = Rejected>` and `Display` its serde form (a string) and its JSON Schema.
macro_rules! text_form {
    ($type:ident, $expecting:literal, $pattern:literal, $description:literal, $examples:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(crate::language::rejected::Rejected::into_serde)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($type)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                    "examples": $examples,
                })
            }
        }
    };
}
pub(super) use text_form;
