//! `serve` where the gate looks at bodies. `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};
use support::{
    Folder,
    gate::{Gate, PATIENCE, status, upstream},
};

/// Of `hello`, by OpenSSL.
const DIGEST: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";

/// Everything is allowed that says nothing of an amount, or of a small one.
const POLICY: &str = "policy: {modules: {authz.rego: \"package envoy.authz\\n\\ndefault allow := \
                      false\\n\\nallow if not input.parsed_body.amount > 99\"}}\n";

fn folder(body: &str) -> Folder {
    let folder = Folder::new();
    folder.write("gate.yaml", format!("{POLICY}body: {body}\n"));
    folder
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn chunked(headers: &str, chunks: &[&str]) -> String {
    let mut text = format!(
        "POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{headers}\r\n"
    );
    for chunk in chunks {
        text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    text.push_str("0\r\n\r\n");
    text
}

/// Says what came over each connection until that ended, and never answers.
fn listener() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut all = Vec::new();
                let _ = stream.read_to_end(&mut all);
                let _ = sender.send(String::from_utf8_lossy(&all).into_owned());
            });
        }
    });
    (url, seen)
}

#[test]
fn a_body_is_held_to_its_digest() {
    let folder = folder("{digest: required, max_bytes: 1KiB}");
    let gate = Gate::serve(&folder, &upstream(), &[]);
    let digest = format!("content-digest: {DIGEST}\r\n");
    let large = "a".repeat(1025);
    for (request, code, reason) in [
        (post(&digest, "hello"), "200", "policy.allowed"),
        (chunked(&digest, &["he", "llo"]), "200", "policy.allowed"),
        (post(&digest, "hellO"), "400", "digest.mismatch"),
        (chunked(&digest, &["he", "llO"]), "400", "digest.mismatch"),
        (post("", "hello"), "400", "digest.missing"),
        (post(&digest, &large), "413", "body.too_large"),
        (
            chunked(&digest, &["hello", &large]),
            "413",
            "body.too_large",
        ),
        (
            "GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".into(),
            "200",
            "policy.allowed",
        ),
    ] {
        let answer = gate.raw(&request);
        let line = gate.decision();
        assert_eq!(line["reason"], reason, "{request}");
        assert_eq!(line["status"].to_string(), code, "{request}");
        // Where it is refused before its end, its connection may be reset.
        if code != "413" {
            assert_eq!(status(&answer), code, "{request}{answer}");
        }
        if code == "200" && request.starts_with("POST") {
            assert!(answer.ends_with("hello"), "{answer}");
        }
    }
    gate.stop();
}

#[test]
fn the_policy_sees_the_body_and_so_does_the_decision_log() {
    let folder = folder("{parse: true}");
    let gate = Gate::serve(&folder, &upstream(), &["--decision-log", "log"]);
    let json = "content-type: application/json\r\n";
    for (body, code) in [("{\"amount\": 7}", "200"), ("{\"amount\": 700}", "403")] {
        let answer = gate.raw(&post(json, body));
        assert_eq!(status(&answer), code, "{answer}");
        assert_eq!(answer.ends_with(body), code == "200", "{answer}");
    }
    // More than is kept to explain with, and no more said of it than is known.
    let long = format!("{{\"amount\": 7, \"x\": \"{}\"}}", "a".repeat(70_000));
    assert_eq!(status(&gate.raw(&post(json, &long))), "200");
    gate.stop();
    let log = folder.read("log");
    let events: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3, "{log}");
    assert_eq!(events[0]["input"]["parsed_body"]["amount"], 7);
    assert_eq!(events[1]["input"]["parsed_body"]["amount"], 700);
    assert_eq!(events[2].get("input"), None);
}

#[test]
fn slow_and_lost_clients_harm_nobody() {
    let folder = folder("{digest: required}");
    let (url, seen) = listener();
    let gate = Gate::serve(&folder, &url, &[]);
    let whole = post(&format!("content-digest: {DIGEST}\r\n"), "hello");
    let (start, end) = whole.split_at(whole.len() - 2);
    let mut slow = TcpStream::connect(&gate.address).unwrap();
    slow.write_all(start.as_bytes()).unwrap();
    let mut lost = TcpStream::connect(&gate.address).unwrap();
    lost.write_all(start.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(300));
    drop(lost);
    // Its line comes while the slow one is still held.
    let line = gate.decision();
    assert_eq!(line["reason"], "body.truncated", "{line}");
    let refused = gate.raw(&post("", "hello"));
    assert_eq!(status(&refused), "400", "{refused}");
    assert_eq!(gate.decision()["reason"], "digest.missing");
    assert!(seen.try_recv().is_err(), "nothing of them has gone on");

    slow.write_all(end.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(500));
    drop(slow);
    let upstream = seen.recv_timeout(PATIENCE).unwrap();
    assert!(upstream.ends_with("\r\n\r\nhello"), "{upstream}");
    gate.stop();
}

#[test]
fn a_body_that_passes_is_cut_off_where_it_is_wrong() {
    let folder = folder("{digest: required, hold: stream}");
    let digest = format!("content-digest: {DIGEST}\r\n");
    let gate = Gate::serve(&folder, &upstream(), &[]);
    for request in [post(&digest, "hello"), chunked(&digest, &["he", "llo"])] {
        let answer = gate.raw(&request);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.ends_with("hello"), "{answer}");
        assert_eq!(gate.decision()["reason"], "policy.allowed");
    }
    gate.stop();

    let (url, seen) = listener();
    let gate = Gate::serve(&folder, &url, &[]);
    // The last piece of a body that says its length, and the end of one that does not.
    for (request, last) in [
        (post(&digest, "hellO"), "hellO"),
        (chunked(&digest, &["he", "llO"]), "0\r\n\r\n"),
    ] {
        let answer = gate.raw(&request);
        assert_eq!(status(&answer), "400", "{answer}");
        let line = gate.decision();
        assert_eq!(line["reason"], "digest.mismatch", "{line}");
        // It may not even have been called.
        let upstream = seen.recv_timeout(Duration::from_secs(2));
        assert!(!upstream.is_ok_and(|it| it.ends_with(last)), "{request}");
    }
    gate.stop();
}
