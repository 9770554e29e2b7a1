//! What a delta changes, and what of it cannot be.

use super::{super::*, build::*};
use portcullis_rego::value;
use serde_json::json;

fn patch(operations: &str) -> Result<Patch, Fault> {
    patch_within(r#"[""]"#, operations)
}

fn patch_within(roots: &str, operations: &str) -> Result<Patch, Fault> {
    let manifest = format!(r#"{{"roots": {roots}}}"#);
    let patch = format!(r#"{{"data": {operations}}}"#);
    // Signed as all else is, though OPA does not ask for it.
    let files = [("/patch.json", &*patch), ("/.manifest", &*manifest)];
    match read(signed(&files), verifying())?.into_content() {
        (_, Content::Delta(patch)) => Ok(patch),
        (_, Content::Snapshot { .. }) => panic!("a snapshot"),
    }
}

#[test]
fn a_delta_changes_what_it_names() {
    let before = json!({"a": {"b": [1, 2, 3], "c": {"d": 1}}, "x/y": {"~": 1}});
    let before = value::from_json(&before).unwrap();
    let untouched = before.clone();
    for (operation, pointer, expected) in [
        (
            r#"{"op": "upsert", "path": "/a/c", "value": 7}"#,
            "/a/c",
            json!(7),
        ),
        (
            r#"{"op": "upsert", "path": "a/n/m/o/", "value": {"k": 1}}"#,
            "/a/n/m/o",
            json!({"k": 1}),
        ),
        (
            r#"{"op": "upsert", "path": "/a/b/-", "value": 4}"#,
            "/a/b",
            json!([1, 2, 3, 4]),
        ),
        (
            r#"{"op": "upsert", "path": "/a/b/1", "value": 9}"#,
            "/a/b",
            json!([1, 9, 2, 3]),
        ),
        (
            r#"{"op": "replace", "path": "/a/b/1", "value": 9}"#,
            "/a/b",
            json!([1, 9, 3]),
        ),
        (
            r#"{"op": "remove", "path": "/a/b/0"}"#,
            "/a/b",
            json!([2, 3]),
        ),
        (
            r#"{"op": "replace", "path": "/a/c/d"}"#,
            "/a/c",
            json!({"d": null}),
        ),
        (
            r#"{"op": "remove", "path": "/a/c/d", "value": 1}"#,
            "/a/c",
            json!({}),
        ),
        (
            r#"{"op": "replace", "path": "/x~1y/~0", "value": 2}"#,
            "/x~1y",
            json!({"~": 2}),
        ),
        (
            r#"{"op": "replace", "path": "/x%2Fy/%7E0", "value": 2}"#,
            "/x~1y",
            json!({"~": 2}),
        ),
    ] {
        let patch = patch(&format!("[{operation}]")).unwrap();
        let after = value::to_json(&patch.apply(&before).unwrap());
        assert_eq!(after.pointer(pointer), Some(&expected), "{operation}");
        assert_eq!(before, untouched, "{operation}");
    }
    // What is not touched is the same, and not its like.
    let upsert = patch(r#"[{"op": "upsert", "path": "/a/c/d", "value": 7}]"#).unwrap();
    let after = upsert.apply(&before).unwrap();
    let same = |path: &[&str]| {
        let at = |mut value: Value| {
            for step in path {
                value = value
                    .as_object()
                    .unwrap()
                    .get(&value::string(step))
                    .unwrap()
                    .clone();
            }
            value
        };
        match (at(before.clone()), at(after.clone())) {
            (Value::Object(one), Value::Object(other)) => Arc::ptr_eq(&one, &other),
            (Value::Array(one), Value::Array(other)) => Arc::ptr_eq(&one, &other),
            _ => panic!("{path:?}"),
        }
    };
    assert!(same(&["x/y"]));
    assert!(same(&["a", "b"]));
    assert!(!same(&["a", "c"]));
}

#[test]
fn a_delta_changes_all_or_nothing() {
    let before = value::from_json(&json!({"a": {"b": [1], "c": 1}})).unwrap();
    let first = r#"{"op": "upsert", "path": "/a/n", "value": 1}"#;
    for (operation, words) in [
        (
            r#"{"op": "replace", "path": "/a/x", "value": 1}"#,
            "`a/x` is for what is not there",
        ),
        (
            r#"{"op": "remove", "path": "/a/x"}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "remove", "path": "/x/y"}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "replace", "path": "/a/b/1", "value": 1}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "upsert", "path": "/a/b/2", "value": 1}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "upsert", "path": "/a/b/01", "value": 1}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "replace", "path": "/a/b/-", "value": 1}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "upsert", "path": "/a/b/x/y", "value": 1}"#,
            "is for what is not there",
        ),
        (
            r#"{"op": "upsert", "path": "/a/c/d", "value": 1}"#,
            "goes through what has no members",
        ),
        (
            r#"{"op": "upsert", "path": "/a/c/d/e", "value": 1}"#,
            "goes through what has no members",
        ),
    ] {
        let fault = patch(&format!("[{first}, {operation}]"))
            .unwrap()
            .apply(&before)
            .unwrap_err();
        assert_eq!(fault.step, Step::Parse);
        assert!(fault.what.contains("operation 1"), "{operation}: {fault}");
        assert!(fault.what.contains(words), "{operation}: {fault}");
    }
    assert_eq!(value::to_json(&before), json!({"a": {"b": [1], "c": 1}}));
}

#[test]
fn a_delta_that_is_none_is_refused() {
    let long = "/x".repeat(33);
    let deep = format!(
        r#"[{{"op": "upsert", "path": "/a", "value": {}{}}}]"#,
        "[".repeat(94),
        "]".repeat(94)
    );
    for (roots, operations, words) in [
        (r#"[""]"#, "[]", "no operations"),
        (r#"[""]"#, "{}", "no operations"),
        (r#"[""]"#, "[1]", "operation 0 is no object"),
        (
            r#"[""]"#,
            r#"[{"op": "add", "path": "/a", "value": 1}]"#,
            "none of `upsert`",
        ),
        (
            r#"[""]"#,
            r#"[{"path": "/a", "value": 1}]"#,
            "none of `upsert`",
        ),
        (r#"[""]"#, r#"[{"op": "remove"}]"#, "no `path`"),
        (
            r#"[""]"#,
            r#"[{"op": "upsert", "path": "/", "value": {}}]"#,
            "none of 1 to 32 steps",
        ),
        (
            r#"[""]"#,
            r#"[{"op": "remove", "path": "/%zz"}]"#,
            "none of 1 to 32 steps",
        ),
        (
            r#"[""]"#,
            r#"[{"op": "remove", "path": "/%ff"}]"#,
            "none of 1 to 32 steps",
        ),
        (
            r#"[""]"#,
            &format!(r#"[{{"op": "remove", "path": "{long}"}}]"#),
            "none of 1 to 32 steps",
        ),
        (r#"[""]"#, &deep, "deeper than 96"),
        (
            r#"["a/b"]"#,
            r#"[{"op": "remove", "path": "/a/b/c"}, {"op": "remove", "path": "/a"}]"#,
            "its patch at `a` is outside its roots",
        ),
        (
            r#"["a"]"#,
            r#"[{"op": "remove", "path": "/a%2Fb"}]"#,
            "its patch at `a/b` is outside its roots",
        ),
    ] {
        let fault = patch_within(roots, operations).unwrap_err();
        assert_eq!(fault.step, Step::Parse, "{operations}: {fault}");
        assert!(fault.what.contains(words), "{operations}: {fault}");
    }
    let patch = (
        "patch.json",
        r#"{"data": [{"op": "remove", "path": "/a"}]}"#,
    );
    for other in [
        "data.json",
        "a/data.yaml",
        "p.rego",
        "policy.wasm",
        "x/plan.json",
    ] {
        let packed = bundle(&[patch, (other, "{}")]);
        refused(vec![(
            other,
            packed,
            rules(),
            Step::Parse,
            "a delta has nothing but changes",
        )]);
    }
    let named = bundle(&[patch, ("README.md", "why")]);
    assert!(matches!(
        read(named, rules()).unwrap().into_content().1,
        Content::Delta(_)
    ));
    let changed = [
        (
            "patch.json",
            r#"{"data": [{"op": "remove", "path": "/b"}]}"#,
        ),
        (".signatures.json", &signature(&claims(&[patch]))),
    ];
    refused(vec![
        (
            "not signed",
            bundle(&[patch]),
            verifying(),
            Step::Verify,
            "it is not signed",
        ),
        (
            "changed",
            bundle(&changed),
            verifying(),
            Step::Verify,
            "`patch.json` is not what was signed",
        ),
    ]);
}
