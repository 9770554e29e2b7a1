//! What a gate does before its first bundle, and the gauges that say so: each instance counts once,
//! whatever becomes of listeners.

use portcullis_engine::words::{counter, gauge};
use portcullis_runner::Reply;
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    load::Client,
    stage::{PATH, Stage, as_is, document_of},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Instances begin within half a second, and whatever they would say wrong they say by then.
const STARTED: Duration = Duration::from_secs(1);

fn ready_and_waiting(stage: &Stage) -> (u64, u64) {
    (
        stage.metric(gauge::POLICY_READY),
        stage.metric(gauge::POLICY_WAITING),
    )
}

#[test]
fn without_a_bundle_every_request_is_refused_until_the_first() {
    let Some(stage) = Stage::start(2, &[&as_is]) else {
        return;
    };
    stage.until_counted(gauge::POLICY_WAITING, stage.instances());
    let mut clients: Vec<_> = (0..4)
        .map(|_| Client::connect(stage.address(0)).unwrap())
        .collect();
    let mut ask = || -> Vec<(u16, String)> {
        let clients = clients.iter_mut();
        let answers = clients.map(|client| client.ask("").unwrap());
        answers
            .map(|answer| (answer.status, answer.reason))
            .collect()
    };
    let all = |status: u16, reason: &str| vec![(status, reason.to_owned()); 4];
    assert_eq!(ask(), all(503, "policy.unavailable"));
    // A bundle of a stranger is none.
    let mut spec = revision("bad", 1, "bad", Rule::Everybody);
    spec["signed"]["key"] = json!("stranger");
    spec["signed"]["id"] = json!("release");
    let body = stage.publisher.bundle(spec);
    stage.server.set(
        PATH,
        Reply {
            body,
            ..Reply::default()
        },
    );
    stage.until_counted(counter::BUNDLE_VERIFY_FAILURES, 2 * stage.instances());
    assert_eq!(ask(), all(503, "policy.unavailable"));
    thread::sleep(STARTED);
    // Not the one that was configured to try, and thrown away.
    assert_eq!(ready_and_waiting(&stage), (0, stage.instances()));
    stage.activate(revision("r1", 1, "first", Rule::Everybody));
    assert_eq!(ask(), all(200, "policy.allowed"));
    stage.until("they are ready", || {
        ready_and_waiting(&stage) == (stage.instances(), 0)
    });
    assert!(
        stage
            .envoy
            .log()
            .contains("revision `r1` is active, the first, signed by `release`")
    );
    portcullis_tests::assert_well(&stage.envoy);
}

/// The policy of the document serves until there is another.
#[test]
fn with_a_policy_in_the_document_no_request_is_refused() {
    let inline = |document: &mut Value| {
        let module = "package app\n\nallow := {\"allowed\": true, \"response_headers_to_add\": {\"x-literal\": \"inline\"}}";
        document["policy"]["modules"] = json!({"inline.rego": module});
    };
    let Some(stage) = Stage::start(2, &[&inline]) else {
        return;
    };
    let (refused, connections) =
        portcullis_tests::bundles::load::Load::run(stage.address(0), 4, &[String::new()], |load| {
            stage.until("they are ready", || {
                ready_and_waiting(&stage) == (stage.instances(), 0)
            });
            stage.until("every client is answered by the document's", || {
                load.every(|answer| answer.literal == "inline")
            });
            stage.activate(revision("r1", 1, "first", Rule::Everybody));
            stage.until("every client is answered by the first", || {
                load.every(|answer| answer.literal == "first")
            });
            ready_and_waiting(&stage).1
        });
    assert_eq!(refused, 0);
    for connection in connections {
        for sample in connection.samples() {
            assert_eq!(sample.answer.status, 200, "{sample:?}");
        }
    }
}

/// A listener whose configuration is replaced has another gate, and the one before it is gone. What it
/// begins with is the bundle again.
#[test]
fn gauges_do_not_drift_when_listeners_change() {
    let mut file = None;
    let by_file = |config: &mut Value, folder: &Path| {
        let listeners = config["static_resources"]["listeners"].take();
        let there = folder.join("listeners.json");
        write(&there, &listeners[0]);
        config["static_resources"]["listeners"] = json!([]);
        config["node"] = json!({"id": "gate", "cluster": "gates"});
        config["dynamic_resources"] =
            json!({"lds_config": {"path_config_source": {"path": there}}});
        file = Some((there, listeners[0].clone()));
    };
    let Some(stage) = Stage::shaped(2, &[&as_is], by_file) else {
        return;
    };
    let (file, mut listener) = file.unwrap();
    let instances = stage.instances();
    stage.activate(revision("r1", 1, "first", Rule::Everybody));
    stage.until("they are ready", || {
        ready_and_waiting(&stage) == (instances, 0)
    });
    let document: Value =
        serde_json::from_str(document_of(&mut listener).as_str().unwrap()).unwrap();
    let answers = Meanwhile::ask(stage.address(0));
    for round in 0..3 {
        let mut changed = document.clone();
        changed["policy"]["bundle"]["name"] = json!(format!("round-{round}"));
        *document_of(&mut listener) = json!(changed.to_string());
        let before = stage.envoy.log().len();
        write(&file, &listener);
        // What the server has then is the same, and made active no second time.
        stage.until("all of them have begun", || {
            let begun = stage.log_since(before);
            begun
                .matches("policy.bundle: kept from before: revision `r1`")
                .count()
                >= usize::try_from(instances).unwrap()
        });
        stage.until("the gates that were before are gone", || {
            ready_and_waiting(&stage) == (instances, 0)
        });
        thread::sleep(STARTED);
        assert_eq!(ready_and_waiting(&stage), (instances, 0), "round {round}");
    }
    // What it begins with is the bundle that was active.
    let answers = answers.end();
    println!("while listeners changed: {answers:?}");
    assert_eq!(answers.keys().collect::<Vec<_>>(), [&200], "{answers:?}");
    // And one that finds no bundle waits, while nobody else does.
    let mut changed = document.clone();
    changed["policy"]["bundle"]["path"] = json!("/nothing.tar.gz");
    *document_of(&mut listener) = json!(changed.to_string());
    write(&file, &listener);
    stage.until("the new ones wait", || {
        ready_and_waiting(&stage) == (0, instances)
    });
    // No listener, no gate.
    let none = json!({"resources": []});
    replace(&file, &none.to_string());
    // Nor a gauge, then.
    let shown = |name: &str| {
        let shown = stage.envoy.counter(&format!("wasmcustom.{name}"));
        shown.unwrap_or(0)
    };
    stage.until("nobody is left", || {
        (shown(gauge::POLICY_READY), shown(gauge::POLICY_WAITING)) == (0, 0)
    });
    portcullis_tests::assert_well(&stage.envoy);
}

/// Requests, each on a connection of its own: those of before are closed with their listener.
struct Meanwhile {
    over: Arc<AtomicBool>,
    answers: JoinHandle<BTreeMap<u16, usize>>,
}

impl Meanwhile {
    fn ask(to: SocketAddr) -> Meanwhile {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let answers = thread::spawn(move || {
            let mut answers = BTreeMap::new();
            while !is_over.load(Ordering::Relaxed) {
                let answer = Client::connect(to).and_then(|mut client| client.ask(""));
                *answers.entry(answer.unwrap().status).or_default() += 1;
                thread::sleep(Duration::from_millis(2));
            }
            answers
        });
        Meanwhile { over, answers }
    }

    /// How many there were of each status.
    fn end(self) -> BTreeMap<u16, usize> {
        self.over.store(true, Ordering::Relaxed);
        self.answers.join().unwrap()
    }
}

fn write(file: &Path, listener: &Value) {
    let mut listener = listener.clone();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    replace(file, &json!({"resources": [listener]}).to_string());
}

/// Envoy looks when a file takes another's place.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, file).unwrap();
}
