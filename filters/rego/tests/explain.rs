//! Runs tests/explain/*.json: a policy, an input, and what is said of a rule. Adding a case is adding
//! an entry.

#![cfg(feature = "tools")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test, outside of its test function"
)]

use std::{fs, path::Path};

use portcullis_rego::{
    Module, Moment, RegoVersion, Sources,
    tools::{Explainer, Explanation, Outcome},
    value,
};
use serde_json::{Value as Json, json};

#[test]
fn cases() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain.json");
    let cases: Vec<Json> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut failures = Vec::new();
    for case in &cases {
        let found = lines(&explained(case), 0);
        let want: Vec<String> = case["want"].as_array().unwrap().iter().map(text).collect();
        if found != want {
            failures.push(format!(
                "{}:\n{}",
                text(&case["name"]),
                json!(found).to_string().replace("\",\"", "\",\n     \"")
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn explained(case: &Json) -> Explanation {
    let modules = case["modules"].as_object().unwrap().iter();
    let sources = Sources {
        modules: modules
            .map(|(path, lines)| Module::new(path, text(lines)))
            .collect(),
        data: match &case["data"] {
            Json::Null => value::object([]),
            data => value::from_json(data).unwrap(),
        },
        version: match &case["version"] {
            Json::Null => RegoVersion::V1,
            _ => RegoVersion::V0,
        },
    };
    let moment = Moment {
        now_ns: 0,
        instructions: 10_000_000,
        strict_builtin_errors: false,
    };
    let mut explainer = match Explainer::new(&sources) {
        Ok(explainer) => explainer,
        Err(errors) => panic!("{}: {errors}", text(&case["name"])),
    };
    let input = value::from_json(&case["input"]).unwrap();
    let rule = case["rule"].as_str().unwrap_or("data.p.allow");
    explainer.explain(rule, input, &moment)
}

/// A text may be a list of lines.
fn text(json: &Json) -> String {
    match json {
        Json::Array(lines) => lines.iter().map(text).collect::<Vec<_>>().join("\n"),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn lines(explanation: &Explanation, depth: usize) -> Vec<String> {
    let value = |value: &Option<Json>| value.as_ref().map_or("undefined".into(), Json::to_string);
    let indent = "  ".repeat(depth);
    let mut lines = vec![format!(
        "{indent}{} is {}",
        explanation.rule,
        match &explanation.error {
            Some(error) => error.clone(),
            None => value(&explanation.value),
        }
    )];
    for attempt in &explanation.attempts {
        let place = format!("{indent}{}:{}", attempt.file, attempt.place.line);
        match &attempt.outcome {
            Outcome::Held { value: it, values } => {
                lines.push(format!("{place} held: {}", value(it)));
                lines.extend(
                    values
                        .iter()
                        .map(|shown| format!("{indent}- {} = {}", shown.text, value(&shown.value))),
                );
            }
            Outcome::Default { value: it } => lines.push(format!("{place} default: {}", value(it))),
            Outcome::NotReached => lines.push(format!("{place} not reached")),
            Outcome::Unexplained(why) => lines.push(format!("{place} ?: {why}")),
            Outcome::Failed(condition) => {
                let at = (condition.place.line, condition.place.column);
                lines.push(format!("{place} {}:{} {}", at.0, at.1, condition.text));
                for shown in &condition.values {
                    let more = match shown.more {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    let part = format!("{} = {}{more}", shown.text, value(&shown.value));
                    lines.push(format!("{indent}- {part}"));
                }
                for because in &condition.because {
                    lines.extend(self::lines(because, depth + 1));
                }
            }
        }
    }
    lines
}
