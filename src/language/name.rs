//! Names.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Why a text is no name. A lowercase fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: use lowercase letters, digits and {separator}, beginning with a letter, at most 64 characters"
)]
pub struct NameError {
    text: String,
    separator: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $also:literal, $separator:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let fine = text.len() <= 64
                    && text.starts_with(|c: char| c.is_ascii_lowercase())
                    && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || $also.contains(c));
                if fine {
                    return Ok(Self(text.to_string()));
                }
                Err(NameError { text: crate::error::escape::outside(text, 80), separator: $separator })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "maxLength": 64 })
            }
        }
    };
}

name!(
    /// A step's, parameter's, role's or watch's name.
    Name, "_", "underscores", "^[a-z][a-z0-9_]*$"
);
name!(
    /// A region's or resource's name.
    Label, "_-", "dashes or underscores", "^[a-z][a-z0-9_-]*$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_lowercase_names_pass() {
        for good in ["a", "catch_up", "x9"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "9a", "_a", "A", "a-b", "ä", "a b", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert!("eu-west".parse::<Label>().is_ok());
        assert!("../x".parse::<Label>().is_err());
    }
}
