//! "Exactly one backend key chooses a driver", as one macro.
//!
//! A resource with a backend is read from a plain struct of options (so that unknown keys and positions keep working, which
//! `flatten` would lose), then turned into a struct whose backend is an enum: code behind it matches, and cannot meet a
//! resource without a driver, or with two. It is written in the same form in which it is read.

/// Defines a resource, the text form that it is read from, and the enum of its backends. A field's serde attributes stand
/// in brackets before its documentation.
macro_rules! one_backend {
    (
        $(#[$outer:meta])*
        pub struct $name:ident from $text:ident {
            $( [$(#[$serde:meta])*] $(#[$field_doc:meta])* pub $field:ident : $field_type:ty, )*
        }
        $(#[$backend_doc:meta])*
        pub enum $backend:ident {
            $( $(#[$variant_doc:meta])* $key:ident => $variant:ident($content:ty), )+
        }
    ) => {
        $(#[$backend_doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $backend {
            $( $(#[$variant_doc])* $variant($content), )+
        }

        impl $backend {
            /// The keys that choose a driver.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            /// The key that was given.
            pub fn key(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => stringify!($key), )+
                }
            }
        }

        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $field_type, )*
            /// The driver, chosen by its key.
            pub backend: $backend,
        }

        $(#[$outer])*
        #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct $text {
            $( $(#[$field_doc])* $(#[$serde])* $field: $field_type, )*
            $(
                $(#[$variant_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $key: Option<$content>,
            )+
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = $text::deserialize(deserializer)?;
                let mut found = Vec::new();
                $( found.extend(text.$key.map($backend::$variant)); )+
                let backend = $crate::runbook::inventory::backend::only(found, $backend::KEYS, $backend::key)
                    .map_err(serde::de::Error::custom)?;
                Ok(Self { $( $field: text.$field, )* backend })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = $text { $( $field: self.$field.clone(), )* $( $key: None, )+ };
                match &self.backend {
                    $( $backend::$variant(content) => text.$key = Some(content.clone()), )+
                }
                text.serialize(serializer)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = <$text as schemars::JsonSchema>::json_schema(generator);
                schema.insert(
                    "oneOf".to_owned(),
                    serde_json::json!([$( { "required": [stringify!($key)] } ),+]),
                );
                schema
            }
        }
    };
}
pub(super) use one_backend;

/// The only backend that was given, or what to say.
pub(super) fn only<B>(
    mut found: Vec<B>,
    keys: &[&str],
    key: impl Fn(&B) -> &'static str,
) -> Result<B, String> {
    let possible = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match (found.pop(), found.is_empty()) {
        (Some(backend), true) => Ok(backend),
        (Some(last), false) => {
            found.push(last);
            let given = found.iter().map(|b| format!("`{}`", key(b))).collect::<Vec<_>>().join(" and ");
            Err(format!("exactly one backend is possible, but there are {given}"))
        }
        (None, _) => Err(format!("no backend is given; exactly one is needed of: {possible}")),
    }
}
