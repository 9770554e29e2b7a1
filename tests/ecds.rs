//! [envoy/ecds](../envoy/ecds/README.md) on a real Envoy: the gate's configuration is moved into place while clients ask
//! all the time, and none of them is dropped, let by, or answered by anything but the old gate or the new.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_runner::{Envoy, Exit, Upstream};
use portcullis_tests::{
    assert_well, envoy,
    example::{Client, Example, KEY, PEPPER, Running, until, with_key},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

const RESOURCE: &str = "live/portcullis.yaml";
const ENVIRONMENT: &[(&str, &str)] = &[("PORTCULLIS_PEPPER", PEPPER)];

struct Stage {
    running: Running,
    /// Reachable behind the gate only.
    upstream: Upstream,
    /// The resource as it stands in the example, with a key that somebody has.
    resource: Value,
}

fn example(upstream: &Upstream) -> Example {
    let mut example = Example::read("ecds");
    example.point("upstream", upstream.address);
    example
}

/// The resource of the example.
fn resource(example: &Example) -> Value {
    let mut resource = portcullis_gatefile::read_data(&example.beside(RESOURCE)).unwrap();
    let document = document(&mut resource);
    let text = document.as_str().unwrap();
    *document = json!(with_key(text));
    resource
}

/// The gate's configuration in the resource, as text.
fn document(resource: &mut Value) -> &mut Value {
    let config = &mut resource["resources"][0]["typed_config"]["config"];
    &mut config["configuration"]["value"]
}

/// The resource with another policy.
fn with_policy(resource: &Value, allow: &str) -> Value {
    let mut resource = resource.clone();
    let document = document(&mut resource);
    let mut gate: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    gate["policy"]["modules"] =
        json!({"authz.rego": format!("package envoy.authz\n\nallow := {allow}\n")});
    *document = json!(gate.to_string());
    resource
}

/// A policy that allows, and shows which it is.
fn revision(resource: &Value, number: usize) -> Value {
    let shown =
        json!({"allowed": true, "response_headers_to_add": {"x-revision": number.to_string()}});
    with_policy(resource, &shown.to_string())
}

impl Stage {
    fn start() -> Option<Stage> {
        let binary = envoy()?;
        let upstream = Upstream::start().unwrap();
        let example = example(&upstream);
        let resource = resource(&example);
        example.put_beside(RESOURCE, &resource.to_string());
        Some(Stage {
            running: example.start(&binary, ENVIRONMENT),
            upstream,
            resource,
        })
    }

    fn client(&self) -> Client {
        Client::new(self.running.address("gate"), "gate.test", None)
    }

    fn put(&self, text: &str) {
        self.running.example.put_beside(RESOURCE, text);
    }

    fn counter(&self, name: &str) -> u64 {
        let name = format!("extension_config_discovery.http_filter.portcullis.{name}");
        let found = self.running.envoy.counter(&name);
        found.unwrap_or_else(|| panic!("Envoy shows no `{name}`"))
    }
}

const OWN: [(&str, &str); 1] = [("x-api-key", KEY)];

#[test]
fn the_gate_is_changed_under_load() {
    let Some(stage) = Stage::start() else { return };
    let client = stage.client();
    assert_eq!(client.get("/orders", &OWN).status, 200);
    assert_eq!(client.get("/orders", &[]).status, 403);
    const REVISIONS: usize = 5;
    let (over, before) = (AtomicBool::new(false), stage.counter("update_success"));
    let asked: Vec<Vec<usize>> = thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| ask_until(&client, &over)))
            .collect();
        for number in 1..=REVISIONS {
            stage.put(&revision(&stage.resource, number).to_string());
            until("the new configuration is there", || {
                client.get("/orders", &OWN).header("x-revision") == number.to_string()
            });
        }
        over.store(true, Ordering::Relaxed);
        load.into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    assert_eq!(stage.counter("update_success") - before, REVISIONS as u64);
    for seen in &asked {
        println!("{} requests on one connection", seen.len());
        assert!(
            seen.is_sorted(),
            "no request comes to an older gate again: {seen:?}"
        );
        assert!(seen.contains(&0) || seen.contains(&1), "{seen:?}");
        assert_eq!(seen.last(), Some(&REVISIONS));
    }
    // One that refuses what the last one allowed.
    stage.put(&with_policy(&stage.resource, "false").to_string());
    until("the new policy refuses", || {
        client.get("/orders", &OWN).status == 403
    });
    stage.upstream.take();
    for _ in 0..20 {
        assert_eq!(client.get("/orders", &OWN).status, 403);
    }
    assert!(stage.upstream.take().is_empty());
    assert_well(&stage.running.envoy);
}

/// The revisions that answered on one connection, in order: every request is allowed.
fn ask_until(client: &Client, over: &AtomicBool) -> Vec<usize> {
    let mut connection = client.connect().unwrap();
    let mut seen = Vec::new();
    let mut last = false;
    while !last {
        last = over.load(Ordering::Relaxed);
        let answer = connection.ask("GET", "/orders", &OWN, "").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        seen.push(answer.header("x-revision").parse().unwrap_or(0));
    }
    seen
}

#[test]
fn what_is_no_good_changes_nothing() {
    let Some(stage) = Stage::start() else { return };
    let client = stage.client();
    let serves = || {
        assert_eq!(client.get("/orders", &OWN).status, 200);
        assert_eq!(client.get("/orders", &[]).status, 403);
    };
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut resource = stage.resource.clone();
        edit(&mut resource);
        resource.to_string()
    };
    let gate = |edit: &dyn Fn(&mut Value)| {
        edited(&|resource| {
            let document = document(resource);
            let mut gate: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
            edit(&mut gate);
            *document = json!(gate.to_string());
        })
    };
    let filter = "/resources/0/typed_config";
    let cases = [
        (
            "the gate knows no such key",
            gate(&|gate| gate["polices"] = json!({})),
        ),
        (
            "a policy that is no Rego",
            gate(&|gate| {
                gate["policy"]["modules"] =
                    json!({"authz.rego": "package envoy.authz\n\nallow if {"});
            }),
        ),
        ("no policy", gate(&|gate| *gate = json!({}))),
        (
            "no JSON",
            edited(&|resource| *document(resource) = json!("{")),
        ),
        (
            "a module that is not there",
            edited(&|resource| {
                resource["resources"][0]["typed_config"]["config"]["vm_config"]["code"] =
                    json!({"local": {"filename": "/nowhere/portcullis.wasm"}});
            }),
        ),
        (
            "a filter that lets everything by",
            edited(&|resource| {
                *resource.pointer_mut(filter).unwrap() = json!({
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors",
                });
            }),
        ),
        (
            "of another name",
            edited(&|resource| resource["resources"][0]["name"] = json!("other")),
        ),
        ("no YAML", "resources: [".to_owned()),
        ("half of a file", {
            let whole = stage.resource.to_string();
            whole.split_at(whole.len() / 2).0.to_owned()
        }),
    ];
    serves();
    let (over, taken) = (AtomicBool::new(false), stage.counter("update_success"));
    let seen = thread::scope(|scope| {
        let load = scope.spawn(|| ask_until(&client, &over));
        for (what, text) in cases {
            let refused = || ["update_rejected", "update_failure"].map(|name| stage.counter(name));
            let before = refused();
            stage.put(&text);
            until(what, || refused() != before);
            serves();
        }
        over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    println!("{} requests meanwhile", seen.len());
    assert!(seen.iter().all(|revision| *revision == 0), "{seen:?}");
    assert_eq!(stage.counter("update_success"), taken);
    // And what is good again is taken.
    stage.put(&revision(&stage.resource, 1).to_string());
    until("the good one serves", || {
        client.get("/orders", &OWN).header("x-revision") == "1"
    });
    assert_refused_in_words(&stage);
}

#[test]
fn nothing_is_let_by_before_there_is_a_gate() {
    let Some(binary) = envoy() else { return };
    let refused = |resource: &Value| {
        let mut resource = resource.clone();
        *document(&mut resource) = json!("{}");
        resource
    };
    let log = opens_closed(&binary, &refused);
    assert!(log.contains("the configuration is refused: "), "{log}");
    opens_closed(&binary, &|_| json!({"resources": []}));
}

/// Started with a resource that is no gate; what Envoy logs.
fn opens_closed(binary: &Path, first: &dyn Fn(&Value) -> Value) -> String {
    let upstream = Upstream::start().unwrap();
    let mut example = example(&upstream);
    let good = resource(&example);
    // In place of 15 seconds.
    let discovery = &mut example.filter("gate", "portcullis")["config_discovery"];
    assert!(discovery["config_source"]["initial_fetch_timeout"].is_string());
    discovery["config_source"]["initial_fetch_timeout"] = json!("1s");
    example.put_beside(RESOURCE, &first(&good).to_string());
    let stage = Stage {
        running: example.start(binary, ENVIRONMENT),
        upstream,
        resource: good,
    };
    let client = stage.client();
    for lines in [&OWN[..], &[]] {
        assert_eq!(client.get("/orders", lines).status, 500);
    }
    assert!(stage.upstream.take().is_empty());
    stage.put(&stage.resource.to_string());
    until("the gate stands", || {
        client.get("/orders", &OWN).status == 200
    });
    assert_eq!(client.get("/orders", &[]).status, 403);
    stage.running.envoy.log()
}

#[test]
fn without_its_file_envoy_does_not_start() {
    let Some(binary) = envoy() else { return };
    let example = example(&Upstream::start().unwrap());
    fs::remove_file(example.beside(RESOURCE)).unwrap();
    match Envoy::start(&binary, &example.config, &BTreeMap::new()).unwrap() {
        Exit::Serving(_) => panic!("it serves without a gate"),
        Exit::Ended { log, .. } => assert!(log.contains(RESOURCE), "{log}"),
    }
}

/// The log says why, and no filter has crashed over it.
fn assert_refused_in_words(stage: &Stage) {
    let log = stage.running.envoy.log();
    assert!(log.contains("the configuration is refused: "), "{log}");
    assert!(
        !log.contains("panicked") && !log.contains("Function: proxy_on"),
        "{log}"
    );
}

#[test]
fn the_filter_has_no_other_configuration_to_fall_back_on() {
    let text = fs::read_to_string(portcullis_tests::root().join("envoy/ecds/envoy.yaml")).unwrap();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    for line in lines {
        assert!(
            !line.contains("default_config") && !line.contains("apply_default"),
            "{line}"
        );
    }
}
