//! A document that was written down, as far as a policy can look at it: what it cannot is read over, and
//! nothing is made of it.

use crate::json::{Strict, Tree};
use portcullis_rego::{
    Reach,
    value::{self, Value},
};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeMap, fmt};

/// Reads a JSON value within a policy's reach, for serde. A member of it that stands twice is refused.
/// Numbers are as exact as in a policy's data.
#[derive(Clone, Copy)]
pub struct Within<'r>(pub &'r Reach);

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            Reach::Whole => Strict::new().deserialize(deserializer).map(|Exact(it)| it),
            Reach::Members(_) => deserializer.deserialize_any(self),
        }
    }
}

/// Of an object the members that count; anything else whole, since what it is can be told apart.
impl<'de> Visitor<'de> for Within<'_> {
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
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value::string(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        Strict::new().visit_seq(items).map(|Exact(it)| it)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut taken: BTreeMap<String, Value> = BTreeMap::new();
        let mut is_first = true;
        while let Some(name) = members.next_key::<String>()? {
            if is_first && let Some(number) = Strict::number(&name, &mut members) {
                return number.map(|Exact(it)| it);
            }
            is_first = false;
            match self.0.member(&name) {
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
                Some(_) if taken.contains_key(&name) => {
                    return Err(de::Error::custom(format_args!("`{name}` stands twice")));
                }
                Some(reach) => {
                    let value = members.next_value_seed(Within(reach))?;
                    taken.insert(name, value);
                }
            }
        }
        let taken = taken.into_iter();
        Ok(value::object(
            taken.map(|(name, it)| (value::string(&name), it)),
        ))
    }
}

/// A value with its numbers as they are, however long.
struct Exact(Value);

impl Tree for Exact {
    type Members = BTreeMap<String, Value>;

    fn null() -> Self {
        Exact(Value::Null)
    }

    fn boolean(value: bool) -> Self {
        Exact(Value::Bool(value))
    }

    fn unsigned(value: u64) -> Self {
        Exact(Value::from(value))
    }

    fn signed(value: i64) -> Self {
        Exact(Value::from(value))
    }

    fn number(number: serde_json::Number) -> Option<Self> {
        value::number_from_text(number.as_str()).ok().map(Exact)
    }

    fn text(text: &str) -> Self {
        Exact(value::string(text))
    }

    fn array(items: Vec<Self>) -> Self {
        Exact(value::array(items.into_iter().map(|Exact(it)| it)))
    }

    fn has(members: &Self::Members, name: &str) -> bool {
        members.contains_key(name)
    }

    fn insert(members: &mut Self::Members, name: String, Exact(value): Self) {
        members.insert(name, value);
    }

    fn object(members: Self::Members) -> Self {
        let members = members.into_iter();
        Exact(value::object(
            members.map(|(name, it)| (value::string(&name), it)),
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Within;
    use portcullis_rego::{Reach, value};
    use serde::de::DeserializeSeed;
    use serde_json::{Value, json};

    fn read(text: &str, reach: &Reach) -> Option<Value> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read = Within(reach).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(value::to_json(&read))
    }

    fn reach(paths: &[&str]) -> Reach {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.split('.').map(str::to_owned).collect())
            .collect();
        Reach::of_paths(paths.iter().map(Vec::as_slice))
    }

    #[test]
    fn as_much_is_read_as_can_be_looked_at() {
        let text = r#"{"a": {"b": [1, {"x": 2}], "c": "left"}, "d": 3, "e": "text", "f": [1.5], "n": 4.25}"#;
        let whole: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text, &Reach::Whole), Some(whole));
        assert_eq!(
            read(text, &reach(&["a.b", "e.below", "f.below", "n.below"])),
            Some(json!({"a": {"b": [1, {"x": 2}]}, "e": "text", "f": [1.5],
                "n": 4.25}))
        );
        assert_eq!(read("7", &reach(&["a"])), Some(json!(7)));
        assert_eq!(read("null", &reach(&["a"])), Some(json!(null)));
        assert_eq!(read("true", &reach(&["a"])), Some(json!(true)));
        assert_eq!(read("{}", &reach(&["a"])), Some(json!({})));
    }

    #[test]
    fn numbers_are_exact() {
        let long = "123456789012345678901234567890";
        for text in [long, "-5", "18446744073709551615"] {
            for reach in [Reach::Whole, reach(&["a"])] {
                assert_eq!(read(text, &reach).unwrap().to_string(), text);
            }
        }
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        for text in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": {"b": 1, "b": 2}}"#,
            r#"{"a": 1e999}"#,
            r#"{"$serde_json::private::Number": "1"}"#,
            r#"{"a": "#,
        ] {
            assert_eq!(read(text, &Reach::Whole), None, "{text}");
            assert_eq!(read(text, &reach(&["a"])), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep, &Reach::Whole), None);
    }
}
