//! Whatever a client sends, what is done about it and listed of it is bounded.

use super::tests::mask;
use serde_json::{Value, json};

#[test]
fn more_than_can_be_looked_at_is_all_hidden() {
    let long = "a1b2c3d4".repeat(40_000);
    assert_eq!(mask(&[("x-api-key", &long)], None).text("hello"), "***");
    let mask = mask(&[("x-api-key", "0123456789")], None);
    assert_eq!(mask.text("hello"), "hello");
    assert_eq!(mask.text(&"x".repeat(2 << 20)), "***");
    assert_eq!(mask.text("hello"), "***");
}

/// However many signs there are, the work is bounded; where there are too many, all is hidden.
#[test]
fn signs_without_end_are_little_work() {
    for (sign, is_too_much) in [
        ("=", false),
        (":", false),
        ("\"=", false),
        ("%3D", false),
        ("a=", true),
        ("a%3D", true),
    ] {
        let long = sign.repeat(60_000);
        for name in [":path", "x-a"] {
            let mask = mask(&[(name, &long)], None);
            assert_eq!(mask.hides_all, is_too_much, "{sign}");
            let shown = mask.text(&long);
            assert_eq!(shown == "***", is_too_much, "{sign}");
        }
        let mask = mask(&[], None);
        assert_eq!(mask.text(&long) == "***", is_too_much, "{sign}");
        assert_eq!(mask.text("hello") == "***", is_too_much, "{sign}");
    }
    for (name, sign) in [("cookie", "a;"), ("cookie", "a=,"), ("authorization", "a ")] {
        let long = sign.repeat(60_000);
        assert!(mask(&[(name, &long)], None).hides_all, "{name}: {sign}");
    }
    let many: Vec<(String, Value)> = (0..60_000).map(|n| (n.to_string(), n.into())).collect();
    let many = Value::Object(many.into_iter().collect());
    assert!(mask(&[], Some(&many)).hides_all);
}

/// Nothing that is altered lies outside of what is listed, however much that is.
#[test]
fn pointers_are_few_and_short() {
    let mask = mask(&[], None);
    let long = "x".repeat(600);
    let many = |at: &str| -> Value {
        (0..100)
            .map(|n| (format!("{at}{n}"), json!({"pin": n})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (body, listed) in [
        (json!({"a": {"pin": 1}}), "/input/parsed_body/a/pin"),
        (json!({"a": many(""), "b": 1}), "/input/parsed_body/a"),
        (json!({"a": {&*long: {"pin": 1}}}), "/input/parsed_body/a"),
        (json!({"a": many(&"x".repeat(300))}), "/input/parsed_body/a"),
        (many(""), "/input/parsed_body"),
    ] {
        let mut input = json!({"parsed_body": body});
        let mut masked = Vec::new();
        mask.input(&mut input, "/input", &mut masked);
        assert!(!input.to_string().contains("pin\":1"));
        assert_eq!(masked, [listed]);
    }
}

/// As many names as a client likes are asked about no longer than there is work.
#[test]
fn names_without_end_are_little_work() {
    let many: serde_json::Map<_, _> = (0..60_000).map(|n| (n.to_string(), true.into())).collect();
    let mask = mask(&[], None);
    let mut input = json!({"parsed_query": many, "a": "hello"});
    mask.input(&mut input, "/input", &mut Vec::new());
    assert_eq!(mask.text("hello"), "***");
    let mut result = json!({"allowed": true, "body": "hello"});
    mask.result(&mut result, "/result", &mut Vec::new());
    assert_eq!(result, json!({"allowed": true, "body": "***"}));
}
