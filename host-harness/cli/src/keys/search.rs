//! Where the record of a key stands in a document: any list will do, since the policy's data has its
//! own ways.

use crate::failure::Failure;
use portcullis_gatefile::{Document, Step};
use serde_json::Value;

/// An item of a list that has this `id`, and a `hash`.
pub struct Found<'d> {
    pub way: Vec<Step>,
    pub item: &'d Value,
    /// The list that it is in.
    pub list: &'d [Value],
}

/// # Errors
/// Where there is none, or more than one.
pub fn find<'d>(document: &'d Document, id: &str) -> Result<Found<'d>, Failure> {
    let mut all = Vec::new();
    collect(&document.value, id, &mut Vec::new(), &mut all);
    let file = document.file.display();
    match (all.pop(), all.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(_), false) => Err(Failure::new(format!(
            "{file}: several records have the id `{id}`"
        ))),
        (None, _) => Err(
            Failure::new(format!("{file}: no API key has the id `{id}`"))
                .hint("`--file FILE` names the file of the policy's data that has the record"),
        ),
    }
}

/// The way as messages have it: `api_keys.keys[0]`.
pub fn shown(way: &[Step]) -> String {
    let mut text = String::new();
    for step in way {
        match step {
            Step::Item(index) => text.push_str(&format!("[{index}]")),
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => text.push_str(&format!(".{name}")),
        }
    }
    text
}

fn collect<'d>(value: &'d Value, id: &str, way: &mut Vec<Step>, found: &mut Vec<Found<'d>>) {
    match value {
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                way.push(Step::Item(index));
                let has_id = item.get("id").and_then(Value::as_str) == Some(id);
                if has_id && item.get("hash").is_some_and(Value::is_string) {
                    let way = way.clone();
                    found.push(Found { way, item, list });
                }
                collect(item, id, way, found);
                way.pop();
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                way.push(Step::Field(name.clone()));
                collect(value, id, way, found);
                way.pop();
            }
        }
        _ => {}
    }
}
