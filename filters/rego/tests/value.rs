//! JSON to Rego values and back: exact, and refused where it would not be bounded.

use portcullis_rego::{
    Dismantling, Value,
    value::{self, Key, ValueError},
};
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

#[test]
fn taken_apart_in_slices() {
    let json = json!({"a": [{"b": 1, "c": [2, 3]}, 4], "d": {}, "e": "f"});
    let whole = value::from_json(&json).unwrap();
    let Value::Object(members) = &whole else {
        panic!("an object");
    };
    let inner = std::sync::Arc::downgrade(match members.get(&value::string("a")) {
        Some(Value::Array(items)) => items,
        other => panic!("{other:?}"),
    });
    let shared = whole.clone();
    // What another holds is not touched.
    assert!(Dismantling::new(whole).work(&mut || true));
    assert_eq!(value::to_json(&shared), json);
    let mut dismantling = Dismantling::new(shared);
    let mut slices = 0;
    loop {
        let mut units = 1;
        let is_done = dismantling.work(&mut || {
            let more = units > 0;
            units -= 1;
            more
        });
        if is_done {
            break;
        }
        slices += 1;
        // Members: 3 of the whole, 2, 2 and 2 in lists and objects; and the ends of 5.
        assert!(slices <= 14, "no slice ends it");
    }
    assert_eq!((slices, inner.upgrade()), (13, None));
}
