//! Whatever a policy looks at stands in the document that it is asked about, though the host was asked
//! for nothing else and nothing else was made.

use crate::{
    Attribute, Attributes, Gate, Incoming, Moment, PeerCertificate, Request, api_key_hash,
    crypto::SigningKey, pass::Asked,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_rego::value::to_json;
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const API_KEY: &str = "an API key";
const NOW_NS: u64 = 1_790_000_000_123_456_789;

/// The gate with a policy that looks at one place.
fn gate(place: &str) -> Gate {
    let document = json!({
        "policy": {
            "modules": {"authz.rego": format!("package envoy.authz\n\nallow if {place}\n")},
            "context_extensions": {"tier": "gold", "zone": "a"},
        },
        "jwt": {"when_invalid": "pass", "providers": {"corp": {
            "issuer": "https://idp.test",
            "audiences": "any",
            "algorithms": ["HS256"],
            "jwks": {"inline": {"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}]}},
        }}},
        "api_keys": {"when_invalid": "pass", "keys": [
            {"id": "k1", "hash": api_key_hash(API_KEY, None), "subject": "acme", "scopes": ["a", "b"]},
        ]},
        "peer": {"trust": "validated_by_proxy"},
    });
    Gate::load(document.to_string().as_bytes(), &|_: &str| None).unwrap()
}

fn token() -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(json!({"alg": "HS256", "typ": "JWT"}));
    let claims = part(json!({
        "iss": "https://idp.test", "sub": "alice", "exp": 1_800_000_000, "realm": {"roles": ["a"]},
    }));
    let signed = format!("{header}.{claims}");
    let key = SigningKey::from_secret(SECRET.to_vec());
    let signature = key.sign(signed.as_bytes(), &mut |_| {}).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Everything that a host can tell.
fn told(metadata: &[(String, String)]) -> Attributes<'_> {
    Attributes {
        source_address: Some("10.0.0.1"),
        source_port: Some(1234),
        destination_address: Some("10.0.0.2"),
        destination_port: Some(443),
        request_id: Some("id-1"),
        request_time_ns: Some(NOW_NS - 5_000_000_001),
        protocol: Some("HTTP/2"),
        scheme: Some("https"),
        size: Some(7),
        server_name: Some("sni.test"),
        peer: Some(PeerCertificate {
            uri_san: Some(b"spiffe://test/ns/a"),
            dns_san: Some(b"a.test"),
            subject: Some(b"CN=a"),
            sha256: Some(b"ab"),
        }),
        route: Some("r"),
        virtual_host: Some("v"),
        route_metadata: metadata,
    }
}

/// The same as far as this gate asks for it.
fn asked_for<'a>(gate: &Gate, told: Attributes<'a>) -> Attributes<'a> {
    let mut known = told;
    let is_in_vain = |attribute| !gate.reads(attribute);
    if is_in_vain(Attribute::Source) {
        (known.source_address, known.source_port) = (None, None);
    }
    if is_in_vain(Attribute::Destination) {
        (known.destination_address, known.destination_port) = (None, None);
    }
    if is_in_vain(Attribute::RequestId) {
        known.request_id = None;
    }
    if is_in_vain(Attribute::RequestTime) {
        known.request_time_ns = None;
    }
    if is_in_vain(Attribute::Protocol) {
        known.protocol = None;
    }
    if is_in_vain(Attribute::Size) {
        known.size = None;
    }
    if is_in_vain(Attribute::ServerName) {
        known.server_name = None;
    }
    if is_in_vain(Attribute::Peer) {
        known.peer = None;
    }
    if is_in_vain(Attribute::RouteNames) {
        (known.route, known.virtual_host) = (None, None);
    }
    if is_in_vain(Attribute::RouteMetadata) {
        known.route_metadata = &[];
    }
    known
}

/// Every place in a document, and what is there.
fn places(document: &Value) -> Vec<(Vec<&str>, &Value)> {
    let mut places = vec![(Vec::new(), document)];
    for (name, value) in document.as_object().into_iter().flatten() {
        for (path, value) in self::places(value) {
            places.push(([vec![name.as_str()], path].concat(), value));
        }
    }
    places
}

fn check(headers: &[(&str, &[u8])]) -> usize {
    let metadata = [("team".to_owned(), "a".to_owned())];
    let moment = Moment {
        now_ns: NOW_NS,
        decision_id: "d",
    };
    let request = |attributes| Request {
        headers,
        attributes,
        body: Incoming::None,
    };
    let everything = gate("input");
    let whole = everything
        .input(&request(told(&metadata)), &moment)
        .unwrap();
    let places = places(&whole);
    for (path, wanted) in &places {
        let place: String = path.iter().map(|name| format!("[{name:?}]")).collect();
        let gate = gate(&format!("input{place}"));
        let request = request(asked_for(&gate, told(&metadata)));
        let pass = gate.pass(&request, &moment, NOW_NS);
        let Ok(Asked::Policy(question)) = pass.asked() else {
            panic!("{place} is not asked about");
        };
        let made = to_json(&question.input);
        let found = path.iter().try_fold(&made, |here, name| here.get(*name));
        assert_eq!(found, Some(*wanted), "{place}");
    }
    places.len()
}

#[test]
fn what_is_looked_at_is_made() {
    let (token, plain) = (format!("Bearer {}", token()), API_KEY.as_bytes());
    let headers: Vec<(&str, &[u8])> = vec![
        (":method", b"POST"),
        (":path", b"/a%20b/c?x=1&x=2&y"),
        (":authority", b"api.test"),
        (":scheme", b"https"),
        ("authorization", token.as_bytes()),
        ("x-api-key", plain),
        ("x-twice", b"1"),
        ("x-twice", b"2"),
        ("content-length", b"7"),
    ];
    let good = check(&headers);
    assert!(good > 60, "{good}");
    let mut refused = headers.clone();
    refused[4].1 = b"Bearer x.y.z";
    refused[5].1 = b"another";
    let refused = check(&refused);
    assert!(refused > 40, "{refused}");
}

#[test]
fn what_cannot_be_read_is_refused_though_nobody_looks_at_it() {
    for path in ["/a%", "/?a=%zz", "/?a;b", "/a/../b", "/a%2"] {
        let headers: [(&str, &[u8]); 3] = [
            (":method", b"GET"),
            (":path", path.as_bytes()),
            (":authority", b"api.test"),
        ];
        let request = Request {
            headers: &headers,
            attributes: Attributes::default(),
            body: Incoming::None,
        };
        let moment = Moment {
            now_ns: NOW_NS,
            decision_id: "d",
        };
        for place in ["true", "input"] {
            let decision = gate(place).decide(&request, &moment);
            assert_eq!(decision.record.reason.code(), "request.malformed", "{path}");
        }
    }
}
