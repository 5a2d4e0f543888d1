//! Entries, items, choices: what a visitor walks over.

use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Context;
use super::error::Error;
use super::node::Reader;
use crate::error::escape::outside;
use crate::error::{Code, Problem, suggest};
use crate::language::tree::{Key, Node, Value};

/// "did you mean", or all there is.
pub(super) fn choices(word: &str, known: &[&str], what: &str) -> String {
    if let Some(meant) = suggest::closest(word, known.iter().copied()) {
        return format!("did you mean `{meant}`? {what}: {}", list(known));
    }
    format!("{what}: {}", list(known))
}

pub(super) fn list(known: &[&str]) -> String {
    match known {
        [] => "none".to_owned(),
        _ => known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The entries of a map.
pub(super) struct Entries<'a> {
    rest: std::vec::IntoIter<&'a (Key, Node)>,
    current: Option<&'a (Key, Node)>,
    context: &'a Context,
}

impl<'a> Entries<'a> {
    /// All of them, those that failed before at the end.
    pub(super) fn all(entries: &'a [(Key, Node)], context: &'a Context) -> Entries<'a> {
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|(_, node)| context.turn(node));
        Entries { rest: ordered.into_iter(), current: None, context }
    }

    /// Those whose key is a field; every other one is reported.
    pub(super) fn known(entries: &'a [(Key, Node)], fields: &[&str], reader: Reader<'a>) -> Entries<'a> {
        let mut kept = Entries::all(entries, reader.context);
        let unknown = entries.iter().filter(|(key, _)| !fields.contains(&key.name.as_str()));
        for (key, _) in unknown {
            // A key that is there already was hardly meant a second time.
            let free: Vec<&str> = fields
                .iter()
                .copied()
                .filter(|field| !entries.iter().any(|(key, _)| key.name == *field))
                .collect();
            let place = reader.name.map(|name| format!(" in `{}`", outside(name, 60))).unwrap_or_default();
            let message = format!("unknown key `{}`{place}", outside(&key.name, 60));
            let help = match suggest::closest(&key.name, free.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known keys: {}", list(fields)),
            };
            reader.context.report(Problem::error(Code::UnknownKey, message).at(key.span).help(help));
        }
        let entries: Vec<_> = kept.rest.filter(|(key, _)| fields.contains(&key.name.as_str())).collect();
        kept.rest = entries.into_iter();
        kept
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        match self.current {
            Some((key, _)) => seed.deserialize(KeyReader { key, context: self.context }).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, node)) = self.current.take() else { return Err(Error::REPORTED) };
        Reader { node, name: Some(&key.name), context: self.context }.seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A key, read as text, name or choice.
struct KeyReader<'a> {
    key: &'a Key,
    context: &'a Context,
}

impl KeyReader<'_> {
    fn located<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| {
            if let Some(mut problem) = error.0 {
                problem.span = Some(self.key.span);
                self.context.report(*problem);
            }
            Error::REPORTED
        })
    }
}

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = visitor.visit_str(&self.key.name);
        self.located(result)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = self.key.name.as_str();
        if !variants.contains(&name) {
            let message = format!("`{}` is none of the choices", outside(name, 60));
            let problem =
                Problem::error(Code::UnknownChoice, message).help(choices(name, variants, "choices"));
            return self.located(Err(problem.into()));
        }
        let text: StrDeserializer<'_, Error> = name.into_deserializer();
        let result = visitor.visit_enum(text);
        self.located(result)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The items of a list.
pub(super) struct Items<'a> {
    rest: std::vec::IntoIter<&'a Node>,
    context: &'a Context,
}

impl<'a> Items<'a> {
    /// Those that failed before at the end: a list with failures gives no value, so its order is free.
    pub(super) fn new(items: &'a [Node], context: &'a Context) -> Items<'a> {
        let mut ordered: Vec<_> = items.iter().collect();
        ordered.sort_by_key(|node| context.turn(node));
        Items { rest: ordered.into_iter(), context }
    }

    /// As written, for items that differ in type.
    pub(super) fn in_order(items: &'a [Node], context: &'a Context) -> Items<'a> {
        Items { rest: items.iter().collect::<Vec<_>>().into_iter(), context }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        Reader { node, name: None, context: self.context }.seed(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// One of several variants: `name`, or `name: value` as the only entry of a map.
pub(super) struct Choice<'a> {
    name: &'a str,
    value: Option<&'a Node>,
    whole: Reader<'a>,
}

impl<'a> Choice<'a> {
    pub(super) fn new(whole: Reader<'a>, variants: &'static [&'static str]) -> Result<Choice<'a>, Error> {
        let (name, span, value) = match &whole.node.value {
            Value::Scalar { text, .. } => (text.as_str(), whole.node.span, None),
            Value::Map(entries) => match entries.as_slice() {
                [(key, node)] => (key.name.as_str(), key.span, Some(node)),
                _ => {
                    let message = format!("expected exactly one key, found {}", entries.len());
                    let help = format!("use one of {}", list(variants));
                    return Err(Problem::error(Code::WrongType, message)
                        .at(whole.node.head())
                        .help(help)
                        .into());
                }
            },
            Value::List(_) | Value::Refused => {
                return Err(whole.expected(&format!("one of {}", list(variants))));
            }
        };
        if !variants.contains(&name) {
            let message = format!("`{}` is none of the choices", outside(name, 60));
            let problem = Problem::error(Code::UnknownChoice, message).at(span);
            return Err(problem.help(choices(name, variants, "choices")).into());
        }
        Ok(Choice { name, value, whole })
    }
}

impl<'a, 'de> EnumAccess<'de> for Choice<'a> {
    type Error = Error;
    type Variant = Choice<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Choice<'a>), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> Choice<'a> {
    fn reader(&self) -> Result<Reader<'a>, Error> {
        match self.value {
            Some(node) => Ok(Reader { node, name: Some(self.name), context: self.whole.context }),
            None => {
                let message = format!("`{}` needs a value", self.name);
                let problem = Problem::error(Code::WrongType, message).at(self.whole.node.span);
                Err(problem.help(format!("write `{}: …`", self.name)).into())
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            None => Ok(()),
            Some(node) if node.is_refused() => Err(Error::REPORTED),
            Some(node) => {
                let message = format!("`{}` takes no value", self.name);
                let problem = Problem::error(Code::WrongType, message).at(node.head());
                Err(problem.help(format!("write only `{}`", self.name)).into())
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.reader()?.seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader()?.deserialize_struct("", fields, visitor)
    }
}

/// Value and place, for [`super::Spanned`].
pub(super) struct PlaceParts<'a> {
    reader: Reader<'a>,
    next: usize,
}

impl<'a> PlaceParts<'a> {
    pub(super) fn new(reader: Reader<'a>) -> PlaceParts<'a> {
        PlaceParts { reader, next: 0 }
    }
}

impl<'de> MapAccess<'de> for PlaceParts<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = super::spanned::FIELDS.get(self.next) else { return Ok(None) };
        self.next += 1;
        let name: StrDeserializer<'_, Error> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let span = self.reader.node.span;
        let number: U32Deserializer<Error> = match self.next {
            1 => return self.reader.seed(seed),
            2 => span.file.0,
            3 => span.start,
            _ => span.end,
        }
        .into_deserializer();
        seed.deserialize(number)
    }
}
