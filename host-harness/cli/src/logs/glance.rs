//! A member of an event at a glance: nothing is made of what nobody looks at.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// As much of a member as any of them is looked at.
#[derive(Debug, PartialEq, Eq)]
pub enum Glance {
    Null,
    Bool(bool),
    Text(String),
    /// The texts of a list.
    Texts(Vec<String>),
    /// What an object's `allowed` is, where that is a boolean.
    Allowed(Option<bool>),
    Other,
}

impl Glance {
    pub fn text(self) -> Option<String> {
        match self {
            Glance::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn texts(self) -> Option<Vec<String>> {
        match self {
            Glance::Texts(texts) => Some(texts),
            _ => None,
        }
    }
}

/// Reads one, for serde.
pub struct Look;

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Glance;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Glance, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Glance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Glance, E> {
        Ok(Glance::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Glance, E> {
        Ok(Glance::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Glance, E> {
        Ok(Glance::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Glance, E> {
        Ok(Glance::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Glance, E> {
        Ok(Glance::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Glance, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element_seed(Look)? {
            texts.extend(item.text());
        }
        Ok(Glance::Texts(texts))
    }

    /// A number that is no 64-bit integer comes as an object, too.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Glance, A::Error> {
        let mut allowed = None;
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "allowed" => {
                    allowed = match members.next_value_seed(Look)? {
                        Glance::Bool(allowed) => Some(allowed),
                        _ => None,
                    };
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Glance::Allowed(allowed))
    }
}
