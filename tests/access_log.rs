//! What an access log has without us: Envoy's own, in the format of envoy/envoy.yaml, on refusals at each
//! point of a request, over HTTP/1.1, HTTP/2 and as gRPC.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "waiting/client.rs"]
#[expect(dead_code, reason = "what else is sent is another test's matter")]
mod client;
#[path = "waiting/upstream.rs"]
#[expect(dead_code, reason = "what came is another test's matter")]
mod upstream;

use client::{Protocol, Sent, Shape};
use portcullis_runner::{
    Envoy, Exit, Reply, Scenario, Server, envoy_bootstrap, envoy_clusters, envoy_listener,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::sleep};
use upstream::Upstream;

const SCENARIO: &str = "tests/access_log";
/// What `gate.yaml` says.
const CLUSTER: &str = "access_log/idp";
const KEYS: &str = "/jwks.json";
/// Long enough for a request to reach the gate and wait there.
const A_WHILE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Http1,
    Http2,
    Grpc,
}

/// Where it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// On its headers.
    AtOnce,
    /// When its body is there.
    AfterItsBody,
    /// When the keys are there.
    AfterAWait,
    Allowed,
}

#[test]
fn it_has_the_reason_of_every_refusal() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access");
        let Some(gate) = Gate::start(&log).await else {
            return;
        };
        let all = [Over::Http1, Over::Http2, Over::Grpc].into_iter();
        let all: Vec<(Over, When)> = all
            .flat_map(|over| {
                let times = [
                    When::AtOnce,
                    When::AfterItsBody,
                    When::AfterAWait,
                    When::Allowed,
                ];
                times.map(|when| (over, when))
            })
            .collect();
        let mut sent = Vec::new();
        for (over, when) in &all {
            sent.push(gate.send(*over, *when).await);
        }
        sleep(A_WHILE).await;
        for ((over, when), sent) in all.iter().zip(&sent) {
            let waits = matches!(when, When::AfterAWait | When::Allowed);
            assert_eq!(sent.is_answered(), !waits, "{over:?} {when:?}");
        }
        gate.keys.set(KEYS, Reply::json(&gate.key_set));
        let mut statuses = Vec::new();
        for sent in sent {
            statuses.push(sent.status().await.unwrap());
        }
        let lines = lines(&log, all.len()).await;
        for ((over, when), status) in all.into_iter().zip(statuses) {
            let line = &lines[&path(over, when)];
            let (reason, refused) = match when {
                When::AtOnce => ("policy.denied", 403),
                When::AfterItsBody => ("digest.mismatch", 400),
                When::AfterAWait => ("jwt.signature", 401),
                When::Allowed => ("policy.allowed", 200),
            };
            // gRPC tells its own status in a header, and 200 in HTTP.
            let wanted = match over {
                Over::Grpc => 200,
                _ => refused,
            };
            assert_eq!(status, wanted, "{line}");
            assert_eq!(line["status"], wanted, "{line}");
            let details = match when {
                When::Allowed => "via_upstream".to_owned(),
                _ => format!("portcullis{{{reason}}}"),
            };
            assert_eq!(line["details"], details, "{line}");
            // None of Envoy's flags: what happened here is nobody's fault but the request's.
            assert_eq!(line["flags"], "-", "{line}");
            let grpc = match (over, when) {
                (Over::Grpc, When::AtOnce) => json!("PermissionDenied"),
                (Over::Grpc, When::AfterItsBody) => json!("InvalidArgument"),
                (Over::Grpc, When::AfterAWait) => json!("Unauthenticated"),
                _ => line["grpc_status"].clone(),
            };
            assert_eq!(line["grpc_status"], grpc, "{line}");
            let decision: Value = serde_json::from_str(line["decision"].as_str().unwrap()).unwrap();
            assert_eq!(decision["reason"], reason, "{line}");
            assert_eq!(decision["decision_id"].as_str().unwrap().len(), 36);
        }
        portcullis_tests::assert_well(&gate.envoy);
    });
}

struct Gate {
    envoy: Envoy,
    address: SocketAddr,
    keys: Server,
    key_set: Value,
    good: String,
    forged: String,
    _upstream: Upstream,
}

impl Gate {
    /// Its keys are held back. Nothing where there is no Envoy.
    async fn start(log: &Path) -> Option<Gate> {
        let binary = portcullis_tests::envoy()?;
        let folder = portcullis_tests::root().join(SCENARIO);
        let scenario = Scenario::read(&folder, &folder).unwrap();
        let runner = portcullis_tests::runner(&[]).unwrap();
        let prepared = runner.prepare(&scenario).unwrap();
        let token = |case: usize| {
            let mut lines = prepared.exchanges[case].lines.iter();
            let (_, value) = lines.find(|(name, _)| name == "authorization").unwrap();
            String::from_utf8(value.clone()).unwrap()
        };
        let keys = Server::start().unwrap();
        keys.set(KEYS, Reply::held());
        let upstream = Upstream::start().await.unwrap();
        let module = portcullis_tests::module();
        let mut config = envoy_bootstrap(&[&prepared], &module, upstream.address, log);
        envoy_clusters(&mut config, &[(CLUSTER.to_owned(), keys.address)].into());
        let manager = &mut config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
            [0]["typed_config"];
        manager["access_log"][0]["typed_config"]["log_format"] = format_of_the_bootstrap();
        let started = tokio::task::spawn_blocking(move || {
            Envoy::start(&binary, &config, &BTreeMap::new()).unwrap()
        });
        let envoy = match started.await.unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        Some(Gate {
            address: envoy.listeners().unwrap()[&envoy_listener(0)],
            envoy,
            keys,
            key_set: runner.key_set(&scenario, &["a"]).unwrap(),
            good: token(0),
            forged: token(1),
            _upstream: upstream,
        })
    }

    async fn send(&self, over: Over, when: When) -> Sent {
        let mut headers = match over {
            Over::Grpc => vec![("content-type", "application/grpc"), ("te", "trailers")],
            _ => Vec::new(),
        };
        let shape = match when {
            When::AfterItsBody => Shape::Sized,
            _ => Shape::Bare,
        };
        match when {
            When::AtOnce => {}
            // That of nothing.
            When::AfterItsBody => headers.push((
                "content-digest",
                "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            )),
            When::AfterAWait => headers.push(("authorization", &self.forged)),
            When::Allowed => headers.push(("authorization", &self.good)),
        }
        let protocol = match over {
            Over::Http1 => Protocol::Http1,
            _ => Protocol::Http2,
        };
        let path = format!("{}?access_token=secret", path(over, when));
        client::send(self.address, protocol, shape, &path, &headers).await
    }
}

fn path(over: Over, when: When) -> String {
    format!("/{over:?}/{when:?}")
}

/// What people copy.
fn format_of_the_bootstrap() -> Value {
    let file = portcullis_tests::root().join("envoy/envoy.yaml");
    let bootstrap = portcullis_gatefile::read_data(&file).unwrap_or_else(|it| panic!("{it}"));
    let listener = &bootstrap["static_resources"]["listeners"][0];
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["access_log"][0]["typed_config"]["log_format"].clone()
}

/// By path, once there are so many.
async fn lines(log: &Path, count: usize) -> BTreeMap<String, Value> {
    let since = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        assert!(!text.contains("secret"), "{text}");
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() == count {
            let path = |line: &Value| line["path"].as_str().unwrap().to_owned();
            return lines.into_iter().map(|line| (path(&line), line)).collect();
        }
        assert!(since.elapsed() < PATIENCE, "{text}");
        sleep(Duration::from_millis(20)).await;
    }
}
