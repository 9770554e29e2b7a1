//! The decision log on a real Envoy: events in OPA's format, a server that is slow, away or mad, counts that
//! are exact, the last batch, and no secret anywhere. What takes how long is printed and never asserted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "decision_log/collector.rs"]
mod collector;
#[path = "decision_log/format.rs"]
mod format;
#[path = "decision_log/passing.rs"]
mod passing;
#[path = "decision_log/replayed.rs"]
mod replayed;

use collector::{Collector, Mood};
use portcullis_engine::words::counter;
use portcullis_runner::{Envoy, Exit, Scenario, envoy_bootstrap, envoy_clusters, envoy_listener};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

struct Stage {
    envoy: Envoy,
    collector: Collector,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

const PATIENCE: Duration = Duration::from_secs(90);

impl Stage {
    /// Of the gate in this folder. Nothing where there is no Envoy.
    fn start(home: &str) -> Option<Stage> {
        Stage::shaped(home, |_, _| ())
    }

    /// One worker, so that all of its events wait in one place. With changes to what Envoy is started
    /// with, which has a folder for files.
    fn shaped(home: &str, shape: impl FnOnce(&mut Value, &Path)) -> Option<Stage> {
        let binary = portcullis_tests::envoy()?;
        let collector = Collector::start();
        let folder = tempfile::tempdir().unwrap();
        let home = portcullis_tests::root().join(home);
        let scenario = Scenario::read(&home, &home).unwrap();
        let runner = portcullis_tests::runner(&[]).unwrap();
        let prepared = runner.prepare(&scenario).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let access = folder.path().join("access");
        let module = portcullis_tests::module();
        let mut config = envoy_bootstrap(&[&prepared], &module, nowhere, &access);
        let cluster = format!("{}/logs", scenario.name);
        envoy_clusters(&mut config, &[(cluster, collector.address)].into());
        let listener = &mut config["static_resources"]["listeners"][0];
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
        }]);
        shape(&mut config, folder.path());
        let started = Envoy::start_with(&binary, &config, &Default::default(), 1).unwrap();
        let envoy = match started {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let since = Instant::now();
        let address = loop {
            match envoy.listeners().unwrap().get(&envoy_listener(0)) {
                Some(address) => break *address,
                None => assert!(since.elapsed() < PATIENCE, "{}", envoy.log()),
            }
            thread::sleep(Duration::from_millis(20));
        };
        Some(Stage {
            envoy,
            collector,
            address,
            folder,
        })
    }

    /// The head of the answer to a request with these lines, and how long it took.
    fn ask(&self, line: &str, headers: &[String]) -> (String, Duration) {
        self.ask_with(line, headers, "")
    }

    fn ask_with(&self, line: &str, headers: &[String], body: &str) -> (String, Duration) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{line} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        let since = Instant::now();
        stream
            .write_all(format!("{request}\r\n{body}").as_bytes())
            .unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        // Envoy takes its time to close the connection.
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let took = since.elapsed();
        (String::from_utf8(answer).unwrap(), took)
    }

    fn count(&self, name: &str) -> u64 {
        let found = self.envoy.counter(&format!("wasmcustom.{name}"));
        found.unwrap_or_else(|| panic!("Envoy shows no `{name}`"))
    }

    /// Those that are to be uploaded, and those of which it is known what became.
    fn balance(&self) -> (u64, u64) {
        let gone = [
            counter::LOG_UPLOADED,
            counter::LOG_DROPPED_BUFFER,
            counter::LOG_DROPPED_SIZE,
            counter::LOG_DROPPED_REFUSED,
            counter::LOG_DROPPED_SHUTDOWN,
        ];
        let gone = gone.iter().map(|name| self.count(name)).sum();
        (self.count(counter::LOG_EVENTS), gone)
    }

    /// What the log says of the decision log, beside the events.
    fn told(&self) -> String {
        let log = self.envoy.log();
        let told = log.lines().filter(|line| line.contains("portcullis: "));
        told.collect::<Vec<_>>().join("\n")
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(
                since.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}: {:?}\n{}",
                self.balance(),
                self.told()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn whatever_the_server_does_no_request_waits_and_every_event_is_accounted_for() {
    let Some(stage) = Stage::start("tests/decision_log") else {
        return;
    };
    let moods = [
        Mood::Takes,
        Mood::Slow,
        Mood::Answers(500),
        Mood::TakesAndTalks,
        Mood::Nonsense,
        Mood::Resets,
        Mood::Answers(429),
        Mood::Takes,
        Mood::Answers(401),
        Mood::Answers(422),
        Mood::Takes,
    ];
    let mut sent = 0;
    let mut medians = Vec::new();
    for mood in moods {
        stage.collector.is(mood);
        let failures = stage.count(counter::LOG_UPLOAD_FAILURES);
        let mut times = Vec::new();
        for number in 0..60 {
            let (answer, took) = stage.ask(&format!("GET /{number}?a=1"), &[]);
            assert!(answer.starts_with("HTTP/1.1 200"), "{mood:?}: {answer}");
            times.push(took);
            sent += 1;
        }
        times.sort();
        medians.push((mood, times[times.len() / 2]));
        match mood {
            // What waits meanwhile is bounded, and what is refused is gone.
            Mood::Takes | Mood::TakesAndTalks | Mood::Answers(422) => {
                stage.until("each event is accounted for", || {
                    stage.balance() == (sent, sent)
                });
            }
            _ => stage.until("an upload has come to nothing", || {
                stage.count(counter::LOG_UPLOAD_FAILURES) > failures
            }),
        }
    }
    println!("requests' medians, by what the server does: {medians:?}");
    let taken = stage.collector.taken();
    let distinct: BTreeSet<&str> = taken
        .iter()
        .map(|event| event["decision_id"].as_str().unwrap())
        .collect();
    // It has what it said it took, each once, and no more is counted.
    assert_eq!(distinct.len(), taken.len());
    assert_eq!(stage.count(counter::LOG_UPLOADED), taken.len() as u64);
    assert!(stage.count(counter::LOG_DROPPED_BUFFER) > 0);
    assert!(stage.count(counter::LOG_DROPPED_REFUSED) > 0);
    assert_eq!(stage.collector.wrong(), Vec::<String>::new());
    for event in stage.collector.seen() {
        assert_eq!(format::faults(&event), Vec::<String>::new(), "{event:#}");
    }
    let log = stage.envoy.log();
    for told in [
        "events were dropped: ",
        "status 500",
        "status 401",
        "status 422",
        "uploaded again",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }

    // The last ones leave with the proxy.
    stage.collector.is(Mood::Takes);
    stage.ask("GET /settled", &[]);
    stage.until("there is a connection", || {
        stage.balance() == (sent + 1, sent + 1)
    });
    for number in 0..3 {
        stage.ask(&format!("GET /last/{number}"), &[]);
    }
    let id = stage.envoy.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let since = Instant::now();
    let has_last = || {
        let taken = stage.collector.taken();
        let of_last = |event: &&Value| {
            event["request_path"]
                .as_str()
                .is_some_and(|path| path.starts_with("/last/"))
        };
        taken.iter().filter(of_last).count() == 3
    };
    while !has_last() {
        assert!(
            since.elapsed() < PATIENCE,
            "{:?}",
            stage.collector.taken().last()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// A gate whose listener gets another configuration sends what waits, all of it, and then goes.
#[test]
fn a_change_of_configuration_loses_nothing() {
    let mut shaped = None;
    let by_file = |config: &mut Value, folder: &Path| {
        let mut listener = config["static_resources"]["listeners"][0].take();
        // Nothing goes before it has to.
        change(&mut listener, |gate| {
            gate["decision_log"]["interval"] = json!("1h");
            gate["decision_log"]["max_upload"] = json!("1KiB");
        });
        let file = folder.join("listeners.json");
        write(&file, &listener);
        config["static_resources"]["listeners"] = json!([]);
        config["node"] = json!({"id": "gate", "cluster": "gates"});
        config["dynamic_resources"] = json!({"lds_config": {"path_config_source": {"path": file}}});
        shaped = Some((file, listener));
    };
    let Some(stage) = Stage::shaped("tests/decision_log", by_file) else {
        return;
    };
    let (file, mut listener) = shaped.unwrap();
    // The first one is soon there; from then on they wait for an hour, or fill a batch and meet a server
    // that is away.
    stage.ask("GET /first", &[]);
    stage.until("the first one", || stage.balance() == (1, 1));
    stage.collector.is(Mood::Answers(500));
    for number in 0..20 {
        stage.ask(&format!("GET /{number}"), &[]);
    }
    stage.until("they wait", || {
        let (told, gone) = stage.balance();
        told == 21 && gone < 21
    });
    stage.collector.is(Mood::Takes);
    change(&mut listener, |gate| {
        gate["decision_log"]["labels"] = json!({"round": "two"});
    });
    write(&file, &listener);
    stage.until("all of them are there", || stage.balance() == (21, 21));
    assert_eq!(stage.count(counter::LOG_UPLOADED), 21);
    assert_eq!(stage.collector.taken().len(), 21);
}

fn change(listener: &mut Value, edit: impl FnOnce(&mut Value)) {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let filter = &mut manager["http_filters"][0]["typed_config"];
    let document = &mut filter["config"]["configuration"]["value"];
    let mut gate: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    edit(&mut gate);
    *document = json!(gate.to_string());
}

/// As Envoy watches files: moved into place.
fn write(file: &Path, listener: &Value) {
    let mut listener = listener.clone();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    let next = file.with_extension("next");
    let all = json!({"resources": [listener]}).to_string();
    std::fs::write(&next, all).unwrap();
    std::fs::rename(next, file).unwrap();
}

/// Each secret is another, so that a failure says where it came from.
#[test]
fn no_secret_is_anywhere() {
    let Some(stage) = Stage::start("tests/decision_log") else {
        return;
    };
    let jws = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbDRudGVkIn0.cGw0bnRlZC1zaWduYXR1cmU";
    let headers = [
        "authorization: Bearer pl4nted-bearer-0",
        "authorization: BEARER PL4NTED-UPPER-00",
        "authorization: Basic YWxpY2U6cGw0bnRlZC1iYXNpYy0w",
        "authorization: Digest username=\"a\", nonce=\"pl4nted-nonce-0\", response=\"pl4nted-digest-0\"",
        "authorization: AWS4-HMAC-SHA256 Credential=pl4nted-aws-id/20260101/eu/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=pl4nted-aws-sig-0",
        "authorization: Unknown pl4nted-unknown-0",
        "authorization: pl4nted-no-scheme",
        "proxy-authorization: Bearer pl4nted-proxy-00",
        "x-acme: pl4nted-api-key-0",
        "x-acme: pl4nted-wrong-key",
        "cookie: a=1; session=pl4nted-cookie-0; b=\"pl4nted-quoted-0\"",
        "x-api-key: pl4nted-x-api-key",
        "x_api_key: pl4nted-under-key",
        "x-vault-token: pl4nted-vault-00",
        "x-amz-security-token: pl4nted-amz-0000",
        "x-hub-signature-256: sha256=pl4nted-hub-0000",
        "signature: sig1=:pl4ntedc2lnbmF0dXJl:",
        "signature-input: sig1=(\"@method\");nonce=\"pl4nted-signed-nonce\"",
        "dpop: eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJwbDRudGVkIjoxfQ.cGw0bnRlZC1kcG9w",
        "x-forwarded-client-cert: Hash=pl4nted-xfcc-00",
        "x-csrf: pl4nted-csrf-0000",
        "x-password: pl4nted pass word00",
        "x-data: {\"client_secret\": \"pl4nted-in-json0\"}",
        "x-form: a=1&refresh_token=pl4nted-in-form0",
        "referer: https://u:pl4nted-user-00@x.test/?code=pl4nted-code-000#id_token=pl4nted-fragment",
    ];
    let paths = [
        "/a?access_token=pl4nted-query-00",
        "/a?ACCESS_TOKEN=pl4nted-QUERY-01",
        "/a?api%5Fkey=pl4nted-query-02",
        "/a?x=1&X-Amz-Signature=pl4nted-query-03&X-Amz-Credential=pl4nted-query-04",
        "/a?acme=pl4nted-api-key-0",
        "/a;token=pl4nted-matrix-0/b",
        "/a?sig=pl4nted%2Dquery-05",
        "/a?redirect=https://x.test/?token=pl4nted-query-06",
    ];
    let mut asked = 0;
    for header in headers {
        stage.ask("GET /a", &[header.to_owned()]);
        stage.ask(
            "POST /a",
            &[header.to_owned(), "content-length: 0".to_owned()],
        );
        asked += 2;
    }
    for path in paths {
        stage.ask(&format!("GET {path}"), &[]);
        asked += 1;
    }
    for header in [
        format!("x-any: {jws}"),
        format!("x-any: a {jws}, b"),
        format!("cookie: {jws}"),
    ] {
        stage.ask("GET /a", &[header]);
        asked += 1;
    }
    stage.ask(
        &format!("GET /a/{jws}/b?x={}", jws.replace('.', "%2E")),
        &[],
    );
    asked += 1;
    // Under one name where it is looked for, and under another where nobody would.
    let one = ["x-acme: pl4nted-api-key-0", "x-other: pl4nted-api-key-0"];
    stage.ask(
        "GET /pl4nted-api-key-0?x=PL4NTED-API-KEY-0",
        &one.map(str::to_owned),
    );
    let two = [
        "authorization: Bearer pl4nted-first-00",
        "authorization: Bearer pl4nted-second-0",
    ];
    stage.ask("GET /a", &two.map(str::to_owned));
    asked += 2;
    stage.until("all events are there", || {
        stage.collector.taken().len() >= asked
    });

    let access = std::fs::read_to_string(stage.folder.path().join("access")).unwrap();
    let events = Value::from(stage.collector.seen()).to_string();
    let log = stage.envoy.log();
    assert!(
        log.matches("\"decision_id\"").count() >= asked,
        "no lines in the log"
    );
    let stats = stage.envoy.counter("none");
    assert_eq!(stats, None);
    for (place, text) in [("event", events), ("log", log), ("access log", access)] {
        let text = text.to_ascii_lowercase();
        for piece in ["pl4nted", "cgw0bnrlzc", "ywxpy2u6cgw0bnrl", "eyjhbgci"] {
            if let Some(at) = text.find(piece) {
                let start = at.saturating_sub(300);
                let around: String = text.chars().skip(start).take(500).collect();
                panic!("`{piece}` is in the {place}: {around}");
            }
        }
    }
}
