//! Turns over each bit of what a signature covers, of what it says of itself, and of the key: none of
//! these requests is allowed any more.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_runner::{Exchange, Module, Observation, PluginGate, Prepared, Scenario, native};
use serde_json::Value;

/// Requests signed with a shared secret, Ed25519, ECDSA and RSA-PSS.
const SCENARIO: &str = "tests/bits";

#[test]
fn a_bit_of_the_request_turned_over_natively() {
    with_scenario(|prepared| {
        let gate = native::load(prepared).unwrap();
        let turned = turn_over_all(prepared, |exchange| native::exchange_with(&gate, exchange));
        assert!(turned > 5_000, "{turned}");
    });
}

#[test]
fn a_bit_of_the_request_turned_over_in_the_module() {
    with_scenario(|prepared| {
        let module = std::fs::read(portcullis_tests::module()).unwrap();
        let module = Module::compile(&module).unwrap();
        let mut plugin = PluginGate::load(&module, prepared).unwrap();
        let turned = turn_over_all(prepared, |exchange| plugin.exchange(exchange));
        assert!(turned > 5_000, "{turned}");
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
                turned += 1;
                refused(
                    native::exchange_with(&gate, exchange),
                    &format!("{key}, bit {bit}"),
                );
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

/// Each covered part of each request, bit by bit; how many there were.
fn turn_over_all(
    prepared: &Prepared<'_>,
    mut ask: impl FnMut(&Exchange) -> Result<Observation, String>,
) -> usize {
    let mut turned = 0;
    for exchange in &prepared.exchanges {
        let seen = ask(exchange).unwrap();
        assert!(seen.upstream.is_some(), "the neighbour must be allowed");
        let mut turn = |what: &str, bytes: &[u8], put: &dyn Fn(&mut Exchange, Vec<u8>)| {
            for bit in 0..bytes.len() * 8 {
                let mut changed = exchange.clone();
                put(&mut changed, flipped(bytes, bit));
                turned += 1;
                refused(ask(&changed), &format!("{what}, bit {bit}"));
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        turn("method", exchange.method.as_bytes(), &|changed, bytes| {
            changed.method = text(bytes);
        });
        turn("path", exchange.path.as_bytes(), &|changed, bytes| {
            changed.path = text(bytes);
        });
        for (index, (name, value)) in exchange.lines.iter().enumerate() {
            // Of the dictionary only the member `a` is covered; case does not count in a host.
            let covered = match name.as_str() {
                "x-amount" | "signature-input" => value.clone(),
                "x-dict" => value[..3].to_vec(),
                "host" => Vec::new(),
                _ => continue,
            };
            let rest = value[covered.len()..].to_vec();
            turn(name, &covered, &|changed, bytes| {
                changed.lines[index].1 = [bytes, rest.clone()].concat();
            });
        }
        let host = exchange
            .lines
            .iter()
            .position(|(name, _)| name == "host")
            .unwrap();
        for at in 0..exchange.lines[host].1.len() {
            for bit in [0x01, 0x02, 0x04, 0x08, 0x10, 0x40, 0x80] {
                let mut changed = exchange.clone();
                changed.lines[host].1[at] ^= bit;
                turned += 1;
                refused(ask(&changed), &format!("host, byte {at}"));
            }
        }
    }
    turned
}

/// Not allowed; or no request that a proxy takes.
fn refused(seen: Result<Observation, String>, what: &str) {
    if let Ok(seen) = seen {
        assert!(seen.upstream.is_none(), "{what}: {:?}", seen.record);
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
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
