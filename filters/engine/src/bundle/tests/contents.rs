//! What bundles say, and what of it cannot be.

use super::{super::*, build::*};
use portcullis_rego::value;
use serde_json::{Value as Json, json};

fn manifest(text: &str) -> Result<Manifest, Fault> {
    read(bundle(&[(".manifest", text)]), rules()).map(|bundle| bundle.manifest().clone())
}

fn versions(bundle: Bundle) -> Vec<(String, RegoVersion)> {
    let (manifest, content) = bundle.into_content();
    match content {
        Content::Snapshot { modules, .. } => modules
            .iter()
            .map(|module| {
                let version = manifest.version_of(&module.path).unwrap();
                (module.path.clone(), version)
            })
            .collect(),
        Content::Delta(_) => panic!("a delta"),
    }
}

#[test]
fn a_manifest_says_what_it_says() {
    let absent = read(bundle(&[]), rules()).unwrap();
    assert_eq!(absent.manifest().roots, [""]);
    assert_eq!(absent.manifest().revision, "");
    assert_eq!(absent.manifest().rego_version, RegoVersion::V1);
    let said = manifest(
        r#"{"revision": "r", "roots": ["/a/b/", "c"], "rego_version": 0, "wasm": [],
            "metadata": {"portcullis": {"time": "2026-11-27T00:00:00.5Z", "base": "q"}, "x": 1.0}}"#,
    )
    .unwrap();
    assert_eq!(said.revision, "r");
    assert_eq!(said.roots, ["a/b", "c"]);
    assert_eq!(said.rego_version, RegoVersion::V0);
    assert_eq!(said.order, Some(Order::Time(1_795_737_600_500_000_000)));
    assert_eq!(said.base.as_deref(), Some("q"));
    let path = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    for (at, permitted) in [
        ("a/b", true),
        ("a/b/x", true),
        ("c", true),
        ("a", false),
        ("a/bc", false),
        ("d", false),
    ] {
        assert_eq!(said.permits(&path(at)), permitted, "{at}");
    }
    // What tools say there besides is theirs.
    let more = r#"{"metadata": {"portcullis": {"sequence": 3, "promoted": "r6"}}}"#;
    assert_eq!(manifest(more).unwrap().order, Some(Order::Sequence(3)));
    // A sequence says more than a time, by which two may be made at once.
    let both = r#"{"metadata": {"portcullis": {"sequence": 3, "time": "2026-11-27T00:00:00Z"}}}"#;
    assert_eq!(manifest(both).unwrap().order, Some(Order::Sequence(3)));
    assert_eq!(
        manifest(r#"{"roots": [], "metadata": null}"#)
            .unwrap()
            .roots,
        [""; 0]
    );
    assert!(manifest(r#"{"roots": [""]}"#).unwrap().permits(&path("x")));
}

#[test]
fn a_manifest_that_is_none_is_refused() {
    let own = |member: &str| format!(r#"{{"metadata": {{"portcullis": {member}}}}}"#);
    let many: Vec<String> = (0..1025).map(|n| format!("\"r{n}\"")).collect();
    let many = format!(r#"{{"roots": [{}]}}"#, many.join(","));
    let long = format!(r#"{{"revision": "{}"}}"#, "x".repeat(70_000));
    let cases = [
        ("[]", "is no object"),
        ("{", "no JSON"),
        (r#"{"revision": 7}"#, "`revision` that is no text"),
        (r#"{"revision": "7", "revision": "8"}"#, "`revision` twice"),
        (r#"{"Roots": ["a"]}"#, "has `Roots`, and `roots` is meant"),
        (r#"{"roots": "a"}"#, "no list of texts"),
        (r#"{"roots": [1]}"#, "no list of texts"),
        (r#"{"roots": ["a//b"]}"#, "which is no path"),
        (r#"{"roots": ["a", "/a/"]}"#, "overlap: `a` and `a`"),
        (r#"{"roots": ["a/b", "c", "a"]}"#, "overlap: `a` and `a/b`"),
        (r#"{"roots": ["x", ""]}"#, "overlap: `` and `x`"),
        (r#"{"rego_version": 2}"#, "neither 0 nor 1"),
        (r#"{"rego_version": "1"}"#, "neither 0 nor 1"),
        (
            r#"{"file_rego_versions": {"/a.rego": 3}}"#,
            "neither 0 nor 1",
        ),
        (r#"{"file_rego_versions": {"[a": 1}}"#, "which is no glob"),
        (r#"{"file_rego_versions": []}"#, "no object of at most"),
        (r#"{"metadata": []}"#, "`metadata` that is no object"),
        (&own("1"), "`metadata.portcullis` that is no object"),
        (&own(r#"{"sequence": -1}"#), "no whole number"),
        (&own(r#"{"sequence": "1"}"#), "no whole number"),
        (&own(r#"{"sequence": 1.5}"#), "no whole number"),
        (&own(r#"{"time": "yesterday"}"#), "no time such as"),
        (
            &own(r#"{"time": "1969-12-31T23:59:59Z"}"#),
            "no time such as",
        ),
        (
            &own(r#"{"base": 1}"#),
            "`metadata.portcullis.base` that is no text",
        ),
        (
            &own(r#"{"Sequence": 1}"#),
            "has `Sequence` in `metadata.portcullis`, and `sequence` is meant",
        ),
        (&many, "more than 1024 `roots`"),
        (&long, "of more than 65536 bytes"),
    ];
    for (text, words) in cases {
        let fault = manifest(text).unwrap_err();
        assert_eq!(fault.step, Step::Parse, "{text}");
        assert!(fault.what.contains(words), "{text}: {fault}");
    }
}

#[test]
fn each_module_has_its_rego() {
    let files = |globs: &str| {
        let manifest = format!(r#"{{"rego_version": 1, "file_rego_versions": {globs}}}"#);
        read(
            bundle(&[
                (".manifest", &*manifest),
                ("/old/a.rego", "package a"),
                ("old/b/c.rego", "package b"),
                ("n.rego", "package n"),
            ]),
            rules(),
        )
    };
    let versions = |globs: &str| -> Vec<bool> {
        let versions = versions(files(globs).unwrap());
        versions
            .iter()
            .map(|(_, version)| *version == RegoVersion::V0)
            .collect()
    };
    // `n.rego`, `old/a.rego`, `old/b/c.rego`.
    assert_eq!(versions("{}"), [false, false, false]);
    assert_eq!(versions(r#"{"/old/*": 0}"#), [false, true, true]);
    assert_eq!(versions(r#"{"/old/a.rego": 0}"#), [false, true, false]);
    assert_eq!(
        versions(r#"{"/{n,x}.rego": 0, "/?.rego": 0}"#),
        [true, false, false]
    );
    assert_eq!(versions(r#"{"old/*": 0}"#), [false, false, false]);
    let fault = files(r#"{"/old/*": 0, "/old/a.rego": 1}"#).unwrap_err();
    assert!(
        fault.what.contains("`/old/a.rego` two versions of Rego"),
        "{fault}"
    );
}

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
