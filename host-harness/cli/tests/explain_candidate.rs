//! `explain` where a candidate decides, or a policy comes with a bundle.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{Folder, Ran};

const BUNDLE: &str = "bundle: {cluster: b, authority: b, path: /b.tar.gz}";
const ENFORCE: &str = "enforce: {share: 1}";
/// It lets nobody in.
const NEXT: &str = "package envoy.authz\n\ndefault allow := false\n";

/// The policy allows whoever has a role; the candidate is this.
fn folder(candidate: &str) -> Folder {
    let folder = Folder::started();
    folder.write("next/authz.rego", NEXT);
    let with = format!("path: ./policies\n  candidate: {{{candidate}}}\n  #");
    folder.edit("gate.yaml", "path: ./policies", &with);
    folder
}

fn bundled() -> Folder {
    let folder = folder("path: ./next");
    folder.edit(
        "gate.yaml",
        "path: ./policies\n  candidate: {path: ./next}",
        BUNDLE,
    );
    folder
}

fn ask(folder: &Folder, more: &[&str]) -> Ran {
    let token = folder.token(&["--claim", "roles=[\"reader\"]"]);
    let header = format!("authorization: Bearer {token}");
    let curl = ["--", "curl", "-H", &header, "http://localhost/orders"];
    let ran = folder.run(&[&["explain"], more, &curl].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains(&token), "{}", ran.stdout);
    ran
}

fn log(folder: &Folder, members: Value) {
    let mut event = json!({
        "decision_id": "d", "timestamp": "2026-11-27T07:00:00Z", "path": "envoy/authz/allow",
        "rule": "data.envoy.authz.allow", "allowed": false, "status": 403, "reason": "policy.denied",
        "input": {"attributes": {"request": {"http": {"method": "GET", "path": "/orders"}}},
            "verified": {"jwt": {"claims": {"roles": ["reader"]}}}, "parsed_path": ["orders"]},
    });
    let all = event.as_object_mut().unwrap();
    all.extend(members.as_object().unwrap().clone());
    folder.write("log.jsonl", event.to_string());
}

fn logged(folder: &Folder, more: &[&str]) -> Ran {
    folder.run(&[&["explain", "--log", "log.jsonl"], more, &["d"]].concat())
}

#[test]
fn the_candidate_is_explained_where_it_decides() {
    let folder = folder(&format!("path: ./next, {ENFORCE}"));
    let ran = ask(&folder, &[]);
    let told = "\n\nthe candidate decided\ndata.envoy.authz.allow is false\n  \
                next/authz.rego:3  default allow := false\n    yes false: nothing else holds\n";
    assert!(
        ran.stdout.contains("\ndenied 403 policy.denied\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with(told), "{}", ran.stdout);
    let said = ask(&folder, &["--format", "json"]).json();
    assert_eq!(said["decision"]["enforced_by"], "candidate");
    assert_eq!(said["policy"]["definitions"][0]["file"], "next/authz.rego");
    assert_eq!(said["notes"], json!([]));

    log(&folder, json!({"enforced_by": "candidate"}));
    let ran = logged(&folder, &[]);
    let told = told.replace("decided\n", "decided; with the candidate as it is now\n");
    assert!(ran.stdout.ends_with(&told), "{}", ran.stdout);
    // And the active one where it was that.
    log(
        &folder,
        json!({"allowed": true, "reason": "policy.allowed"}),
    );
    let ran = logged(&folder, &[]);
    let told =
        "\nwith the policy as it is now\ndata.envoy.authz.allow is true\n  policies/authz.rego";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn a_candidate_with_a_rule_of_its_own_is_asked_that() {
    let folder = folder(&format!("path: ./next, entrypoint: next/ok, {ENFORCE}"));
    folder.write("next/authz.rego", "package next\n\nok := false\n");
    let ran = ask(&folder, &[]);
    let told = "\nthe candidate decided\ndata.next.ok is false\n  next/authz.rego:3 ";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn what_is_not_at_hand_is_told() {
    let decides = "the candidate, which decides on this subject's requests, ";
    let away = "comes with a bundle, which is not at hand here";
    let local = folder(&format!("path: ./next, {ENFORCE}"));
    local.write(
        "next/authz.rego",
        "package envoy.authz\n\nallow := \"yes\"\n",
    );
    for (folder, decided, wanted) in [
        (
            folder(&format!("{BUNDLE}, {ENFORCE}")),
            "allowed policy.allowed",
            Some(format!("{decides}{away}: this is by the active policy")),
        ),
        (
            local,
            "allowed policy.allowed",
            Some(format!(
                "{decides}gave no answer of its own: this is by the active policy"
            )),
        ),
        (
            bundled(),
            "denied 503 policy.unavailable",
            Some(format!("the policy {away}")),
        ),
        // Nothing hangs on it.
        (folder(BUNDLE), "allowed policy.allowed", None),
    ] {
        let ran = ask(&folder, &[]);
        let note = wanted.iter().map(|note| format!("note: {note}\n"));
        let told = format!("\n{decided}\n{}\ncredentials\n", note.collect::<String>());
        assert!(ran.stdout.contains(&told), "{told}: {}", ran.stdout);
        assert!(!ran.stdout.contains("undefined"), "{}", ran.stdout);
        let said = ask(&folder, &["--format", "json"]).json();
        assert_eq!(said["notes"], json!(Vec::from_iter(wanted)));
    }
}

#[test]
fn a_log_is_not_explained_without_the_policy_that_decided() {
    let built = bundled();
    let ran = built.run(&["bundle", "build", "next", "-o", "next.tar.gz"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let candidate = json!({"enforced_by": "candidate"});
    let bundle = "comes with a bundle\nhint: name the bundle: --policy authz.tar.gz\n";
    for (folder, members, wanted) in [
        (
            &built,
            json!({}),
            format!("the policy of this configuration {bundle}"),
        ),
        (
            &folder(&format!("{BUNDLE}, {ENFORCE}")),
            candidate.clone(),
            format!("the candidate of this configuration {bundle}"),
        ),
        (
            &Folder::started(),
            candidate.clone(),
            "this configuration has no candidate\nhint: name one: --policy PATH\n".to_owned(),
        ),
    ] {
        log(folder, members);
        let ran = logged(folder, &[]);
        ran.refused(&format!("error: {}", wanted.lines().next().unwrap()));
        assert_eq!(ran.stderr, format!("error: {wanted}"));
    }
    // As it says.
    for path in ["next.tar.gz", "next"] {
        let ran = logged(&built, &["--policy", path]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let told = "\nwith the policy that --policy names\ndata.envoy.authz.allow is false\n";
        assert!(ran.stdout.contains(told), "{}", ran.stdout);
    }
    // No policy was asked: there is none to miss.
    log(
        &built,
        json!({"input": null, "rule": null, "reason": "jwt.expired", "status": 401}),
    );
    let event = built.read("log.jsonl").replace("\"input\":null,", "");
    built.write("log.jsonl", event);
    assert_eq!(logged(&built, &[]).code, 0);
}
