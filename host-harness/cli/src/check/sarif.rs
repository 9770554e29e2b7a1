//! SARIF 2.1.0 (OASIS), as code scanning takes it.

use super::{
    finding::Finding,
    kinds::{ALL, Kind},
};
use portcullis_rego::tools::lint::Severity;
use serde_json::{Value, json};
use std::path::{Component, Path};

/// One run of this command.
pub fn of(findings: &[Finding]) -> String {
    let is_found = |kind: &&Kind| findings.iter().any(|it| it.kind.name == kind.name);
    let kinds: Vec<&Kind> = ALL.iter().filter(is_found).collect();
    let results: Vec<Value> = findings.iter().map(|it| result(it, &kinds)).collect();
    let rules: Vec<Value> = kinds.iter().copied().map(rule).collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "portcullis",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            // Section 3.14.27: columns count characters, not UTF-16 units.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}")
}

fn rule(kind: &Kind) -> Value {
    json!({
        "id": kind.name,
        "shortDescription": {"text": kind.about},
        "defaultConfiguration": {"level": level(kind.severity)},
    })
}

fn result(finding: &Finding, kinds: &[&Kind]) -> Value {
    let text = match &finding.hint {
        Some(hint) => format!("{}; {hint}", finding.message),
        None => finding.message.clone(),
    };
    let place = &finding.place;
    let mut location = json!({"artifactLocation": {"uri": uri(&place.file)}});
    if place.line > 0 {
        let mut region = json!({"startLine": place.line});
        if place.column > 0 {
            put(&mut region, "startColumn", place.column);
        }
        if place.column > 0 && finding.width > 0 {
            put(
                &mut region,
                "endColumn",
                place.column.saturating_add(finding.width),
            );
        }
        put(&mut location, "region", region);
    }
    json!({
        "ruleId": finding.kind.name,
        "ruleIndex": kinds.iter().position(|kind| kind.name == finding.kind.name),
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    })
}

fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

/// Section 3.27.10.
fn level(severity: Severity) -> &'static str {
    severity.name()
}

/// A relative file as a relative reference (RFC 3986), so that it means the same on another machine.
fn uri(file: &Path) -> String {
    let parts = file.components().filter_map(|part| match part {
        Component::Normal(name) => Some(escaped(&name.to_string_lossy())),
        Component::ParentDir => Some("..".to_owned()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    let path: Vec<String> = parts.collect();
    match file.is_absolute() {
        true => format!("file:///{}", path.join("/")),
        false => path.join("/"),
    }
}

fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
