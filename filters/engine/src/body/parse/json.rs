//! JSON straight to Rego's values, strictly: [`crate::json`] reads it.

use super::{Charset, Malformed};
use crate::json::{self, Tree};
use portcullis_rego::value::{self, Value};
use std::collections::BTreeMap;

/// Takes what it makes from `values`, which is what may still be made.
pub fn parse(body: &[u8], charset: Charset, values: &mut usize) -> Result<Value, Malformed> {
    let text = charset.text(body)?;
    *values = values
        .checked_sub(count(text))
        .ok_or(Malformed("more values than fit"))?;
    json::parse_as(text.as_bytes()).map_err(|_| Malformed("no JSON that all read alike"))
}

/// How many values it has at most, before anything is made of it: outside of texts each begins after a
/// bracket or a comma. Of what is no JSON it says nothing; that is refused anyway.
fn count(text: &str) -> usize {
    let mut count: usize = 1;
    let mut bytes = text.bytes();
    let mut quoted = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            b'{' | b'[' | b',' if !quoted => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

impl Tree for Value {
    type Members = BTreeMap<String, Value>;

    fn null() -> Self {
        Value::Null
    }

    fn boolean(value: bool) -> Self {
        Value::Bool(value)
    }

    fn unsigned(value: u64) -> Self {
        Value::from(value)
    }

    fn signed(value: i64) -> Self {
        Value::from(value)
    }

    /// An integer past 64 bits is another number to most upstreams: they round, wrap or saturate it.
    fn number(number: serde_json::Number) -> Option<Self> {
        let is_integer = !number.as_str().contains(['.', 'e', 'E']);
        if is_integer {
            return None;
        }
        value::from_json(&serde_json::Value::Number(number)).ok()
    }

    fn text(text: &str) -> Self {
        value::string(text)
    }

    fn array(items: Vec<Self>) -> Self {
        Value::from(items)
    }

    fn has(members: &Self::Members, name: &str) -> bool {
        members.contains_key(name)
    }

    fn insert(members: &mut Self::Members, name: String, value: Self) {
        members.insert(name, value);
    }

    fn object(members: Self::Members) -> Self {
        let members = members.into_iter();
        value::object(members.map(|(name, value)| (value::string(&name), value)))
    }
}
