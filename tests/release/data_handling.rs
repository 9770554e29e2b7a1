//! DATA-HANDLING.md says what is so: its bounds are the schema's defaults and the code's constants, and its lists
//! of what is masked are the code's.

use super::pages::{page, rows};
use portcullis_tests::code_spans;
use serde_json::Value;
use std::collections::BTreeSet;

const PAGE: &str = "DATA-HANDLING.md";
const BOUNDS: &str = "## For how long, and how much";

#[test]
fn its_defaults_are_the_schemas() {
    let schema = page("host-harness/cli/src/schema/config.json");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let bounds = rows(&page(PAGE), BOUNDS);
    assert!(bounds.len() > 10);
    for row in bounds {
        let key = code_spans(&row[0]).concat();
        let said = match default_of(&schema, &key) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        assert_eq!(row[1], said, "{key}");
    }
}

/// What the key defaults to: `*` is any name.
fn default_of(schema: &Value, key: &str) -> Value {
    let mut at = schema;
    for name in key.split('.') {
        at = match name {
            "*" => &at["additionalProperties"],
            name => &at["properties"][name],
        };
        let kind = at["$ref"].as_str();
        if at.get("default").is_none()
            && let Some(name) = kind.and_then(|it| it.strip_prefix("#/$defs/"))
        {
            at = &schema["$defs"][name];
        }
    }
    let default = at.get("default").cloned();
    default.unwrap_or_else(|| panic!("{key} has no default in the schema"))
}

#[test]
fn its_bounds_are_the_codes() {
    let page = page(PAGE);
    let (_, rest) = page.split_once("And by the code").unwrap();
    let bounds = rows(&format!("## Code\n{rest}"), "## Code");
    assert!(bounds.len() > 10);
    for row in bounds {
        let name = code_spans(&row[2]).concat();
        let (_, file) = row[2].split_once("](").unwrap();
        let (value, unit) = row[1].split_once(' ').unwrap_or((&row[1], ""));
        let value: u128 = value.parse().unwrap();
        let found = constant(&super::pages::page(file.trim_end_matches(')')), &name);
        let expected = match unit {
            "" | "bytes" | "characters" => value,
            "KiB" => value << 10,
            "MiB" => value << 20,
            // In nanoseconds.
            "s" => value * 1_000_000_000,
            other => panic!("{}: what is `{other}`?", row[0]),
        };
        assert_eq!(found, expected, "{}: {name} in {file}", row[0]);
    }
}

/// The value of a constant that is a number, a product or a shift.
fn constant(source: &str, name: &str) -> u128 {
    let declared = source.split(&format!("const {name}: ")).nth(1);
    let declared = declared.unwrap_or_else(|| panic!("there is no constant {name}"));
    let (_, value) = declared.split_once(" = ").unwrap();
    let (value, _) = value.split_once(';').unwrap();
    let number = |text: &str| -> u128 { text.trim().replace('_', "").parse().unwrap() };
    match value.split_once("<<") {
        Some((number_of, by)) => number(number_of) << number(by),
        None => value.split('*').map(number).product(),
    }
}

#[test]
fn what_it_says_is_masked_is() {
    let page = page(PAGE);
    let (_, rest) = page.split_once("## What is masked").unwrap();
    let (list, _) = rest.split_once("Personal data").unwrap();
    let items: Vec<&str> = list.split("\n- ").skip(1).collect();
    let code = super::pages::page("filters/engine/src/decision_log/mask/names.rs");
    let lists = ["HEADERS", "HEADER_WORDS", "PARTS", "WORDS"];
    assert_eq!(items.len(), lists.len());
    for (item, name) in items.into_iter().zip(lists) {
        // What a bar stands for is no name.
        let (_, names) = item.split_once(": ").unwrap();
        let said: BTreeSet<String> = code_spans(names).into_iter().collect();
        let (_, rest) = code.split_once(&format!("const {name}: Parts<")).unwrap();
        let (_, rest) = rest.split_once("Parts::of([").unwrap();
        let (list, _) = rest.split_once("]);").unwrap();
        let masked: BTreeSet<String> = list
            .split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        assert!(masked.len() > 5, "{name}");
        assert_eq!(said, masked, "{name}");
    }
}
