//! Who signed what, and for whom.

use super::{super::*, build::*};
use crate::crypto::{Algorithm, Material};
use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use serde_json::{Value as Json, json};

const FILES: &[(&str, &str)] = &[
    ("/data.json", r#"{"b": 1.0, "a": [2]}"#),
    (
        "/.manifest",
        r#"{"revision": "7", "metadata": {"portcullis": {"sequence": 7}}}"#,
    ),
    ("/authz/p.rego", "package authz"),
    ("/policy.wasm", "\0asm"),
];

fn with(signatures: &str) -> Vec<u8> {
    let mut files = FILES.to_vec();
    files.push(("/.signatures.json", signatures));
    bundle(&files)
}

/// The claims with a change.
fn claiming(change: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut claims = claims(FILES);
    change(&mut claims);
    with(&signature(&claims))
}

fn headed(header: &Json) -> Vec<u8> {
    with(&json!({"signatures": [token(header, &claims(FILES))]}).to_string())
}

fn changing(change: impl FnOnce(&mut Verification)) -> Rules {
    let mut verification = verification();
    change(&mut verification);
    Rules {
        verification: Some(verification),
        ..rules()
    }
}

#[test]
fn a_signed_bundle_is_taken() {
    let bundle = read(signed(FILES), verifying()).unwrap();
    assert_eq!(bundle.signer(), Some("ci"));
    assert_eq!(bundle.manifest().revision, "7");
    assert_eq!(bundle.manifest().order, Some(Order::Sequence(7)));
    assert_eq!(data(&bundle), json!({"a": [2], "b": 1}));
    // White space and order are not signed, and they may differ.
    let mut spaced = FILES.to_vec();
    spaced[0].1 = "{ \"a\":[2],\n\"b\":1.0 }";
    let signature = signature(&claims(FILES));
    spaced.push((".signatures.json", &signature));
    read(super::build::bundle(&spaced), verifying()).unwrap();
}

#[test]
fn its_owner_says_whether_it_must_be_signed() {
    let optional = || changing(|it| it.required = false);
    assert_eq!(read(bundle(FILES), rules()).unwrap().signer(), None);
    assert_eq!(read(bundle(FILES), optional()).unwrap().signer(), None);
    assert_eq!(
        read(signed(FILES), optional()).unwrap().signer(),
        Some("ci")
    );
    // Nobody asked for it, so nobody looks at it.
    assert_eq!(read(with("nonsense"), rules()).unwrap().signer(), None);
    refused(vec![
        (
            "required",
            bundle(FILES),
            verifying(),
            Step::Verify,
            "it is not signed",
        ),
        (
            "a bad one is no absent one",
            with("{}"),
            optional(),
            Step::Verify,
            "no list `signatures`",
        ),
    ]);
}

#[test]
fn keys_and_scopes_are_found_as_opa_finds_them() {
    let header = |kid: Option<&str>| match kid {
        Some(kid) => json!({"alg": "HS256", "kid": kid}),
        None => json!({"alg": "HS256"}),
    };
    let claimed = |header: &Json, change: &dyn Fn(&mut Json)| {
        let mut claims = claims(FILES);
        change(&mut claims);
        with(&json!({"signatures": [token(header, &claims)]}).to_string())
    };
    let keyed = |claims: &mut Json| claims["keyid"] = "ci".into();
    let scoped = |claims: &mut Json| claims["scope"] = "write".into();
    let none = |_: &mut Json| {};
    let key_scope = |scope: &str| {
        let scope = scope.to_owned();
        changing(move |it| it.keys.get_mut("ci").unwrap().scope = Some(scope))
    };
    let good = [
        (
            "the configured one",
            claimed(&header(Some("other")), &none),
            changing(|it| it.key_id = Some("ci".into())),
        ),
        (
            "the header's",
            claimed(&header(Some("ci")), &|claims| {
                claims["keyid"] = "other".into()
            }),
            verifying(),
        ),
        ("the claim's", claimed(&header(None), &keyed), verifying()),
        (
            "an empty id is none",
            claimed(&header(Some("")), &keyed),
            verifying(),
        ),
        (
            "the configured scope",
            claimed(&header(Some("ci")), &scoped),
            changing(|it| it.scope = Some("write".into())),
        ),
        (
            "the key's scope",
            claimed(&header(Some("ci")), &scoped),
            key_scope("write"),
        ),
        (
            "the configured scope first",
            claimed(&header(Some("ci")), &scoped),
            {
                let mut rules = key_scope("read");
                rules.verification.as_mut().unwrap().scope = Some("write".into());
                rules
            },
        ),
    ];
    for (name, packed, rules) in good {
        match read(packed, rules) {
            Ok(bundle) => assert_eq!(bundle.signer(), Some("ci"), "{name}"),
            Err(fault) => panic!("{name}: {fault}"),
        }
    }
    let step = Step::Verify;
    refused(vec![
        (
            "no key's id",
            claimed(&header(None), &none),
            verifying(),
            step,
            "names no key",
        ),
        (
            "another id",
            claimed(&header(Some("other")), &none),
            verifying(),
            step,
            "with the key `other`, and the keys here are `ci`",
        ),
        (
            "an id that is configured and not there",
            headed(&header(Some("ci"))),
            changing(|it| it.key_id = Some("x".into())),
            step,
            "the key `x`",
        ),
        (
            "a scope that nobody wants",
            claimed(&header(Some("ci")), &scoped),
            verifying(),
            step,
            "`scope` is `write`, and `` is wanted",
        ),
        (
            "no scope",
            claimed(&header(Some("ci")), &none),
            key_scope("write"),
            step,
            "`scope` is ``, and `write` is wanted",
        ),
        (
            "another scope",
            claimed(&header(Some("ci")), &scoped),
            key_scope("read"),
            step,
            "and `read` is wanted",
        ),
        (
            "a scope that is no text",
            claiming(|claims| claims["scope"] = 1.into()),
            verifying(),
            step,
            "`scope` is no text",
        ),
    ]);
}

#[test]
fn what_is_no_good_signature_is_refused() {
    let token = token(&json!({"alg": "HS256", "kid": "ci"}), &claims(FILES));
    let listed = |tokens: &[&str]| with(&json!({"signatures": tokens}).to_string());
    let other = token.replace("ci", "ic");
    let (start, _) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{start}.");
    let forged = format!("{start}.{}", "A".repeat(43));
    let step = Step::Verify;
    let es = headed(&json!({"alg": "ES256", "kid": "ci"}));
    refused(vec![
        ("no JSON", with("{"), verifying(), step, "no JSON"),
        (
            "no object",
            with("[]"),
            verifying(),
            step,
            "no list `signatures`",
        ),
        ("none", listed(&[]), verifying(), step, "has 0 signatures"),
        (
            "two",
            listed(&[&token, &token]),
            verifying(),
            step,
            "has 2 signatures",
        ),
        (
            "two lists",
            with(r#"{"signatures": [], "signatures": []}"#),
            verifying(),
            step,
            "`signatures` twice",
        ),
        (
            "no text",
            with(r#"{"signatures": [1]}"#),
            verifying(),
            step,
            "no text",
        ),
        (
            "a plugin",
            with(&json!({"plugin": "kms", "signatures": [token]}).to_string()),
            verifying(),
            step,
            "`plugin`",
        ),
        ("no JWT", listed(&["a.b"]), verifying(), step, "no JWT"),
        ("empty", listed(&[""]), verifying(), step, "no JWT"),
        (
            "not signed",
            listed(&[&unsigned]),
            verifying(),
            step,
            "not the key `ci`'s",
        ),
        (
            "forged",
            listed(&[&forged]),
            verifying(),
            step,
            "not the key `ci`'s",
        ),
        (
            "no algorithm",
            headed(&json!({"kid": "ci"})),
            verifying(),
            step,
            "`alg` is absent",
        ),
        (
            "none as the algorithm",
            headed(&json!({"alg": "none", "kid": "ci"})),
            verifying(),
            step,
            "`alg` is `none`",
        ),
        (
            "another algorithm than the key's",
            es,
            verifying(),
            step,
            "`alg` is `ES256`, and the key's is `HS256`",
        ),
        (
            "an extension",
            headed(&json!({"alg": "HS256", "kid": "ci", "crit": ["x"]})),
            verifying(),
            step,
            "no JWT",
        ),
        (
            "no files",
            claiming(|claims| drop(claims.as_object_mut().unwrap().remove("files"))),
            verifying(),
            step,
            "no list `files`",
        ),
        (
            "one file",
            claiming(|claims| claims["files"] = claims["files"][0].clone()),
            verifying(),
            step,
            "no list `files`",
        ),
    ]);
    assert_ne!(other, token);
    // Longer than a signature of so many files can be.
    let mut rules = verifying();
    rules.limits.entries = 5;
    let long = with(&format!("{{\"signatures\": [\"{}\"]}}", "x".repeat(10_000)));
    refused(vec![(
        "long",
        long,
        rules,
        step,
        "`.signatures.json` is of more than",
    )]);
}

#[test]
fn every_file_is_signed_and_every_signed_file_is_there() {
    let step = Step::Verify;
    let first =
        |name: &'static str, value: Json| claiming(move |claims| claims["files"][0][name] = value);
    let sha384 = |claims: &mut Json| {
        let text = br#"{"a":[2],"b":1.0}"#;
        let mut hasher = crate::crypto::Hasher::sha384();
        hasher.update(text);
        claims["files"][0]["algorithm"] = "SHA-384".into();
        claims["files"][0]["hash"] = base16ct::upper::encode_string(&hasher.finish()).into();
    };
    read(claiming(sha384), verifying()).unwrap();
    let mut more = FILES.to_vec();
    more.push(("/extra.txt", "nobody reads it"));
    let of_fewer = signature(&claims(FILES));
    more.push(("/.signatures.json", &of_fewer));
    let other = |at: usize, content: &'static str| {
        let mut files = FILES.to_vec();
        files[at].1 = content;
        let signature = signature(&claims(FILES));
        files.push(("/.signatures.json", &signature));
        bundle(&files)
    };
    let gone = |at: usize| {
        let mut files = FILES.to_vec();
        files.remove(at);
        let signature = signature(&claims(FILES));
        files.push(("/.signatures.json", &signature));
        bundle(&files)
    };
    let by = |name: &str| first("algorithm", name.into());
    refused(vec![
        (
            "a file more",
            bundle(&more),
            verifying(),
            step,
            "`extra.txt` is not signed",
        ),
        (
            "data gone",
            gone(0),
            verifying(),
            step,
            "`data.json` is signed, and not there",
        ),
        (
            "a manifest gone",
            gone(1),
            verifying(),
            step,
            "`.manifest` is signed, and not there",
        ),
        (
            "a module gone",
            gone(2),
            verifying(),
            step,
            "`authz/p.rego` is signed, and not there",
        ),
        (
            "a plan gone",
            gone(3),
            verifying(),
            step,
            "`policy.wasm` is signed, and not there",
        ),
        (
            "other data",
            other(0, r#"{"b": 1.0, "a": [3]}"#),
            verifying(),
            step,
            "`data.json` is not what was signed",
        ),
        (
            "the same number in other words",
            other(0, r#"{"b": 1, "a": [2]}"#),
            verifying(),
            step,
            "`data.json` is not what was signed",
        ),
        (
            "data that is none",
            other(0, "{"),
            verifying(),
            step,
            "`data.json` is no JSON",
        ),
        (
            "data with a member twice",
            other(0, r#"{"b": 1.0, "a": [2], "a": [2]}"#),
            verifying(),
            step,
            "`a` twice",
        ),
        (
            "another manifest",
            other(1, "{}"),
            verifying(),
            step,
            "`.manifest` is not what was signed",
        ),
        (
            "another module",
            other(2, "package authz "),
            verifying(),
            step,
            "`authz/p.rego` is not what was signed",
        ),
        (
            "a module that became empty",
            other(2, ""),
            verifying(),
            step,
            "`authz/p.rego` is not what was signed",
        ),
        (
            "another plan",
            other(3, "\0asn"),
            verifying(),
            step,
            "`policy.wasm` is not what was signed",
        ),
        ("MD5", by("MD5"), verifying(), step, "by `MD5`; SHA-256"),
        (
            "SHA-1",
            by("SHA-1"),
            verifying(),
            step,
            "by `SHA-1`; SHA-256",
        ),
        ("SHA-224", by("SHA-224"), verifying(), step, "by `SHA-224`"),
        (
            "SHA-512-256",
            by("SHA-512-256"),
            verifying(),
            step,
            "by `SHA-512-256`",
        ),
        (
            "in small letters",
            by("sha256"),
            verifying(),
            step,
            "by `sha256`",
        ),
        (
            "no algorithm",
            first("algorithm", Json::Null),
            verifying(),
            step,
            "no `algorithm`",
        ),
        (
            "another algorithm",
            by("SHA-512"),
            verifying(),
            step,
            "not what was signed",
        ),
        (
            "no name",
            first("name", Json::Null),
            verifying(),
            step,
            "without a `name`",
        ),
        (
            "a name with a slash",
            first("name", "/data.json".into()),
            verifying(),
            step,
            "not signed",
        ),
        (
            "a name twice",
            first("name", ".manifest".into()),
            verifying(),
            step,
            "`.manifest` twice",
        ),
        (
            "no digest",
            first("hash", Json::Null),
            verifying(),
            step,
            "no digest of `data.json`",
        ),
        (
            "a digest in no hex",
            first("hash", "zz".into()),
            verifying(),
            step,
            "no digest of `data.json`",
        ),
        (
            "a short digest",
            first("hash", "".into()),
            verifying(),
            step,
            "not what was signed",
        ),
        (
            "no object",
            claiming(|claims| claims["files"][0] = "data.json".into()),
            verifying(),
            step,
            "without a `name`",
        ),
    ]);
}

/// Of OPA's own tests (`v1/bundle/verify_test.go`): its key signed the token, which names a digest that
/// OPA itself does not take.
#[test]
fn a_token_of_opas_verifies() {
    let key = VerificationKey::from_pem(Algorithm::RS256, OPAS_KEY).unwrap();
    let rules = |scope: &str, key: VerificationKey| Rules {
        verification: Some(Verification {
            keys: BTreeMap::from([("foo".to_owned(), Key { key, scope: None })]),
            key_id: None,
            scope: Some(scope.to_owned()),
            required: true,
            verifier: Verifier::default(),
        }),
        ..super::build::rules()
    };
    let packed = || with(&json!({"signatures": [OPAS_TOKEN.concat()]}).to_string());
    let secret = VerificationKey::new(Algorithm::HS256, &Material::Octets(&[7; 32])).unwrap();
    let again = VerificationKey::from_pem(Algorithm::RS256, OPAS_KEY).unwrap();
    let step = Step::Verify;
    refused(vec![
        (
            "good but for a digest",
            packed(),
            rules("write", key),
            step,
            "`db/uam2/entitlements/data.json` by `sha256`",
        ),
        (
            "another scope",
            packed(),
            rules("read", again),
            step,
            "`scope` is `write`",
        ),
        (
            "another key",
            packed(),
            rules("write", secret),
            step,
            "`alg` is `RS256`",
        ),
    ]);
}

const OPAS_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA9KaakMv1XKKDaSch3PFR
3a27oaHp1GNTTNqvb1ZaHZXp+wuhYDwc/MTE67x9GCifvQBWzEGorgTq7aisiOyl
vKifwz6/wQ+62WHKG/sqKn2Xikp3P63aBIPlZcHbkyyRmL62yeyuzYoGvLEYel+m
z5SiKGBwviSY0Th2L4e5sGJuk2HOut6emxDi+E2Fuuj5zokFJvIT6Urlq8f3h6+l
GeR6HUOXqoYVf7ff126GP7dticTVBgibxkkuJFmpvQSW6xmxruT4k6iwjzbZHY7P
ypZ/TdlnuGC1cOpAVyU7k32IJ9CRbt3nwEf5U54LRXLLQjFixWZHwKdDiMTF4ws0
+wIDAQAB
-----END PUBLIC KEY-----";

const OPAS_TOKEN: &[&str] = &[
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImZvbyJ9.",
    "eyJmaWxlcyI6W3sibmFtZSI6ImRiL3VhbTIvZW50aXRsZW1lbnRzL2RhdGEuanNvbiIsImhhc2giOiJjMjEzMTU0NGM3MTZhMjVh",
    "NWUzMWY1MDQzMDBmNTI0MGU4MjM1Y2FkYjlhNTdmMGJkMWI2ZjRiZDc0YjI2NjEyIiwiYWxnb3JpdGhtIjoic2hhMjU2In0seyJu",
    "YW1lIjoiZGIvdWFtMi9wb2xpY3kvb3BhLXBvbGljeS5yZWdvIiwiaGFzaCI6IjQyY2ZlNjc2OGI1N2JiNWY3NTAzYzE2NWMyOGRk",
    "MDdhYzViODEzNTU0ZWJjODUwZjJjYzM1ODQzZTcxMzdiMWQifV0sImlhdCI6MTU5MjI1MTQwNiwiaXNzIjoiSldUU2VydmljZSIs",
    "InNjb3BlIjoid3JpdGUifQ.",
    "UZcX_Qj29o213nwZ5mysiyNcgAp1AOqCkDLkj1KGZ7Cw3l17TbkF8t3FJd654sf762NGcABA0WQ2zxq-labXl_d5TKQmq23lurO3",
    "qLHI1cKQPyoxPbddGo78sJpMwWsiMyEYcyyKC9FpNUpa8cT81GPo4q9Zui8TAD0wtHh2YxBL7E8QYLJxcLMJTJxVBgrQGLXFT7vY",
    "Rc6hJz9Vu-i0SWuLBGxOCmYoHr4DWFfy0IhAbhiUFyLRpukfBPjCJNYY5LgaZdN6LaYivtIEUms5jUuXubBimLJm7KOT5-bgJMXT",
    "cUsbrbl2Ma7PwG5IOKjjgyEvH8KVfGFZSzNrpuxKmA",
];

/// Made by Python's `tarfile`, `gzip` and `hashlib` and by PyJWT.
#[test]
fn what_another_made_is_taken() {
    let packed = STANDARD.decode(super::python::BUNDLE).unwrap();
    let rules = || {
        let key = VerificationKey::from_pem(Algorithm::ES256, super::python::KEY).unwrap();
        let scope = Some("write".to_owned());
        changing(|it| it.keys = BTreeMap::from([("python".to_owned(), Key { key, scope })]))
    };
    let bundle = read(packed, rules()).unwrap();
    assert_eq!(bundle.signer(), Some("python"));
    assert_eq!(bundle.manifest().order, Some(Order::Sequence(1)));
    let data = data(&bundle);
    assert_eq!(data["z"][3].to_string(), "12345678901234567890");
    assert_eq!(data["aé"], "\u{2028} <&> \u{8}\u{c}\u{1} 😀");
    let mut inner = &data["a"]["long"];
    for _ in 0..25 {
        inner = &inner["path"];
    }
    assert_eq!(*inner, json!({"a": 2, "b": 1}));
}
