//! Requests with bodies, as the commands read and sign them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use support::Folder;

/// Of `hello`, by OpenSSL.
const DIGEST: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";

fn folder(more: &str) -> Folder {
    let folder = Folder::new();
    let policy = "policy: {modules: {authz.rego: \"package envoy.authz\\n\\nallow if \
                  input.parsed_body.amount == 7\"}}";
    folder.write("gate.yaml", format!("{policy}\n{more}\n"));
    folder
}

#[test]
fn what_follows_the_empty_line_is_the_body() {
    let folder = folder("body: {parse: true}");
    let head = "\n# a comment\n\nPOST /x HTTP/1.1\nhost: a\n";
    for (headers, body, raw) in [
        ("", "hello\n", "hello"),
        ("", "hello", "hello"),
        ("", "a\n\nb\r\n", "a\n\nb"),
        ("content-length: 6\n", "hello\n", "hello\n"),
        ("content-length: 5\n", "hello\n", "hello"),
    ] {
        folder.write("post.http", format!("{head}{headers}\n{body}"));
        let input = folder.run(&["input", "--request", "post.http"]).json();
        assert_eq!(input["attributes"]["request"]["http"]["body"], raw);
    }
    folder.write(
        "post.http",
        format!("{head}content-type: application/json\n\n{{\"amount\": 7}}\n"),
    );
    let request = ["--config", "gate.yaml", "--request", "post.http"];
    let input = folder.run(&[&["input"], &request[..]].concat()).json();
    assert_eq!(input["parsed_body"]["amount"], 7);
    let eval = [&["eval"], &request[..], &["input.parsed_body.amount"]];
    let eval = folder.run(&eval.concat()).json();
    assert_eq!(eval["result"][0]["expressions"][0]["value"], 7);
    let explain = [&["explain"], &request[..], &["--format", "json"]];
    let explain = folder.run(&explain.concat());
    assert!(
        explain.stdout.contains("policy.allowed"),
        "{}",
        explain.stdout
    );

    let mut binary = format!("{head}\n").into_bytes();
    binary.extend([0xff, 0xfe]);
    folder.write("post.http", binary);
    let input = folder.run(&["input", "--request", "post.http"]).json();
    assert_eq!(input["attributes"]["request"]["http"]["rawBody"], "//4=");
}

#[test]
fn a_body_is_held_to_its_digest() {
    let folder = folder("body: {digest: required}");
    for (headers, body, code, said) in [
        (format!("content-digest: {DIGEST}\n"), "hello", 0, ""),
        (
            format!("content-digest: {DIGEST}\n"),
            "hellO",
            1,
            "digest.mismatch",
        ),
        (String::new(), "hello", 1, "digest.missing"),
        (String::new(), "", 0, ""),
    ] {
        let text = format!("POST /x HTTP/1.1\nhost: a\n{headers}\n{body}");
        folder.write("post.http", &text);
        let ran = folder.run(&["input", "--request", "post.http"]);
        assert_eq!(ran.code, code, "{text}\n{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{text}\n{}", ran.stderr);
    }
}

#[test]
fn sign_adds_the_digest_of_a_body() {
    let folder = folder(
        "body: {digest: if_present}\nsignatures:\n  keys: [{id: orders, algorithm: hmac-sha256, secret: a \
         shared secret of more than thirty-two bytes, subject: svc}]\n  components: [\"@method\", \
         content-digest]",
    );
    let sign = ["sign", "--config", "gate.yaml", "--key-id", "orders"];
    let url = "http://127.0.0.1:8080/x";
    let run = |more: &[&str]| {
        let ran = folder.run(&[&sign[..], more, &[url]].concat());
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{}", ran.stdout);
        ran.stdout
    };
    let command = run(&["-d", "hello"]);
    assert!(
        command.contains(&format!("-H 'content-digest: {DIGEST}'")),
        "{command}"
    );
    assert!(
        command.contains("(\"@method\" \"content-digest\")"),
        "{command}"
    );
    assert!(command.contains("--data-raw hello"), "{command}");
    assert_eq!(folder.run(&["verify", &command]).code, 0);

    let headers = run(&["-d", "hello", "--format", "headers"]);
    assert!(
        headers.starts_with(&format!("content-digest: {DIGEST}\n")),
        "{headers}"
    );

    let http = run(&["-d", "hello", "--format", "http"]);
    assert_eq!(http.matches("content-digest: ").count(), 1, "{http}");
    folder.write("post.http", &http);
    let input = folder.run(&["input", "--request", "post.http"]).json();
    assert_eq!(input["verified"]["body"]["signed"], true, "{input:#}");
    folder.write("post.http", http.replace("hello", "hellO"));
    let ran = folder.run(&["input", "--request", "post.http"]);
    assert!(ran.stderr.contains("digest.mismatch"), "{}", ran.stderr);

    // One's own, and none where there is no body.
    let own = format!("Content-Digest: {DIGEST}");
    let command = run(&["-d", "hello", "-H", &own]);
    assert!(!command.contains("content-digest: "), "{command}");
    let command = run(&[]);
    assert!(!command.contains("content-digest"), "{command}");
    assert_eq!(folder.run(&["verify", &command]).code, 0);
}
