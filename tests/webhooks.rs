//! Turns over each bit of what a webhook covers, and of its signature: none of these requests is allowed
//! any more, natively, in the module and in Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "bits/flip.rs"]
mod flip;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flip::{flipped, refused};
use portcullis_runner::{
    Envoy, Exchange, Exit, Module, PluginGate, Prepared, Scenario, Upstream, envoy_bootstrap,
    envoy_listener, native, send,
};
use std::path::Path;

const SCENARIO: &str = "tests/webhooks";
/// What tells the reason.
const REASON: &str = "x-portcullis-reason";

/// What each case covers besides its body: headers by name, `method`, `path`.
const COVERED: [(&str, &[&str]); 10] = [
    ("standard", &["webhook-id", "webhook-timestamp"]),
    ("github", &[]),
    ("stripe", &["t="]),
    ("slack", &["x-slack-request-timestamp"]),
    ("shopify", &[]),
    ("twilio", &["path", "host"]),
    ("kong", &["method", "path", "date", "digest"]),
    ("apisix", &["method", "path", "date", "digest"]),
    (
        "aws",
        &["method", "path", "host", "content-type", "x-amz-date"],
    ),
    ("custom", &["method", "path", "x-id", "x-time"]),
];

/// Where a signature begins in its header, and whether it is hexadecimal; up to a quote or the end.
const MARKS: [(&str, &str, bool); 10] = [
    ("webhook-signature", "v1,", false),
    ("x-hub-signature-256", "sha256=", true),
    ("stripe-signature", "v1=", true),
    ("x-slack-signature", "v0=", true),
    ("x-shopify-hmac-sha256", "", false),
    ("x-twilio-signature", "", false),
    ("authorization", "signature=\"", false),
    ("authorization", "Signature=", true),
    ("x-signature", "", true),
    ("stripe-signature", "t=", false),
];

#[test]
fn a_bit_turned_over_natively() {
    with_scenario(|prepared| {
        let gate = native::load(prepared).unwrap();
        let decided = turn_over_all(prepared, 8, |exchange| {
            native::exchange_with(&gate, exchange)
        });
        assert!(decided > 4_000, "{decided}");
    });
}

#[test]
fn a_bit_turned_over_in_the_module() {
    with_scenario(|prepared| {
        let module = std::fs::read(portcullis_tests::module()).unwrap();
        let module = Module::compile(&module).unwrap();
        let mut plugin = PluginGate::load(&module, prepared).unwrap();
        let decided = turn_over_all(prepared, 8, |exchange| plugin.exchange(exchange));
        assert!(decided > 4_000, "{decided}");
    });
}

/// One bit of each byte, since each request has a connection of its own; and what is refused natively is
/// refused for the same reason here, unless Envoy takes it for no request.
#[test]
fn a_bit_turned_over_in_envoy() {
    let Some(binary) = portcullis_tests::envoy() else {
        return;
    };
    with_scenario(|prepared| {
        let upstream = Upstream::start().unwrap();
        let module = portcullis_tests::module();
        let config = envoy_bootstrap(
            &[prepared],
            &module,
            upstream.address,
            Path::new("/dev/null"),
        );
        let environment = prepared.scenario.file.environment.clone();
        let envoy = match Envoy::start(&binary, &config, &environment).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let gate = envoy.listeners().unwrap()[&envoy_listener(0)];
        let own = native::load(prepared).unwrap();
        let mut agreed = 0;
        each(prepared, 1, |exchange, what| {
            let answer = send(gate, exchange).unwrap();
            let reason = answer.headers.iter().find(|(name, _)| *name == REASON);
            if what.is_empty() {
                assert_eq!(answer.status, 200, "{:?}", reason);
                return;
            }
            assert_ne!(answer.status, 200, "{what}");
            // A line that is cut on its way is another request than the native one.
            let values = exchange.lines.iter().flat_map(|(_, value)| value);
            if values.copied().any(|byte| byte.is_ascii_control()) {
                return;
            }
            if let (Some((_, reason)), Ok(seen)) = (reason, native::exchange_with(&own, exchange)) {
                let reason = String::from_utf8_lossy(reason);
                assert_eq!(seen.record.unwrap()["reason"], *reason, "{what}");
                agreed += 1;
            }
        });
        assert!(agreed > 400, "{agreed}");
        portcullis_tests::assert_well(&envoy);
    });
}

fn with_scenario(test: impl FnOnce(&Prepared<'_>)) {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    test(&runner.prepare(&scenario).unwrap());
}

/// How many were decided on.
fn turn_over_all(
    prepared: &Prepared<'_>,
    bits_of_each: usize,
    mut ask: impl FnMut(&Exchange) -> Result<portcullis_runner::Observation, String>,
) -> usize {
    let mut decided = 0;
    each(prepared, bits_of_each, |exchange, what| {
        let seen = ask(exchange);
        match what {
            "" => assert!(seen.unwrap().upstream.is_some(), "the neighbour is allowed"),
            what => decided += usize::from(refused(seen, what)),
        }
    });
    decided
}

/// Each request as it is, and with bits of each byte turned over, which is told.
fn each(prepared: &Prepared<'_>, bits_of_each: usize, mut ask: impl FnMut(&Exchange, &str)) {
    for (case, exchange) in prepared.cases.iter().zip(&prepared.exchanges) {
        ask(exchange, "");
        for (what, bytes, put) in parts(&case.name, exchange) {
            for bit in 0..bytes.len() * 8 {
                let is_chosen = bits_of_each == 8 || bit % 8 == (bit / 8) % 7;
                // Case does not count in a host.
                if !is_chosen || (what == "host" && bit % 8 == 5) {
                    continue;
                }
                let mut changed = exchange.clone();
                put(&mut changed, flipped(&bytes, bit));
                ask(&changed, &format!("{}: {what}, bit {bit}", case.name));
            }
        }
    }
}

/// A part of a request: what it is called, its bytes, and how others take their place.
type Part = (String, Vec<u8>, Box<dyn Fn(&mut Exchange, Vec<u8>)>);

/// Of a signature's bytes.
type Encode = fn(Vec<u8>) -> Vec<u8>;

fn parts(case: &str, exchange: &Exchange) -> Vec<Part> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (_, covered) = COVERED.iter().find(|(name, _)| *name == case).unwrap();
    let mut parts: Vec<Part> = vec![(
        "body".into(),
        exchange.body.clone(),
        Box::new(|changed, bytes| changed.body = bytes),
    )];
    if covered.contains(&"method") {
        let put = move |changed: &mut Exchange, bytes| changed.method = text(bytes);
        parts.push((
            "method".into(),
            exchange.method.clone().into(),
            Box::new(put),
        ));
    }
    if covered.contains(&"path") {
        let put = move |changed: &mut Exchange, bytes| changed.path = text(bytes);
        parts.push(("path".into(), exchange.path.clone().into(), Box::new(put)));
    }
    for (index, (name, value)) in exchange.lines.iter().enumerate() {
        if covered.contains(&name.as_str()) {
            let put = move |changed: &mut Exchange, bytes| changed.lines[index].1 = bytes;
            parts.push((name.clone(), value.clone(), Box::new(put)));
        }
        let value = std::str::from_utf8(value).unwrap();
        for (header, mark, is_hex) in MARKS {
            let Some((before, rest)) = value.split_once(mark).filter(|_| name == header) else {
                continue;
            };
            let end = rest.find(['"', ',']).unwrap_or(rest.len());
            let (encoded, after) = rest.split_at(end);
            let start = format!("{before}{mark}");
            let after = after.to_owned();
            // Its bytes: text can carry bits that mean nothing. A time is text.
            let (bytes, encode): (_, Encode) = match (mark, is_hex) {
                ("t=", _) => (encoded.into(), |bytes| bytes),
                (_, true) => (from_hex(encoded), |bytes| to_hex(&bytes).into_bytes()),
                (_, false) => (BASE64_STANDARD.decode(encoded).unwrap(), |bytes| {
                    BASE64_STANDARD.encode(bytes).into_bytes()
                }),
            };
            let put = move |changed: &mut Exchange, bytes: Vec<u8>| {
                changed.lines[index].1 = [
                    start.clone().into_bytes(),
                    encode(bytes),
                    after.clone().into(),
                ]
                .concat();
            };
            parts.push((format!("{name} {mark}"), bytes, Box::new(put)));
        }
    }
    parts
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}
