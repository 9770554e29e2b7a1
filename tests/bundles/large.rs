//! A hundred thousand API keys from a bundle's data: on Envoy under load, and what of the module's memory
//! they take on wasmtime.

use portcullis_engine::words::counter;
use portcullis_runner::{Exchange, PluginGate, Server};
use portcullis_tests::bundles::{
    contents::{Rule, files},
    load::{Answer, Load},
    stage::{PATH, Publisher, Stage, reply},
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

const FEW: usize = 10;
const MANY: usize = 100_000;
const CLIENTS: usize = 6;

/// Known in every one of these.
const KEY: &str = "of-everybody-0123456789";

/// As much as that takes, in a time that a busy machine has.
fn takes_many(document: &mut Value) {
    document["api_keys"] = json!({"keys_from": "clients/keys"});
    document["policy"]["bundle"]["max_unpacked"] = json!("64MiB");
    document["policy"]["bundle"]["timeout"] = json!("60s");
}

/// A bundle with so many keys; those of one generation are none of another's.
struct Keys {
    generation: u64,
    count: usize,
}

impl Keys {
    fn key(&self, number: usize) -> String {
        format!("generation-{}-key-{number:06}", self.generation)
    }

    /// JSON, and how long it is.
    fn pack(&self, publisher: &Publisher) -> (Vec<u8>, usize) {
        let record = |id: String, key: &str| {
            let hash: String = portcullis_crypto::sha256(key.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!(
                r#"{{"id":"{id}","hash":"sha256:{hash}","subject":"client-{id}","scopes":["orders:read"]}}"#
            )
        };
        let mut records = vec![record("everybody".to_owned(), KEY)];
        records.extend(
            (1..self.count).map(|number| record(format!("k{number:06}"), &self.key(number))),
        );
        let text = format!(r#"{{"keys":[{}]}}"#, records.join(",\n"));
        let length = text.len();
        let mut files = files(&self.tag(), Rule::Everybody);
        files["clients/data.json"] = json!(text);
        let bundle = publisher.bundle(json!({
            "revision": self.tag(),
            "declares": {"sequence": self.generation},
            "files": files,
            "signed": {"key": "release"},
        }));
        (bundle, length)
    }

    fn tag(&self) -> String {
        format!("generation-{}", self.generation)
    }
}

#[test]
fn a_hundred_thousand_keys_come_while_requests_are_decided() {
    let Some(stage) = Stage::start(2, &[&takes_many]) else {
        return;
    };
    let bundles = [FEW, MANY, MANY, MANY, FEW];
    let bundles = (1..).zip(bundles).map(|(generation, count)| {
        let keys = Keys { generation, count };
        let (bundle, length) = keys.pack(&stage.publisher);
        (keys, bundle, length)
    });
    let bundles: Vec<_> = bundles.collect();
    let publish = |keys: &Keys, bundle: &[u8]| {
        stage.server.set(PATH, reply(bundle.to_vec(), &keys.tag()));
    };
    let (keys, bundle, _) = &bundles[0];
    publish(keys, bundle);
    stage.until_counted(counter::BUNDLE_ACTIVATIONS, stage.instances());
    let requests = [format!("x-api-key: {KEY}\r\n")];
    let ((), connections) = Load::run(stage.address(0), CLIENTS, &requests, |load| {
        for (keys, bundle, length) in &bundles[1..] {
            let quiet = Instant::now();
            thread::sleep(Duration::from_secs(2));
            let (log, before) = (
                stage.envoy.log().len(),
                stage.metric(counter::BUNDLE_ACTIVATIONS),
            );
            let published = Instant::now();
            publish(keys, bundle);
            let is_next = |answer: &Answer| answer.literal == keys.tag();
            stage.until("every client is answered by the next", || {
                load.every(is_next)
            });
            stage.until_counted(counter::BUNDLE_ACTIVATIONS, before + stage.instances());
            let to = Instant::now();
            let (first, last) = load.spread(published, is_next);
            // What was before is taken apart after it.
            thread::sleep(Duration::from_secs(1));
            println!(
                "{} keys, {length} bytes of JSON in {} packed: enforced {first:?} after it was published, \
                 everywhere after {last:?}",
                keys.count,
                bundle.len()
            );
            println!("  Envoy has {} MB", resident(&stage) >> 20);
            for (what, from, to) in [
                ("before", quiet, published),
                ("meanwhile", published, to),
                ("after", to, Instant::now()),
            ] {
                let (longest, count) = load.longest(from, to);
                println!("  {what}: the longest of {count} requests {longest:?}");
            }
            let said = stage.log_since(log);
            for line in said.lines().filter(|line| line.contains("is active")) {
                println!("  {}", line.split("policy.bundle: ").nth(1).unwrap_or(line));
            }
        }
    });
    for connection in connections {
        let mut latest = 1;
        for sample in connection.samples() {
            let answer = &sample.answer;
            assert_eq!(
                (answer.status, answer.literal.as_str()),
                (200, answer.data.as_str()),
                "{answer:?}"
            );
            let (keys, ..) = &bundles[latest - 1];
            if answer.literal != keys.tag() {
                latest += 1;
                assert_eq!(answer.literal, bundles[latest - 1].0.tag());
            }
        }
        assert_eq!(latest, bundles.len());
    }
    portcullis_tests::assert_well(&stage.envoy);
}

#[test]
fn memory_does_not_grow_with_every_bundle() {
    /// One after the other.
    const TIMES: u64 = 5;
    const DECISIONS: u32 = 500;
    let Some(publisher) = Publisher::new() else {
        return;
    };
    let server = Server::start().unwrap();
    let mut prepared = publisher.runner.prepare(&publisher.scenario).unwrap();
    let mut document = publisher.document();
    takes_many(&mut document);
    prepared.document = document.to_string().into_bytes();
    let clusters = [("bundles/bundles".to_owned(), server.address)].into();
    let mut gate = PluginGate::load_with(crate::compiled(), &prepared, clusters).unwrap();
    let mut exchange = prepared.exchanges[0].clone();
    exchange.lines.retain(|(name, _)| name != "authorization");
    let activate = |gate: &mut PluginGate, keys: &Keys| {
        let (bundle, _) = keys.pack(&publisher);
        server.set(PATH, reply(bundle, &keys.tag()));
        while revision(gate, &exchange, KEY) != keys.tag() {
            gate.idle(Duration::from_millis(100)).unwrap();
        }
        // What was before goes bit by bit.
        gate.idle(Duration::from_millis(200)).unwrap();
        gate.rest().unwrap();
        gate.memory_bytes()
    };
    let time = |gate: &mut PluginGate| {
        gate.rest().unwrap();
        let since = Instant::now();
        for _ in 0..DECISIONS {
            assert!(!revision(gate, &exchange, KEY).is_empty());
        }
        since.elapsed() / DECISIONS
    };
    let begun = gate.memory_bytes();
    let few = activate(
        &mut gate,
        &Keys {
            generation: 1,
            count: FEW,
        },
    );
    let with_few = time(&mut gate);
    let mut sizes = Vec::new();
    for generation in 2..2 + TIMES {
        let keys = Keys {
            generation,
            count: MANY,
        };
        sizes.push(activate(&mut gate, &keys));
        // The first and the last of them count, and those before it do so no more.
        let before = Keys {
            generation: generation - 1,
            count: MANY,
        };
        for number in [1, MANY - 1] {
            assert_eq!(
                revision(&mut gate, &exchange, &keys.key(number)),
                keys.tag()
            );
            assert_eq!(
                reason(&mut gate, &exchange, &before.key(number)),
                "api_key.unknown"
            );
        }
    }
    let with_many = time(&mut gate);
    println!(
        "linear memory: {begun} bytes, with {FEW} keys {few}, with {MANY} one after the other {sizes:?}"
    );
    println!(
        "a decision with {FEW} keys {with_few:?}, with {MANY} {with_many:?}: {:.2} times",
        with_many.as_secs_f64() / with_few.as_secs_f64()
    );
    // What one needs beside the one that is active, the next finds again, but for what lies in between:
    // two more take not even a quarter of what one does.
    assert!(sizes[4] - sizes[2] < (sizes[0] - few) / 4, "{sizes:?}");
}

/// What the process takes, in bytes: proc(5), `statm`.
fn resident(stage: &Stage) -> usize {
    const PAGE_BYTES: usize = 4096;
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", stage.envoy.id())).unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * PAGE_BYTES
}

fn ask(gate: &mut PluginGate, exchange: &Exchange, key: &str) -> Value {
    let mut exchange = exchange.clone();
    let line = ("x-api-key".to_owned(), key.as_bytes().to_vec());
    exchange.lines.push(line);
    gate.exchange(&exchange).unwrap().record.unwrap()
}

/// That of a decision that allows.
fn revision(gate: &mut PluginGate, exchange: &Exchange, key: &str) -> String {
    let record = ask(gate, exchange, key);
    let is_allowed = record["reason"] == "policy.allowed";
    let revision = record["revision"].as_str().filter(|_| is_allowed);
    revision.unwrap_or_default().to_owned()
}

fn reason(gate: &mut PluginGate, exchange: &Exchange, key: &str) -> String {
    let record = ask(gate, exchange, key);
    record["reason"].as_str().unwrap_or_default().to_owned()
}
