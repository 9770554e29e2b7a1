//! `serve --bundle-url`, as a user runs it: a policy is published, tightened, broken, and its server dies.
//! `make build` must have made the module.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use portcullis_runner::{Error, Options, Reply, Runner, Scenario, Server};
use serde_json::{Value, json};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};
use support::{
    Folder,
    gate::{Gate, PATIENCE, module, status, upstream},
};

const PATH: &str = "/dist/app.tar.gz";

/// Python, which signs.
struct Publisher {
    runner: Runner,
    scenario: Scenario,
    server: Server,
}

impl Publisher {
    /// Nothing where there is no Python that could, which is a failure in CI.
    fn new() -> Option<Publisher> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
        let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        let runner = Runner::new(Options {
            on: Vec::new(),
            module: module(),
            minter: Some(tests.join("minter/mint.py")),
            strict,
        });
        let folder = tests.join("bundles");
        let publisher = Publisher {
            runner: runner.unwrap(),
            scenario: Scenario::read(&folder, &folder).unwrap(),
            server: Server::start().unwrap(),
        };
        match publisher.runner.bundle(&publisher.scenario, json!({})) {
            Ok(_) => Some(publisher),
            Err(error @ Error::Unminted(..)) if !strict => {
                eprintln!("SKIPPED: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn url(&self) -> String {
        format!("http://{}{PATH}", self.server.address)
    }

    fn publish(&self, spec: Value) {
        let etag = format!("\"{}\"", spec["revision"].as_str().unwrap());
        let reply = Reply {
            headers: vec![("etag".to_owned(), etag)],
            body: self.runner.bundle(&self.scenario, spec).unwrap(),
            ..Reply::default()
        };
        self.server.set(PATH, reply);
    }

    /// Waits until it was asked for so often since it was last published.
    fn asked(&self, count: u64) {
        assert!(self.server.wait_asked(PATH, count, PATIENCE));
    }

    /// `tests/bundles/gate.yaml` with its keys, as JSON, which is YAML too.
    fn document(&self) -> Value {
        let prepared = self.runner.prepare(&self.scenario).unwrap();
        serde_json::from_slice(&prepared.document).unwrap()
    }
}

fn revision(name: &str, sequence: u64, module: &str) -> Value {
    json!({
        "revision": name,
        "declares": {"sequence": sequence},
        "files": {"app.rego": format!("package app\n\n{module}\n")},
        "signed": {"key": "release"},
    })
}

/// Asks until the decision's line says this revision; the answer and the line.
fn decided_by(gate: &Gate, revision: &str) -> (String, Value) {
    let since = Instant::now();
    loop {
        let (answer, line) = ask(gate);
        if line["revision"] == revision {
            return (answer, line);
        }
        assert!(since.elapsed() < PATIENCE, "no `{revision}`: {line}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn ask(gate: &Gate) -> (String, Value) {
    let answer = gate.get("/orders", "");
    (answer, gate.decision())
}

#[test]
fn a_policy_moves_on_a_laptop_as_in_production() {
    let Some(publisher) = Publisher::new() else {
        return;
    };
    publisher.server.set(PATH, Reply::held());
    let folder = Folder::new();
    let document = publisher.document();
    folder.write("gate.yaml", document.to_string());
    let url = publisher.url();
    let more = ["--bundle-url", &url, "--watch", "--format", "json"];
    let gate = Gate::serve(&folder, &upstream(), &more);
    let (answer, line) = ask(&gate);
    assert_eq!(status(&answer), "503", "{answer}");
    assert_eq!(line["reason"], "policy.unavailable");

    publisher.publish(revision("r1", 1, "allow := true"));
    let (answer, line) = decided_by(&gate, "r1");
    assert_eq!(
        (status(&answer), &line["reason"]),
        ("200", &json!("policy.allowed"))
    );
    let asked = &publisher.server.latest(PATH)[0];
    let host = String::from_utf8_lossy(asked.headers.get("host").unwrap()).into_owned();
    assert_eq!(
        host,
        publisher.server.address.to_string(),
        "that of the URL"
    );

    publisher.publish(revision("r2", 2, "default allow := false"));
    let (answer, line) = decided_by(&gate, "r2");
    assert_eq!(
        (status(&answer), &line["reason"]),
        ("403", &json!("policy.denied"))
    );

    publisher.publish(revision("r3", 3, "allow := {"));
    gate.wait_for("policy.bundle: refused (load): app.rego:");
    let mut stranger = revision("r3", 3, "allow := true");
    stranger["signed"] = json!({"key": "stranger", "id": "release"});
    publisher.publish(stranger);
    gate.wait_for("policy.bundle: refused (verify): ");
    publisher.publish(revision("r1", 1, "allow := true"));
    gate.wait_for("policy.bundle: refused (order): revision `r1` is older than `r2`");
    publisher.server.kill().unwrap();
    gate.wait_for("policy.bundle: ");
    let (answer, line) = ask(&gate);
    assert_eq!((status(&answer), &line["revision"]), ("403", &json!("r2")));
    publisher.server.revive().unwrap();
    publisher.publish(revision("r3", 3, "allow := true"));
    assert_eq!(status(&decided_by(&gate, "r3").0), "200");

    // Another configuration begins with the bundle that is there.
    let mut changed = document.clone();
    changed["response"]["reason_header"] = json!("x-why");
    folder.write("gate.yaml", changed.to_string());
    gate.wait_for("reloaded");
    let (answer, _) = decided_by(&gate, "r3");
    assert!(answer.contains("x-why: policy.allowed\r\n"), "{answer}");
    // And one that is wrong changes nothing.
    folder.write("gate.yaml", "policy: {bundle: {poll: {min: 1ms}}}");
    gate.wait_for("the last good configuration stays");
    publisher.publish(revision("r4", 4, "default allow := false"));
    assert_eq!(status(&decided_by(&gate, "r4").0), "403");
    gate.stop();
}

/// What serves until the bundle comes, and a bundle that nobody has to sign, since nobody was named.
#[test]
fn a_configuration_without_a_bundle_gets_one() {
    let Some(publisher) = Publisher::new() else {
        return;
    };
    publisher.server.set(PATH, Reply::held());
    let folder = Folder::new();
    let inline = "package app\n\ndefault allow := false";
    let document =
        json!({"policy": {"entrypoint": "app/allow", "modules": {"inline.rego": inline}}});
    folder.write("gate.yaml", document.to_string());
    let url = format!("{}?of=everybody", publisher.url());
    let gate = Gate::serve(
        &folder,
        &upstream(),
        &["--bundle-url", &url, "--format", "json"],
    );
    let (answer, line) = ask(&gate);
    assert_eq!(
        (status(&answer), &line["reason"]),
        ("403", &json!("policy.denied"))
    );
    let mut unsigned = revision("r1", 1, "allow := true");
    unsigned["signed"] = Value::Null;
    publisher.publish(unsigned);
    assert_eq!(status(&decided_by(&gate, "r1").0), "200");
    publisher.asked(2);
    gate.stop();
}

#[test]
fn a_url_that_is_none_is_exit_2() {
    let folder = Folder::started();
    for (url, said) in [
        (
            "nonsense",
            "--bundle-url: found `nonsense`, which is no URL",
        ),
        (
            "/app.tar.gz",
            "--bundle-url: found `/app.tar.gz`, which is no URL",
        ),
        (
            "http://127.0.0.1:1",
            "--bundle-url: found `http://127.0.0.1:1`, which has no path",
        ),
        ("http://127.0.0.1:1/", "which has no path"),
        ("ftp://127.0.0.1/app.tar.gz", "--bundle-url: "),
        ("http://user:secret@127.0.0.1/app.tar.gz", "--bundle-url: "),
        ("", "--bundle-url: found ``, which is no URL"),
    ] {
        let ran = folder.run(&[
            "serve",
            "--upstream",
            "http://127.0.0.1:1",
            "--bundle-url",
            url,
        ]);
        ran.refused("error: --bundle-url: ");
        assert!(ran.stderr.contains(said), "{url}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("hint: a URL with a path, such as http://127.0.0.1:8888/authz.tar.gz"),
            "{url}: {}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}
