//! Each file of `edits/` is one case in the txtar form: a file before, and `after`, which is the file
//! with the edit, or `unsafe`. The edit gives the item whose `id` is `a` an end, and puts the next one
//! behind it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use portcullis_gatefile::{Document, Edit, Field, Step, Unsafe};
use serde_json::{Value, json};
use std::{fs, path::Path};

#[test]
fn every_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edits");
    let mut count = 0;
    for case in fs::read_dir(cases).unwrap() {
        let case = case.unwrap().path();
        let text = fs::read_to_string(&case).unwrap();
        let mut sections = text
            .split("-- ")
            .skip(1)
            .map(|it| it.split_once(" --\n").unwrap());
        let ((name, before), (kind, after)) = (sections.next().unwrap(), sections.next().unwrap());
        let found = edited(name, before);
        let wanted = match kind {
            "after" => Ok(after.to_owned()),
            "unsafe" => Err(after.to_owned()),
            other => panic!("{other}"),
        };
        match (found, wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted, "{}", case.display()),
            (Err(Unsafe), Err(_)) => {}
            (found, _) => panic!("{}: {found:?}", case.display()),
        }
        count += 1;
    }
    assert!(count > 15, "the cases are gone");
}

/// What no file of cases can hold.
#[test]
fn ends_of_lines_stay_as_they_are() {
    let before = "keys:\r\n  - id: a # é\r\n    x: 1\r\n  - {id: b}\r\n";
    let after = "keys:\r\n  - id: a # é\r\n    x: 1\r\n    expires: 2027-01-01T00:00:00Z\r\n  \
                 - id: next\r\n    scopes: [r, \"w:x\"]\r\n  - {id: b}\r\n";
    assert_eq!(edited("gate.yaml", before).unwrap(), after);
    let before = "keys:\n  - {id: a}";
    let after =
        "keys:\n  - {id: a, expires: 2027-01-01T00:00:00Z}\n  - {id: next, scopes: [r, \"w:x\"]}";
    assert_eq!(edited("gate.yaml", before).unwrap(), after);
}

/// A layout that is cut anywhere is edited right, or not at all; it never panics.
#[test]
fn what_is_edited_says_what_it_should() {
    for case in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edits")).unwrap() {
        let text = fs::read_to_string(case.unwrap().path()).unwrap();
        let (_, rest) = text.split_once("-- ").unwrap();
        let (name, rest) = rest.split_once(" --\n").unwrap();
        let (before, _) = rest.split_once("\n-- ").unwrap();
        for (at, _) in before.char_indices() {
            let cut = before.get(..at).unwrap();
            let Ok(document) = Document::parse(Path::new(name), cut.to_owned()) else {
                continue;
            };
            if way(&document.value).is_none() {
                continue;
            }
            let Ok(text) = edited(name, cut) else {
                continue;
            };
            let after = Document::parse(Path::new(name), text).unwrap().value;
            let added = count(&after) - count(&document.value);
            assert!((1..=2).contains(&added), "{cut}");
        }
    }
}

fn count(value: &Value) -> usize {
    value.to_string().matches("2027-01-01").count() + value.to_string().matches("\"next\"").count()
}

fn edited(name: &str, before: &str) -> Result<String, Unsafe> {
    let document = Document::parse(Path::new(name), before.to_owned()).unwrap();
    let way = way(&document.value).unwrap();
    let next: [Field; 2] = [("id", json!("next")), ("scopes", json!(["r", "w:x"]))];
    document.edited(&Edit {
        item: &way,
        set: Some(("expires", json!("2027-01-01T00:00:00Z"))),
        next: &next,
    })
}

/// The way to the item.
fn way(value: &Value) -> Option<Vec<Step>> {
    if value.get("id").and_then(Value::as_str) == Some("a") {
        return Some(Vec::new());
    }
    let below: Vec<(Step, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, it)| (Step::Item(at), it))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, it)| (Step::Field(name.clone()), it))
            .collect(),
        _ => Vec::new(),
    };
    below.into_iter().find_map(|(step, value)| {
        let mut rest = way(value)?;
        rest.insert(0, step);
        Some(rest)
    })
}
