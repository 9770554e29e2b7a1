//! `serve` where a candidate decides. `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::Value;
use support::{
    Folder,
    gate::{Gate, status, upstream},
};

const NEXT: &str = "next/authz.rego";

/// The policy allows whoever has a role; the candidate, which decides on everybody, nobody.
fn folder() -> Folder {
    let folder = Folder::started();
    folder.write(NEXT, "package envoy.authz\n\ndefault allow := false\n");
    let with = "path: ./policies\n  candidate: {path: ./next, enforce: {share: 1}}\n  #";
    folder.edit("gate.yaml", "path: ./policies", with);
    folder
}

fn bearer(folder: &Folder) -> String {
    let token = folder.token(&["--claim", "roles=[\"reader\"]"]);
    format!("authorization: Bearer {token}\r\n")
}

#[test]
fn the_line_says_whose_decision_it_is_and_where_it_stands() {
    let folder = folder();
    let token = bearer(&folder);
    let more = ["--format", "text", "--watch", "--decision-log", "log.jsonl"];
    let gate = Gate::serve(&folder, &upstream(), &more);
    assert_eq!(status(&gate.get("/orders", &token)), "403");
    let line = gate.line();
    let place = "403 policy.denied GET /orders next/authz.rego:3 subject=alice ";
    assert!(line.contains(place), "{line}");
    assert!(line.contains(" enforced_by=candidate "), "{line}");
    // Nobody is proven: the active policy's.
    gate.get("/health", "");
    let line = gate.line();
    assert!(
        line.contains(" GET /health policies/authz.rego:7 "),
        "{line}"
    );
    assert!(!line.contains("enforced_by"), "{line}");

    folder.edit(NEXT, "allow := false", "allow := true");
    gate.wait_for("reloaded gate.yaml; 1 of your last 2 requests flips:");
    assert_eq!(
        gate.note(),
        "  GET /orders deny -> allow (policy.denied -> policy.allowed, next/authz.rego:3)"
    );
    gate.stop();
    let log = folder.read("log.jsonl");
    let event: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(event["enforced_by"], "candidate");
    assert_eq!(event["place"], "next/authz.rego:3");
    assert_eq!(event["result"], false);
}

#[test]
fn so_does_the_line_for_machines() {
    let folder = folder();
    let token = bearer(&folder);
    let gate = Gate::serve(&folder, &upstream(), &["--format", "json"]);
    gate.get("/orders", &token);
    assert_eq!(gate.decision()["enforced_by"], "candidate");
    gate.get("/health", "");
    assert_eq!(gate.decision().get("enforced_by"), None);
    gate.stop();
}
