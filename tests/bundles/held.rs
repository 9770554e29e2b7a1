//! Requests that wait, for keys or for their bodies, while the policy changes: they are decided by the
//! one that was active when they began. On Envoy, and in the module on wasmtime.

use portcullis_engine::words::counter;
use portcullis_runner::{Exchange, PluginGate, Reply, Server};
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    load::{Answer, Client},
    stage::{PATH, Publisher, Stage, reply},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KEYS: &str = "/jwks.json";
/// Well within the two seconds for which a request waits for keys.
const IN_TIME: Duration = Duration::from_millis(1_500);
/// Of each kind.
const CLIENTS: usize = 4;

fn waits_for_keys_and_bodies(document: &mut Value) {
    document["jwt"] = json!({"providers": {"corp": {
        "issuer": "https://idp.test",
        "audiences": ["orders"],
        "jwks": {"cluster": "bundles/idp", "authority": "idp.test", "path": KEYS, "timeout": "20s"},
    }}});
    document["body"] = json!({"parse": true});
}

/// A set of the scenario's keys.
fn keys(publisher: &Publisher, names: &[&str]) -> Reply {
    Reply::json(
        &publisher
            .runner
            .key_set(&publisher.scenario, names)
            .unwrap(),
    )
}

#[test]
fn on_envoy_they_keep_the_policy_they_began_with() {
    let Some(stage) = Stage::start(2, &[&waits_for_keys_and_bodies]) else {
        return;
    };
    // A key of somebody else.
    stage.idp.set(KEYS, keys(&stage.publisher, &["release"]));
    stage.activate(revision("r0", 1, "tag-0", Rule::Everybody));
    assert!(stage.idp.wait_asked(KEYS, stage.instances(), IN_TIME * 10));
    let token = stage.publisher.token();
    let mut sequence = 1;
    // A machine that was too busy for the keys to come in time is asked once more, with another gate's
    // worth of patience: a worker asks out of turn three times, and once in ten seconds.
    for round in 0..3 {
        let before = format!("tag-{}", sequence - 1);
        sequence += 1;
        let (name, tag) = (
            format!("r{}", sequence - 1),
            format!("tag-{}", sequence - 1),
        );
        let next = stage
            .publisher
            .bundle(revision(&name, sequence, &tag, Rule::Everybody));
        stage.idp.set(KEYS, Reply::held());
        let connect = |_| Client::connect(stage.address(0)).unwrap();
        let mut for_keys: Vec<Client> = (0..CLIENTS).map(connect).collect();
        let mut for_bodies: Vec<Client> = (0..CLIENTS).map(connect).collect();
        let mut others: Vec<Client> = (0..CLIENTS).map(connect).collect();
        for client in &mut for_bodies {
            let head = "POST / HTTP/1.1\r\nhost: gate.test\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n";
            client.send(&format!("{head}[1, ")).unwrap();
        }
        let began = Instant::now();
        for client in &mut for_keys {
            let fields = format!("authorization: {token}");
            client
                .send(&format!(
                    "GET / HTTP/1.1\r\nhost: gate.test\r\n{fields}\r\n\r\n"
                ))
                .unwrap();
        }
        assert!(stage.idp.wait_asked(KEYS, 1, IN_TIME * 10), "round {round}");
        let wanted = stage.metric(counter::BUNDLE_ACTIVATIONS) + stage.instances();
        stage.server.set(PATH, reply(next, &name));
        stage.until_counted(counter::BUNDLE_ACTIVATIONS, wanted);
        for client in &mut others {
            assert_eq!(client.ask("").unwrap(), allowed(&tag));
        }
        let in_time = began.elapsed() < IN_TIME;
        stage
            .idp
            .set(KEYS, keys(&stage.publisher, &["release", "a"]));
        for client in &mut for_bodies {
            client.send("2 ]\n").unwrap();
            assert_eq!(client.answer().unwrap(), allowed(&before), "round {round}");
        }
        let answers = for_keys.iter_mut().map(|client| client.answer().unwrap());
        let answers: Vec<Answer> = answers.collect();
        if in_time {
            assert_eq!(answers, vec![allowed(&before); CLIENTS], "round {round}");
            // On the same connections, the next requests are the next policy's.
            for client in for_keys.iter_mut().chain(&mut for_bodies) {
                assert_eq!(client.ask("").unwrap(), allowed(&tag));
            }
            portcullis_tests::assert_well(&stage.envoy);
            return;
        }
    }
    panic!("the machine is too busy");
}

fn allowed(tag: &str) -> Answer {
    Answer {
        status: 200,
        literal: tag.to_owned(),
        data: tag.to_owned(),
        reason: "policy.allowed".to_owned(),
    }
}

#[test]
fn in_the_module_they_keep_the_policy_they_began_with() {
    let Some(publisher) = Publisher::new() else {
        return;
    };
    let (server, idp) = (Server::start().unwrap(), Server::start().unwrap());
    let publish = |number: u64| {
        let spec = revision(
            &format!("r{number}"),
            number,
            &format!("tag-{number}"),
            Rule::Everybody,
        );
        let bundle = publisher.bundle(spec);
        server.set(PATH, reply(bundle, &number.to_string()));
    };
    let mut prepared = publisher.runner.prepare(&publisher.scenario).unwrap();
    let mut document = publisher.document();
    waits_for_keys_and_bodies(&mut document);
    prepared.document = document.to_string().into_bytes();
    publish(1);
    idp.set(KEYS, keys(&publisher, &["release"]));
    let clusters = [
        ("bundles/bundles", server.address),
        ("bundles/idp", idp.address),
    ];
    let clusters = clusters.map(|(name, at)| (name.to_owned(), at)).into();
    let mut gate = PluginGate::load_with(crate::compiled(), &prepared, clusters).unwrap();
    let with_token = prepared.exchanges[0].clone();
    let mut plain = with_token.clone();
    plain.lines.retain(|(name, _)| name != "authorization");
    let first = allowed_in_record("r1");
    while revision_of(&mut gate, &plain) != first {
        gate.idle(Duration::from_millis(100)).unwrap();
    }

    // The keys come a second later, and meanwhile the bundle.
    let late = Reply {
        delay: Duration::from_secs(1),
        ..keys(&publisher, &["a"])
    };
    idp.set(KEYS, late);
    publish(2);
    assert_eq!(revision_of(&mut gate, &with_token), first);
    assert_eq!(idp.asked(KEYS), 1);
    let second = allowed_in_record("r2");
    assert_eq!(revision_of(&mut gate, &plain), second, "it came meanwhile");

    let mut with_body = plain.clone();
    with_body.method = "POST".to_owned();
    with_body.body = b"[1, 2 ]\n".to_vec();
    let length = ("content-length".to_owned(), b"8".to_vec());
    let kind = ("content-type".to_owned(), b"application/json".to_vec());
    with_body.lines.extend([length, kind]);
    with_body.framing.pieces = vec![4];
    with_body.framing.pause = Duration::from_millis(500);
    publish(3);
    assert_eq!(revision_of(&mut gate, &with_body), second);
    let third = allowed_in_record("r3");
    assert_eq!(revision_of(&mut gate, &plain), third, "it came meanwhile");
    gate.rest().unwrap();
}

/// The reason, and the revision that decided.
fn revision_of(gate: &mut PluginGate, exchange: &Exchange) -> (String, String) {
    let seen = gate.exchange(exchange).unwrap();
    let record = seen.record.unwrap();
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let said = |name| {
        let said = seen.headers.get(name).unwrap_or_default();
        String::from_utf8_lossy(said).into_owned()
    };
    assert_eq!(said("x-literal"), said("x-data"));
    assert_eq!(said("x-literal").replace("tag-", "r"), text("revision"));
    (text("reason"), text("revision"))
}

fn allowed_in_record(revision: &str) -> (String, String) {
    ("policy.allowed".to_owned(), revision.to_owned())
}
