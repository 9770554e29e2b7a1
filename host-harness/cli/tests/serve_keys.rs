//! `serve` with keys that are fetched, as a user runs it: from the issuer's server into the module,
//! and from there to what is told of decisions. `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};
use support::{
    Folder,
    gate::{Gate, status, upstream},
    server::{ok, server},
};

const READER: &str = "roles=[\"reader\"]";
const KEYS: &str = "{cluster: idp, authority: idp.internal, path: /keys}";

/// Bodies by path, which can be changed; what is not there is no answer at all.
type Pages = Arc<Mutex<BTreeMap<String, String>>>;

struct Issuer {
    url: String,
    pages: Pages,
    seen: Receiver<String>,
}

fn issuer(pages: &[(&str, String)]) -> Issuer {
    let pages = pages
        .iter()
        .map(|(path, body)| ((*path).into(), body.clone()));
    let pages: Pages = Arc::new(Mutex::new(pages.collect()));
    let served = Arc::clone(&pages);
    let (url, seen) = server(move |stream, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let body = served.lock().unwrap().get(path).cloned();
        if let Some(body) = body {
            ok(stream, &body);
        }
    });
    Issuer { url, pages, seen }
}

/// A folder whose gate fetches its keys, and what they are.
fn folder(jwks: &str) -> (Folder, String) {
    let folder = Folder::started();
    let ran = folder.run(&["token", "--jwks"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let gate = folder.read("gate.yaml");
    let (before, rest) = gate.split_once("jwks:\n").unwrap();
    let (_, after) = rest.split_once("      claim_headers").unwrap();
    folder.write(
        "gate.yaml",
        format!("{before}jwks: {jwks}\n      claim_headers{after}"),
    );
    (folder, ran.stdout)
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

fn another_key(folder: &Folder) -> (String, String) {
    let jwks = folder
        .run(&["token", "--key", "second.json", "--jwks"])
        .stdout;
    let token = folder.token(&["--key", "second.json", "--claim", READER]);
    (jwks, token)
}

#[test]
fn a_cluster_that_nobody_gave_is_exit_2() {
    let (folder, _) = folder(KEYS);
    let ran = folder.run(&["serve", "--upstream", "http://127.0.0.1:1"]);
    ran.refused("error: gate.yaml:");
    assert!(
        ran.stderr
            .contains(": jwt.providers.dev.jwks.cluster: no --cluster says where `idp` is\n"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("hint: --cluster idp=http://HOST:PORT"));
}

#[test]
fn keys_are_fetched_and_told_of() {
    let (folder, jwks) = folder(KEYS);
    let issuer = issuer(&[("/keys", jwks)]);
    let cluster = format!("idp={}", issuer.url);
    let more = ["--cluster", &cluster, "--format", "text", "--watch"];
    let gate = Gate::serve(&folder, &upstream(), &more);
    let token = folder.token(&["--claim", READER]);
    // Perhaps before the keys are there: then it waits for them.
    for _ in 0..2 {
        let answer = gate.get("/orders", &bearer(&token));
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("x-user: alice\r\n"), "{answer}");
        let line = gate.line();
        assert!(
            line.contains("200 policy.allowed GET /orders policies/authz.rego:11 subject=alice"),
            "the engine beside the module knows the keys too: {line}"
        );
    }
    let asked = issuer.seen.recv().unwrap();
    assert!(asked.contains("host: idp.internal\r\n"), "{asked}");

    // A key of another name is asked for, and found.
    let (second, token) = another_key(&folder);
    issuer.pages.lock().unwrap().insert("/keys".into(), second);
    let answer = gate.get("/orders", &bearer(&token));
    assert_eq!(status(&answer), "200", "{answer}");
    let line = gate.line();
    assert!(
        line.contains("policies/authz.rego:11 subject=alice"),
        "{line}"
    );

    // The next configuration has not fetched anything yet; what its engine says does not hang on that.
    folder.edit("policies/authz.rego", "# Refused", "# By default refused");
    let reloaded = gate.wait_for("reloaded");
    assert!(
        // The first key is gone, for the old configuration and for the new one.
        reloaded.ends_with("; none of your last 3 requests flips"),
        "{reloaded}"
    );
    let answer = gate.get("/orders", &bearer(&token));
    assert_eq!(status(&answer), "200", "{answer}");

    folder.edit("gate.yaml", "cluster: idp", "cluster: another");
    gate.wait_for("jwt.providers.dev.jwks.cluster: no --cluster says where `another` is");
    gate.wait_for("the last good configuration stays");
    gate.stop();
}

#[test]
fn a_request_waits_for_keys_that_are_slow_and_not_for_those_that_never_come() {
    let (folder, jwks) =
        folder("{cluster: idp, authority: idp.internal, path: /keys, timeout: 10s}");
    let (url, _) = server(move |stream, _| {
        thread::sleep(Duration::from_millis(800));
        ok(stream, &jwks);
    });
    let cluster = format!("idp={url}");
    let gate = Gate::serve(&folder, &upstream(), &["--cluster", &cluster]);
    let token = folder.token(&["--claim", READER]);
    let answer = gate.get("/orders", &bearer(&token));
    assert_eq!(status(&answer), "200", "{answer}");
    gate.stop();

    let away = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (silent, _) = server(|stream, _| {
        thread::sleep(Duration::from_secs(20));
        drop(stream);
    });
    for url in [format!("http://{away}"), silent] {
        let cluster = format!("idp={url}");
        let gate = Gate::serve(&folder, &upstream(), &["--cluster", &cluster]);
        let begun = Instant::now();
        let answer = gate.get("/orders", &bearer(&token));
        assert_eq!(status(&answer), "503", "{answer}");
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(gate.decision()["reason"], "jwks.unavailable");
        // Who brings no token waits for nothing.
        assert_eq!(status(&gate.get("/health", "")), "200");
        gate.stop();
    }
}

#[test]
fn discovery_finds_keys_in_a_cluster_of_their_own() {
    let (folder, jwks) =
        folder("{discovery: {cluster: idp, authority: dev.example.com}, jwks_cluster: cdn}");
    let document = "{\"issuer\": \"https://dev.example.com\", \"jwks_uri\": \"https://cdn.example.com/keys?v=2\"}";
    let issuer_server = issuer(&[("/.well-known/openid-configuration", document.to_owned())]);
    let cdn = issuer(&[("/keys?v=2", jwks)]);
    let clusters = [
        format!("idp={}", issuer_server.url),
        format!("cdn={}", cdn.url),
    ];
    let more = [
        "--cluster",
        &clusters[0],
        "--cluster",
        &clusters[1],
        "--format",
        "text",
    ];
    let gate = Gate::serve(&folder, &upstream(), &more);
    let token = folder.token(&["--claim", READER]);
    let answer = gate.get("/orders", &bearer(&token));
    assert_eq!(status(&answer), "200", "{answer}");
    let line = gate.line();
    assert!(
        line.contains("policies/authz.rego:11 subject=alice"),
        "{line}"
    );
    assert!(
        cdn.seen
            .recv()
            .unwrap()
            .contains("host: cdn.example.com\r\n")
    );
    gate.stop();
}

#[test]
fn opaque_tokens_are_asked_about_and_told_of() {
    let (folder, _) = folder(KEYS);
    let gate = folder.read("gate.yaml");
    let introspection = "introspection: {cluster: idp, authority: idp.internal, path: /ask, client_id: gate, client_secret: hush}";
    folder.write(
        "gate.yaml",
        gate.replace(&format!("jwks: {KEYS}"), introspection),
    );
    folder.write(
        "policies/authz.rego",
        "package envoy.authz\n\ndefault allow := false\n\nallow if input.verified.token.claims.sub == \"alice\"\n",
    );
    let said = "{\"active\": true, \"iss\": \"https://dev.example.com\", \"aud\": \"demo\", \"sub\": \"alice\", \"exp\": 4102444800}";
    let issuer = issuer(&[("/ask", said.to_owned())]);
    let cluster = format!("idp={}", issuer.url);
    let more = ["--cluster", &cluster, "--format", "text", "--watch"];
    let gate = Gate::serve(&folder, &upstream(), &more);
    let answer = gate.get("/orders", &bearer("opaque-token"));
    assert_eq!(status(&answer), "200", "{answer}");
    let line = gate.line();
    assert!(
        line.contains("200 policy.allowed GET /orders policies/authz.rego:5"),
        "{line}"
    );
    assert!(!line.contains("opaque-token"), "{line}");
    folder.edit(
        "policies/authz.rego",
        "package envoy.authz\n",
        "package envoy.authz\n\n",
    );
    let reloaded = gate.wait_for("reloaded");
    assert!(
        reloaded.ends_with("; none of your last 1 request flips"),
        "{reloaded}"
    );
    gate.stop();
}
