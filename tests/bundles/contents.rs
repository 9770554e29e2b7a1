//! What is published: policies that say twice which one they are.

use serde_json::{Value, json};

/// Whom a policy lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Everybody,
    /// Whoever says `x-role: admin`.
    Admins,
}

/// So that there is some work in each of them, and much that could be there by half.
const ROWS: usize = 2_000;

/// A policy that says `tag` in every answer, from its module and from its data.
pub fn files(tag: &str, rule: Rule) -> Value {
    let condition = match rule {
        Rule::Everybody => "true",
        Rule::Admins => "input.attributes.request.http.headers[\"x-role\"] == \"admin\"",
    };
    let module = format!(
        "package app

said := {{\"x-literal\": \"{tag}\", \"x-data\": data.told.tag}}

default allow := false

allow := {{\"allowed\": true, \"response_headers_to_add\": said}} if {condition}

else := {{\"allowed\": false, \"http_status\": 403, \"headers\": said}}
"
    );
    let rows: Vec<Value> = (0..ROWS)
        .map(|row| json!({"id": row, "of": tag, "name": format!("row {row}")}))
        .collect();
    json!({
        "app.rego": module,
        "told/data.json": {"tag": tag},
        "table/data.json": {"rows": rows},
    })
}

/// The same as a revision, signed by who may.
pub fn revision(name: &str, sequence: u64, tag: &str, rule: Rule) -> Value {
    json!({
        "revision": name,
        "declares": {"sequence": sequence},
        "files": files(tag, rule),
        "signed": {"key": "release"},
    })
}
