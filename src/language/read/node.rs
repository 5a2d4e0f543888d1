//! The deserializer of one node.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Expected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Choice, Entries, Items, PlaceParts};
use super::error::Error;
use super::{Context, spanned};
use crate::error::escape::outside;
use crate::error::{Code, Problem};
use crate::language::tree::{Node, Style, Value};

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    /// The key whose value this is.
    pub(super) name: Option<&'a str>,
    pub(super) context: &'a Context,
}

impl Reader<'_> {
    /// Reads it as what the seed wants; also an error made after the reading (`try_from`) gets its place.
    pub(super) fn seed<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.located(|| seed.deserialize(self))
    }

    /// Runs a visitor; an error that has no place yet gets this node's and is recorded.
    fn located<T>(self, visit: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let before = self.context.progress.get();
        visit().map_err(|error| {
            if let Some(problem) = error.0 {
                self.context.report(self.complete(*problem));
            }
            self.context.fail(self.node, before);
            Error::REPORTED
        })
    }

    fn complete(self, mut problem: Problem) -> Problem {
        if problem.span.is_none() {
            problem.span = Some(self.node.head());
            if let (Code::MissingKey, Some(name)) = (problem.code, self.name) {
                problem.message = format!("in `{}` {}", outside(name, 60), problem.message);
            }
        }
        problem
    }

    /// The value has another form than asked for.
    pub(super) fn expected(self, what: &str) -> Error {
        if self.node.is_refused() {
            return Error::REPORTED;
        }
        // Not what the text says: it may be a secret that was written where a reference belongs.
        let found = self.node.what();
        Problem::error(Code::WrongType, format!("expected {what}, found {found}")).at(self.node.head()).into()
    }

    fn bad(self, code: Code, message: String, help: String) -> Error {
        Problem::error(code, message).at(self.node.span).help(help).into()
    }

    fn boolean(self) -> Result<bool, Error> {
        let Value::Scalar { text, style } = &self.node.value else {
            return Err(self.expected("`true` or `false`"));
        };
        let value = match text.as_str() {
            "true" => true,
            "false" => false,
            other => {
                let meant = match other.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" | "1" => "write `true`",
                    "no" | "off" | "n" | "false" | "0" => "write `false`",
                    _ => "write `true` or `false`",
                };
                let message = format!("`{}` is neither `true` nor `false`", outside(text, 60));
                return Err(self.bad(Code::NotABoolean, message, meant.to_owned()));
            }
        };
        if *style == Style::Plain { Ok(value) } else { Err(self.quoted("`true` or `false`")) }
    }

    /// A whole number of `least..=most`.
    fn integer(self, least: i128, most: i128) -> Result<i128, Error> {
        let Value::Scalar { text, style } = &self.node.value else {
            return Err(self.expected("a whole number"));
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let shown = outside(text, 60);
        if !decimal || digits.len() > 1 && digits.starts_with('0') {
            let help = match text.as_str() {
                _ if decimal => "leave out the leading zeros",
                text if text.starts_with("0x") || text.starts_with("0o") => "write it in decimal digits",
                text if text.contains(['_', ',', '\'']) => "write the digits without separators",
                _ => "write a whole number in decimal digits",
            };
            return Err(self.bad(
                Code::NotAnInteger,
                format!("`{shown}` is not a whole number"),
                help.to_owned(),
            ));
        }
        if *style != Style::Plain {
            return Err(self.quoted("a number"));
        }
        let number = text.parse::<i128>().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            let help = format!("write a number from {least} to {most}");
            self.bad(Code::BadValue, format!("the number `{shown}` is too large or too small"), help)
        })
    }

    /// A decimal number such as `12.5`.
    fn decimal(self) -> Result<f64, Error> {
        let Value::Scalar { text, style } = &self.node.value else { return Err(self.expected("a number")) };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let all = |part: &str| {
            !part.is_empty() && part.len() < 20 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let number = if all(whole) && all(part) { text.parse::<f64>().ok() } else { None };
        let Some(number) = number else {
            let message = format!("`{}` is not a number", outside(text, 60));
            return Err(self.bad(
                Code::BadValue,
                message,
                "write a decimal number such as `12.5`".to_owned(),
            ));
        };
        if *style == Style::Plain { Ok(number) } else { Err(self.quoted("a number")) }
    }

    fn quoted(self, what: &str) -> Error {
        let message = format!("expected {what}, found quoted text");
        self.bad(Code::QuotedValue, message, "remove the quotes".to_owned())
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.located(|| {
                let number = self.integer(i128::from(<$type>::MIN), i128::from(<$type>::MAX))?;
                // The bounds of the type were just checked.
                visitor.$visit(<$type>::try_from(number).unwrap_or_default())
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    /// For values without a type: `true` and `false`, decimal whole numbers, otherwise text.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Scalar { text, style: Style::Plain } if text == "true" || text == "false" => {
                self.located(|| visitor.visit_bool(text == "true"))
            }
            Value::Scalar { style: Style::Plain, .. }
                if self.integer(i128::from(i64::MIN), i128::from(i64::MAX)).is_ok() =>
            {
                self.deserialize_i64(visitor)
            }
            Value::Scalar { text, .. } => self.located(|| visitor.visit_str(text)),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Refused => self.located(|| Err(Error::REPORTED)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.located(|| visitor.visit_bool(self.boolean()?))
    }

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.located(|| visitor.visit_f64(self.decimal()?))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.located(|| match &self.node.value {
            Value::Scalar { text, .. } => visitor.visit_str(text),
            Value::List(_) | Value::Map(_) | Value::Refused => {
                let expected = (&visitor as &dyn Expected).to_string();
                Err(self.expected(if expected == "a string" { "a text" } else { &expected }))
            }
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // There is no null: what is written is there.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.located(|| visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.located(|| match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items::new(items, self.context)),
            Value::Scalar { .. } | Value::Map(_) | Value::Refused => Err(self.expected("a list")),
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.located(|| match &self.node.value {
            Value::List(items) if items.len() == length => {
                visitor.visit_seq(Items::in_order(items, self.context))
            }
            Value::List(items) => {
                let message = format!("expected {length} items, found {}", items.len());
                Err(Problem::error(Code::WrongType, message).into())
            }
            Value::Scalar { .. } | Value::Map(_) | Value::Refused => Err(self.expected("a list")),
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.located(|| match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::all(entries, self.context)),
            Value::Scalar { .. } | Value::List(_) | Value::Refused => Err(self.expected("a map")),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == spanned::NAME && fields == spanned::FIELDS {
            return visitor.visit_map(PlaceParts::new(self));
        }
        self.located(|| match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::known(entries, fields, self)),
            Value::Scalar { .. } | Value::List(_) | Value::Refused => Err(self.expected("a map")),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.located(|| visitor.visit_enum(Choice::new(self, variants)?))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct }
}
