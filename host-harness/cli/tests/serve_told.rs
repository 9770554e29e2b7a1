//! What `serve` tells of its decisions: the line that decided, the decision log, and what flips when
//! a policy is saved. `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "serve_told/as_the_gates.rs"]
mod as_the_gates;
#[path = "serve_told/file.rs"]
mod file;
mod support;

use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};
use support::{
    Folder,
    gate::{Gate, status, upstream},
};

const READER: &str = "roles=[\"reader\"]";
const POLICY: &str = "policies/authz.rego";

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// An answer that stands for any request.
fn say(folder: &Folder, allow: bool) {
    let before = format!("default allow := {}", !allow);
    folder.edit(POLICY, &before, &format!("default allow := {allow}"));
}

fn events(folder: &Folder) -> Vec<Value> {
    let log = folder.read("log.jsonl");
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn text_names_the_line_that_decided() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &["--format", "text", "--watch"]);
    let token = folder.token(&["--claim", READER]);
    let expired = folder.token(&["--expires", "-1h"]);
    for (path, headers, wanted, subject) in [
        (
            "/orders/7?x=1",
            String::new(),
            "403 policy.denied GET /orders/7 policies/authz.rego:4 ",
            "",
        ),
        (
            "/health",
            String::new(),
            "200 policy.allowed GET /health policies/authz.rego:7 ",
            "",
        ),
        (
            "/orders",
            bearer(&token),
            "200 policy.allowed GET /orders policies/authz.rego:11 ",
            "subject=alice",
        ),
        // No policy was asked.
        (
            "/orders",
            bearer(&expired),
            "401 jwt.expired GET /orders ",
            "",
        ),
    ] {
        gate.get(path, &headers);
        let line = gate.line();
        assert!(line.contains(wanted) && line.contains(subject), "{line}");
        assert!(
            line.ends_with("us"),
            "there is no log to look an id up in: {line}"
        );
        assert!(!line.contains('\x1b') && !line.contains("x=1"), "{line}");
        assert_eq!(line.contains(".rego"), wanted.contains(".rego"), "{line}");
    }

    // Rules move, and the lines with them.
    let moved = folder.read(POLICY).replace("default", "\n\ndefault");
    folder.write(POLICY, moved);
    assert!(
        gate.wait_for("reloaded")
            .ends_with("; none of your last 4 requests flips")
    );
    gate.get("/orders", "");
    let line = gate.line();
    assert!(line.contains(" policies/authz.rego:6 "), "{line}");
    gate.stop();
}

#[test]
fn a_policy_that_says_how_is_named_by_its_branch() {
    let folder = Folder::started();
    folder.write(
        POLICY,
        "package envoy.authz\n\nallow := {\"allowed\": true} if {\n\tinput.parsed_path[0] == \"open\"\n} \
         else := {\"allowed\": false, \"reason\": concat(\" \", [\"no:\", input.attributes.request.http.headers[\"x-api-key\"]])} if {\n\t\
         input.parsed_path[0] == \"shut\"\n}\n",
    );
    let gate = Gate::serve(&folder, &upstream(), &["--format", "text"]);
    let key = "x-api-key: an-opaque-secret\r\n";
    for (path, wanted) in [
        (
            "/open",
            "200 policy.allowed GET /open policies/authz.rego:3 ",
        ),
        (
            "/shut",
            "403 policy.denied GET /shut policies/authz.rego:5 detail=no: *** ",
        ),
        ("/else", "403 policy.undefined GET /else "),
    ] {
        gate.get(path, key);
        let line = gate.line();
        assert!(line.contains(wanted), "{line}");
        assert!(!line.contains("opaque"), "{line}");
    }
    gate.stop();
}

#[test]
fn a_saved_policy_says_what_flips() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &["--watch"]);
    // Nothing to say of flips before the first request.
    say(&folder, true);
    assert_eq!(gate.wait_for("reloaded"), "reloaded gate.yaml");
    say(&folder, false);
    assert_eq!(gate.wait_for("reloaded"), "reloaded gate.yaml");

    let token = folder.token(&["--claim", READER]);
    let expired = folder.token(&["--expires", "-1h"]);
    for (path, headers) in [
        ("/orders/7?key=hush", bearer(&token)),
        ("/orders/8", String::new()),
        ("/health", String::new()),
        ("/orders/9", bearer(&expired)),
    ] {
        gate.get(path, &headers);
    }
    folder.edit(
        POLICY,
        "some role in input.verified.jwt.claims.roles",
        "some role in []",
    );
    assert_eq!(
        gate.wait_for("reloaded"),
        "reloaded gate.yaml; 1 of your last 4 requests flips:"
    );
    assert_eq!(
        gate.note(),
        "  GET /orders/7 allow -> deny (policy.allowed -> policy.denied, policies/authz.rego:4)"
    );

    // A broken one is not decided by.
    folder.edit(POLICY, "default allow := false", "default allow := ");
    gate.wait_for("error: policies/authz.rego:");
    assert_eq!(gate.note(), "the last good configuration stays");
    folder.edit(POLICY, "default allow := ", "default allow := true");
    assert_eq!(
        gate.wait_for("reloaded"),
        "reloaded gate.yaml; 2 of your last 4 requests flip:"
    );
    for path in ["/orders/7", "/orders/8"] {
        assert_eq!(
            gate.note(),
            format!(
                "  GET {path} deny -> allow (policy.denied -> policy.allowed, policies/authz.rego:4)"
            )
        );
    }

    // Without any change of the answer it is still said when the reason is another.
    folder.edit(POLICY, "default allow := true", "# none");
    let told = gate.wait_for("reloaded");
    assert!(
        told.ends_with("; 2 of your last 4 requests flip:"),
        "{told}"
    );
    gate.wait_for("/orders/8 allow -> deny (policy.allowed -> policy.undefined)");
    folder.edit(POLICY, "# none", "default allow := false");
    let told = gate.wait_for("reloaded");
    assert!(
        told.ends_with("; 2 of your last 4 requests flip:"),
        "{told}"
    );
    gate.wait_for("deny -> deny (policy.undefined -> policy.denied, policies/authz.rego:4)");
    gate.stop();
}

#[test]
fn fifty_requests_are_remembered_and_none_that_is_huge() {
    let folder = Folder::started();
    folder.edit(
        "gate.yaml",
        "jwt:\n",
        "headers: {max_bytes: 256KiB}\njwt:\n",
    );
    let gate = Gate::serve(&folder, &upstream(), &["--watch"]);
    gate.get("/huge", &format!("x-a: {}\r\n", "a".repeat(66_000)));
    gate.get("/first", "");
    folder.edit(POLICY, "package", "\npackage");
    let told = gate.wait_for("reloaded");
    assert!(
        told.ends_with("; none of your last 1 request flips"),
        "{told}"
    );
    for index in 0..60 {
        gate.get(&format!("/orders/{index}"), "");
    }
    say(&folder, true);
    assert_eq!(
        gate.wait_for("reloaded"),
        "reloaded gate.yaml; 50 of your last 50 requests flip:"
    );
    for index in 10..60 {
        let note = gate.note();
        assert!(
            note.starts_with(&format!("  GET /orders/{index} deny -> allow (")),
            "{note}"
        );
    }
    gate.stop();
}

#[test]
fn time_alone_flips_nothing() {
    let folder = Folder::started();
    folder.edit(
        "gate.yaml",
        "audiences: [demo]",
        "audiences: [demo]\n      leeway: 0s",
    );
    let gate = Gate::serve(&folder, &upstream(), &["--watch"]);
    let token = folder.token(&["--claim", READER, "--expires", "3s"]);
    assert_eq!(status(&gate.get("/orders", &bearer(&token))), "200");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(status(&gate.get("/orders", &bearer(&token))), "401");
    folder.edit(POLICY, "package", "\npackage");
    let told = gate.wait_for("reloaded");
    assert!(
        told.ends_with("; none of your last 2 requests flips"),
        "{told}"
    );
    gate.stop();
}

#[test]
fn a_logged_decision_is_explained_by_its_id() {
    let folder = Folder::started();
    folder.edit(
        "gate.yaml",
        "jwt:\n",
        "api_keys:\n  from: [{query: key, insecure: true}]\n  keys: [{id: acme, hash: \"sha256:\
         5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\", subject: acme}]\njwt:\n",
    );
    let more = ["--format", "text", "--decision-log", "log.jsonl"];
    let gate = Gate::serve(&folder, &upstream(), &more);
    let token = folder.token(&["--claim", READER]);
    let secrets = format!(
        "{}cookie: session=crumbs\r\nx-other: {token}\r\n",
        bearer(&token)
    );
    gate.get("/orders/7?key=pass%77ord&x=1", &secrets);
    let allowed = gate.line();
    let short = "x-api-key: opaque\r\nX_Auth_Token: tiny\r\ncookie: a=tiny\r\ncookie: b=tiny\r\n";
    gate.get("/orders/8", short);
    let denied = gate.line();
    gate.get("/orders/9", &bearer(&format!("{token}x")));
    let refused = gate.line();
    gate.stop();

    let log = folder.read("log.jsonl");
    for secret in [
        &token,
        token.split('.').next_back().unwrap(),
        "crumbs",
        "opaque",
        "tiny",
        "pass%77ord",
        "password",
    ] {
        for text in [&log, &allowed, &denied, &refused] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    let mode = fs::metadata(folder.path().join("log.jsonl")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    let events = events(&folder);
    assert_eq!(events.len(), 3);
    for (line, event) in [&allowed, &denied, &refused].iter().zip(&events) {
        let id = event["decision_id"].as_str().unwrap();
        assert!(line.ends_with(&format!(" id={id}")), "{line}");
        // The same moment, in OPA's nanoseconds and in the line's milliseconds.
        let whole = event["timestamp"].as_str().unwrap();
        let time = event["time"].as_str().unwrap().trim_end_matches('Z');
        assert!(whole.starts_with(time), "{whole} {time}");
        assert!(event["duration_us"].is_u64());
    }
    let [first, second, third] = &events[..] else {
        panic!()
    };
    assert_eq!(first["request_path"], "/orders/7");
    assert_eq!(first["status"], 200);
    assert_eq!(first["rule"], "data.envoy.authz.allow");
    assert_eq!(first["subject"], "alice");
    assert_eq!(first["place"], "policies/authz.rego:11");
    assert_eq!(first["result"], true);
    let http = &first["input"]["attributes"]["request"]["http"];
    // The credential is gone before the policy reads the path.
    assert_eq!(http["path"], "/orders/7?x=1");
    assert_eq!(http["headers"]["authorization"], "***");
    assert_eq!(first["input"]["parsed_query"], json!({"x": ["1"]}));
    assert_eq!(first["input"]["verified"]["jwt"]["claims"]["sub"], "alice");
    assert_eq!(first["input"]["verified"]["api_key"]["id"], "acme");
    assert_eq!(second["reason"], "policy.denied");
    assert_eq!(second["result"], false);
    assert_eq!(second["place"], "policies/authz.rego:4");
    assert_eq!(third["reason"], "jwt.malformed");
    assert!(
        third.get("input").is_none() && third.get("place").is_none(),
        "{third}"
    );

    // As the terminal's line is pasted.
    let explain = |line: &str| {
        let id = line.rsplit_once("id=").unwrap().1.to_owned();
        folder.run(&[
            "explain",
            "--config",
            "gate.yaml",
            "--log",
            "log.jsonl",
            &id,
        ])
    };
    let why = explain(&allowed);
    assert_eq!(why.code, 0, "{}", why.stderr);
    assert!(
        why.stdout
            .starts_with("GET /orders/7\nlogged: allowed policy.allowed\n"),
        "{}",
        why.stdout
    );
    assert!(
        why.stdout.contains("data.envoy.authz.allow is true"),
        "{}",
        why.stdout
    );
    let why = explain(&denied);
    assert!(
        why.stdout
            .starts_with("GET /orders/8\nlogged: denied 403 policy.denied\n"),
        "{}",
        why.stdout
    );
    assert!(
        why.stdout
            .contains("policies/authz.rego:4  default allow := false\n    yes false"),
        "{}",
        why.stdout
    );
    let why = explain(&refused);
    // It was refused before a policy was asked, so that is all there is to tell.
    assert_eq!(why.code, 0, "{}", why.stderr);
    assert!(
        why.stdout.contains("\nlogged: denied 401 jwt."),
        "{}",
        why.stdout
    );
}

#[test]
fn the_moment_of_a_decision_is_in_its_log() {
    let folder = Folder::started();
    folder.write(
        POLICY,
        "package envoy.authz\n\ndefault allow := false\n\nallow if time.now_ns() < limit\n\nlimit := 0\n",
    );
    let gate = Gate::serve(&folder, &upstream(), &["--decision-log", "log.jsonl"]);
    gate.get("/", "");
    let line = gate.decision();
    gate.stop();
    let event = events(&folder).remove(0);
    assert_eq!(line["decision_id"], event["decision_id"]);
    assert!(line.get("input").is_none(), "plain lines stay as they are");
    let time = &event["input"]["attributes"]["request"]["time"];
    let why = folder.run(&["explain", "--log", "log.jsonl", "--format", "json"]);
    let now = format!(
        "{}{:09}",
        time["seconds"],
        time["nanos"].as_u64().unwrap_or_default()
    );
    assert!(why.stdout.contains(&now), "{now}: {}", why.stdout);
}

#[test]
fn the_input_that_is_logged_is_the_modules() {
    let folder = Folder::started();
    folder.write(
        POLICY,
        "package envoy.authz\n\nallow := {\"allowed\": false, \"reason\": json.marshal(input)}\n",
    );
    let gate = Gate::serve(&folder, &upstream(), &["--decision-log", "log.jsonl"]);
    let body = "content-length: 5\r\nx-a: 1\r\nX-A: 2\r\nx-request-id: 7\r\n\r\nhello";
    gate.raw(&format!(
        "POST /a%20b?c=d&c=%65 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{body}"
    ));
    let line = gate.decision();
    gate.stop();
    let input: Value = serde_json::from_str(line["detail"].as_str().unwrap()).unwrap();
    assert_eq!(events(&folder)[0]["input"], input);
}
