//! `explain`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;
use support::{Folder, Ran};

/// A clerk may read orders; the first line that does not hold is told.
const POLICY: &str = "\
package envoy.authz

default allow := false

allow if {
	input.attributes.request.http.method == \"GET\"
	is_clerk
}

is_clerk if \"clerk\" in input.verified.jwt.claims.roles
";

fn folder() -> Folder {
    let folder = Folder::started();
    folder.write("policies/authz.rego", POLICY);
    std::fs::remove_file(folder.path().join("policies/authz_test.rego")).ok();
    folder
}

fn explain(folder: &Folder, method: &str, roles: &str) -> Ran {
    let claim = format!("roles={roles}");
    let issuer = ["--issuer", "https://dev.example.com", "--audience", "demo"];
    let token = folder.run(&[&["token", "--claim", &claim], &issuer[..]].concat());
    assert_eq!(token.code, 0, "{}", token.stderr);
    let token = token.stdout.trim();
    folder.write(
        "asked.http",
        format!("{method} /orders/7?key=k HTTP/1.1\nhost: x\nauthorization: Bearer {token}\n\n"),
    );
    let ran = folder.run(&["explain", "--request", "asked.http"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains(token), "{}", ran.stdout);
    ran
}

#[test]
fn the_first_condition_that_fails_is_told_with_its_values() {
    let folder = folder();
    let ran = explain(&folder, "DELETE", "[\"clerk\"]");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"DELETE /orders/7"));
    assert_eq!(lines.get(1), Some(&"denied 403 policy.denied"));
    let told = "\
data.envoy.authz.allow is false
  policies/authz.rego:5  allow if {
    no  policies/authz.rego:6:2  input.attributes.request.http.method == \"GET\"
        input.attributes.request.http.method = \"DELETE\"
  policies/authz.rego:3  default allow := false
    yes false: nothing else holds";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn and_the_rule_that_it_asks() {
    let folder = folder();
    let ran = explain(&folder, "GET", "[\"guest\"]");
    let told = "\
    no  policies/authz.rego:7:2  is_clerk
        is_clerk = undefined
        data.envoy.authz.is_clerk is undefined
          policies/authz.rego:10  is_clerk if \"clerk\" in input.verified.jwt.claims.roles
            no  policies/authz.rego:10:13  \"clerk\" in input.verified.jwt.claims.roles
                input.verified.jwt.claims.roles = [\"guest\"]";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let allowed = explain(&folder, "GET", "[\"clerk\"]");
    assert!(
        allowed.stdout.contains("\nallowed policy.allowed\n"),
        "{}",
        allowed.stdout
    );
    assert!(
        allowed
            .stdout
            .contains("  policies/authz.rego:5  allow if {\n    yes true")
    );
}

#[test]
fn a_credential_that_is_refused_is_told_and_not_shown() {
    let folder = folder();
    let ran = folder.run(&[
        "explain",
        "--format",
        "json",
        "--",
        "curl",
        "-H",
        "authorization: Bearer not-a-token-but-secret",
        "http://localhost/orders",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let at = |pointer: &str| said.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(at("/decision/reason"), "jwt.malformed");
    assert_eq!(at("/credentials/0/outcome"), "refused");
    assert_eq!(at("/credentials/0/reason"), "jwt.malformed");
    assert_eq!(at("/policy"), Value::Null);
}

#[test]
fn what_a_policy_makes_of_a_credential_is_masked() {
    let folder = folder();
    folder.write(
        "policies/authz.rego",
        "package envoy.authz\n\nallow if {\n\theaders := input.attributes.request.http.headers\n\t\
         parts := split(headers.cookie, \"=\")\n\tparts[1] == \"other\"\n\theaders[\"x-api-key\"]\n}\n",
    );
    folder.write(
        "asked.http",
        "GET / HTTP/1.1\nhost: x\ncookie: session=0123456789abcdef\nx-api-key: 0123456789abcdefg\n\n",
    );
    let ran = folder.run(&["explain", "--request", "asked.http"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("parts[1] = \"***\""), "{}", ran.stdout);
    assert!(!ran.stdout.contains("0123456789"), "{}", ran.stdout);
}

#[test]
fn a_logged_decision_is_explained_by_its_id() {
    let folder = folder();
    let event = |id: &str, method: &str| {
        format!(
            "{{\"decision_id\":\"{id}\",\"path\":\"/x\",\"input\":{{\"attributes\":{{\"request\":{{\
             \"http\":{{\"method\":\"{method}\",\"path\":\"/x\"}}}}}}}}}}\n"
        )
    };
    folder.write(
        "log.jsonl",
        event("a", "PUT") + &event("b", "POST") + "{\"decision_id\":\"c\",\"path\":\"/x\"}\n",
    );
    let ask = |more: &[&str]| folder.run(&[&["explain", "--log", "log.jsonl"], more].concat());
    let told = ask(&["a"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        told.stdout.contains("http.method = \"PUT\""),
        "{}",
        told.stdout
    );
    // OPA's events name the rule.
    let of_opa =
        event("d", "PATCH").replace("\"/x\",\"input\"", "\"envoy/authz/is_clerk\",\"input\"");
    let piped = folder.run_with(&["explain", "--log", "-"], &of_opa);
    assert!(
        piped
            .stdout
            .contains("data.envoy.authz.is_clerk is undefined"),
        "{}",
        piped.stdout
    );
    ask(&["nope"]).refused("error: log.jsonl: no decision has the id `nope`");
    ask(&["c"]).refused("error: log.jsonl: the decision has no `input`");
    folder.write("log.jsonl", "no\n");
    ask(&[]).refused("error: log.jsonl: there is no decision in it");
    ask(&["a"]).refused("error: log.jsonl: there is no decision in it");
    folder
        .run(&["explain", "--log", "policies"])
        .refused("error: policies: this is a folder");
}

/// What `replay` reads, `explain` does.
#[test]
fn a_log_is_read_in_every_form_that_it_has() {
    let folder = folder();
    let event = |id: &str| {
        json!({"decision_id": id, "path": "envoy/authz/allow", "result": false,
            "input": {"attributes": {"request": {"http": {"method": "PUT", "path": "/x"}}}}})
    };
    let [first, last] = [event("first"), event("last")];
    let gzip = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let lines = format!("{first}\n{last}\n");
    let array = json!([first, last]);
    let half = last.to_string();
    let half = half.split_at(40).0;
    let mut cut = gzip(&format!("{lines}{}", "x".repeat(70_000)));
    cut.truncate(cut.len() - 8);
    let prefix = "[2026-11-27 07:00:00.000][12][info][wasm] wasm log portcullis {x}:";
    let other = "log: 1 line is no decision";
    for (log, told) in [
        (lines.clone().into_bytes(), ""),
        (gzip(&lines), ""),
        (array.to_string().into_bytes(), ""),
        (format!("{array:#}").into_bytes(), ""),
        (
            format!("{prefix} {first}\n[x][info] starting\n{prefix} {last}\n").into_bytes(),
            other,
        ),
        (format!("no\n{lines}").into_bytes(), other),
        (
            format!("{first}\n{half}\n{last}\n").into_bytes(),
            "1 record cannot be read: log:2",
        ),
        (
            format!("{lines}{half}").into_bytes(),
            "1 record cut off at the end of a log, so not read",
        ),
        (
            cut,
            "log: compressed data ends early or is damaged; what follows was not read",
        ),
    ] {
        folder.write("log", log);
        for id in [&["first"][..], &["last"], &[]] {
            let ran = folder.run(&[&["explain", "--log", "log"], id].concat());
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(
                ran.stdout.contains("http.method = \"PUT\""),
                "{}",
                ran.stdout
            );
            let warning = match told {
                "" => String::new(),
                told => format!("warning: {told}\n"),
            };
            assert_eq!(ran.stderr, warning);
        }
    }
    folder.write("log", format!("{first}\n{half}\n"));
    let ran = folder.run(&["explain", "--log", "log", "last"]);
    ran.refused("error: log: no decision has the id `last`");
    assert!(
        ran.stderr.contains("hint: 1 record cannot be read: log:2"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_there_is_nothing_to_explain_of_is_one_clear_line() {
    let folder = folder();
    for (arguments, error) in [
        (
            &[][..],
            "error: there is nothing to explain: it takes --request FILE, --log FILE [ID], or -- curl ... URL",
        ),
        (
            &["--config", "nowhere.yaml"],
            "error: there is nothing to explain: ",
        ),
        (
            &["--", "curl"],
            "error: the curl command: there is no URL in it",
        ),
        (
            &["curl -X PUT"],
            "error: the curl command: there is no URL in it",
        ),
    ] {
        folder
            .run(&[&["explain"], arguments].concat())
            .refused(error);
    }
}
