//! What a client sends, what is made of it, and what may be shown of that.

use super::{Keys, Mask};
use crate::request::{Attributes, Incoming, Request};
use serde_json::{Value, json};
use std::sync::Arc;

pub fn mask(headers: &[(&str, &str)], body: Option<&Value>) -> Mask {
    mask_for(headers, body, None)
}

pub fn mask_for(headers: &[(&str, &str)], body: Option<&Value>, text: Option<&str>) -> Mask {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let request = Request {
        headers: &headers,
        attributes: Attributes::default(),
        body: Incoming::None,
    };
    Mask::new(Arc::default(), &request, body, text, "a decision")
}

/// Numbers below what is asked for, the same each time.
pub fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let below = u64::try_from(below).unwrap();
        usize::try_from(state.checked_rem(below).unwrap()).unwrap()
    }
}

pub const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAwQFBgcICQ";

/// What a client sends as a header, what is made of it, and what may be shown of that.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "authorization",
        "Bearer 0123456789abcdef",
        "0123456789abcdef",
        "***",
    ),
    (
        "authorization",
        "Bearer 0123456789ABCDEF",
        "0123456789abcdef",
        "***",
    ),
    (
        "authorization",
        "Bearer 0123456789abcdef",
        "it was 3456789abcd there",
        "it was *** there",
    ),
    ("authorization", "Bearer hunter2", "hunter2", "***"),
    ("authorization", "Bearer hunter2", "no Hunter2!", "no ***!"),
    ("authorization", "Bearer hunter2", "hunter22", "hunter22"),
    ("authorization", "hunter2 Acme", "hunter2", "***"),
    ("authorization", "Acme hunter2", "hunter2", "***"),
    ("authorization", "NTLM hunter2", "ntlm", "ntlm"),
    (":authority", "alice:hunter2@a", "was hunter2", "was ***"),
    (
        "authorization",
        "Basic YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
        "alice:hunter2password",
        "***",
    ),
    (
        "authorization",
        "Basic YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
        "hunter2password",
        "***",
    ),
    (
        "authorization",
        "Basic YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
        "YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
        "***",
    ),
    (
        "authorization",
        "Bearer eyJh.eyJi.AAECAwQFBgcICQ",
        "00010203040506070809",
        "***",
    ),
    // As a host folds two lines.
    (
        "authorization",
        "Bearer 01234567,Bearer 89abcdef",
        "01234567 89abcdef",
        "***",
    ),
    (
        "cookie",
        "a=1; session=0123456789abcdef",
        "0123456789abcdef",
        "***",
    ),
    ("cookie", "sid=abcd", "it is abcd", "it is ***"),
    ("cookie", "theme=dark", "dark", "dark"),
    ("x-vault-token", "hvs.0123456789", "hvs.0123456789", "***"),
    (
        "x-my-api-key",
        "sk\"LIVE\\key-0123",
        "sk\\\"LIVE\\\\key-0123",
        "***",
    ),
    (
        "x-api-key",
        "0123456789+/=abc",
        "/a?x=0123456789%2B%2F%3Dabc&y=1",
        "/a?x=***&y=1",
    ),
    (
        "x-api-key",
        "0123456789",
        "a0123456789b é 0123456789é",
        "a***b é ***é",
    ),
    (
        ":path",
        "/a?x=1&access_token=0123456789",
        "/a?x=1&access_token=0123456789",
        "/a?x=1&access_token=***",
    ),
    (":path", "/a;token=0123456789/b", "0123456789", "***"),
    (":path", "/a?access_token=01234%356789", "0123456789", "***"),
    ("referer", "https://x/?sig=0123456789", "0123456789", "***"),
    (
        "referer",
        "https://bob:hunter2pass@x/",
        "https://bob:hunter2pass@x/",
        "https://***@x/",
    ),
    (
        "referer",
        "https://0123456789@x/",
        "was 0123456789",
        "was ***",
    ),
    (
        ":path",
        "/a?x=access_token%3Dopaque-123%26y",
        "/a?x=access_token%3Dopaque-123%26y",
        "/a?x=***",
    ),
    (
        ":path",
        "/a?x=access_token%3Dopaque-123",
        "was opaque-123",
        "was ***",
    ),
    (
        "x-data",
        "password=\"it, was (hunter2)\" x",
        "was (hunter2)",
        "***",
    ),
    (
        "x-data",
        "{\"password\": \"0123456789\"}",
        "0123456789",
        "***",
    ),
    ("x-other", TOKEN, TOKEN, "***"),
    ("x-other", TOKEN, "00010203040506070809", "***"),
    ("x-other", "nothing", TOKEN, "***"),
    ("x-request-id", "0123456789", "0123456789", "0123456789"),
    (
        "authorization",
        "Bearer 0123456789abcdef",
        "Bearer",
        "Bearer",
    ),
    (
        "signature-input",
        "sig1=(\"@method\" \"@authority\");created=1618884473",
        "(\"@method\" \"@authority\")",
        "(\"@method\" \"@authority\")",
    ),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830, SignedHeaders=host;x-amz-date, Signature=5d672d79",
        "x-amz-date 5d672d79",
        "x-amz-date ***",
    ),
];

#[test]
fn credentials_are_hidden_in_what_is_made_of_them() {
    for (name, sent, made, shown) in CASES {
        let mask = mask(&[(name, sent)], None);
        assert_eq!(mask.text(made), *shown, "{name}: {sent}: {made}");
        let mask = mask_for(&[(name, sent)], None, Some(made));
        assert_eq!(
            mask.text(made),
            *shown,
            "for it alone: {name}: {sent}: {made}"
        );
    }
}

#[test]
fn bodies_hide_what_their_names_tell() {
    let body = json!({
        "amount": 7, "login": [{"User_Password": "hunter2hunter2", "name": "a"}], "pin": 12345678,
        TOKEN: 1,
    });
    let mut input = json!({
        "parsed_body": body,
        "attributes": {"request": {"http": {
            "body": "password=hunter2", "rawBody": "cGFz", "headers": {"x-a": "hunter2hunter2"},
        }}},
        "verified": {"jwt": {"claims": {"sub": "hunter2hunter2", "raw": TOKEN}}},
    });
    let mask = mask(&[], Some(&body));
    let mut masked = Vec::new();
    mask.input(&mut input, "/input", &mut masked);
    let hidden = json!({
        "parsed_body": {
            "amount": 7, "login": [{"User_Password": "***", "name": "a"}], "pin": "***", "***": "***",
        },
        "attributes": {"request": {"http": {
            "body": "***", "rawBody": "***", "headers": {"x-a": "***"},
        }}},
        // Claims are no secrets; a token is one.
        "verified": {"jwt": {"claims": {"sub": "hunter2hunter2", "raw": "***"}}},
    });
    assert_eq!(input, hidden);
    masked.sort();
    assert_eq!(
        masked,
        [
            "/input/attributes/request/http/body",
            "/input/attributes/request/http/headers/x-a",
            "/input/attributes/request/http/rawBody",
            "/input/parsed_body",
            "/input/verified/jwt/claims/raw",
        ]
    );
}

#[test]
fn numbers_are_texts_too() {
    let mask = mask(&[("x-api-key", "1234567890123")], None);
    let mut value = json!({"n": 1_234_567_890_123_i64, "m": 7});
    mask.value(&mut value, "", &mut Vec::new());
    assert_eq!(value, json!({"n": "***", "m": 7}));
}

/// A client that sends a name of the document as a credential does not take it apart, and cannot have
/// hidden who it is.
#[test]
fn the_documents_own_names_and_who_was_proven_stay() {
    let mask = mask(
        &[(
            "cookie",
            "a=attributes; b=dynamic_metadata; c=alice@example.com",
        )],
        None,
    );
    let mut input = json!({
        "attributes": {"request": {"http": {"headers": {}}}},
        "verified": {"jwt": {"claims": {"sub": "alice@example.com"}}},
    });
    let before = input.clone();
    mask.input(&mut input, "/input", &mut Vec::new());
    assert_eq!(input, before);
    let mut result = json!({"allowed": true, "dynamic_metadata": {"x": "alice@example.com"}});
    mask.result(&mut result, "/result", &mut Vec::new());
    assert_eq!(
        result,
        json!({"allowed": true, "dynamic_metadata": {"x": "***"}})
    );
    assert_eq!(mask.proven("alice@example.com"), "alice@example.com");
    assert_eq!(mask.proven(TOKEN), "***");
}

/// Whatever a client sends: no panic, and what was sent as a credential is in nothing that is shown.
#[test]
fn any_request_can_be_masked() {
    let mut random = random(0x2545_f491_4f6c_dd1d);
    const PIECES: [&str; 24] = [
        "a",
        "é",
        "%",
        "%2",
        "%2E",
        "%c3",
        "=",
        ":",
        "\"",
        "\\",
        "&",
        ";",
        ",",
        " ",
        "/",
        "?",
        ".",
        "token",
        "eyJ",
        TOKEN,
        "://",
        "@",
        "\u{0}",
        "hunter2-hunter3",
    ];
    const NAMES: [&str; 6] = [
        "authorization",
        "cookie",
        ":path",
        "x-api-key",
        "x-a",
        "signature",
    ];
    for _ in 0..3000 {
        let mut text = |most| -> String { (0..random(most)).map(|_| PIECES[random(24)]).collect() };
        let (value, other, key) = (text(12), text(30), text(6));
        let name = NAMES[random(6)];
        let body = json!({&*key: [&other, {"password": &value}], "n": 7});
        let secret = "s3cr3t-Pl4nted";
        let mask = mask(&[(name, &value), ("x-api-key", secret)], Some(&body));
        let mut shown = json!({&*key: format!("{other}{secret}"), "b": body});
        mask.document(
            &mut shown,
            &mut String::new(),
            &mut Vec::new(),
            Keys::Parameters,
        );
        let shown = shown.to_string().to_ascii_lowercase();
        assert!(
            !shown.contains("s3cr3t-p"),
            "{name}: {value}: {other}: {shown}"
        );
        assert!(!shown.contains(TOKEN), "{name}: {value}: {other}: {shown}");
    }
}

/// What is listed tells no more than what is shown.
#[test]
fn pointers_hold_no_credential() {
    let sent = [
        ("authorization", "Bearer hunter2-hunter3"),
        ("cookie", "sid=abcd"),
    ];
    let mask = mask(&sent, None);
    for name in [
        "hunter2-hunter3",
        "abcd",
        "x abcd",
        TOKEN,
        "access_token=xyz",
        "a/hunter2-hunter3~",
    ] {
        let mut input = json!({
            "parsed_body": {"a": {name: {"password": "x", "b": "hunter2-hunter3"}}},
            "parsed_query": {name: ["abcd"]},
            "attributes": {"request": {"http": {"headers": {name: "abcd"}}}},
        });
        let mut masked = Vec::new();
        mask.input(&mut input, "/input", &mut masked);
        let mut result = json!({"allowed": true, "headers": {name: "a"}});
        mask.result(&mut result, "/result", &mut masked);
        let shown = json!([input, result, masked]).to_string();
        for secret in ["hunter2-", "abcd", TOKEN, "xyz"] {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
        let lists = |at: &str| masked.iter().any(|it| it == at);
        assert!(lists("/input/parsed_body/a"), "{name}: {masked:?}");
        assert!(
            lists("/input/attributes/request/http/headers"),
            "{name}: {masked:?}"
        );
        assert!(lists("/result/headers"), "{name}: {masked:?}");
        assert_eq!(result["allowed"], true);
    }
}

/// What a policy answers is looked at by its names, too, and so is what a route says of itself.
#[test]
fn answers_hide_what_their_names_tell() {
    let mask = mask(&[], None);
    let mut result = json!({
        "allowed": true,
        "http_status": 403,
        "headers": {"x-auth": "a", "set-cookie": ["a=b"], "x-a": "b"},
        "response_headers_to_add": {"x_api_key": "a", "x-user": "b"},
        "request_headers_to_remove": ["x-auth"],
        "query_parameters_to_set": {"access_token": "a", "page": "2"},
        "dynamic_metadata": {"a": {"client_secret": "a"}},
        "password": "a",
    });
    let mut masked = Vec::new();
    mask.result(&mut result, "/result", &mut masked);
    let shown = json!({
        "allowed": true,
        "http_status": 403,
        "headers": {"x-auth": "***", "set-cookie": "***", "x-a": "b"},
        "response_headers_to_add": {"x_api_key": "***", "x-user": "b"},
        "request_headers_to_remove": ["x-auth"],
        "query_parameters_to_set": {"access_token": "***", "page": "2"},
        "dynamic_metadata": {"a": {"client_secret": "***"}},
        "password": "***",
    });
    assert_eq!(result, shown);
    assert_eq!(masked.len(), 6);
    for answer in [json!(true), json!([true]), json!(null)] {
        let mut shown = answer.clone();
        mask.result(&mut shown, "/result", &mut Vec::new());
        assert_eq!(shown, answer);
    }
    let mut input = json!({"attributes": {
        "contextExtensions": {"api_key": "a", "tier": "b"},
        "request": {"http": {
            "host": "bob@a", "headers": {":authority": "b:c@a", "host": "a", "x-auth": "a"},
        }},
    }});
    let mut masked = Vec::new();
    mask.input(&mut input, "/input", &mut masked);
    let shown = json!({"attributes": {
        "contextExtensions": {"api_key": "***", "tier": "b"},
        "request": {"http": {
            "host": "***@a", "headers": {":authority": "***@a", "host": "a", "x-auth": "***"},
        }},
    }});
    assert_eq!(input, shown);
    assert_eq!(masked.len(), 4);
}

/// What stands under a credential's name in a text of a body is hidden wherever else it stands.
#[test]
fn texts_of_bodies_are_looked_at() {
    let body = json!({"callback": "https://x/?access_token=opaque-123&u=token%3Dencoded-123"});
    let mask = mask(&[], Some(&body));
    assert_eq!(mask.text("was opaque-123 encoded-123"), "was *** ***");
}
