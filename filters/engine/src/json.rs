//! Strict JSON: an object that names a member twice is refused. RFC 7519 section 4 leaves the
//! choice to "reject or take the last"; two parsers that choose differently are a hole.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Parses one JSON text. Nesting is bounded by serde_json at 128 levels.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut deserializer)?;
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

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            // With `arbitrary_precision` a number that is no 64-bit integer arrives as a map of this
            // one private member; an object of a client's that spells it is read as serde_json
            // itself would: a number or an error.
            if key == NUMBER_TOKEN {
                let digits: String = members.next_value()?;
                return number(&digits);
            }
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("`{key}` stands twice")));
            }
            let value = members.next_value_seed(Strict)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

const NUMBER_TOKEN: &str = "$serde_json::private::Number";

fn number<E: de::Error>(digits: &str) -> Result<Value, E> {
    serde_json::Number::deserialize(de::value::MapDeserializer::new(std::iter::once((
        NUMBER_TOKEN,
        digits,
    ))))
    .map(Value::Number)
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
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
