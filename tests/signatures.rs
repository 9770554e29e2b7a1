//! Turns over each bit of what a signature covers, of what it says of itself, and of the key: none of
//! these requests is allowed any more.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "bits/flip.rs"]
mod flip;

use base64::{Engine, prelude::BASE64_STANDARD};
use flip::{flipped, refused};
use portcullis_runner::{Exchange, Module, Observation, PluginGate, Prepared, Scenario, native};
use serde_json::Value;

/// Requests signed with a shared secret, Ed25519, ECDSA and RSA-PSS.
const SCENARIO: &str = "tests/bits";

#[test]
fn a_bit_of_the_request_turned_over_natively() {
    with_scenario(|prepared| {
        let gate = native::load(prepared).unwrap();
        let decided = turn_over_all(prepared, |exchange| native::exchange_with(&gate, exchange));
        assert!(decided > 8_000, "{decided}");
    });
}

#[test]
fn a_bit_of_the_request_turned_over_in_the_module() {
    with_scenario(|prepared| {
        let module = std::fs::read(portcullis_tests::module()).unwrap();
        let module = Module::compile(&module).unwrap();
        let mut plugin = PluginGate::load(&module, prepared).unwrap();
        let decided = turn_over_all(prepared, |exchange| plugin.exchange(exchange));
        assert!(decided > 8_000, "{decided}");
    });
}

#[test]
fn a_bit_of_the_key_turned_over() {
    with_scenario(|prepared| {
        let document: Value = serde_json::from_slice(&prepared.document).unwrap();
        let keys = document["signatures"]["keys"].as_array().unwrap().clone();
        let mut turned = 0;
        for (index, key) in keys.iter().enumerate() {
            let exchange = &prepared.exchanges[index];
            let (body, write): (Vec<u8>, Write) = match key["public_key"].as_str() {
                Some(pem) => (der(pem), |der| ("public_key", to_pem(der).into())),
                // The variable's value; one that is not UTF-8 cannot be set at all.
                None => (
                    b"a shared secret of more than thirty-two bytes".to_vec(),
                    |secret| ("secret", String::from_utf8_lossy(secret).into()),
                ),
            };
            for bit in 0..body.len() * 8 {
                let (field, value) = write(&flipped(&body, bit));
                let mut changed = document.clone();
                changed["signatures"]["keys"][index][field] = value;
                let changed = changed.to_string();
                let Ok(gate) = portcullis_engine::Gate::load(changed.as_bytes(), &secret) else {
                    continue;
                };
                turned += usize::from(refused(
                    native::exchange_with(&gate, exchange),
                    &format!("{key}, bit {bit}"),
                ));
            }
        }
        assert!(turned > 500, "{turned}");
    });
}

/// A key's field and its value, of the key's bytes.
type Write = fn(&[u8]) -> (&'static str, Value);

fn with_scenario(test: impl FnOnce(&Prepared<'_>)) {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    test(&runner.prepare(&scenario).unwrap());
}

fn secret(name: &str) -> Option<String> {
    (name == "BITS_SHARED").then(|| "a shared secret of more than thirty-two bytes".to_owned())
}

/// Each covered part of each request, and the signature, bit by bit; how many were decided on.
fn turn_over_all(
    prepared: &Prepared<'_>,
    mut ask: impl FnMut(&Exchange) -> Result<Observation, String>,
) -> usize {
    let mut decided = 0;
    for exchange in &prepared.exchanges {
        let seen = ask(exchange).unwrap();
        assert!(seen.upstream.is_some(), "the neighbour must be allowed");
        for (what, bytes, put) in parts(exchange) {
            for bit in 0..bytes.len() * 8 {
                // Case does not count in a host.
                if what == "host" && bit % 8 == 5 {
                    continue;
                }
                let mut changed = exchange.clone();
                put(&mut changed, flipped(&bytes, bit));
                decided += usize::from(refused(ask(&changed), &format!("{what}, bit {bit}")));
            }
        }
    }
    decided
}

/// A part of a request: what it is called, its bytes, and how others take their place.
type Part = (String, Vec<u8>, Box<dyn Fn(&mut Exchange, Vec<u8>)>);

fn parts(exchange: &Exchange) -> Vec<Part> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let method = exchange.method.clone().into_bytes();
    let path = exchange.path.clone().into_bytes();
    let mut parts: Vec<Part> = vec![
        (
            "method".into(),
            method,
            Box::new(move |changed, bytes| changed.method = text(bytes)),
        ),
        (
            "path".into(),
            path,
            Box::new(move |changed, bytes| changed.path = text(bytes)),
        ),
    ];
    for (index, (name, value)) in exchange.lines.iter().enumerate() {
        let part: Part = match name.as_str() {
            "host" | "x-amount" | "signature-input" => (
                name.clone(),
                value.clone(),
                Box::new(move |changed, bytes| changed.lines[index].1 = bytes),
            ),
            // Only the member `a` is covered.
            "x-dict" => {
                let rest = value[3..].to_vec();
                let put = move |changed: &mut Exchange, bytes: Vec<u8>| {
                    changed.lines[index].1 = [bytes, rest.clone()].concat();
                };
                (name.clone(), value[..3].to_vec(), Box::new(put))
            }
            // Its bytes: the text may carry bits that base64 does not use.
            "signature" => {
                let encoded = std::str::from_utf8(value)
                    .unwrap()
                    .split(':')
                    .nth(1)
                    .unwrap();
                let put = move |changed: &mut Exchange, bytes: Vec<u8>| {
                    let encoded = BASE64_STANDARD.encode(bytes);
                    changed.lines[index].1 = format!("sig1=:{encoded}:").into_bytes();
                };
                let bytes = BASE64_STANDARD.decode(encoded).unwrap();
                (name.clone(), bytes, Box::new(put))
            }
            _ => continue,
        };
        parts.push(part);
    }
    parts
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    BASE64_STANDARD.decode(body).unwrap()
}

fn to_pem(der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}
