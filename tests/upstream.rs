//! Services that refuse what did not come through the gate, behind a real Envoy with it: the verifiers of
//! [envoy/upstream](../envoy/upstream/README.md) for Python, Node and Rust, asked directly and through the gate.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../envoy/upstream/verify.rs"]
#[rustfmt::skip]
mod verify;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use portcullis_runner::{Envoy, Exit, Scenario, envoy_bootstrap, envoy_listener};
use portcullis_tests::{needed, root};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

type Lines<'l> = &'l [(&'l str, &'l str)];

/// The answer's status and JSON.
fn ask(to: SocketAddr, method: &str, target: &str, lines: Lines<'_>) -> (u16, Value) {
    ask_host(to, "orders.test", method, target, lines)
}

fn ask_host(
    to: SocketAddr,
    host: &str,
    method: &str,
    target: &str,
    lines: Lines<'_>,
) -> (u16, Value) {
    let mut stream = TcpStream::connect(to).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in lines {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    // In chunks, or not: there is one document.
    let json = body.find('{').zip(body.rfind('}'));
    let json =
        json.map(|(start, end)| serde_json::from_str(body.get(start..=end).unwrap()).unwrap());
    (status, json.unwrap_or(Value::Null))
}

/// A process that says which port it listens on.
struct Service {
    process: Child,
    address: SocketAddr,
}

impl Service {
    fn start(command: &mut Command) -> Service {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Service {
            process,
            address: ([127, 0, 0, 1], port).into(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same in Rust, in this process.
fn serve(key_file: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let key_file = key_file.to_owned();
    // Ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_until(b'\n', &mut head).unwrap() == 0 {
                    break;
                }
            }
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Request::new(&mut headers);
            if parsed.parse(&head).is_err() {
                let refused = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
                let _ = stream.get_mut().write_all(refused);
                continue;
            }
            let lines = parsed.headers.iter().map(|line| {
                let value = String::from_utf8_lossy(line.value).into_owned();
                (line.name.to_ascii_lowercase(), value)
            });
            let lines: Vec<_> = lines.collect();
            let request = verify::Request {
                method: parsed.method.unwrap(),
                target: parsed.path.unwrap(),
                headers: &lines,
            };
            let set: Value = serde_json::from_slice(&fs::read(&key_file).unwrap()).unwrap();
            let line = |wanted: &str| {
                let found = lines.iter().find(|(name, _)| name == wanted);
                found.map(|(_, value)| value.as_str())
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let skew: i64 = line("x-skew").unwrap_or("0").parse().unwrap();
            let now = i64::try_from(now.as_secs()).unwrap() + skew;
            let vouched = verify::vouched(&request, |id| key(&set, id), now);
            let proof = [line("signature-input"), line("signature")];
            let status = if vouched.is_some() {
                "200 OK"
            } else {
                "401 Unauthorized"
            };
            let body = json!({"vouched": vouched, "proof": proof}).to_string();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    address
}

/// Of a key set (RFC 8037 section 2).
fn key(set: &Value, id: &str) -> Option<VerifyingKey> {
    let keys = set["keys"].as_array()?;
    let jwk = keys.iter().find(|key| key["kid"] == id)?;
    let x = BASE64_URL_SAFE_NO_PAD.decode(jwk["x"].as_str()?).ok()?;
    VerifyingKey::from_bytes(&x.try_into().ok()?).ok()
}

/// A gate in front of a service, which knows the gate's keys by what the gate tells of them.
fn gated(service: SocketAddr, key_file: &Path, test: impl FnOnce(SocketAddr)) {
    let Some(binary) = portcullis_tests::envoy() else {
        return;
    };
    let folder = root().join("tests/upstream");
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    let prepared = runner.prepare(&scenario).unwrap();
    let module = portcullis_tests::module();
    let config = envoy_bootstrap(&[&prepared], &module, service, Path::new("/dev/null"));
    let envoy = match Envoy::start(&binary, &config, &BTreeMap::new()).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    };
    let gate = envoy.listeners().unwrap()[&envoy_listener(0)];
    let (status, keys) = ask(gate, "GET", "/jwks.json", &[]);
    assert_eq!(status, 200);
    fs::write(key_file, keys.to_string()).unwrap();
    test(gate);
    portcullis_tests::assert_well(&envoy);
}

const KEY: (&str, &str) = ("x-api-key", "key-a");

/// A request that the gate has let through, as who sees it behind the gate can send it again.
struct Captured([String; 2]);

impl Captured {
    fn of(answer: &Value) -> Captured {
        Captured([0, 1].map(|index| answer["proof"][index].as_str().unwrap().to_owned()))
    }

    /// With the gate's signature, the lines it goes with.
    fn with<'l>(&'l self, more: Lines<'l>) -> Vec<(&'l str, &'l str)> {
        let Captured([input, signature]) = self;
        let proof = [("signature-input", &**input), ("signature", signature)];
        [&proof, more].concat()
    }
}

/// What must hold of every service, whoever wrote its verifier.
fn refuses_what_did_not_come_through(service: SocketAddr, gate: SocketAddr) {
    let acme = json!({"vouched": {"x-client": "acme", "x-user": "acme-1"}});
    let told = |answer: (u16, Value)| (answer.0, json!({"vouched": answer.1["vouched"]}));
    let nobody = (401, json!({"vouched": null}));

    // Directly.
    let forged: Lines<'_> = &[
        ("x-user", "eve"),
        (
            "signature-input",
            r#"portcullis=("@method" "@authority" "@path" "@query" "x-user");created=1;expires=9999999999;keyid="gate-1";tag="portcullis""#,
        ),
        (
            "signature",
            "portcullis=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==:",
        ),
    ];
    for lines in [
        &[] as Lines<'_>,
        &[("x-user", "eve")],
        forged,
        &[("signature", "no"), ("signature-input", "no")],
    ] {
        assert_eq!(
            told(ask(service, "GET", "/orders?id=7", lines)),
            nobody,
            "{lines:?}"
        );
    }

    // Through the gate.
    for method in ["GET", "DELETE"] {
        assert_eq!(
            told(ask(gate, method, "/orders?id=7&x=%2F", &[KEY])),
            (200, acme.clone())
        );
    }
    for (host, target) in [
        ("Orders.test:8080", "/orders"),
        ("[::1]:8080", "/orders?"),
        ("orders_1.test", "/?a?b"),
    ] {
        let answer = ask_host(gate, host, "GET", target, &[KEY]);
        assert_eq!(told(answer), (200, acme.clone()), "{target} of {host}");
    }
    let spoofed: Lines<'_> = &[
        KEY,
        ("x-user", "eve"),
        ("x_user", "eve"),
        ("X_User", "eve"),
        ("x_client", "eve"),
    ];
    assert_eq!(told(ask(gate, "GET", "/orders", spoofed)), (200, acme));
    let anonymous = (200, json!({"vouched": {}}));
    assert_eq!(told(ask(gate, "GET", "/open", &spoofed[1..])), anonymous);
    assert_eq!(told(ask(gate, "GET", "/open", forged)), anonymous);
    // A route that the gate does not look at is none that it vouches for.
    assert_eq!(told(ask(gate, "GET", "/off", forged)), nobody);
    assert_eq!(ask(gate, "GET", "/orders", &[]).0, 403);
    is_for_one_request(service, gate);
}

/// Who sees a request behind the gate can repeat it until it expires, and do nothing else with it.
fn is_for_one_request(service: SocketAddr, gate: SocketAddr) {
    let who = [("x-client", "acme"), ("x-user", "acme-1")];
    let good = ask(gate, "GET", "/a?q=1", &[KEY]);
    let captured = Captured::of(&good.1);
    let status = |host, method, target, lines: Lines<'_>| {
        ask_host(service, host, method, target, &captured.with(lines)).0
    };
    assert_eq!(status("orders.test", "GET", "/a?q=1", &who), 200);
    for (host, method, target) in [
        ("orders.test", "POST", "/a?q=1"),
        ("orders.test", "GET", "/a?q=2"),
        ("orders.test", "GET", "/a"),
        ("orders.test", "GET", "/b?q=1"),
        ("orders.test", "GET", "/admin/../a?q=1"),
        ("orders.test", "GET", "/./a?q=1"),
        ("orders.test", "GET", "/a?q=1#/admin"),
        ("orders.test", "GET", r"\a?q=1"),
        ("orders.test", "GET", "http://orders.test/a?q=1"),
        ("other.test", "GET", "/a?q=1"),
        // What a parser of URLs takes for a user, a path, a query, or the rest that nobody reads.
        ("u@orders.test", "GET", "/a?q=1"),
        ("orders.test/a?q=1#", "GET", "/admin?x=1"),
        (r"orders.test\a?q=1#", "GET", "/admin?x=1"),
        ("orders.test:80/a?q=1#", "DELETE", "/admin"),
        ("orders.test/a?q=1#", "GET", "/"),
        ("orders.test/a?q=1#", "GET", "/a?q=1"),
        ("orders.test#", "GET", "/a?q=1"),
        ("[::1]@orders.test", "GET", "/a?q=1"),
        ("", "GET", "/a?q=1"),
    ] {
        let status = status(host, method, target, &who);
        assert!(
            [400, 401].contains(&status),
            "{status}: {method} {target} of {host}"
        );
    }
    for changed in [
        &[("x-client", "acme"), ("x-user", "acme-2")] as Lines<'_>,
        &[("x-client", "acme")],
        &[who[0], who[1], ("x-user", "eve")],
    ] {
        assert_eq!(
            status("orders.test", "GET", "/a?q=1", changed),
            401,
            "{changed:?}"
        );
    }
    let Captured([input, signature]) = &captured;
    let late = Captured([input.replace("expires=1", "expires=2"), signature.clone()]);
    assert_eq!(ask(service, "GET", "/a?q=1", &late.with(&who)).0, 401);

    // A service's clock may be a little behind the gate's; 30 seconds are 30 seconds.
    for (skew, wanted) in [("-4", 200), ("31", 401)] {
        let lines = [who[0], who[1], ("x-skew", skew)];
        assert_eq!(
            status("orders.test", "GET", "/a?q=1", &lines),
            wanted,
            "{skew}"
        );
    }

    // What is added behind the gate, the gate vouches for no more than before.
    let open = Captured::of(&ask(gate, "GET", "/open", &[]).1);
    let answer = ask(service, "GET", "/open", &open.with(&[("x-user", "eve")]));
    assert_eq!((answer.0, &answer.1["vouched"]), (200, &json!({})));
}

#[test]
fn a_service_in_rust() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let service = serve(&keys);
    gated(service, &keys, |gate| {
        refuses_what_did_not_come_through(service, gate)
    });
}

#[test]
fn a_service_in_node() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    // Where Node finds the packages.
    for (from, name) in [
        ("tests/upstream/serve.mjs", "serve.mjs"),
        ("envoy/upstream/verify.mjs", "verify.mjs"),
    ] {
        fs::copy(root().join(from), folder.path().join(name)).unwrap();
    }
    let modules = root().join("tests/minter/node_modules");
    let there = modules
        .is_dir()
        .then_some(())
        .ok_or("there is no Node with what it signs with");
    if needed(there).is_none() {
        return;
    }
    std::os::unix::fs::symlink(
        modules.canonicalize().unwrap(),
        folder.path().join("node_modules"),
    )
    .unwrap();
    let service = Service::start(
        Command::new("node")
            .arg(folder.path().join("serve.mjs"))
            .arg(&keys),
    );
    gated(service.address, &keys, |gate| {
        refuses_what_did_not_come_through(service.address, gate);
    });
}

/// WSGI folds `_` into `-` (PEP 3333, by RFC 3875 section 4.1.18): `x_user` is `HTTP_X_USER` too.
#[test]
fn a_service_in_python_that_folds_names() {
    let python = root().join(".venv/bin/python");
    let there = python
        .is_file()
        .then_some(())
        .ok_or("there is no Python with what it signs with");
    if needed(there).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let mut command = Command::new(&python);
    command
        .arg(root().join("tests/upstream/serve.py"))
        .arg(root().join("envoy/upstream"))
        .arg(&keys)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let service = Service::start(&mut command);
    gated(service.address, &keys, |gate| {
        let direct = service.address;
        refuses_what_did_not_come_through(direct, gate);

        // It does fold, so that the gate has something to do.
        let seen = |answer: &(u16, Value), name: &str| answer.1["environ"][name].clone();
        let folded = ask(
            direct,
            "GET",
            "/",
            &[("x_user", "eve"), ("x-client", "a"), ("x_client", "b")],
        );
        assert_eq!(seen(&folded, "HTTP_X_USER"), "eve");
        assert_eq!(seen(&folded, "HTTP_X_CLIENT"), "a,b");
        let spoofed: Lines<'_> = &[
            ("x_user", "eve"),
            ("X_USER", "eve"),
            ("x-user", "eve"),
            ("x_client", "eve"),
        ];
        for target in ["/open", "/off"] {
            let answer = ask(gate, "GET", target, spoofed);
            assert_eq!(seen(&answer, "HTTP_X_USER"), Value::Null, "{target}");
            assert_eq!(seen(&answer, "HTTP_X_CLIENT"), Value::Null, "{target}");
        }

        // So that what it folds into a covered header is not what was signed.
        let captured = Captured::of(&ask(gate, "GET", "/orders?id=7", &[KEY]).1);
        let who = [("x-client", "acme"), ("x-user", "acme-1")];
        let status = |target, lines: Lines<'_>| ask(direct, "GET", target, &captured.with(lines)).0;
        assert_eq!(status("/orders?id=7", &who), 200);
        let twin = [who[0], who[1], ("x_user", "eve")];
        assert_eq!(status("/orders?id=7", &twin), 401);

        // Of a path, an application that is mounted somewhere is given the rest.
        assert_eq!(status("/mounted/orders?id=7", &who), 401);
        assert_eq!(ask(gate, "GET", "/mounted/orders?id=7", &[KEY]).0, 200);
    });
}
