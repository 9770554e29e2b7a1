//! JSON to Rego values and back: exact, and refused where it would not be bounded.

use portcullis_rego::value::{self, Key, ValueError};
use serde_json::json;

#[test]
fn there_and_back() {
    for text in [
        "null",
        "true",
        "-0.5",
        "1e3",
        "18446744073709551616",
        "-123456789012345678901234567890",
        r#"{"a":[1,2.5,"x",{}],"b":null,"":[]}"#,
    ] {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let back = value::to_json(&value::from_json(&json).unwrap());
        let expected = if text == "1e3" { json!(1000) } else { json };
        assert_eq!(back, expected, "{text}");
    }
}

#[test]
fn numbers_past_all_bounds() {
    for text in ["1e2000000000", "1e400", "-1e999", &"9".repeat(2000)] {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value::from_json(&json), Err(ValueError::Number), "{text}");
    }
}

#[test]
fn nesting_past_all_bounds() {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(value::from_json(&nested(128)).is_ok());
    assert_eq!(value::from_json(&nested(129)), Err(ValueError::TooDeep));
}

#[test]
fn what_json_has_not() {
    let set = portcullis_rego::Value::from(std::collections::BTreeSet::from([
        value::string("b"),
        value::string("a"),
    ]));
    assert_eq!(value::to_json(&set), json!(["a", "b"]));
    let object = value::object([(value::array([value::string("k")]), Key::new("v").value())]);
    assert_eq!(value::to_json(&object), json!({r#"["k"]"#: "v"}));
}
