//! Placeholder until the branch is merged.
use crate::json;
use portcullis_rego::value::{self, Value};

pub struct Malformed;

pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Value, Malformed> {
    match content_type {
        Some(it) if it.contains("application/json") && !body.is_empty() => {
            let text = json::parse(body).map_err(|_| Malformed)?;
            value::from_json(&text).map_err(|_| Malformed)
        }
        _ => Ok(Value::Null),
    }
}
