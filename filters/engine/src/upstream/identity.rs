//! Facts as headers have them: one way, for claims and for everything else that is verified.

use crate::fields;
use portcullis_rego::value::{self, Value};
use serde_json::{Map, Value as Json};

/// What a path leads to below `input.verified`; null is nothing.
pub fn fact(facts: &Value, path: &[String]) -> Option<Json> {
    let mut found = facts;
    for member in path {
        let Value::Object(members) = found else {
            return None;
        };
        found = members.get(&value::string(member))?;
    }
    (!matches!(found, Value::Null | Value::Undefined)).then(|| value::to_json(found))
}

/// What a path leads to among claims; null is nothing.
pub fn lookup<'v>(claims: &'v Map<String, Json>, path: &[String]) -> Option<&'v Json> {
    let (first, rest) = path.split_first()?;
    let mut value = claims.get(first)?;
    for member in rest {
        value = value.as_object()?.get(member)?;
    }
    (!value.is_null()).then_some(value)
}

/// The value of a header; `None` where it holds what no header may.
pub fn header_value(fact: &Json) -> Option<String> {
    let value = written(fact);
    fields::is_value(&value).then_some(value)
}

/// Text as it is, a list joined with commas, anything else as JSON. A list with an element that
/// holds a comma would read as another list, so it is JSON too.
pub fn written(fact: &Json) -> String {
    match fact {
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            let joined: Option<Vec<String>> = items
                .iter()
                .map(|item| match item {
                    Json::String(text) if !text.contains(',') => Some(text.clone()),
                    Json::Number(_) | Json::Bool(_) => Some(item.to_string()),
                    _ => None,
                })
                .collect();
            joined.map_or_else(|| fact.to_string(), |items| items.join(","))
        }
        other => other.to_string(),
    }
}
