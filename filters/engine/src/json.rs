//! Strict JSON: an object that names a member twice is refused. RFC 7519 section 4 leaves the
//! choice to "reject or take the last"; two parsers that choose differently are a hole.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{fmt, marker::PhantomData};

/// What is read, in one representation or another.
pub trait Tree: Sized {
    type Members: Default;

    fn null() -> Self;
    fn boolean(value: bool) -> Self;
    fn unsigned(value: u64) -> Self;
    fn signed(value: i64) -> Self;
    /// One that is no 64-bit integer; `None` where it cannot be held.
    fn number(number: Number) -> Option<Self>;
    fn text(text: &str) -> Self;
    fn array(items: Vec<Self>) -> Self;
    fn has(members: &Self::Members, name: &str) -> bool;
    fn insert(members: &mut Self::Members, name: String, value: Self);
    fn object(members: Self::Members) -> Self;
}

/// Parses one JSON text. Nesting is bounded by serde_json at 128 levels.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    parse_as(text)
}

pub fn parse_as<T: Tree>(text: &[u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict::new().deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The same, where only an object will do.
pub fn parse_object(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Reads a value strictly, for serde.
pub struct Strict<T>(PhantomData<T>);

impl<T: Tree> Strict<T> {
    pub fn new() -> Self {
        Strict(PhantomData)
    }

    /// The number that begins with this key: with `arbitrary_precision` one that is no 64-bit integer arrives
    /// as a map of one private member. `None` of any other key.
    pub fn number<'de, A: MapAccess<'de>>(
        key: &str,
        members: &mut A,
    ) -> Option<Result<T, A::Error>> {
        (key == NUMBER_TOKEN).then(|| {
            let Digits(number) = members.next_value()?;
            T::number(number).ok_or_else(|| de::Error::custom("a number that cannot be held"))
        })
    }
}

impl<'de, T: Tree> DeserializeSeed<'de> for Strict<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Tree> Visitor<'de> for Strict<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(T::unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(T::signed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(T::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict::new())? {
            array.push(item);
        }
        Ok(T::array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
        let mut object = T::Members::default();
        while let Some(key) = members.next_key::<String>()? {
            if let Some(number) = Self::number(&key, &mut members) {
                return number;
            }
            if T::has(&object, &key) {
                return Err(de::Error::custom(format_args!("`{key}` stands twice")));
            }
            let value = members.next_value_seed(Strict::new())?;
            T::insert(&mut object, key, value);
        }
        Ok(T::object(object))
    }
}

const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// A number's digits, which serde_json hands over as a text of its own. A client's object that spells
/// the private member has a text borrowed from what the client sent, or no text: refused.
struct Digits(Number);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Own;

        impl Visitor<'_> for Own {
            type Value = Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digits of serde_json's own")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Digits, E> {
                Err(E::custom("an object that looks like a number"))
            }

            fn visit_string<E: de::Error>(self, digits: String) -> Result<Digits, E> {
                Number::deserialize(de::value::MapDeserializer::new(std::iter::once((
                    NUMBER_TOKEN,
                    digits,
                ))))
                .map(Digits)
            }
        }

        deserializer.deserialize_any(Own)
    }
}

impl Tree for Value {
    type Members = Map<String, Value>;

    fn null() -> Self {
        Value::Null
    }

    fn boolean(value: bool) -> Self {
        Value::Bool(value)
    }

    fn unsigned(value: u64) -> Self {
        Value::Number(value.into())
    }

    fn signed(value: i64) -> Self {
        Value::Number(value.into())
    }

    fn number(number: Number) -> Option<Self> {
        Some(Value::Number(number))
    }

    fn text(text: &str) -> Self {
        Value::String(text.to_owned())
    }

    fn array(items: Vec<Self>) -> Self {
        Value::Array(items)
    }

    fn has(members: &Self::Members, name: &str) -> bool {
        members.contains_key(name)
    }

    fn insert(members: &mut Self::Members, name: String, value: Self) {
        members.insert(name, value);
    }

    fn object(members: Self::Members) -> Self {
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            "null",
            "[1, 2.50, -3e400, 123456789012345678901234567890]",
            r#"{"a": {"b": [true, "x"]}, "c": null}"#,
        ] {
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_members_that_stand_twice_and_trailing_text() {
        for text in [
            r#"{"a": 1, "a": 1}"#,
            r#"[{"x": {"sub": "a", "s\u0075b": "b"}}]"#,
            "{} {}",
            r#"{"$serde_json::private::Number": "1, \"admin\": true"}"#,
            r#"{"$serde_json::private::Number": "1"}"#,
            r#"{"\u0024serde_json::private::Number": "1"}"#,
            r#"{"$serde_json::private::Number": 1.5}"#,
            r#"{"a": 1, "$serde_json::private::Number": "1"}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
