//! For programs.

use super::{finding::Finding, text::count};
use portcullis_rego::tools::lint::Severity;
use serde_json::{Map, Value, json};

/// `{"findings": [...], "errors": 0, "warnings": 0, "notes": 0}`
pub fn of(findings: &[Finding]) -> String {
    let all: Vec<Value> = findings.iter().map(one).collect();
    let document = json!({
        "findings": all,
        "errors": count(findings, Severity::Error),
        "warnings": count(findings, Severity::Warning),
        "notes": count(findings, Severity::Note),
    });
    format!("{document:#}")
}

fn one(finding: &Finding) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("name", finding.kind.name.into());
    put("severity", finding.severity.name().into());
    put("file", finding.place.file.to_string_lossy().into());
    if finding.place.line > 0 {
        put("line", finding.place.line.into());
    }
    if finding.place.column > 0 {
        put("column", finding.place.column.into());
    }
    if finding.width > 0 {
        put("width", finding.width.into());
    }
    put("message", finding.message.as_str().into());
    if let Some(hint) = &finding.hint {
        put("hint", hint.as_str().into());
    }
    Value::Object(fields)
}
