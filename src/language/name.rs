//! Names of steps, parameters, regions and resources.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::rejected::{Rejected, text_form};
use crate::error::Code;
use crate::error::escape::outside;

/// Longest name, in characters.
pub const LONGEST: usize = 64;

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $others:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Reads a name.
            ///
            /// # Errors
            /// Says what is wrong and proposes a name that is allowed.
            pub fn new(text: &str) -> Result<$type, Rejected> {
                let allowed: fn(char) -> bool = $allowed;
                check(text, $others, allowed)?;
                Ok($type(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Rejected;

            fn from_str(text: &str) -> Result<Self, Rejected> {
                $type::new(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name_type!(
    /// The name of a step or parameter: `[a-z][a-z0-9_]*`, at most 64 characters. It can stand in a condition.
    Name, "digits and `_`", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
);
name_type!(
    /// The name of a region, resource, role or environment: `[a-z][a-z0-9_-]*`, at most 64 characters.
    Label, "digits, `_` and `-`", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
);
text_form!(
    Name,
    "a name",
    "^[a-z][a-z0-9_]{0,63}$",
    "A name of lowercase letters, digits and `_`.",
    ["catch_up"]
);
text_form!(
    Label,
    "a name",
    "^[a-z][a-z0-9_-]{0,63}$",
    "A name of lowercase letters, digits, `_` and `-`.",
    ["eu-west", "orders"]
);

fn check(text: &str, others: &str, allowed: fn(char) -> bool) -> Result<(), Rejected> {
    let shown = outside(text, 80);
    let rule = format!("a name begins with a lowercase letter; then lowercase letters, {others} may follow");
    let reject =
        |message: String| Err(Rejected::new(Code::BadName, message, with_proposal(&rule, text, allowed)));
    let Some(first) = text.chars().next() else { return reject("the name is empty".to_owned()) };
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        return reject(format!("`{shown}` is not a name: it contains `{}`", outside(&bad.to_string(), 12)));
    }
    if !first.is_ascii_lowercase() {
        return reject(format!("`{shown}` is not a name: it begins with `{first}`"));
    }
    if text.len() > LONGEST {
        let message = format!("`{shown}` is too long for a name: {} characters", text.len());
        return Err(Rejected::new(
            Code::BadName,
            message,
            format!("a name has at most {LONGEST} characters"),
        ));
    }
    Ok(())
}

/// The rule, and the nearest name that obeys it where one is near.
fn with_proposal(rule: &str, text: &str, allowed: fn(char) -> bool) -> String {
    let mut proposal = String::new();
    for c in text.chars().take(LONGEST) {
        let c = c.to_ascii_lowercase();
        if allowed(c) {
            proposal.push(c);
        } else if matches!(c, ' ' | '-' | '.' | '/' | '_') && !proposal.ends_with('_') {
            proposal.push('_');
        }
    }
    let proposal = proposal.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if proposal.len() < 2 || !proposal.starts_with(|c: char| c.is_ascii_lowercase()) {
        return rule.to_owned();
    }
    format!("write `{proposal}`: {rule}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_differ_by_the_hyphen() {
        assert!(Name::new("catch_up2").is_ok());
        assert!(Label::new("eu-west-1").is_ok());
        assert!(Name::new(&"a".repeat(64)).is_ok());
        let error = Name::new("catch-up").unwrap_err();
        insta::assert_snapshot!(error, @"`catch-up` is not a name: it contains `-`");
        insta::assert_snapshot!(error.help, @"write `catch_up`: a name begins with a lowercase letter; then lowercase letters, digits and `_` may follow");
    }

    #[test]
    fn bad_names_say_why() {
        let text = |name: &str| Label::new(name).unwrap_err().to_string();
        insta::assert_snapshot!(text(""), @"the name is empty");
        insta::assert_snapshot!(text("Orders"), @"`Orders` is not a name: it contains `O`");
        insta::assert_snapshot!(text("9lives"), @"`9lives` is not a name: it begins with `9`");
        insta::assert_snapshot!(text("a\u{1b}[31mb"), @r#"`a\u{1b}[31mb` is not a name: it contains `\u{1b}`"#);
        insta::assert_snapshot!(text("us.еast"), @"`us.еast` is not a name: it contains `.`");
        insta::assert_snapshot!(text(&"a".repeat(65)), @"`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is too long for a name: 65 characters");
    }

    #[test]
    fn names_go_through_json_unchanged() {
        let name: Name = serde_json::from_str("\"orders\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"orders\"");
        let error = serde_json::from_str::<Name>("\"Orders\"").unwrap_err();
        assert!(error.to_string().contains("MR0111: `Orders` is not a name"), "{error}");
    }
}
