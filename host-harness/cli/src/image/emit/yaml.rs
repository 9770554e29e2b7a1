//! A value as YAML that every reader takes for the same: YAML 1.1 and 1.2, Kubernetes and Envoy.

use serde_json::Value;
use std::fmt::Write;

/// Longer texts with quotes in them are easier to read as they stand.
const QUOTED: usize = 60;
/// A longer key must say that it is one (YAML 1.2.2 section 7.4.3: 1024 characters, in bytes here).
const MAX_KEY: usize = 1000;

/// In blocks, members in order of their names, with a line break at the end.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => node(value, 0, &mut text),
        Value::Array(items) if !items.is_empty() => node(value, 0, &mut text),
        scalar => {
            text.push_str(&leaf(scalar, 0));
            text.push('\n');
        }
    }
    text
}

/// What has members, each on a line that begins at `indent`.
fn node(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pad(indent, text);
                text.push_str(&key(name, indent));
                text.push(':');
                member(value, indent.saturating_add(2), text);
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(indent, text);
                text.push('-');
                let inner = indent.saturating_add(2);
                let mut block = String::new();
                member(item, inner, &mut block);
                // The first member stands beside the dash.
                match block.strip_prefix('\n') {
                    Some(block) => {
                        text.push(' ');
                        text.push_str(block.trim_start_matches(' '));
                    }
                    None => text.push_str(&block),
                }
            }
        }
        scalar => text.push_str(&leaf(scalar, indent)),
    }
}

fn member(value: &Value, indent: usize, text: &mut String) {
    let has_members = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    match has_members {
        true => {
            text.push('\n');
            node(value, indent, text);
        }
        false => {
            text.push(' ');
            text.push_str(&leaf(value, indent));
            text.push('\n');
        }
    }
}

fn leaf(value: &Value, indent: usize) -> String {
    match value {
        Value::String(text) => string(text, indent),
        Value::Number(number) => self::number(&number.to_string()),
        // Empty ones, too.
        other => other.to_string(),
    }
}

/// YAML 1.1 takes `1e3` for a text: it wants a point and a sign.
fn number(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return text.to_owned();
    };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    format!("{digits}{point}e{sign}{exponent}")
}

fn key(name: &str, indent: usize) -> String {
    let written = match is_plain(name) {
        true => name.to_owned(),
        false => quoted(name),
    };
    if written.len() <= MAX_KEY {
        return written;
    }
    let mut explicit = format!("? {written}\n");
    pad(indent, &mut explicit);
    explicit
}

fn string(text: &str, indent: usize) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let is_long = text.contains('\n') || (text.len() > QUOTED && text.contains('"'));
    match is_long && stands_as_it_is(text) {
        true => block(text, indent),
        false => quoted(text),
    }
}

/// What nobody takes for anything but this text: no word of YAML 1.1, no number, no date.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    begins && text.bytes().all(is_of_name) && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether it can stand in a block: nothing that a reader would change or not print.
fn stands_as_it_is(text: &str) -> bool {
    let changes = |char: char| {
        (char.is_control() && char != '\n' && char != '\t')
            || matches!(
                char,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
    };
    !text.contains(changes) && !text.starts_with([' ', '\n', '\t']) && !text.ends_with("\n\n")
}

fn block(text: &str, indent: usize) -> String {
    let mut block = match text.ends_with('\n') {
        true => "|".to_owned(),
        false => "|-".to_owned(),
    };
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        block.push('\n');
        if !line.is_empty() {
            pad(indent, &mut block);
            block.push_str(line);
        }
    }
    block
}

/// JSON's escapes are YAML's; what JSON leaves as it is, and YAML 1.1 does not, is escaped too.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for char in Value::from(text).to_string().chars() {
        let is_special = char.is_control()
            || matches!(
                char,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            );
        match is_special {
            // Writing to a text never fails.
            true => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            false => quoted.push(char),
        }
    }
    quoted
}

fn pad(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::write;
    use portcullis_gatefile::Document;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn it_reads_as_people_write_it() {
        let value = json!({
            "a": [{"b": 1, "c": ["x", []]}, [["deep"]], "off", {}],
            "rego": "package a\n\n\tallow if true\n",
            "json": "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
            "y": "1", "n": null, "e": 1e300, "line": "a\u{85}b\u{2028}",
        });
        let wanted = r#"a:
  - b: 1
    c:
      - x
      - []
  - - - deep
  - "off"
  - {}
e: 1.0e+300
json: |-
  {"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
line: "a\u0085b\u2028"
"n": null
rego: |
  package a

  	allow if true
"y": "1"
"#;
        assert_eq!(write(&value), wanted);
    }

    fn back(text: &str) -> Value {
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(file.path(), text).unwrap();
        Document::read(file.path()).unwrap().value
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "x{990,1010}",
            "[ -~\n\t\"':#|>-]{0,80}",
            "(yes|No|null|~|1e3|0x1f|1_000|12:30:45|2026-01-01|=|\\.inf|- a|a: b|# c)",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was(value in values()) {
            let document = json!({"document": value});
            prop_assert_eq!(back(&write(&document)), document);
        }
    }
}
