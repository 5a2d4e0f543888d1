//! Typed values out of a tree, with every problem at its place.

use super::tree::{Key, Node, Style, Value};
use crate::error::{Code, FileId, Problem, Problems, Span, suggest};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::cell::RefCell;
use std::fmt;

/// Reads a node as `T`; every problem found is added, and `None` means that at least one is an error.
pub fn from_node<T: DeserializeOwned>(node: &Node, problems: &mut Problems) -> Option<T> {
    let found = RefCell::new(Problems::new());
    let reader = Reader { node, problems: &found };
    let value = T::deserialize(reader);
    let mut found = found.into_inner();
    let value = match value {
        Ok(value) => Some(value),
        Err(Failure::Reported) => None,
        Err(Failure::Said { message, code, span }) => {
            found.push(Problem::error(code, message).at(span.unwrap_or(node.head())));
            None
        }
    };
    let failed = found.has_errors();
    problems.append(found);
    value.filter(|_| !failed)
}

/// A value with its place; works inside derived structs that are read by [`from_node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

/// The name by which the reader knows that a span is asked for.
const SPANNED: &str = "$mrctl::Spanned";
const SPANNED_FIELDS: &[&str] = &["file", "start", "end", "value"];

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Place<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Spanned<T>, A::Error> {
                let mut next = || -> Result<u32, A::Error> {
                    map.next_key::<String>()?;
                    map.next_value::<u32>()
                };
                let (file, start, end) = (next()?, next()?, next()?);
                map.next_key::<String>()?;
                Ok(Spanned { value: map.next_value()?, span: Span { file: FileId(file), start, end } })
            }
        }

        deserializer.deserialize_struct(SPANNED, SPANNED_FIELDS, Place(std::marker::PhantomData))
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

/// Why reading stopped.
#[derive(Debug)]
enum Failure {
    /// It is among the problems already.
    Reported,
    /// A type said so; the reader that is nearest adds the place.
    Said { message: String, code: Code, span: Option<Span> },
}

impl Failure {
    fn at(self, place: Span) -> Self {
        match self {
            Self::Said { message, code, span } => Self::Said { message, code, span: span.or(Some(place)) },
            Self::Reported => Self::Reported,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("reported already"),
            Self::Said { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let code = if message.contains("needs a unit") { Code::NoUnit } else { Code::BadValue };
        Self::Said { message, code, span: None }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match unexpected {
            Unexpected::Map => "a map".to_string(),
            Unexpected::Seq => "a list".to_string(),
            Unexpected::Str(text) => format!("`{}`", crate::error::escape::outside(text, 60)),
            other => other.to_string(),
        };
        Self::Said {
            message: format!("expected {expected}, found {found}"),
            code: Code::WrongType,
            span: None,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Said { message: format!("`{field}` is missing"), code: Code::MissingKey, span: None }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let close = suggest::closest(variant, expected.iter().copied());
        let hint = close.map_or_else(
            || format!("one of {}", expected.join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        let shown = crate::error::escape::outside(variant, 60);
        Self::Said {
            message: format!("`{shown}` is not known here; {hint}"),
            code: Code::UnknownChoice,
            span: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'n> {
    node: &'n Node,
    problems: &'n RefCell<Problems>,
}

impl<'n> Reader<'n> {
    fn report(&self, problem: Problem) -> Failure {
        self.problems.borrow_mut().push(problem);
        Failure::Reported
    }

    fn wrong(&self, expected: &str) -> Failure {
        let problem =
            Problem::error(Code::WrongType, format!("expected {expected}, found {}", self.node.what()));
        self.report(problem.at(self.node.head()))
    }

    /// The text of a plain scalar, for numbers and booleans.
    fn plain(&self, expected: &str) -> Result<&'n str, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::Scalar { text, style: Style::Plain } => Ok(text),
            Value::Scalar { .. } => {
                let problem =
                    Problem::error(Code::QuotedValue, format!("expected {expected}, found a quoted text"));
                Err(self.report(problem.at(self.node.span)))
            }
            Value::List(_) | Value::Map(_) => Err(self.wrong(expected)),
        }
    }

    fn integer<T: std::str::FromStr>(&self) -> Result<T, Failure> {
        let text = self.plain("a whole number")?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if decimal && (digits == "0" || !digits.starts_with('0')) => Ok(number),
            _ => {
                let shown = crate::error::escape::outside(text, 60);
                let problem = Problem::error(
                    Code::NotAnInteger,
                    format!("`{shown}` is not a whole number that fits here"),
                );
                Err(self.report(problem.at(self.node.span)))
            }
        }
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let number: $type = self.integer()?;
            visitor.$visit(number).map_err(|failure: Failure| failure.at(self.node.span))
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Failure;

    integers! {
        deserialize_i8 visit_i8 i8; deserialize_i16 visit_i16 i16; deserialize_i32 visit_i32 i32; deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8; deserialize_u16 visit_u16 u16; deserialize_u32 visit_u32 u32; deserialize_u64 visit_u64 u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::Scalar { text, .. } => {
                visitor.visit_str(text).map_err(|failure: Failure| failure.at(self.node.span))
            }
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.plain("`true` or `false`")? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => {
                let shown = crate::error::escape::outside(other, 60);
                let problem =
                    Problem::error(Code::NotABoolean, format!("`{shown}` is neither `true` nor `false`"));
                Err(self.report(problem.at(self.node.span)))
            }
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Failure> {
        Err(self.wrong("a whole number or a quantity with a unit"))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::Scalar { text, .. } => {
                visitor.visit_str(text).map_err(|failure: Failure| failure.at(self.node.span))
            }
            Value::List(_) | Value::Map(_) => Err(self.wrong("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        // An absent key never comes here, and an empty value was refused: what is present is a value.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self).map_err(|failure| failure.at(self.node.head()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), problems: self.problems }),
            Value::Scalar { .. } | Value::Map(_) => Err(self.wrong("a list")),
        }
        .map_err(|failure| failure.at(self.node.head()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries.iter().collect(), self.problems)),
            Value::Scalar { .. } | Value::List(_) => Err(self.wrong("a map")),
        }
        .map_err(|failure| failure.at(self.node.head()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        if name == SPANNED {
            return visitor.visit_map(Place { reader: self, next: 0 });
        }
        let entries = match &self.node.value {
            Value::Refused => return Err(Failure::Reported),
            Value::Map(entries) => entries,
            Value::Scalar { .. } | Value::List(_) => return Err(self.wrong("a map")),
        };
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries {
            if fields.contains(&entry.0.name.as_str()) {
                known.push(entry);
            } else if !entry.0.name.is_empty() {
                self.report(unknown_key(&entry.0, fields));
            }
        }
        let read = visitor.visit_map(Entries::new(known, self.problems));
        read.map_err(|failure| failure.at(self.node.head()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Refused => Err(Failure::Reported),
            Value::Scalar { text, .. } => {
                let text: StrDeserializer<'_, Failure> = text.as_str().into_deserializer();
                visitor.visit_enum(text).map_err(|failure| failure.at(self.node.span))
            }
            Value::Map(entries) => match entries.as_slice() {
                [(key, node)] => visitor
                    .visit_enum(Variant { key, node, problems: self.problems })
                    .map_err(|failure| failure.at(key.span)),
                _ => Err(self.wrong(&format!("exactly one of {}", variants.join(", ")))),
            },
            Value::List(_) => Err(self.wrong(&format!("one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct tuple_struct identifier }
}

/// The problem of a key that a struct does not have.
pub fn unknown_key(key: &Key, known: &[&str]) -> Problem {
    let shown = crate::error::escape::outside(&key.name, 60);
    let problem = Problem::error(Code::UnknownKey, format!("there is no key `{shown}` here")).at(key.span);
    match suggest::closest(&key.name, known.iter().copied()) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => problem.help(format!("known here: {}", known.join(", "))),
    }
}

struct Items<'n> {
    items: std::slice::Iter<'n, Node>,
    problems: &'n RefCell<Problems>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let read = seed.deserialize(Reader { node, problems: self.problems });
        read.map(Some).map_err(|failure| failure.at(node.head()))
    }
}

struct Entries<'n> {
    entries: std::vec::IntoIter<&'n (Key, Node)>,
    value: Option<&'n Node>,
    problems: &'n RefCell<Problems>,
}

impl<'n> Entries<'n> {
    fn new(entries: Vec<&'n (Key, Node)>, problems: &'n RefCell<Problems>) -> Self {
        Self { entries: entries.into_iter(), value: None, problems }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some(node);
        let name: StrDeserializer<'_, Failure> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|failure| failure.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let Some(node) = self.value.take() else { return Err(Failure::Reported) };
        seed.deserialize(Reader { node, problems: self.problems }).map_err(|failure| failure.at(node.head()))
    }
}

struct Variant<'n> {
    key: &'n Key,
    node: &'n Node,
    problems: &'n RefCell<Problems>,
}

impl<'de, 'n> de::EnumAccess<'de> for Variant<'n> {
    type Error = Failure;
    type Variant = Reader<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'n>), Failure> {
        let name: StrDeserializer<'_, Failure> = self.key.name.as_str().into_deserializer();
        let value = seed.deserialize(name).map_err(|failure| failure.at(self.key.span))?;
        Ok((value, Reader { node: self.node, problems: self.problems }))
    }
}

impl<'de> de::VariantAccess<'de> for Reader<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        Err(self.wrong("no value"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// Gives a span's three numbers, then the value.
struct Place<'n> {
    reader: Reader<'n>,
    next: usize,
}

impl<'de> de::MapAccess<'de> for Place<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some(field) = SPANNED_FIELDS.get(self.next) else { return Ok(None) };
        let name: StrDeserializer<'_, Failure> = field.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let span = self.reader.node.head();
        let number = [span.file.0, span.start, span.end].get(self.next).copied();
        self.next += 1;
        match number {
            Some(number) => seed.deserialize(de::value::U32Deserializer::new(number)),
            None => seed.deserialize(self.reader),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Limits, parse};
    use super::super::units::Period;
    use super::*;
    use crate::error::Sources;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Step {
        id: Spanned<String>,
        timeout: Option<Period>,
        #[serde(default)]
        retry: u32,
        #[serde(default)]
        best_effort: bool,
        #[serde(default)]
        mode: Option<Mode>,
        #[serde(default)]
        facts: BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Planned,
        Unplanned,
    }

    fn read(text: &str) -> (Option<Step>, Vec<String>) {
        let mut sources = Sources::new();
        let file = sources.add("r.yaml", text);
        let (node, mut problems) = parse(file, text, Limits::default());
        let step = node.and_then(|node| from_node::<Step>(&node, &mut problems));
        let lines = problems.iter().map(|problem| {
            let place = problem.span.and_then(|span| sources.line_column(span)).unwrap();
            let help = problem.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{} {}:{} {}{help}", problem.code, place.line, place.column, problem.message)
        });
        (step, lines.collect())
    }

    #[test]
    fn a_struct_is_read_with_its_places() {
        let (step, problems) =
            read("id: freeze\ntimeout: 10s\nretry: 3\nbest_effort: true\nmode: unplanned\nfacts: {a: no}");
        let step = step.unwrap();
        assert_eq!(problems, [""; 0]);
        assert_eq!((step.id.value.as_str(), step.id.span.range()), ("freeze", 4..10));
        assert_eq!((step.retry, step.best_effort, step.mode), (3, true, Some(Mode::Unplanned)));
        assert_eq!(step.facts["a"], "no", "`no` is a text where a text is asked for");
    }

    #[test]
    fn every_wrong_key_is_reported_at_once() {
        let (step, problems) = read("id: x\ntimout: 10s\nbest_efort: true\nzzz: 1");
        assert!(step.is_none());
        assert_eq!(problems[0], "MR0101 2:1 there is no key `timout` here (did you mean `timeout`?)");
        assert_eq!(problems[1], "MR0101 3:1 there is no key `best_efort` here (did you mean `best_effort`?)");
        assert!(
            problems[2].starts_with("MR0101 4:1 there is no key `zzz` here (known here: id, timeout"),
            "{problems:?}"
        );
    }

    #[test]
    fn wrong_values_are_located_exactly() {
        let table = [
            ("id: x\ntimeout: 10", "MR0109 2:10 `10` needs a unit, such as 30s, 5m or 500ms"),
            ("id: x\nretry: \"3\"", "MR0108 2:8 expected a whole number, found a quoted text"),
            ("id: x\nretry: 0o7", "MR0107 2:8 `0o7` is not a whole number that fits here"),
            ("id: x\nretry: 007", "MR0107 2:8 `007` is not a whole number that fits here"),
            ("id: x\nretry: -1", "MR0107 2:8 `-1` is not a whole number that fits here"),
            ("id: x\nbest_effort: yes", "MR0106 2:14 `yes` is neither `true` nor `false`"),
            ("id: x\nmode: planed", "MR0105 2:7 `planed` is not known here; did you mean `planned`?"),
            ("id: [x]", "MR0103 1:6 expected a text, found a list"),
            ("timeout: 1s", "MR0102 1:1 `id` is missing"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).1, [expected], "{text:?}");
        }
    }
}
