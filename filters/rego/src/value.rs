//! Rego values from JSON and back: exact, and bounded where a client could make them grow.

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use regorus::Value;

/// As deep as `serde_json` itself reads.
const MAX_DEPTH: usize = 128;
/// Beyond what any claim needs; parsing and printing big integers takes quadratic time.
const MAX_DIGITS: usize = 1024;
/// Beyond any 64-bit float.
const MAX_EXPONENT: u32 = 400;

/// Why JSON has no Rego value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    TooDeep,
    /// A number of too many digits, or past what a 64-bit float holds.
    Number,
}

/// # Errors
/// Where it is nested too deep, or holds a number that cannot be held.
pub fn from_json(json: &serde_json::Value) -> Result<Value, ValueError> {
    from_json_at(json, MAX_DEPTH)
}

/// The same of an object's members.
///
/// # Errors
/// As [`from_json`].
pub fn from_members(
    members: &serde_json::Map<String, serde_json::Value>,
) -> Result<Value, ValueError> {
    members_at(members, MAX_DEPTH)
}

/// A string; a [`Key`] saves the copy where the text is known beforehand.
pub fn string(text: &str) -> Value {
    Value::String(Arc::from(text))
}

pub fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from(items.into_iter().collect::<Vec<_>>())
}

/// Where a key repeats, the last one wins.
pub fn object(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from(entries.into_iter().collect::<BTreeMap<_, _>>())
}

/// A member of an object, where it is one and has it.
pub fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    match object {
        Value::Object(entries) => entries.get(&Value::from(name)),
        _ => None,
    }
}

/// The way back, as OPA prints it: a set becomes a sorted array, a key that is no string its JSON
/// text, and undefined is null.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null | Value::Undefined => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(_) => number_to_json(value),
        Value::String(text) => text.as_ref().into(),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Set(items) => items.iter_sorted().map(to_json).collect(),
        Value::Object(entries) => entries
            .iter_sorted()
            .map(|(key, value)| {
                let key = match key {
                    Value::String(text) => text.to_string(),
                    other => to_json(other).to_string(),
                };
                (key, to_json(value))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// A text that many values hold, shared instead of copied.
#[derive(Clone, Debug)]
pub struct Key(Arc<str>);

impl Key {
    pub fn new(text: &str) -> Self {
        Key(Arc::from(text))
    }

    pub fn value(&self) -> Value {
        Value::String(Arc::clone(&self.0))
    }
}

fn from_json_at(json: &serde_json::Value, depth: usize) -> Result<Value, ValueError> {
    let inner = || depth.checked_sub(1).ok_or(ValueError::TooDeep);
    match json {
        serde_json::Value::Null => Ok(Value::Null),
        serde_json::Value::Bool(value) => Ok(Value::Bool(*value)),
        serde_json::Value::Number(number) => number_from_text(number.as_str()),
        serde_json::Value::String(text) => Ok(string(text)),
        serde_json::Value::Array(items) => {
            let depth = inner()?;
            let items: Result<Vec<Value>, _> =
                items.iter().map(|item| from_json_at(item, depth)).collect();
            items.map(Value::from)
        }
        serde_json::Value::Object(members) => members_at(members, depth),
    }
}

fn members_at(
    members: &serde_json::Map<String, serde_json::Value>,
    depth: usize,
) -> Result<Value, ValueError> {
    let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
    let entries: Result<BTreeMap<Value, Value>, _> = members
        .iter()
        .map(|(key, value)| Ok((string(key), from_json_at(value, depth)?)))
        .collect();
    entries.map(Value::from)
}

/// A number as JSON or Rego writes it. regorus expands `1e2000000000` to its digits: refused here.
pub fn number_from_text(text: &str) -> Result<Value, ValueError> {
    if text.len() > MAX_DIGITS {
        return Err(ValueError::Number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Value::from(number));
    }
    if let Some((_, exponent)) = text.split_once(['e', 'E']) {
        // Not only what a float cannot hold: `0e2000000000` is zero to a float, and regorus would
        // still write its power of ten out.
        let bounded = exponent
            .parse::<i32>()
            .is_ok_and(|exponent| exponent.unsigned_abs() <= MAX_EXPONENT);
        if !bounded || !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(ValueError::Number);
        }
    }
    Value::from_numeric_string(text).map_err(|_| ValueError::Number)
}

/// The digits that regorus prints are JSON already; what is not (an infinity) has no JSON.
fn number_to_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::TooDeep => write!(f, "nested deeper than {MAX_DEPTH}"),
            ValueError::Number => write!(
                f,
                "a number of more than {MAX_DIGITS} digits, or past what a 64-bit float holds"
            ),
        }
    }
}

impl std::error::Error for ValueError {}
