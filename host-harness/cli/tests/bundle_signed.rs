//! `portcullis bundle sign`, `verify` and `inspect`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bundles;
mod support;

use bundles::{CI, built, policies, signed, words};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn every_algorithm_signs_the_same_twice_and_verifies() {
    let folder = policies();
    built(&folder, "a.tar.gz", &[]);
    let mut tried = 0;
    for key in bundles::KEYS {
        folder.write("key.pem", key.private);
        folder.write("key.pub", key.public);
        for algorithm in key.algorithms {
            let sign = [
                "bundle",
                "sign",
                "a.tar.gz",
                "--signing-key",
                "key.pem",
                "--signing-alg",
                algorithm,
                "--key-id",
                "ci",
                "--scope",
                "write",
                "-fo",
            ];
            for output in ["b.tar.gz", "c.tar.gz"] {
                let ran = folder.run(&[&sign[..], &[output]].concat());
                assert_eq!(ran.code, 0, "{algorithm}: {}", ran.stderr);
            }
            let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
            assert_eq!(read("b.tar.gz"), read("c.tar.gz"), "{algorithm}");
            let ran = folder.run(&[
                "bundle",
                "verify",
                "b.tar.gz",
                "--verification-key",
                "key.pub",
                "--verification-alg",
                algorithm,
                "--key-id",
                "ci",
                "--scope",
                "write",
            ]);
            assert_eq!(ran.code, 0, "{algorithm}: {}", ran.stderr);
            assert!(ran.stdout.contains(algorithm), "{}", ran.stdout);
            tried += 1;
        }
    }
    assert_eq!(tried, 13);
}

#[test]
fn a_key_or_a_secret_may_be_in_the_environment_and_is_never_told() {
    let folder = policies();
    folder.write("ci.pub", CI.public);
    let secret = "a secret of thirty-two bytes....";
    for (value, algorithm) in [(CI.private, "ES256"), (secret, "HS256")] {
        let run = |arguments: &[&str]| {
            let output = folder
                .command(arguments)
                .env("BUNDLE_KEY", value)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(output.status.code(), Some(0), "{said}");
            let told = value
                .lines()
                .any(|line| !line.starts_with("---") && said.contains(line));
            assert!(!told, "{said}");
        };
        run(&[
            "bundle",
            "build",
            "policies",
            "-fo",
            "a.tar.gz",
            "--signing-key",
            "env:BUNDLE_KEY",
            "--signing-alg",
            algorithm,
            "--key-id",
            "ci",
        ]);
        let key = if algorithm == "HS256" {
            "env:BUNDLE_KEY"
        } else {
            "ci.pub"
        };
        run(&[
            "bundle",
            "verify",
            "a.tar.gz",
            "--verification-key",
            key,
            "--verification-alg",
            algorithm,
        ]);
    }
}

#[test]
fn what_was_not_signed_does_not_verify() {
    let folder = policies();
    signed(&folder, "a.tar.gz", &["--sequence", "7"]);
    signed(&folder, "older.tar.gz", &["--sequence", "6"]);
    signed(&folder, "timed.tar.gz", &["--time", "2027-02-01T00:00:00Z"]);
    built(&folder, "plain.tar.gz", &[]);
    folder.write("other.pub", bundles::OTHER.public);
    folder.write("noise.tar.gz", "noise");
    let verify = |line: &str| {
        let line = format!("bundle verify --verification-key {line}");
        folder.run(&words(&line))
    };
    let cases = [
        (
            "ci.pub a.tar.gz --scope read",
            "`scope` is `write`, and `read` is wanted",
        ),
        ("ci.pub a.tar.gz", "`scope` is `write`"),
        (
            "ci.pub a.tar.gz --scope write --key-id cd",
            "signed with the key `ci`",
        ),
        (
            "other.pub a.tar.gz --scope write",
            "its signature is not the key",
        ),
        ("ci.pub plain.tar.gz", "it is not signed"),
        ("ci.pub noise.tar.gz", "it is no gzip stream"),
        (
            "ci.pub a.tar.gz --scope write --newer-than a.tar.gz",
            "not later than the other one",
        ),
        (
            "ci.pub older.tar.gz --scope write --newer-than a.tar.gz",
            "(sequence 6, and sequence 7 there)",
        ),
        (
            "ci.pub a.tar.gz --scope write --newer-than timed.tar.gz",
            "one has a sequence, the other one a time",
        ),
        (
            "ci.pub a.tar.gz --scope write --newer-than plain.tar.gz",
            "the other one has no order",
        ),
    ];
    for (line, wanted) in cases {
        let ran = verify(line);
        assert_eq!(ran.code, 1, "{line}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(wanted), "{line}: {}", ran.stderr);
        assert_eq!(
            (ran.stderr.lines().count(), &*ran.stdout),
            (1, ""),
            "{}",
            ran.stderr
        );
    }
    let ran = verify("ci.pub a.tar.gz --scope write --key-id ci");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let wanted = "4 files are what the key `ci` signed (ES256, scope `write`)";
    assert!(ran.stdout.contains(wanted), "{}", ran.stdout);
    let ran = verify("ci.pub a.tar.gz --scope write --newer-than older.tar.gz --format json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["order"], json!({"sequence": 7}));
    assert_eq!(said["verified"], json!(true));
}

#[test]
fn a_folder_is_signed_as_its_archive_is() {
    let folder = policies();
    built(&folder, "a.tar.gz", &[]);
    for (name, text) in bundles::files(&folder, "a.tar.gz") {
        folder.write(&format!("laid-out/{name}"), text);
    }
    folder.write("ci.pem", CI.private);
    let key = words("--signing-key ci.pem --key-id ci --scope write");
    for (bundle, output) in [
        ("a.tar.gz", "b.tar.gz"),
        ("laid-out", "c.tar.gz"),
        ("laid-out", "laid-out/.signatures.json"),
    ] {
        let ran = folder.run(&[&["bundle", "sign", bundle, "-o", output][..], &key].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("b.tar.gz"), read("c.tar.gz"));
    let document = bundles::files(&folder, "b.tar.gz")
        .remove(".signatures.json")
        .unwrap();
    assert_eq!(folder.read("laid-out/.signatures.json"), document);
    let mode = fs::metadata(folder.path().join("b.tar.gz"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o400, 0o400);
}

#[test]
fn inspection_says_what_is_proven_and_what_is_not() {
    let folder = policies();
    signed(&folder, "a.tar.gz", &words("--sequence 7 --revision v7"));
    folder.write("other.pub", bundles::OTHER.public);
    let inspect = |more: &[&str]| folder.run(&[&["bundle", "inspect", "a.tar.gz"], more].concat());
    let ran = inspect(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for line in [
        "revision: v7",
        "order: sequence 7",
        "packages: data.envoy.authz, data.lib.b",
        "entrypoints: data.envoy.authz.allow",
        "signature: key ci, ES256, scope write (NOT VERIFIED: no key was given)",
    ] {
        assert!(
            ran.stdout.lines().any(|it| it == line),
            "{line}: {}",
            ran.stdout
        );
    }
    let ran = inspect(&words("--verification-key other.pub --scope write"));
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout
            .contains("NOT VERIFIED: verify: its signature is not"),
        "{}",
        ran.stdout
    );
    let ran = inspect(&words(
        "--verification-key ci.pub --scope write --format json",
    ));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["signature"]["verified"], json!(true));
    assert_eq!(report["kind"], json!("snapshot"));
    let names: Vec<&str> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        words(".manifest .signatures.json authz.rego data.json lib/b.rego")
    );
    assert_eq!(report["files"][2]["rego_version"], json!(1));
}
