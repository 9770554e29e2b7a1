//! `serve` with a filter that makes HTTP calls of its own: clusters, requests that wait, ticks.
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
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};
use support::{
    Folder,
    gate::{Gate, PATIENCE, status, upstream},
    server::{ok, server, tls_server},
};

const GUEST: &str = include_str!("serve_calls/guest.wat");

/// Answers when it is told to, once for each time.
fn gated() -> (String, Receiver<String>, Sender<()>) {
    let (open, gate) = mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let (url, seen) = server(move |stream, _| {
        let _ = gate.lock().unwrap().recv();
        ok(stream, "late");
    });
    (url, seen, open)
}

struct Served {
    folder: Folder,
    gate: Gate,
}

fn serve(clusters: &[(&str, &str)], more: &[&str]) -> Served {
    let folder = Folder::started();
    let wasm = folder.write("guest.wasm", wat::parse_str(GUEST).unwrap());
    let clusters: Vec<String> = clusters
        .iter()
        .map(|(name, url)| format!("--cluster={name}={url}"))
        .collect();
    let mut arguments = vec!["--wasm", wasm.to_str().unwrap()];
    arguments.extend(clusters.iter().map(String::as_str));
    arguments.extend(more);
    let gate = Gate::serve(&folder, &upstream(), &arguments);
    Served { folder, gate }
}

fn ask(gate: &Gate, cluster: &str) -> String {
    gate.get("/orders", &format!("x-cluster: {cluster}\r\n"))
}

/// Sends a request, and leaves it to wait.
fn begin(gate: &Gate, cluster: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&gate.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /orders HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-cluster: {cluster}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn end(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_request_waits_for_what_its_filter_asks() {
    let (good, seen) = server(|stream, _| ok(stream, "the keys"));
    let (slow, _) = server(|stream, _| {
        thread::sleep(Duration::from_secs(20));
        drop(stream);
    });
    let (huge, _) = server(|stream, _| ok(stream, &"x".repeat(64 * 1024 * 1024 + 1)));
    let (broken, _) = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    });
    let (dripping, _) = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        thread::sleep(Duration::from_secs(20));
    });
    let (lying, _) =
        server(|mut stream, _| drop(stream.write_all(b"hello, I speak no HTTP\r\n\r\n")));
    let (refusing, _) = server(|mut stream, _| {
        drop(stream.write_all(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"))
    });
    let away = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let away = format!("http://{away}");
    let Served { gate, .. } = serve(
        &[
            ("good", &good),
            ("slow", &slow),
            ("huge", &huge),
            ("broken", &broken),
            ("dripping", &dripping),
            ("lying", &lying),
            ("refusing", &refusing),
            ("away", &away),
        ],
        &[],
    );

    let answer = ask(&gate, "good");
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("x-keys: the keys\r\n"), "{answer}");
    let asked = seen
        .iter()
        .find(|head| !head.starts_with("GET /tick"))
        .unwrap();
    assert!(asked.starts_with("GET /keys HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("host: idp.internal\r\n"), "{asked}");
    assert_eq!(gate.decision()["status"], 200);

    for (cluster, wanted, body) in [
        // As Envoy's router answers.
        ("away", "502", "503"),
        ("lying", "502", "502"),
        ("slow", "502", "504"),
        ("refusing", "502", "404"),
        // Calls that fail once an answer has begun.
        ("huge", "502", "failed"),
        ("broken", "502", "failed"),
        ("dripping", "502", "failed"),
        ("nowhere", "500", "unknown cluster"),
    ] {
        let begun = Instant::now();
        let answer = ask(&gate, cluster);
        assert_eq!(status(&answer), wanted, "{cluster}: {answer}");
        assert!(
            answer.ends_with(&format!("\r\n\r\n{body}")),
            "{cluster}: {answer}"
        );
        assert!(begun.elapsed() < Duration::from_secs(10), "{cluster}");
        assert_eq!(gate.decision()["status"].to_string(), wanted);
    }
    gate.wait_for("warning: cluster `away`: ");
    gate.stop();
}

#[test]
fn https_is_spoken_with_those_whom_this_machine_trusts() {
    let (url, certificate) = tls_server("the keys");
    let folder = Folder::started();
    let wasm = folder.write("guest.wasm", wat::parse_str(GUEST).unwrap());
    let trusted = folder.write("trusted.pem", certificate);
    let (_, other) = tls_server("");
    let other = folder.write("other.pem", other);
    let cluster = format!("--cluster=good={url}");
    let arguments = ["--wasm", wasm.to_str().unwrap(), &cluster];
    for (file, wanted, told) in [
        (trusted, "200", "x-keys: the keys\r\n"),
        (other, "502", "503"),
    ] {
        let environment = [("SSL_CERT_FILE", file.to_str().unwrap())];
        let gate = Gate::serve_with(&folder, &upstream(), &arguments, &environment);
        let answer = ask(&gate, "good");
        assert_eq!(status(&answer), wanted, "{answer}");
        assert!(answer.contains(told), "{answer}");
        gate.stop();
    }
    let nobody = folder.write("nobody.pem", "");
    let ran = folder
        .command(&["serve", "--upstream", "http://127.0.0.1:1", &cluster])
        .env("SSL_CERT_FILE", nobody)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(
        told.starts_with("error: --cluster: https needs certificates to trust"),
        "{told}"
    );
}

#[test]
fn requests_wait_beside_each_other() {
    let (good, _) = server(|stream, _| ok(stream, "the keys"));
    let (late, seen, open) = gated();
    let Served { gate, .. } = serve(&[("good", &good), ("late", &late)], &[]);
    let waiting: Vec<TcpStream> = (0..3).map(|_| begin(&gate, "late")).collect();
    for _ in &waiting {
        seen.recv_timeout(PATIENCE).unwrap();
    }
    // The call's own timeout is two seconds: this has to be quick.
    let answer = ask(&gate, "good");
    assert!(answer.contains("x-keys: the keys\r\n"), "{answer}");
    for _ in &waiting {
        open.send(()).unwrap();
    }
    for stream in waiting {
        let answer = end(stream);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("x-keys: late\r\n"), "{answer}");
    }
    gate.stop();
}

#[test]
fn a_client_that_leaves_while_its_request_waits_costs_nothing() {
    let (good, _) = server(|stream, _| ok(stream, "the keys"));
    let (late, seen, open) = gated();
    let Served { gate, .. } = serve(&[("good", &good), ("late", &late)], &[]);
    let leaving = begin(&gate, "late");
    seen.recv_timeout(PATIENCE).unwrap();
    drop(leaving);
    gate.wait_for("deleted");
    let line = gate.decision();
    assert_eq!(
        (&line["status"], &line["reason"]),
        (&0.into(), &"host.error".into())
    );
    open.send(()).unwrap();
    assert_eq!(status(&ask(&gate, "good")), "200");
    gate.stop();
}

#[test]
fn ticks_come_at_their_period_and_end_with_it() {
    let (good, seen) = server(|stream, _| ok(stream, "the keys"));
    let Served { gate, .. } = serve(&[("good", &good)], &[]);
    for _ in 0..3 {
        let head = seen.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with("GET /tick "), "{head}");
    }
    assert!(seen.recv_timeout(Duration::from_millis(300)).is_err());
    gate.stop();
}

#[test]
fn a_trap_at_an_answer_is_503_for_all_that_wait_and_a_fresh_vm() {
    let (good, _) = server(|stream, _| ok(stream, "the keys"));
    let (late, seen, _open) = gated();
    let (trap, _) = server(|stream, _| ok(stream, "!"));
    let Served { gate, .. } = serve(&[("good", &good), ("late", &late), ("trap", &trap)], &[]);
    let bystander = begin(&gate, "late");
    seen.recv_timeout(PATIENCE).unwrap();
    let answer = ask(&gate, "trap");
    assert_eq!(status(&answer), "503", "{answer}");
    assert_eq!(status(&end(bystander)), "503");
    gate.wait_for("the guest trapped in `proxy_on_http_call_response`");
    assert_eq!(status(&ask(&gate, "good")), "200");
    gate.stop();
}

#[test]
fn a_reload_lets_what_waits_finish_as_it_began() {
    let (good, _) = server(|stream, _| ok(stream, "the keys"));
    let (late, seen, open) = gated();
    let Served { folder, gate } = serve(&[("good", &good), ("late", &late)], &["--watch"]);
    folder.edit(
        "policies/authz.rego",
        "default allow := false",
        "default allow := true",
    );
    gate.wait_for("reloaded gate.yaml");
    // The call ends after two seconds, and a reload takes its time: so the request begins before one.
    let waiting = begin(&gate, "late");
    seen.recv_timeout(PATIENCE).unwrap();
    folder.edit(
        "policies/authz.rego",
        "default allow := true",
        "default allow := false",
    );
    open.send(()).unwrap();
    let answer = end(waiting);
    assert_eq!(status(&answer), "200", "{answer}");
    gate.wait_for("reloaded gate.yaml");
    // Left behind, with a call under way, when its configuration goes.
    let left = begin(&gate, "late");
    seen.recv_timeout(PATIENCE).unwrap();
    drop(left);
    folder.edit(
        "policies/authz.rego",
        "default allow := false",
        "default allow := true",
    );
    gate.wait_for("reloaded gate.yaml");
    assert_eq!(status(&ask(&gate, "good")), "200");
    gate.stop();
}

#[test]
fn a_signal_ends_it_while_a_call_is_under_way() {
    let (late, seen, _open) = gated();
    let Served { gate, .. } = serve(&[("good", &late), ("late", &late)], &[]);
    let _waiting = begin(&gate, "late");
    while !seen
        .recv_timeout(PATIENCE)
        .unwrap()
        .starts_with("GET /keys")
    {}
    gate.stop();
}

#[test]
fn a_cluster_that_is_none_is_exit_2() {
    let folder = Folder::started();
    for (given, error) in [
        ("idp", "error: --cluster: found `idp`, which is no NAME=URL"),
        (
            "=http://a",
            "error: --cluster: found `=http://a`, which is no NAME=URL",
        ),
        ("idp=", "error: --cluster idp: found ``, which is no URL"),
        (
            "idp=a:1",
            "error: --cluster idp: found `a:1`, which is no http:// or https:// URL",
        ),
        (
            "idp=ftp://a",
            "error: --cluster idp: found `ftp://a`, which is no http:// or https:// URL",
        ),
        (
            "idp=http://a/keys",
            "error: --cluster idp: found `http://a/keys`, which has a path; requests bring their own",
        ),
        (
            "idp=http://a?b=c",
            "error: --cluster idp: found `http://a?b=c`, which has a path; requests bring their own",
        ),
        (
            "idp=http://u:p@a",
            "error: --cluster idp: found a URL with a user in it",
        ),
    ] {
        let ran = folder.run(&[
            "serve",
            "--upstream",
            "http://127.0.0.1:1",
            "--cluster",
            given,
        ]);
        ran.refused(error);
        assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("u:p"), "{}", ran.stderr);
    }
    let twice = ["--cluster", "idp=http://a", "--cluster", "idp=http://b"];
    let ran = folder.run(&[&["serve", "--upstream", "http://127.0.0.1:1"], &twice[..]].concat());
    ran.refused("error: --cluster: `idp` is given twice");
}
