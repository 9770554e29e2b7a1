//! YAML as data: read in one go, so it is bounded; large data is JSON.

use super::json::{Members, Node};
use portcullis_rego::{Value, from_yaml, value};
use std::{collections::BTreeMap, sync::Arc};

const MAX_BYTES: usize = 16 * 1024;

pub fn read(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!(
            "is of more than {MAX_BYTES} bytes of YAML; put it into a `data.json`"
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8")?;
    from_yaml(text).map_err(|error| format!("is no YAML: {error}"))
}

/// The tree that its canonical form is made of. What aliases repeat counts each time.
pub fn tree(value: &Value, values: &mut usize) -> Result<Node, String> {
    *values = values
        .checked_sub(1)
        .ok_or("makes more values than a bundle of its size may")?;
    Ok(match value {
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(_) => number(value),
        Value::String(text) => Node::String(Arc::clone(text)),
        Value::Array(items) => {
            let items: Result<Vec<Node>, String> =
                items.iter().map(|item| tree(item, values)).collect();
            Node::Array(items?)
        }
        Value::Object(members) => {
            let mut sorted = BTreeMap::new();
            for (name, value) in members.iter_sorted() {
                if let Value::String(name) = name {
                    sorted.insert(Arc::clone(name), tree(value, values)?);
                }
            }
            Node::Object(Members::Many(sorted))
        }
        _ => Node::Null,
    })
}

/// As Go writes the numbers that it has of YAML: what is no 64-bit integer is a float, with an exponent
/// below 1e-6 and from 1e21 on.
fn number(number: &Value) -> Node {
    let text = value::to_json(number).to_string();
    let is_float = text.parse::<i64>().is_err() && text.parse::<u64>().is_err();
    match text.parse::<f64>() {
        Ok(float) if is_float => {
            let size = float.abs();
            let text = if size == 0.0 || (1e-6..1e21).contains(&size) {
                format!("{float}")
            } else {
                let text = format!("{float:e}");
                match text.contains("e-") {
                    true => text,
                    false => text.replace('e', "e+"),
                }
            };
            Node::Number(text.into())
        }
        _ => Node::Number(text.into()),
    }
}
