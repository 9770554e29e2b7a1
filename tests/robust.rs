//! Whatever a client sends, there is a decision, natively and in the module the same, and it is
//! never a yes where the policy asks for a proof that nobody has.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "robust/hook.rs"]
mod hook;

use hook::{hook, now};
use portcullis_runner::{Exchange, Framing, Module, Observation, PluginGate, Scenario, native};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::collections::BTreeSet;

/// Allows verified subjects only, and looks everywhere for credentials.
const SCENARIO: &str = "tests/robust";

#[test]
fn whatever_comes_is_decided_alike_and_refused() {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    let prepared = runner.prepare(&scenario).unwrap();
    let gate = native::load(&prepared).unwrap();
    let module = Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
    let mut plugin = PluginGate::load(&module, &prepared).unwrap();

    // Pieces of the real thing, so that more than the first check is reached.
    let good: Vec<Exchange> = prepared.exchanges.clone();
    for exchange in &good {
        let seen = native::exchange_with(&gate, exchange).unwrap();
        assert_eq!(
            reason(&seen),
            "policy.allowed",
            "the neighbour must be allowed"
        );
        assert_eq!(
            reason(&plugin.exchange(exchange).unwrap()),
            "policy.allowed"
        );
    }
    let tokens: Vec<Vec<u8>> = good
        .iter()
        .flat_map(|exchange| &exchange.lines)
        .filter(|(name, _)| name == "authorization")
        .map(|(_, value)| value.strip_prefix(b"Bearer ").unwrap_or(value).to_vec())
        .collect();

    let config = Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let plugin = std::cell::RefCell::new(plugin);
    // Of webhooks, by their ids in the details.
    let hooks = std::cell::RefCell::new(BTreeSet::new());
    runner
        .run(&exchange(tokens), |exchange| {
            let first = native::exchange_with(&gate, &exchange);
            let second = plugin.borrow_mut().exchange(&exchange);
            match (first, second) {
                // Envoy itself would refuse it: there is nothing to decide.
                (Err(first), Err(second)) => prop_assert_eq!(first, second),
                (Ok(first), Ok(second)) => {
                    prop_assert_eq!(reason(&first), reason(&second));
                    prop_assert_eq!(first.status, second.status);
                    prop_assert!(first.upstream.is_none(), "allowed: {}", reason(&first));
                    let record = first.record.unwrap_or_default();
                    let detail = record["detail"].as_str().unwrap_or_default();
                    if HOOKS
                        .iter()
                        .any(|id| detail.starts_with(&format!("`{id}` ")))
                    {
                        let reason = record["reason"].as_str().unwrap_or_default();
                        hooks.borrow_mut().insert(reason.to_owned());
                    }
                }
                (first, second) => prop_assert!(false, "{:?} and {:?}", first.err(), second.err()),
            }
            Ok(())
        })
        .unwrap();
    // It came past the headers.
    for reason in ["malformed", "expired", "invalid"] {
        let reason = format!("signature.{reason}");
        assert!(hooks.borrow().contains(&reason), "{reason}: {hooks:?}");
    }
}

/// The webhooks of gate.yaml.
const HOOKS: [&str; 10] = [
    "standard", "gh", "stripe", "slack", "shop", "twilio", "alice", "aws", "s3", "custom",
];

fn reason(seen: &Observation) -> String {
    let record = seen.record.as_ref();
    record.map_or("none".into(), |record| {
        record["reason"].as_str().unwrap_or("none").to_owned()
    })
}

fn exchange(tokens: Vec<Vec<u8>>) -> impl Strategy<Value = Exchange> {
    let line = (name(), value(tokens));
    let lines = prop::collection::vec(line, 0..8);
    let method = prop_oneof!["GET", "POST", "OPTIONS", "HEAD", "[A-Z]{1,8}"];
    let noise = (method, path(), lines);
    // Little beside a signature, or something else would end the request first.
    let quiet = prop::sample::select(vec!["/", "/b?key=", "/lenient/a?key=1&key=2"]);
    let user = ("x-user".to_owned(), b"root".to_vec());
    let signed = (quiet.prop_map(str::to_owned), signature(), any::<bool>());
    let signed = signed.prop_map(move |(path, mut lines, with_user)| {
        lines.extend(with_user.then(|| user.clone()));
        ("GET".to_owned(), path, lines)
    });
    let plain = prop_oneof![2 => noise, 1 => signed];
    let plain = plain.prop_map(|(method, path, lines)| (method, path, lines, Vec::new()));
    prop_oneof![3 => plain, 2 => hook()].prop_map(|(method, path, mut lines, body)| {
        if !body.is_empty() {
            lines.push(("content-length".into(), body.len().to_string().into_bytes()));
        }
        lines.insert(0, ("host".into(), b"gate.test".to_vec()));
        Exchange {
            method,
            path,
            lines,
            shown: Vec::new(),
            body,
            framing: Framing::default(),
            route: "all".into(),
            virtual_host: "scenario".into(),
            route_metadata: Vec::new(),
            tls: None,
        }
    })
}

/// Both fields of a signature, of pieces that mostly fit, so that more than the parser is reached.
fn signature() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let good = vec![
        "\"@method\"",
        "\"@path\"",
        "\"@query\"",
        "\"@authority\"",
        "\"@target-uri\"",
        "\"@query-param\";name=\"key\"",
        "\"host\"",
        "\"x-user\";bs",
        "\"signature\";key=\"sig1\"",
        "\"priority\";sf",
    ];
    let bad = vec!["\"@method\";req", "\"@method\"", "\"A\"", "x", "("];
    let components = (
        prop::sample::subsequence(good, 0..6),
        prop::option::weighted(0.2, prop::sample::select(bad)),
    );
    let components = components.prop_map(|(mut good, bad)| {
        good.extend(bad);
        good
    });
    let likely = |text: String| prop::option::weighted(0.9, Just(text));
    let parameters = (
        now().prop_flat_map(move |now| likely(format!(";created={now}"))),
        likely(";keyid=\"ed\"".to_owned()),
        prop::option::weighted(0.1, Just(";alg=\"hmac-sha256\"".to_owned())),
        prop::option::weighted(0.1, Just(";expires=1".to_owned())),
        prop::option::weighted(0.2, "[;=\"a-z0-9():?-]{0,8}"),
    );
    let parameters = parameters.prop_map(|(created, key, alg, expires, more)| {
        let all = [created, key, alg, expires, more];
        all.into_iter().flatten().collect::<String>()
    });
    let input = (components, parameters);
    let inputs = prop::collection::vec(input, 1..3).prop_map(|inputs| {
        let each = inputs.into_iter().enumerate();
        let each = each.map(|(index, (components, parameters))| {
            let components = components.join(" ");
            format!("sig{}=({components}){parameters}", index + 1)
        });
        each.collect::<Vec<_>>().join(", ")
    });
    let bytes = prop::sample::select(vec!["::", ":AAAA:", ":AA*:", "x"]);
    let whole = format!(":{}==:", "A".repeat(86));
    let signature = prop_oneof![3 => Just(whole), 1 => bytes.prop_map(str::to_owned)];
    let signatures = prop_oneof![
        signature.clone().prop_map(|one| format!("sig1={one}")),
        (signature.clone(), signature).prop_map(|(a, b)| format!("sig1={a}, sig2={b}")),
    ];
    (inputs, signatures).prop_map(|(input, signature)| {
        vec![
            ("signature-input".into(), input.into_bytes()),
            ("signature".into(), signature.into_bytes()),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("/".to_owned()),
        Just("%2f".to_owned()),
        Just("..".to_owned()),
        Just("%".to_owned()),
        Just("%00".to_owned()),
        Just("%ff".to_owned()),
        Just("?".to_owned()),
        Just("&key=".to_owned()),
        Just("access_token=".to_owned()),
        Just("\\".to_owned()),
        Just("#".to_owned()),
        "[a-z0-9=&;+%]{0,12}",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "authorization", "cookie", "x-api-key", "x-user", "x_user", "host", "content-type",
            "content-length", "origin", "connection", "te", "x-forwarded-for", "transfer-encoding",
            "access-control-request-method", "signature-input", "signature", "upgrade", "x-http-method-override",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}",
    ]
}

fn value(tokens: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let pieces = tokens.clone();
    let piece = prop_oneof![
        Just(b"Bearer ".to_vec()),
        Just(b"bearer  ".to_vec()),
        Just(b"ApiKey ".to_vec()),
        Just(b",".to_vec()),
        Just(b"session=".to_vec()),
        Just(b"; ".to_vec()),
        Just(b".".to_vec()),
        Just(b"https://gate.test".to_vec()),
        prop::collection::vec(
            any::<u8>().prop_filter("no line ends", |byte| !b"\r\n\0".contains(byte)),
            0..24
        ),
        (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            any::<u8>()
        )
            .prop_map(move |(which, at, byte)| mutated(&pieces, which, at, byte)),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// A real token with one byte changed, or cut there.
fn mutated(
    tokens: &[Vec<u8>],
    which: prop::sample::Index,
    at: prop::sample::Index,
    byte: u8,
) -> Vec<u8> {
    let mut token = which.get(tokens).clone();
    let at = at.index(token.len());
    // Any change inside the signed part or the signature must show; the last character may carry
    // bits that base64url does not use, so it is left alone.
    if byte.is_multiple_of(3) || at + 1 == token.len() {
        token.truncate(at);
    } else {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
        let new = letters[usize::from(byte) % letters.len()];
        token[at] = if new == token[at] { b'!' } else { new };
    }
    token
}
