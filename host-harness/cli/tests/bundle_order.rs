//! `portcullis bundle promote` and `rollback`, and deltas: one bundle after another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bundles;
mod support;

use bundles::{built, json, policies, signed, words};
use serde_json::{Value, json};

#[test]
fn a_way_on_or_back_is_a_step_forward() {
    let folder = policies();
    signed(&folder, "v6.tar.gz", &words("--sequence 6 --revision v6"));
    folder.write("policies/roles/data.json", r#"{"bob": ["writer"]}"#);
    signed(&folder, "v7.tar.gz", &words("--sequence 7 --revision v7"));
    built(&folder, "none.tar.gz", &words("--revision none"));
    built(
        &folder,
        "timed.tar.gz",
        &words("--revision t1 --time 2027-02-01T00:00:00Z"),
    );
    let key = "--signing-key ci.pem --key-id ci --scope write";
    let later = "--time 2027-02-02T00:00:00Z --revision t2";
    // (what, over, output, more, revision, metadata.portcullis)
    let good = [
        (
            "rollback v6",
            "v7",
            "v8",
            key,
            "v6+rollback.8",
            json!({"sequence": 8, "rolled_back_to": "v6"}),
        ),
        (
            "promote none",
            "v8",
            "v9",
            key,
            "none+promoted.9",
            json!({"sequence": 9, "promoted": "none"}),
        ),
        (
            "rollback v8",
            "v9",
            "v10",
            "--unsigned",
            "v6+rollback.10",
            json!({"sequence": 10, "rolled_back_to": "v6+rollback.8"}),
        ),
        (
            "promote none",
            "timed",
            "t2",
            later,
            "t2",
            json!({"time": "2027-02-02T00:00:00Z", "promoted": "none"}),
        ),
    ];
    for (what, over, output, more, revision, own) in good {
        let line = format!("bundle {what}.tar.gz --over {over}.tar.gz -o {output}.tar.gz {more}");
        let ran = folder.run(&words(&line));
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        let report = json(&folder, &["bundle", "inspect", &format!("{output}.tar.gz")]);
        assert_eq!(report["revision"], json!(revision));
        assert_eq!(report["metadata"]["portcullis"], own);
        let content = |name: &str| {
            let mut files = bundles::files(&folder, &format!("{name}.tar.gz"));
            files.retain(|name, _| !name.starts_with('.'));
            files
        };
        let (_, source) = what.split_once(' ').unwrap();
        assert_eq!(content(output), content(source), "{output}");
        if more == key {
            let line = format!(
                "bundle verify {output}.tar.gz --verification-key ci.pub --scope write --newer-than {over}.tar.gz"
            );
            let ran = folder.run(&words(&line));
            assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        }
    }
}

#[test]
fn no_step_is_made_that_a_gate_would_not_go() {
    let folder = policies();
    signed(&folder, "v6.tar.gz", &words("--sequence 6 --revision v6"));
    built(&folder, "none.tar.gz", &words("--revision none"));
    built(
        &folder,
        "timed.tar.gz",
        &words("--revision t1 --time 2027-02-01T00:00:00Z"),
    );
    let cases = [
        (
            "v6.tar.gz",
            "",
            "--signing-key FILE --key-id ID, or --unsigned",
        ),
        ("none.tar.gz", "--unsigned", "build it with --sequence 1"),
        ("timed.tar.gz", "--unsigned", "--time names a later one"),
        (
            "timed.tar.gz",
            "--unsigned --time 2027-02-01T00:00:00Z",
            "it is not later than",
        ),
        (
            "v6.tar.gz",
            "--unsigned --time 2027-02-01T00:00:00Z",
            "leave --time away",
        ),
        (
            "v6.tar.gz",
            "--unsigned --signing-key ci.pem",
            "cannot be used with",
        ),
    ];
    for (over, more, wanted) in cases {
        let line = format!("bundle rollback v6.tar.gz --over {over} -o bad.tar.gz {more}");
        let ran = folder.run(&words(&line));
        assert_eq!(ran.code, 2, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{line}: {}", ran.stderr);
    }
    assert!(!folder.path().join("bad.tar.gz").exists());
}

#[test]
fn a_delta_has_what_changed_of_the_data() {
    let folder = policies();
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 1, "%": 2}, "gone": true, "list": [1], "": 1}"#,
    );
    signed(&folder, "v1.tar.gz", &words("--sequence 1 --revision v1"));
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 3, "%": 2}, "list": [1, 2], "new": {}, "": 1}"#,
    );
    folder.write(
        "policies/roles/data.json",
        r#"{"alice": ["reader"], "bob": ["writer"]}"#,
    );
    let delta = words("--sequence 2 --revision v2 --delta-from v1.tar.gz");
    signed(&folder, "v2.tar.gz", &delta);
    let patch = bundles::files(&folder, "v2.tar.gz")
        .remove("patch.json")
        .unwrap();
    let patch: Value = serde_json::from_str(&patch).unwrap();
    let wanted = json!({"data": [
        {"op": "upsert", "path": "/roles/bob", "value": ["writer"]},
        {"op": "upsert", "path": "/x", "value": {"a/b": {"~": 3, "%": 2}, "list": [1, 2], "new": {}, "": 1}},
    ]});
    assert_eq!(patch, wanted);
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 1, "%": 2}, "gone": true, "list": [1]}"#,
    );
    signed(&folder, "w1.tar.gz", &words("--sequence 1 --revision w1"));
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 3, "%": 4}, "list": [1, 2], "new": {}}"#,
    );
    signed(
        &folder,
        "w2.tar.gz",
        &words("--sequence 2 --delta-from w1.tar.gz"),
    );
    let report = json(&folder, &["bundle", "inspect", "w2.tar.gz"]);
    let wanted = json!([
        {"op": "remove", "path": "/x/gone"},
        {"op": "upsert", "path": "/x/a~1b/%25"},
        {"op": "upsert", "path": "/x/a~1b/~0"},
        {"op": "upsert", "path": "/x/list"},
        {"op": "upsert", "path": "/x/new"},
    ]);
    assert_eq!(report["operations"], wanted);
    assert_eq!(
        (&report["base"], &report["kind"]),
        (&json!("w1"), &json!("delta"))
    );
    let build =
        |more: &[&str]| folder.run(&[&words("bundle build policies -o bad.tar.gz"), more].concat());
    let bad = |more: &[&str], wanted: &str| {
        let ran = build(more);
        assert_eq!(ran.code, 2, "{wanted}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
    };
    bad(
        &["--delta-from", "w1.tar.gz"],
        "gates would refuse the delta: it has no order",
    );
    bad(
        &words("--delta-from w1.tar.gz --sequence 1"),
        "it is not later than the other one",
    );
    bad(
        &words("--delta-from w2.tar.gz --sequence 3"),
        "it is a delta itself",
    );
    let rollback = words("rollback w2.tar.gz --over w2.tar.gz -o bad.tar.gz --unsigned");
    let ran = folder.run(&[&["bundle"], &rollback[..]].concat());
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("it is a delta, and holds no policy"),
        "{}",
        ran.stderr
    );
    built(&folder, "same.tar.gz", &[]);
    bad(
        &words("--delta-from same.tar.gz --sequence 3"),
        "it has the same data",
    );
    folder.write("policies/lib/b.rego", "package lib.b\n\nc := 2\n");
    bad(
        &words("--delta-from w1.tar.gz --sequence 3"),
        "it has other modules (lib/b.rego)",
    );
}
