//! `portcullis bundle`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bundles;
mod support;

use bundles::{CI, built, json, policies, signed};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};
use support::Folder;

#[test]
fn a_bundle_is_the_same_wherever_and_whenever_it_is_built() {
    let (one, other) = (Folder::new(), Folder::new());
    let names = ["authz.rego", "lib/b.rego", "roles/data.json", "data.yaml"];
    for name in names {
        one.write(&format!("policies/{name}"), bundles::text(name));
    }
    // Another folder, another order of its entries, other times and modes.
    for name in names.iter().rev() {
        let file = other.write(&format!("elsewhere/deep/{name}"), bundles::text(name));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
    }
    for key in [&[][..], &["--signing-key", "ci.pem", "--key-id", "ci"]] {
        for folder in [&one, &other] {
            folder.write("ci.pem", CI.private);
        }
        let build = [
            "bundle",
            "build",
            "policies",
            "-fo",
            "a.tar.gz",
            "--sequence",
            "7",
        ];
        let ran = one.run(&[&build[..], key].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let build = "umask 077; exec \"$0\" bundle build ./elsewhere/deep/ -fo a.tar.gz --sequence 7 \"$@\"";
        let ran = std::process::Command::new("sh")
            .args(["-c", build, env!("CARGO_BIN_EXE_portcullis")])
            .args(key)
            .current_dir(other.path())
            .status()
            .unwrap();
        assert!(ran.success());
        let read = |folder: &Folder| fs::read(folder.path().join("a.tar.gz")).unwrap();
        assert_eq!(read(&one), read(&other), "{key:?}");
    }
}

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
fn data_is_one_document_with_its_numbers_as_they_were() {
    let folder = policies();
    folder.write(
        "policies/n/data.json",
        r#"{"z": 1.0, "a": 1E5, "m": 12345678901234567890123, "<b>": "é\u2028"}"#,
    );
    built(&folder, "a.tar.gz", &[]);
    let files = bundles::files(&folder, "a.tar.gz");
    let data = &files["data.json"];
    assert!(data.contains(r#""n":{"<b>":"é"#), "{data}");
    // An exponent is spelled anew, and every digit stays.
    for number in ["1.0", "1e+5", "12345678901234567890123"] {
        assert!(data.contains(&format!(":{number}")), "{data}");
    }
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [".manifest", "authz.rego", "data.json", "lib/b.rego"]
    );
}

#[test]
fn what_is_left_out_and_what_is_not() {
    let folder = policies();
    folder.write(
        "policies/authz_test.rego",
        "package authz_test\n\ntest_it if true\n",
    );
    folder.write("policies/gate.yaml", "policy: {path: .}\n");
    folder.write("policies/.hidden.rego", "package hidden\n");
    folder.write("policies/draft.rego", "package draft\n");
    let names = |more: &[&str]| {
        built(&folder, "a.tar.gz", more);
        bundles::files(&folder, "a.tar.gz")
            .into_keys()
            .collect::<Vec<_>>()
    };
    let usual = [
        ".manifest",
        "authz.rego",
        "data.json",
        "draft.rego",
        "lib/b.rego",
    ];
    assert_eq!(names(&[]), usual);
    let with_tests = names(&["--with-tests", "--ignore", "draft.*"]);
    let wanted = [
        ".manifest",
        "authz.rego",
        "authz_test.rego",
        "data.json",
        "lib/b.rego",
    ];
    assert_eq!(with_tests, wanted);
}

#[test]
fn a_manifest_says_what_was_asked_for() {
    let folder = policies();
    let manifest = |more: &[&str]| {
        built(&folder, "a.tar.gz", more);
        let files = bundles::files(&folder, "a.tar.gz");
        serde_json::from_str::<Value>(&files[".manifest"]).unwrap()
    };
    let found = manifest(&["--revision", "v7", "--sequence", "7"]);
    let wanted = json!({
        "revision": "v7", "roots": [""], "rego_version": 1, "metadata": {"portcullis": {"sequence": 7}},
    });
    assert_eq!(found, wanted);
    let roots = [
        "--root", "envoy", "--root", "lib", "--root", "roles", "--root", "flags",
    ];
    let time = ["--revision", "v7", "--time", "2027-02-01T00:00:00Z"];
    let found = manifest(&[&roots[..], &time].concat());
    assert_eq!(found["roots"], json!(["envoy", "lib", "roles", "flags"]));
    assert_eq!(
        found["metadata"]["portcullis"],
        json!({"time": "2027-02-01T00:00:00Z"})
    );
    // A content has a name of its own, whatever its place and its signature.
    let revision = |more: &[&str]| manifest(more)["revision"].as_str().unwrap().to_owned();
    let first = revision(&[]);
    assert!(
        first.starts_with("content-") && first.len() == 40,
        "{first}"
    );
    assert_eq!(first, revision(&["--sequence", "9"]));
    folder.write("policies/roles/data.json", r#"{"bob": ["writer"]}"#);
    assert_ne!(first, revision(&[]));
}

#[test]
fn what_would_not_run_is_not_built() {
    let cases: &[(&str, &str, &[&str], &str)] = &[
        (
            "authz.rego",
            "package envoy.authz\n\nallow if {\n",
            &[],
            "error: policies/authz.rego:",
        ),
        (
            "authz.rego",
            "package other\n\nallow := true\n",
            &[],
            "data.envoy.authz.allow",
        ),
        (
            "authz.rego",
            bundles::text("authz.rego"),
            &["--entrypoint", "a/b"],
            "data.a.b",
        ),
        (
            "authz.rego",
            bundles::text("authz.rego"),
            &["--root", "other"],
            "is outside the roots",
        ),
        (
            "x.rego",
            "package other\n",
            &["--root", "envoy", "--root", "lib"],
            "policies/x.rego: package `other` is outside the roots",
        ),
        (
            "more.json",
            r#"{"roles": {"alice": []}}"#,
            &[],
            "is given twice",
        ),
        (
            "more.json",
            r#"{"more": {}}"#,
            &[
                "--root", "envoy", "--root", "lib", "--root", "roles", "--root", "flags",
            ],
            "`more` is outside its roots",
        ),
    ];
    for (name, text, more, words) in cases {
        let folder = policies();
        folder.write(&format!("policies/{name}"), text);
        let build = ["bundle", "build", "policies", "-o", "a.tar.gz"];
        let ran = folder.run(&[&build[..], more].concat());
        assert_eq!(ran.code, 2, "{name} {more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(!folder.path().join("a.tar.gz").exists());
    }
}

#[test]
fn usage_is_refused_with_a_hint() {
    let folder = policies();
    folder.write("ci.pem", CI.private);
    folder.write("ci.pub", CI.public);
    folder.write("short", "too short");
    folder.write("empty/nothing.txt", "");
    built(&folder, "a.tar.gz", &[]);
    let over = |more: &[&'static str]| [&["build", "policies", "-fo", "b.tar.gz"], more].concat();
    let verify = |more: &[&'static str]| [&["verify", "a.tar.gz"], more].concat();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (
            vec!["build", "policies", "-o", "a.tar.gz"],
            "hint: --force replaces it",
        ),
        (
            vec!["build", "empty", "-o", "b.tar.gz"],
            "neither a policy nor data",
        ),
        (vec!["build", "nowhere", "-o", "b.tar.gz"], "error: nowhere"),
        (
            over(&["--sequence", "1", "--time", "2027-02-01T00:00:00Z"]),
            "cannot be used with",
        ),
        (over(&["--time", "tomorrow"]), "expected a time such as"),
        (over(&["--signing-key", "ci.pem"]), "there is no --key-id"),
        (
            over(&["--signing-key", "nowhere.pem", "--key-id", "ci"]),
            "nowhere.pem",
        ),
        (
            over(&["--signing-key", "ci.pub", "--key-id", "ci"]),
            "holds no private key",
        ),
        (
            over(&["--signing-key", "short", "--key-id", "ci"]),
            "--signing-alg HS256",
        ),
        (
            over(&[
                "--signing-key",
                "short",
                "--key-id",
                "ci",
                "--signing-alg",
                "HS256",
            ]),
            "error: --signing-key short: the key",
        ),
        (
            over(&[
                "--signing-key",
                "ci.pem",
                "--key-id",
                "ci",
                "--signing-alg",
                "HS256",
            ]),
            "takes a shared secret",
        ),
        (
            over(&[
                "--signing-key",
                "ci.pem",
                "--key-id",
                "ci",
                "--signing-alg",
                "RS256",
            ]),
            "ES256 is usual for it",
        ),
        (
            over(&[
                "--signing-key",
                "ci.pem",
                "--key-id",
                "ci",
                "--signing-alg",
                "none",
            ]),
            "expected one of RS256",
        ),
        (
            over(&["--signing-key", "env:NO_SUCH_KEY", "--key-id", "ci"]),
            "the environment has no `NO_SUCH_KEY`",
        ),
        (
            vec!["sign", "a.tar.gz", "-o", "b.tar.gz"],
            "there is no --signing-key",
        ),
        (verify(&[]), "there is no --verification-key"),
        (
            verify(&["--verification-key", "ci.pem"]),
            "is a private key",
        ),
        (
            verify(&["--verification-key", "short"]),
            "--verification-alg HS256",
        ),
        (
            vec!["inspect", "nowhere.tar.gz"],
            "error: nowhere.tar.gz: No such file",
        ),
        (
            vec!["inspect", "short"],
            "error: short: unpack: it is no gzip stream",
        ),
        (
            vec!["push", "a.tar.gz", "policies/authz:v1"],
            "names no registry",
        ),
        (
            vec!["push", "policies", "localhost:1/authz:v1"],
            "it is a folder",
        ),
        (
            vec!["push", "a.tar.gz", "localhost:1/authz:v1"],
            "hint: it was spoken to in plain HTTP",
        ),
    ];
    for (arguments, words) in cases {
        let ran = folder.run(&[&["bundle"], &arguments[..]].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    assert!(!folder.path().join("b.tar.gz").exists());
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
    let verify = |bundle: &str, more: &[&str]| {
        let usual = ["bundle", "verify", bundle, "--verification-key"];
        let key = match more.contains(&"other.pub") {
            true => &[][..],
            false => &["ci.pub"],
        };
        folder.run(&[&usual[..], key, more].concat())
    };
    let right = ["--scope", "write", "--key-id", "ci"];
    let newer = ["--scope", "write", "--newer-than"];
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "a.tar.gz",
            &["--scope", "read"],
            "`scope` is `write`, and `read` is wanted",
        ),
        ("a.tar.gz", &[], "`scope` is `write`"),
        (
            "a.tar.gz",
            &["--scope", "write", "--key-id", "cd"],
            "signed with the key `ci`",
        ),
        (
            "a.tar.gz",
            &["other.pub", "--scope", "write"],
            "its signature is not the key",
        ),
        ("plain.tar.gz", &right, "it is not signed"),
        ("noise.tar.gz", &right, "it is no gzip stream"),
        (
            "a.tar.gz",
            &[&newer[..], &["a.tar.gz"]].concat(),
            "not later than the other one",
        ),
        (
            "older.tar.gz",
            &[&newer[..], &["a.tar.gz"]].concat(),
            "(sequence 6, and sequence 7 there)",
        ),
        (
            "a.tar.gz",
            &[&newer[..], &["timed.tar.gz"]].concat(),
            "one has a sequence, the other one a time",
        ),
        (
            "a.tar.gz",
            &[&newer[..], &["plain.tar.gz"]].concat(),
            "the other one has no order",
        ),
    ];
    for (bundle, more, words) in cases {
        let ran = verify(bundle, more);
        assert_eq!(
            ran.code, 1,
            "{bundle} {more:?}: {}{}",
            ran.stdout, ran.stderr
        );
        assert!(
            ran.stderr.contains(words),
            "{bundle} {more:?}: {}",
            ran.stderr
        );
        assert_eq!(
            (ran.stderr.lines().count(), &*ran.stdout),
            (1, ""),
            "{}",
            ran.stderr
        );
    }
    let ran = verify("a.tar.gz", &right);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("4 files are what the key `ci` signed (ES256, scope `write`)"),
        "{}",
        ran.stdout
    );
    let ran = verify(
        "a.tar.gz",
        &[&newer[..], &["older.tar.gz", "--format", "json"]].concat(),
    );
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
    let key = [
        "--signing-key",
        "ci.pem",
        "--key-id",
        "ci",
        "--scope",
        "write",
    ];
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
    signed(
        &folder,
        "a.tar.gz",
        &["--sequence", "7", "--revision", "v7"],
    );
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
    let ran = inspect(&["--verification-key", "other.pub", "--scope", "write"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout
            .contains("NOT VERIFIED: verify: its signature is not"),
        "{}",
        ran.stdout
    );
    let ran = inspect(&[
        "--verification-key",
        "ci.pub",
        "--scope",
        "write",
        "--format",
        "json",
    ]);
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
        [
            ".manifest",
            ".signatures.json",
            "authz.rego",
            "data.json",
            "lib/b.rego"
        ]
    );
    assert_eq!(report["files"][2]["rego_version"], json!(1));
}

#[test]
fn a_way_on_or_back_is_a_step_forward() {
    let folder = policies();
    signed(
        &folder,
        "v6.tar.gz",
        &["--sequence", "6", "--revision", "v6"],
    );
    folder.write("policies/roles/data.json", r#"{"bob": ["writer"]}"#);
    signed(
        &folder,
        "v7.tar.gz",
        &["--sequence", "7", "--revision", "v7"],
    );
    built(&folder, "none.tar.gz", &["--revision", "none"]);
    built(
        &folder,
        "timed.tar.gz",
        &["--revision", "t1", "--time", "2027-02-01T00:00:00Z"],
    );
    let key = [
        "--signing-key",
        "ci.pem",
        "--key-id",
        "ci",
        "--scope",
        "write",
    ];
    let step = |what: &str, source: &str, over: &str, output: &str, more: &[&str]| {
        folder.run(
            &[
                &["bundle", what, source, "--over", over, "-o", output][..],
                more,
            ]
            .concat(),
        )
    };
    // (what, source, over, more, revision, metadata.portcullis)
    let good = [
        (
            "rollback",
            "v6.tar.gz",
            "v7.tar.gz",
            "v8.tar.gz",
            &key[..],
            "v6+rollback.8",
            json!({"sequence": 8, "rolled_back_to": "v6"}),
        ),
        (
            "promote",
            "none.tar.gz",
            "v8.tar.gz",
            "v9.tar.gz",
            &key[..],
            "none+promoted.9",
            json!({"sequence": 9, "promoted": "none"}),
        ),
        (
            "rollback",
            "v8.tar.gz",
            "v9.tar.gz",
            "v10.tar.gz",
            &["--unsigned"],
            "v6+rollback.10",
            json!({"sequence": 10, "rolled_back_to": "v6+rollback.8"}),
        ),
        (
            "promote",
            "none.tar.gz",
            "timed.tar.gz",
            "t2.tar.gz",
            &["--time", "2027-02-02T00:00:00Z", "--revision", "t2"],
            "t2",
            json!({"time": "2027-02-02T00:00:00Z", "promoted": "none"}),
        ),
    ];
    for (what, source, over, output, more, revision, own) in good {
        let ran = step(what, source, over, output, more);
        assert_eq!(ran.code, 0, "{output}: {}", ran.stderr);
        let report = json(&folder, &["bundle", "inspect", output]);
        assert_eq!(report["revision"], json!(revision));
        assert_eq!(report["metadata"]["portcullis"], own);
        let content = |name: &str| {
            let mut files = bundles::files(&folder, name);
            files.retain(|name, _| !name.starts_with('.'));
            files
        };
        assert_eq!(content(output), content(source), "{output}");
        if more.contains(&"--signing-key") {
            let ran = folder.run(&[
                "bundle",
                "verify",
                output,
                "--verification-key",
                "ci.pub",
                "--scope",
                "write",
                "--newer-than",
                over,
            ]);
            assert_eq!(ran.code, 0, "{output}: {}", ran.stderr);
        }
    }
    let bad: &[(&str, &str, &[&str], &str)] = &[
        (
            "v6.tar.gz",
            "v7.tar.gz",
            &[],
            "--signing-key FILE --key-id ID, or --unsigned",
        ),
        (
            "v6.tar.gz",
            "none.tar.gz",
            &["--unsigned"],
            "build it with --sequence 1",
        ),
        (
            "v6.tar.gz",
            "timed.tar.gz",
            &["--unsigned"],
            "--time names a later one",
        ),
        (
            "v6.tar.gz",
            "timed.tar.gz",
            &["--unsigned", "--time", "2027-02-01T00:00:00Z"],
            "it is not later than",
        ),
        (
            "v6.tar.gz",
            "v7.tar.gz",
            &["--unsigned", "--time", "2027-02-01T00:00:00Z"],
            "leave --time away",
        ),
    ];
    for (source, over, more, words) in bad {
        let ran = step("rollback", source, over, "bad.tar.gz", more);
        assert_eq!(ran.code, 2, "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
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
    signed(
        &folder,
        "v1.tar.gz",
        &["--sequence", "1", "--revision", "v1"],
    );
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 3, "%": 2}, "list": [1, 2], "new": {}, "": 1}"#,
    );
    folder.write(
        "policies/roles/data.json",
        r#"{"alice": ["reader"], "bob": ["writer"]}"#,
    );
    let delta = [
        "--sequence",
        "2",
        "--revision",
        "v2",
        "--delta-from",
        "v1.tar.gz",
    ];
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
    signed(
        &folder,
        "w1.tar.gz",
        &["--sequence", "1", "--revision", "w1"],
    );
    folder.write(
        "policies/x/data.json",
        r#"{"a/b": {"~": 3, "%": 4}, "list": [1, 2], "new": {}}"#,
    );
    signed(
        &folder,
        "w2.tar.gz",
        &["--sequence", "2", "--delta-from", "w1.tar.gz"],
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
    let build = |more: &[&str]| {
        folder.run(&[&["bundle", "build", "policies", "-o", "bad.tar.gz"], more].concat())
    };
    let bad = |more: &[&str], words: &str| {
        let ran = build(more);
        assert_eq!(ran.code, 2, "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    };
    bad(
        &["--delta-from", "w1.tar.gz"],
        "gates would refuse the delta: it has no order",
    );
    bad(
        &["--delta-from", "w1.tar.gz", "--sequence", "1"],
        "it is not later than the other one",
    );
    bad(
        &["--delta-from", "w2.tar.gz", "--sequence", "3"],
        "it is a delta itself",
    );
    let rollback = [
        "rollback",
        "w2.tar.gz",
        "--over",
        "w2.tar.gz",
        "-o",
        "bad.tar.gz",
        "--unsigned",
    ];
    let ran = folder.run(&[&["bundle"], &rollback[..]].concat());
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("it is a delta, and holds no policy"),
        "{}",
        ran.stderr
    );
    built(&folder, "same.tar.gz", &[]);
    bad(
        &["--delta-from", "same.tar.gz", "--sequence", "3"],
        "it has the same data",
    );
    folder.write("policies/lib/b.rego", "package lib.b\n\nc := 2\n");
    bad(
        &["--delta-from", "w1.tar.gz", "--sequence", "3"],
        "it has other modules (lib/b.rego)",
    );
}
