//! `portcullis bundle build`, and how all of `bundle` is misused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bundles;
mod support;

use bundles::{CI, built, policies, words};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};
use support::Folder;

#[test]
fn a_bundle_is_the_same_wherever_and_whenever_it_is_built() {
    let (one, other) = (Folder::new(), Folder::new());
    let names = words("authz.rego lib/b.rego roles/data.json data.yaml");
    for name in &names {
        one.write(&format!("policies/{name}"), bundles::text(name));
    }
    // Another folder, another order of its entries, other times and modes.
    for name in names.iter().rev() {
        let file = other.write(&format!("elsewhere/deep/{name}"), bundles::text(name));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
    }
    for key in [&[][..], &words("--signing-key ci.pem --key-id ci")] {
        for folder in [&one, &other] {
            folder.write("ci.pem", CI.private);
        }
        let build = words("bundle build policies -fo a.tar.gz --sequence 7");
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
    assert_eq!(names, words(".manifest authz.rego data.json lib/b.rego"));
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
    let usual = words(".manifest authz.rego data.json draft.rego lib/b.rego");
    assert_eq!(names(&[]), usual);
    let with_tests = names(&["--with-tests", "--ignore", "draft.*"]);
    let wanted = words(".manifest authz.rego authz_test.rego data.json lib/b.rego");
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
    let found = manifest(&words("--revision v7 --sequence 7"));
    let wanted = json!({
        "revision": "v7", "roots": [""], "rego_version": 1, "metadata": {"portcullis": {"sequence": 7}},
    });
    assert_eq!(found, wanted);
    let roots = words("--root envoy --root lib --root roles --root flags");
    let time = words("--revision v7 --time 2027-02-01T00:00:00Z");
    let found = manifest(&[&roots[..], &time].concat());
    assert_eq!(found["roots"], json!(words("envoy lib roles flags")));
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
fn a_private_key_does_not_slip_in() {
    let folder = Folder::started();
    let build = words("bundle build . -o a.tar.gz");
    let ran = folder.run(&build);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("there is a private key (JWK)"),
        "{}",
        ran.stderr
    );
    let ran = folder.run(&[&build[..], &["--ignore", "dev-key.json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let names: Vec<String> = bundles::files(&folder, "a.tar.gz").into_keys().collect();
    assert_eq!(names, words(".manifest data.json policies/authz.rego"));
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
            &words("--root envoy --root lib"),
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
            &words("--root envoy --root lib --root roles --root flags"),
            "`more` is outside its roots",
        ),
    ];
    for (name, text, more, wanted) in cases {
        let folder = policies();
        folder.write(&format!("policies/{name}"), text);
        let build = words("bundle build policies -o a.tar.gz");
        let ran = folder.run(&[&build[..], more].concat());
        assert_eq!(ran.code, 2, "{name} {more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
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
    let build = "build policies -fo b.tar.gz";
    let signed = "build policies -fo b.tar.gz --key-id ci --signing-key";
    let cases = [
        (
            "build policies -o a.tar.gz",
            "",
            "hint: --force replaces it",
        ),
        ("build empty -o b.tar.gz", "", "neither a policy nor data"),
        ("build nowhere -o b.tar.gz", "", "error: nowhere"),
        (
            build,
            "--sequence 1 --time 2027-02-01T00:00:00Z",
            "cannot be used with",
        ),
        (build, "--time tomorrow", "expected a time such as"),
        (build, "--signing-key ci.pem", "there is no --key-id"),
        (signed, "nowhere.pem", "nowhere.pem"),
        (signed, "ci.pub", "holds no private key"),
        (signed, "short", "--signing-alg HS256"),
        (
            signed,
            "short --signing-alg HS256",
            "error: --signing-key short: the key",
        ),
        (
            signed,
            "ci.pem --signing-alg HS256",
            "takes a shared secret",
        ),
        (
            signed,
            "ci.pem --signing-alg RS256",
            "ES256 is usual for it",
        ),
        (signed, "ci.pem --signing-alg none", "expected one of RS256"),
        (
            signed,
            "env:NO_SUCH_KEY",
            "the environment has no `NO_SUCH_KEY`",
        ),
        ("sign a.tar.gz -o b.tar.gz", "", "there is no --signing-key"),
        ("verify a.tar.gz", "", "there is no --verification-key"),
        (
            "verify a.tar.gz",
            "--verification-key ci.pem",
            "is a private key",
        ),
        (
            "verify a.tar.gz",
            "--verification-key short",
            "--verification-alg HS256",
        ),
        (
            "inspect nowhere.tar.gz",
            "",
            "error: nowhere.tar.gz: No such file",
        ),
        (
            "inspect short",
            "",
            "error: short: unpack: it is no gzip stream",
        ),
        ("push a.tar.gz policies/authz:v1", "", "names no registry"),
        ("push policies localhost:1/authz:v1", "", "it is a folder"),
        (
            "push a.tar.gz registry.invalid/authz:v1",
            "",
            "--plain-http uses none",
        ),
        (
            "push a.tar.gz registry.invalid/authz:v1",
            "--plain-http",
            "warning: without TLS",
        ),
        (
            "push a.tar.gz localhost:1/authz:v1",
            "",
            "hint: it was spoken to in plain HTTP",
        ),
    ];
    for (command, more, wanted) in cases {
        let line = format!("bundle {command} {more}");
        let ran = folder.run(&words(&line));
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(wanted), "{line}: {}", ran.stderr);
    }
    assert!(!folder.path().join("b.tar.gz").exists());
}
