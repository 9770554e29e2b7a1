//! Bundles and an implementation that is not ours, tests/bundles/opa.py: what one makes the other takes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bundles;
mod support;

use bundles::{KEYS, policies};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::Folder;

#[test]
fn a_bundle_of_ours_is_what_the_other_one_wants() {
    let Some(other) = Other::find() else { return };
    let folder = policies();
    folder.write("policies/n/data.json", NUMBERS);
    // As long as the two fields of a header take together, and no more.
    let long = format!("{}/{}.rego", "d".repeat(100), "n".repeat(90));
    folder.write(&format!("policies/{long}"), "package long\n");
    for (key, algorithm) in algorithms() {
        folder.write("key.pem", key.private);
        folder.write("key.pub", key.public);
        bundles::built(
            &folder,
            "a.tar.gz",
            &[
                "--sequence",
                "7",
                "--signing-key",
                "key.pem",
                "--signing-alg",
                algorithm,
                "--key-id",
                "ci",
                "--scope",
                "write",
                "--issuer",
                "us",
            ],
        );
        let found = other.ask(
            &folder,
            &json!({
                "do": "verify", "bundle": "a.tar.gz", "key": "key.pub", "algorithm": algorithm,
                "key_id": "ci", "scope": "write",
            }),
        );
        assert_eq!(
            found["claims"],
            json!({"scope": "write", "iss": "us"}),
            "{algorithm}"
        );
        let names: Vec<&String> = found["files"].as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [".manifest", "authz.rego", "data.json", &long, "lib/b.rego"]
        );
        for header in found["headers"].as_array().unwrap() {
            // Mode, owner, group, time, and the names of both.
            assert_eq!(
                header.as_array().unwrap()[1..],
                [
                    json!(0o600),
                    json!(0),
                    json!(0),
                    json!(0),
                    json!(""),
                    json!("")
                ]
            );
        }
        // RFC 1952: no name, no time, the slowest compression, no system.
        assert_eq!(found["gzip"], json!([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]));
    }
}

#[test]
fn a_bundle_of_the_other_one_is_what_we_want() {
    let Some(other) = Other::find() else { return };
    let folder = Folder::new();
    let manifest = r#"{"roots": ["envoy", "n"], "revision": "<1>", "metadata": {"portcullis": {"sequence": 7}}}"#;
    for (key, algorithm) in algorithms() {
        folder.write("key.pem", key.private);
        folder.write("key.pub", key.public);
        other.ask(
            &folder,
            &json!({
                "do": "build", "bundle": "a.tar.gz", "key": "key.pem", "algorithm": algorithm,
                "key_id": "ci", "scope": "write",
                "files": {
                    ".manifest": manifest, "envoy/authz.rego": bundles::text("authz.rego"),
                    "n/data.json": NUMBERS, "notes/data.txt": "nobody reads it\n",
                },
            }),
        );
        let said = bundles::json(
            &folder,
            &[
                "bundle",
                "verify",
                "a.tar.gz",
                "--verification-key",
                "key.pub",
                "--verification-alg",
                algorithm,
                "--key-id",
                "ci",
                "--scope",
                "write",
            ],
        );
        assert_eq!(
            (&said["revision"], &said["files"]),
            (&json!("<1>"), &json!(4)),
            "{algorithm}"
        );
    }
    // Signed anew it is still theirs in every other way.
    let sign = [
        "bundle",
        "sign",
        "a.tar.gz",
        "-o",
        "b.tar.gz",
        "--signing-key",
        "key.pem",
        "--signing-alg",
        "HS512",
        "--key-id",
        "us",
    ];
    let ran = folder.run(&sign);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = other.ask(&folder, &json!({
        "do": "verify", "bundle": "b.tar.gz", "key": "key.pub", "algorithm": "HS512", "key_id": "us",
        "scope": null,
    }));
    assert_eq!(found["files"][".manifest"], json!(manifest));
    assert_eq!(found["files"]["n/data.json"], json!(NUMBERS));
}

/// What canonical forms are easily wrong about: numbers, escapes, the order of members, two of
/// JavaScript's line ends, and what is beyond the first plane of Unicode.
const NUMBERS: &str = "{\"z\": [1.0, 1e5, -0, 0.1e-7, 12345678901234567890.123, 9007199254740993], \"a\": \
    {\"\u{1f600}\": \"\u{2028}\u{2029}\u{7f}\", \"\u{e000}\": \"<&>\\u0041\\/\", \"\": \"\\b\\f\\n\\r\\t\\u0001\\\\\\\"\"}}";

fn algorithms() -> impl Iterator<Item = (&'static bundles::Key, &'static str)> {
    let all = KEYS
        .iter()
        .flat_map(|key| key.algorithms.iter().map(move |it| (key, *it)));
    assert_eq!(all.clone().count(), 13);
    all
}

struct Other {
    python: PathBuf,
    script: PathBuf,
}

impl Other {
    /// Where Python has what it needs; only CI insists.
    fn find() -> Option<Other> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join(".venv/bin/python");
        let has = Command::new(&python)
            .args(["-c", "import jwt, cryptography"])
            .output();
        if !has.is_ok_and(|output| output.status.success()) {
            let why = "PyJWT is not in .venv, where tests/setup.py puts it";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            eprintln!("skipped: {why}");
            return None;
        }
        Some(Other {
            python,
            script: root.join("tests/bundles/opa.py"),
        })
    }

    fn ask(&self, folder: &Folder, order: &Value) -> Value {
        let mut child = Command::new(&self.python)
            .arg(&self.script)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(order.to_string().as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{order}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
