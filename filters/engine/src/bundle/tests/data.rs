//! How data of many files is one, within the roots.

use super::{super::*, build::*};
use serde_json::{Value as Json, json};

#[test]
fn data_is_merged_as_opa_merges_it() {
    let read = |files: &[(&str, &str)]| read(bundle(files), rules()).map(|bundle| data(&bundle));
    let large: Vec<String> = (0..500)
        .map(|n| format!("\"k{n}\": {{\"a\": {n}}}"))
        .collect();
    let large = format!("{{{}}}", large.join(","));
    let good: Vec<(&[(&str, &str)], Json)> = vec![
        (&[], json!({})),
        (&[("data.json", "{}")], json!({})),
        (
            &[("a/b/data.json", "[1,2,3]")],
            json!({"a": {"b": [1, 2, 3]}}),
        ),
        (
            &[
                ("a/data.json", "true"),
                ("b/data.yaml", "x: 1"),
                ("c/data.yml", "[y, 2]"),
            ],
            json!({"a": true, "b": {"x": 1}, "c": [true, 2]}),
        ),
        (
            &[
                (
                    "/data.json",
                    r#"{"x": {"y": true}, "a": {"b": {"z": true}}}"#,
                ),
                ("/a/b/c/data.json", "[1]"),
                ("/a/b/y/data.yaml", "foo: 1"),
            ],
            json!({"x": {"y": true}, "a": {"b": {"z": true, "c": [1], "y": {"foo": 1}}}}),
        ),
        (
            &[
                ("a/data.json", r#"{"b": {"c": 1}}"#),
                ("a/b/data.json", r#"{"d": 2}"#),
                ("a/data.yaml", "{b: {e: 3}, f: 4}"),
            ],
            json!({"a": {"b": {"c": 1, "d": 2, "e": 3}, "f": 4}}),
        ),
        (&[("other.json", "[1]"), ("a/notdata.json", "{")], json!({})),
    ];
    for (files, expected) in good {
        assert_eq!(read(files).unwrap(), expected, "{files:?}");
    }
    let both = read(&[
        ("x/data.json", &large),
        ("x/k3/data.json", r#"{"b": 1}"#),
        ("x/data.yaml", "{k4: {b: 2}, l: 3}"),
    ])
    .unwrap();
    let expected = (
        &json!({"a": 3, "b": 1}),
        &json!({"a": 4, "b": 2}),
        &json!(3),
    );
    assert_eq!(
        (&both["x"]["k3"], &both["x"]["k4"], &both["x"]["l"]),
        expected
    );
    let deep = "[".repeat(128) + &"]".repeat(128);
    let digits = "1".repeat(2000);
    let yaml = format!("a: {}", "x".repeat(20_000));
    let (yaml, deep) = ([("data.yml", &*yaml)], [("a/data.json", &*deep)]);
    let digits = [("a/data.json", &*digits)];
    let bad: Vec<(&[(&str, &str)], &str)> = vec![
        (&[("data.json", "[]")], "`data.json` is no object"),
        (&[("data.json", "1")], "`data.json` is no object"),
        (&[("data.json", "{")], "`data.json` is no JSON"),
        (&[("data.yaml", "a: [")], "`data.yaml` is no YAML"),
        (&yaml, "of YAML; put it into a `data.json`"),
        (&deep, "deeper than 127"),
        (
            &[("data.json", r#"{"a": 1e999}"#)],
            "past what a 64-bit float holds",
        ),
        (&digits, "more than 1024 digits"),
        (
            &[("a/data.json", "1"), ("data.json", r#"{"a": 1}"#)],
            "`data.json` says what another one says already, at `a`",
        ),
        (
            &[("a/data.json", "1"), ("a/b/data.json", "1")],
            "`a/data.json` says what another one says already, at `a`",
        ),
        (
            &[
                ("a/b/data.json", "1"),
                ("a/data.json", r#"{"b": {"c": 1}}"#),
            ],
            "at `a/b`",
        ),
        (
            &[("a/b/c/data.json", "1"), ("a/data.json", r#"{"b": 1}"#)],
            "at `a/b`",
        ),
        (&[("a/data.json", "{}"), ("a/data.yaml", "[]")], "at `a`"),
        (&[(".hidden/data.json", "{}")], "starts with a dot"),
        (&[("p.rego", "\u{1}")], ""),
    ];
    for (files, words) in bad {
        match read(files) {
            Err(fault) => {
                assert_eq!(fault.step, Step::Parse, "{files:?}: {fault}");
                assert!(fault.what.contains(words), "{files:?}: {fault}");
            }
            // What no Rego is, who compiles it finds out.
            Ok(_) => assert_eq!(words, "", "{files:?}"),
        }
    }
    let mut modules = file("a.rego", "");
    modules.extend(entry(tar::EntryType::Regular, b"b.rego", b"package \xff"));
    refused(vec![(
        "no UTF-8",
        gzip(&ended(modules)),
        rules(),
        Step::Parse,
        "`b.rego` is no UTF-8",
    )]);
    let mut few = rules();
    few.limits.unpacked = 8_000;
    let ones = format!("[{}1]", "1,".repeat(1_000));
    refused(vec![(
        "many values",
        bundle(&[("a/data.json", &ones)]),
        few,
        Step::Parse,
        "more values than a bundle of its size may",
    )]);
}

#[test]
fn data_stays_within_the_roots() {
    let read = |roots: &str, name: &str, text: &str| {
        let manifest = format!(r#"{{"roots": {roots}}}"#);
        read(bundle(&[(".manifest", &*manifest), (name, text)]), rules())
    };
    for (roots, name, text) in [
        (r#"["a/b"]"#, "a/b/data.json", "1"),
        (r#"["a/b"]"#, "data.json", r#"{"a": {"b": {"c": 1}}}"#),
        (r#"["a/b", "c"]"#, "data.json", r#"{"a": {"b": 1}, "c": 2}"#),
        (r#"["a/b"]"#, "data.json", r#"{"a": {}}"#),
        (r#"["a/b"]"#, "data.json", "{}"),
    ] {
        if let Err(fault) = read(roots, name, text) {
            panic!("{roots} {name} {text}: {fault}");
        }
    }
    for (roots, name, text, at) in [
        (r#"["a/b"]"#, "a/data.json", "1", "`a`"),
        (r#"["a/b"]"#, "a/data.json", r#"{"c": 1}"#, "`a/c`"),
        (
            r#"["a/b"]"#,
            "data.json",
            r#"{"a": {"b": 1}, "c": {}}"#,
            "`c`",
        ),
        (r#"["a/b"]"#, "ab/data.json", "1", "`ab`"),
        (r#"["a/b"]"#, "data.json", r#"{"a/b": 1}"#, "`a/b`"),
        ("[]", "x/data.json", "1", "`x`"),
        (r#"["a"]"#, "b/data.yaml", "1", "`b`"),
    ] {
        let fault = read(roots, name, text).unwrap_err();
        assert_eq!(fault.step, Step::Parse);
        let words = format!("its data at {at} is outside its roots");
        assert!(
            fault.what.contains(&words),
            "{roots} {name} {text}: {fault}"
        );
    }
}
