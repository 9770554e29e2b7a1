//! `serve` with the real module, as a user runs it. `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{net::TcpListener, process::Command};
use support::{
    Folder,
    gate::{Gate, module, status, upstream},
};

#[test]
fn refuses_and_allows() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &[]);

    let refused = gate.get("/orders?api_key=secret", "");
    assert_eq!(status(&refused), "403");
    assert!(
        !refused.contains("policy.denied"),
        "clients learn less than logs: {refused}"
    );
    let line = gate.decision();
    assert_eq!(line["path"], "/orders");
    assert_eq!(line["status"], 403);
    assert_eq!(line["reason"], "policy.denied");
    assert_eq!(line["rule"], "data.envoy.authz.allow");
    assert!(refused.contains(line["decision_id"].as_str().unwrap()));

    let token = folder.token(&["--claim", "roles=[\"reader\"]"]);
    let headers =
        format!("authorization: Bearer {token}\r\nx-user: mallory\r\nX_User: mallory\r\n");
    let allowed = gate.get("/orders?x=1", &headers);
    assert_eq!(status(&allowed), "200", "{allowed}");
    assert!(
        allowed.contains("GET /orders?x=1 HTTP/1.1\r\n"),
        "{allowed}"
    );
    assert!(allowed.contains("x-user: alice\r\n"), "{allowed}");
    assert!(
        !allowed.contains("mallory") && !allowed.contains(&token),
        "{allowed}"
    );
    assert!(
        allowed.contains("host: a\r\n") && allowed.contains("x-request-id: "),
        "{allowed}"
    );
    assert!(!allowed.to_lowercase().contains("keep-alive"), "{allowed}");
    let line = gate.decision();
    assert_eq!(line["status"], 200);
    assert_eq!(line["reason"], "policy.allowed");
    assert_eq!(line["subject"], "alice");
    assert!(line["key_id"].as_str().unwrap().starts_with("dev-"));
    assert!(line["duration_us"].as_u64().unwrap() > 0);

    let expired = folder.token(&["--expires", "-1h"]);
    let expired = gate.get("/orders", &format!("authorization: Bearer {expired}\r\n"));
    assert_eq!(status(&expired), "401");
    assert!(expired.contains("www-authenticate: Bearer"), "{expired}");
    assert_eq!(gate.decision()["reason"], "jwt.expired");
    gate.stop();
}

#[test]
fn streams_bodies() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &[]);
    let token = folder.token(&["--claim", "roles=[\"editor\"]"]);
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\n"
    );
    let fixed = gate.raw(&format!("{head}content-length: 5\r\n\r\nhello"));
    assert!(fixed.ends_with("hello"), "{fixed}");
    let chunked = gate.raw(&format!(
        "{head}transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    ));
    assert!(chunked.ends_with("hello"), "{chunked}");
    // The filter is not shown trailers here, so none goes on.
    let trailed = gate.raw(&format!(
        "{head}transfer-encoding: chunked\r\ntrailer: x-user\r\n\r\n5\r\nhello\r\n0\r\nx-user: root\r\n\r\n"
    ));
    assert!(trailed.ends_with("hello"), "{trailed}");
    // Framed twice: the upstream is told one length only.
    let twice = format!(
        "{head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
    let twice = gate.raw(&twice);
    assert!(twice.ends_with("hello"), "{twice}");
    assert!(!twice.contains("content-length: 3"), "{twice}");
    gate.stop();
}

#[test]
fn refuses_what_envoy_refuses() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &[]);
    for (request, wanted) in [
        ("GET /health HTTP/1.1\r\n\r\n", "400"),
        ("GET /health HTTP/1.0\r\nhost: a\r\n\r\n", "426"),
        (
            "GET /health HTTP/1.1\r\nhost: a\r\nconnection: x-forwarded-for\r\n\r\n",
            "400",
        ),
        (
            "GET /health HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "501",
        ),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", "501"),
        (
            "GET /health HTTP/1.1\r\nhost: a\r\nbad name: x\r\n\r\n",
            "400",
        ),
    ] {
        let request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
        let answer = gate.raw(&request);
        assert_eq!(status(&answer), wanted, "{request}{answer}");
    }
    gate.stop();
}

#[test]
fn the_gate_and_not_the_server_counts_headers() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &[]);
    for more in [
        "x-a: 1\r\n".repeat(150),
        format!("x-a: {}\r\n", "a".repeat(66_000)),
    ] {
        let answer = gate.raw(&format!(
            "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n"
        ));
        assert_eq!(status(&answer), "431", "{answer}");
        assert_eq!(gate.decision()["reason"], "headers.too_large");
    }
    gate.stop();
}

#[test]
fn an_upstream_that_is_away_is_503() {
    let folder = Folder::started();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gate = Gate::serve(&folder, &format!("http://{closed}"), &[]);
    assert_eq!(status(&gate.get("/health", "")), "503");
    let line = gate.decision();
    assert_eq!(
        (&line["reason"], &line["status"]),
        (&"policy.allowed".into(), &503.into())
    );
    let why = format!("warning: upstream {closed}: Connection refused");
    assert!(gate.wait_for("upstream").starts_with(&why));
    gate.stop();
}

#[test]
fn watch_takes_what_is_good_and_keeps_the_last_good() {
    let folder = Folder::started();
    let gate = Gate::serve(&folder, &upstream(), &["--watch"]);
    assert_eq!(status(&gate.get("/orders", "")), "403");

    folder.edit(
        "policies/authz.rego",
        "default allow := false",
        "default allow := true",
    );
    gate.wait_for("reloaded gate.yaml");
    assert_eq!(status(&gate.get("/orders", "")), "200");

    folder.edit(
        "policies/authz.rego",
        "default allow := true",
        "default allow := ",
    );
    gate.wait_for("error: policies/authz.rego:");
    gate.wait_for("the last good configuration stays");
    assert_eq!(status(&gate.get("/orders", "")), "200");

    folder.edit(
        "policies/authz.rego",
        "default allow := ",
        "default allow := false",
    );
    gate.wait_for("reloaded gate.yaml");
    assert_eq!(status(&gate.get("/orders", "")), "403");

    folder.edit("gate.yaml", "path: ./policies", "path: ./elsewhere");
    gate.wait_for("error: gate.yaml:4:3: policy.path: no such file or folder");
    folder.write("elsewhere/a.rego", "package envoy.authz\n\nallow := true\n");
    gate.wait_for("reloaded gate.yaml");
    assert_eq!(status(&gate.get("/orders", "")), "200");
    gate.stop();
}

#[test]
fn a_port_in_use_is_exit_2() {
    let folder = Folder::started();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let module = module();
    let ran = folder.run(&[
        "serve",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        &address,
        "--wasm",
        module.to_str().unwrap(),
    ]);
    ran.refused(&format!("error: --listen {address}: "));
}

/// Traps on every second request that it sees: its memory counts them, and a fresh VM starts anew.
const TRAPPING: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "_initialize"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (if (i32.eq (i32.load (i32.const 0)) (i32.const 2)) (then (unreachable)))
        (i32.const 0)))"#;

#[test]
fn a_trap_is_503_and_a_fresh_vm() {
    let folder = Folder::started();
    let wasm = folder.write("trap.wasm", wat::parse_str(TRAPPING).unwrap());
    let gate = Gate::serve(&folder, &upstream(), &["--wasm", wasm.to_str().unwrap()]);
    for wanted in ["200", "503", "200", "503"] {
        assert_eq!(status(&gate.get("/", "")), wanted);
        let line = gate.decision();
        assert_eq!(line["status"].to_string(), wanted);
        assert_eq!(line["reason"], "host.error", "it recorded nothing");
    }
    gate.wait_for("the guest trapped");
    gate.stop();
}

#[test]
fn a_signed_curl_command_gets_through() {
    let folder = Folder::new();
    let dev = folder.run(&["token", "--key", "key.json", "--jwks"]);
    assert_eq!(dev.code, 0, "{}", dev.stderr);
    let secret = "a shared secret of more than thirty-two bytes";
    folder.write(
        "gate.yaml",
        format!(
            "policy: {{modules: {{authz.rego: \"package envoy.authz\\n\\ndefault allow := false\\n\\n\
             allow if input.verified.signature\"}}}}\nsignatures:\n  keys: [{{id: orders, algorithm: \
             hmac-sha256, secret: {secret}, subject: svc}}]\n  components: [\"@method\", \"@authority\", \
             \"@path\", \"@query\"]\n"
        ),
    );
    let gate = Gate::serve(&folder, &upstream(), &[]);
    let url = format!("http://{}/orders?id=7", gate.address);
    let signed = folder.run(&[
        "sign",
        "--config",
        "gate.yaml",
        "--key-id",
        "orders",
        "-d",
        "a=1",
        &url,
    ]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    for (command, reason) in [
        (signed.stdout.clone(), "policy.allowed"),
        (signed.stdout.replace("id=7", "id=8"), "signature.invalid"),
        (signed.stdout.replace("POST", "PUT"), "signature.invalid"),
        (format!("curl {url}"), "policy.denied"),
    ] {
        let curl = command.replacen("curl", "curl -s -o answer", 1);
        let ended = Command::new("sh")
            .args(["-c", &curl])
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(ended.success());
        assert_eq!(gate.decision()["reason"], reason, "{command}");
    }
}
