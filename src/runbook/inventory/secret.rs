//! References to secrets. The inventory never holds a secret itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret comes from. Resolved before the first change and never stored; a plain string is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// Name of an environment variable.
    Env(String),
    /// Path of a file, relative to the inventory that names it; the last newline is cut.
    File(String),
    /// A program and its arguments, never through a shell; its standard output without the last newline.
    Command(Vec<String>),
}

/// What a plain string in place of a reference is answered with. It never repeats the string.
pub(crate) const PLAIN_SECRET: &str = "a secret cannot be written here as plain text; \
     give `{ env: NAME }`, `{ file: PATH }` or `{ command: [program, argument] }`";

/// The three forms, read after a plain scalar has been refused.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct SecretText {
    env: Option<String>,
    file: Option<String>,
    command: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Refuses scalars by name and hands maps to [`SecretText`].
struct SecretVisitor;

impl<'de> serde::de::Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a reference to a secret: `{ env: … }`, `{ file: … }` or `{ command: […] }`")
    }

    // Every scalar gets the same answer, so that no message can repeat what may be the secret itself.
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Secret, E> {
        Err(E::custom(PLAIN_SECRET))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom(PLAIN_SECRET))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(PLAIN_SECRET))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(PLAIN_SECRET))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom(PLAIN_SECRET))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        use serde::de::Error;
        let text = SecretText::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        match (text.env, text.file, text.command) {
            (Some(name), None, None) if !name.is_empty() => Ok(Secret::Env(name)),
            (None, Some(path), None) if !path.is_empty() => Ok(Secret::File(path)),
            (None, None, Some(argv)) if !argv.is_empty() => Ok(Secret::Command(argv)),
            (None, None, None) => Err(A::Error::custom("one of `env`, `file`, `command` is needed")),
            (None, None, Some(_)) => Err(A::Error::custom("`command` needs a program")),
            (Some(_), None, None) | (None, Some(_), None) => Err(A::Error::custom("the reference is empty")),
            _ => Err(A::Error::custom("exactly one of `env`, `file`, `command` is possible")),
        }
    }
}

impl std::fmt::Display for Secret {
    /// Names the source, never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {path}"),
            // Arguments stay out: people put tokens there.
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}
