//! Vectors that others wrote, from `CONFORMANCE_DIR`: Wycheproof through `crypto` and the JWS room,
//! and the structured field cases that signatures touch. Each remaining exception has its reason.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use crate::{
    config::jwks,
    credential::jwt::Jws,
    crypto::{Algorithm, Material, VerificationKey},
    error::Findings,
    message_signature::strict,
};
use serde_json::Value;
use std::{fs, io::Write as _, path::PathBuf};

fn read(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from) else {
        say(&format!("SKIPPED: {file}: CONFORMANCE_DIR is not set"));
        return None;
    };
    let text = fs::read_to_string(folder.join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// Whatever becomes of the test: what a harness captures, nobody reads.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs each case of a Wycheproof file, and tells how many went as they should.
fn wycheproof(file: &str, exceptions: &[Exception], accepts: impl Fn(&Value, &Value) -> bool) {
    let Some(suite) = read(file) else { return };
    let (mut passed, mut total, mut wrong) = (0, 0, Vec::new());
    let mut excepted = vec![0; exceptions.len()];
    for group in suite["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            total += 1;
            let id = case["tcId"].as_u64().unwrap();
            let accepted = accepts(group, case);
            // "acceptable" may go either way.
            let good = match case["result"].as_str().unwrap() {
                "valid" => accepted,
                "invalid" => !accepted,
                _ => true,
            };
            let exception = exceptions
                .iter()
                .position(|(matches, _)| matches(id, group));
            match exception {
                _ if good => passed += 1,
                Some(index) => excepted[index] += 1,
                None => wrong.push(format!(
                    "{id}: {} is {}, was {}",
                    case["comment"],
                    case["result"],
                    if accepted { "accepted" } else { "refused" }
                )),
            }
        }
    }
    say(&format!("{file}: {passed}/{total}"));
    for ((_, why), count) in exceptions.iter().zip(excepted) {
        say(&format!("  {count}: {why}"));
        assert!(count > 0, "{file}: no case is an exception because {why}");
    }
    assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
}

/// Which cases, by their id and group, and why the gate goes another way.
type Exception = (fn(u64, &Value) -> bool, &'static str);

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn by_pem(algorithm: Algorithm) -> impl Fn(&Value, &Value) -> bool {
    move |group, case| {
        let pem = group["publicKeyPem"].as_str().unwrap();
        VerificationKey::from_pem(algorithm, pem).is_ok_and(|key| {
            key.verify(&bytes(&case["msg"]), &bytes(&case["sig"]))
                .is_ok()
        })
    }
}

#[test]
fn ecdsa() {
    wycheproof(
        "wycheproof/ecdsa_secp256r1_sha256_p1363_test.json",
        &[],
        by_pem(Algorithm::ES256),
    );
}

#[test]
fn ed25519() {
    wycheproof(
        "wycheproof/ed25519_test.json",
        &[],
        by_pem(Algorithm::EdDSA),
    );
}

#[test]
fn rsa_pkcs1() {
    wycheproof(
        "wycheproof/rsa_signature_2048_sha256_test.json",
        &[(
            |_, group| group["publicKey"]["publicExponent"] == "03",
            "valid, and refused: keys have the exponent 65537 (the suite's SmallPublicKey)",
        )],
        by_pem(Algorithm::RS256),
    );
}

#[test]
fn rsa_pss() {
    wycheproof(
        "wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json",
        &[],
        by_pem(Algorithm::PS256),
    );
}

#[test]
fn hmac() {
    let exceptions: [Exception; 2] = [
        (
            |_, group| group["tagSize"] == 128,
            "valid, and refused: tags are not cut short (neither RFC 7518 nor RFC 9421 does)",
        ),
        (
            |_, group| group["keySize"] == 128,
            "valid, and refused: keys are as long as the hash (RFC 7518 section 3.2)",
        ),
    ];
    wycheproof(
        "wycheproof/hmac_sha256_test.json",
        &exceptions,
        |_, case| {
            let key = bytes(&case["key"]);
            VerificationKey::new(Algorithm::HS256, &Material::Octets(&key)).is_ok_and(|key| {
                key.verify(&bytes(&case["msg"]), &bytes(&case["tag"]))
                    .is_ok()
            })
        },
    );
}

#[test]
fn json_web_signatures() {
    let accepts = |group: &Value, case: &Value| {
        let key = [&group["public"], &group["private"]]
            .into_iter()
            .find(|key| key.is_object())
            .unwrap();
        let mut findings = Findings::default();
        let set = serde_json::from_value(serde_json::json!({"keys": [public(key)]})).unwrap();
        let keys = jwks::keys(set, &Algorithm::ALL, "keys", &|_: &str| None, &mut findings);
        Jws::parse(case["jws"].as_str().unwrap())
            .is_some_and(|jws| jws.verify(&Algorithm::ALL, &keys).is_ok())
    };
    let exceptions: [Exception; 4] = [
        (
            |id, _| [346, 350].contains(&id),
            "valid, and refused: the key's `alg` is PS256, the token's PS384 (RFC 7517 section 4.4)",
        ),
        (
            |id, _| [347, 351].contains(&id),
            "valid, and refused: ES512 is none of the algorithms",
        ),
        (
            |id, _| [367, 370].contains(&id),
            "invalid, and accepted: letter for letter the valid case 357, without the padding they speak of",
        ),
        (
            |id, _| [372, 373].contains(&id),
            "valid, and refused: a `?` is no base64url (RFC 7515 section 2)",
        ),
    ];
    wycheproof(
        "wycheproof/json_web_signature_test.json",
        &exceptions,
        accepts,
    );
}

/// What a configuration may hold of a key: the public members, or the secret of a symmetric one.
fn public(key: &Value) -> Value {
    let mut key = key.as_object().unwrap().clone();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        key.remove(member);
    }
    key.into()
}

/// A registered field of each type, so that the cases go through what `sf` goes through.
const OF_TYPE: [(&str, &str); 3] = [
    ("dictionary", "priority"),
    ("item", "deprecation"),
    ("list", "cache-status"),
];

/// Where this gate is stricter than the RFC, or where there is nothing to write.
const STRICTER: [(&str, &str); 4] = [
    (
        "empty dictionary",
        "an empty field is covered as it stands, not with `sf`",
    ),
    (
        "empty list",
        "an empty field is covered as it stands, not with `sf`",
    ),
    ("duplicate key dictionary", "what stands twice is refused"),
    (
        "duplicate parameter with different positions",
        "what stands twice is refused",
    ),
];

#[test]
fn structured_fields() {
    for file in [
        "dictionary",
        "param-dict",
        "examples",
        "item",
        "list",
        "listlist",
        "param-list",
        "param-listlist",
        "binary",
        "boolean",
        "date",
        "number",
        "string",
        "token",
    ] {
        let name = format!("structured-fields/{file}.json");
        let Some(cases) = read(&name) else { return };
        let cases = cases.as_array().unwrap();
        let (mut passed, mut wrong) = (0, Vec::new());
        for case in cases {
            let of = case["header_type"].as_str().unwrap();
            let field = OF_TYPE.iter().find(|(kind, _)| *kind == of).unwrap().1;
            let lines = |value: &Value| -> String {
                let lines = value.as_array().unwrap().iter();
                let lines: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
                lines.join(", ")
            };
            let raw = lines(&case["raw"]);
            let found = strict(field, &raw);
            let expected = match case.get("canonical") {
                _ if case["must_fail"] == true => None,
                Some(canonical) => Some(lines(canonical)),
                None => Some(raw),
            };
            let may_fail = case["can_fail"] == true;
            let name = case["name"].as_str().unwrap();
            match STRICTER.iter().find(|(stricter, _)| *stricter == name) {
                _ if found.as_ref().ok() == expected.as_ref() || (may_fail && found.is_err()) => {
                    passed += 1;
                }
                Some((_, why)) if found.is_err() => say(&format!("  {name}: {why}")),
                _ => wrong.push(format!("{name}: expected {expected:?}, found {found:?}")),
            }
        }
        say(&format!("{name}: {passed}/{}", cases.len()));
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}
