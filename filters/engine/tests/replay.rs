//! When the gate remembers what is good once, and when it does not, with a store that is looked at and
//! a clock that is moved by hand.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_crypto::hmac_sha256;
use portcullis_engine::{
    Attributes, Gate, Moment, Request, Step,
    replay::{Claim, Denied, Kind, Memory, ReplayStore, Table, Why},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const SECRET: &str = "a-secret-of-32-bytes-or-even-more";

/// A store that counts who comes.
#[derive(Default)]
struct Watched {
    claims: AtomicUsize,
    denies: Option<Why>,
}

impl ReplayStore for Watched {
    fn claim(&self, claims: &[Claim], _: u64) -> Result<(), Denied> {
        self.claims.fetch_add(claims.len(), Ordering::Relaxed);
        let kind = Kind::Signature;
        self.denies.map_or(Ok(()), |why| Err(Denied { kind, why }))
    }

    fn since_ns(&self, _: u64) -> Option<u64> {
        None
    }
}

fn gate(signatures: &Value, store: Arc<dyn ReplayStore>, now: u64) -> Gate {
    let mut document = json!({
        "policy": {"modules": {"a.rego": "package envoy.authz\n\ndefault allow := false\n\nallow if input.attributes.request.http.path == \"/\""}},
        "signatures": {
            "keys": [{"id": "a", "algorithm": "hmac-sha256", "secret": {"env": "SECRET"}, "subject": "svc"}],
            "components": ["@method"],
            "when_missing": "deny",
        },
    });
    for (name, value) in signatures.as_object().unwrap() {
        document["signatures"][name] = value.clone();
    }
    let secrets = |name: &str| (name == "SECRET").then(|| SECRET.to_owned());
    let gate = Gate::load(document.to_string().as_bytes(), &secrets).unwrap();
    gate.remembering(store, Some(at(now)))
}

fn at(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

/// The fields of a signature, and whether its bytes are as they should be.
fn fields(parameters: &str, whole: bool) -> [(&'static str, String); 2] {
    let base = format!("\"@method\": GET\n\"@signature-params\": {parameters}");
    let mut signature = hmac_sha256(SECRET.as_bytes(), base.as_bytes());
    signature[0] ^= u8::from(!whole);
    let signature = BASE64_STANDARD.encode(signature);
    [
        ("signature-input", format!("sig1={parameters}")),
        ("signature", format!("sig1=:{signature}:")),
    ]
}

fn ask(gate: &Gate, path: &str, fields: &[(&str, String)], now: u64) -> String {
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":scheme", b"https"),
        (":authority", b"gate.test"),
        (":path", path.as_bytes()),
    ];
    headers.extend(fields.iter().map(|(name, value)| (*name, value.as_bytes())));
    let request = Request {
        headers: &headers,
        attributes: Attributes::default(),
        body: Default::default(),
    };
    let moment = Moment {
        now_ns: at(now),
        decision_id: "d",
    };
    match gate.step(&request, &moment, None) {
        Step::Decided(decision) => decision.record.reason.code().to_owned(),
        Step::Waiting(_) => "waits".to_owned(),
        Step::Body | Step::Passing(..) => "reads".to_owned(),
    }
}

fn created(seconds: u64) -> String {
    format!(r#"("@method");created={seconds};keyid="a""#)
}

#[test]
fn only_what_nothing_but_the_policy_can_refuse_is_taken() {
    let cases = [
        ("/", created(100), true, "policy.allowed", 1),
        ("/denied", created(100), true, "policy.denied", 1),
        ("/", created(100), false, "signature.invalid", 0),
        ("/", created(900), true, "signature.expired", 0),
        (
            "/",
            r#"();created=100;keyid="a""#.into(),
            true,
            "signature.component_missing",
            0,
        ),
        ("/%zz", created(100), true, "request.malformed", 0),
    ];
    for (path, parameters, whole, reason, claims) in cases {
        let store = Arc::new(Watched::default());
        let gate = gate(&json!({}), store.clone(), 100);
        let fields = fields(&parameters, whole);
        assert_eq!(
            ask(&gate, path, &fields, 100),
            reason,
            "{path} {parameters}"
        );
        let seen = store.claims.load(Ordering::Relaxed);
        assert_eq!(seen, claims, "{path} {parameters}");
    }
}

#[test]
fn what_the_store_says_is_the_reason() {
    for (why, reason) in [
        (Why::Seen, "signature.replayed"),
        (Why::Full, "replay.full"),
        (Why::Failed, "host.error"),
    ] {
        let store = Watched {
            denies: Some(why),
            ..Watched::default()
        };
        let gate = gate(&json!({}), Arc::new(store), 100);
        assert_eq!(ask(&gate, "/", &fields(&created(100), true), 100), reason);
    }
}

#[test]
fn nothing_is_asked_of_the_store_where_nothing_is_remembered() {
    let store = Arc::new(Watched::default());
    let gate = gate(&json!({"nonce": "off"}), store.clone(), 100);
    let fields = fields(&created(100), true);
    for _ in 0..2 {
        assert_eq!(ask(&gate, "/", &fields, 100), "policy.allowed");
    }
    assert_eq!(store.claims.load(Ordering::Relaxed), 0);
}

/// A signature and a nonce, to the last moment at which they are taken, and past it.
#[test]
fn a_replay_is_refused_until_time_refuses_it() {
    let memory = || Arc::new(Table::new("", Memory::default()));
    let cases = [
        (created(100), 405),
        (format!("{};nonce=\"n\"", created(100)), 405),
        (format!("{};expires=200", created(100)), 204),
    ];
    for (parameters, last) in cases {
        let gate = gate(&json!({}), memory(), 90);
        let fields = fields(&parameters, true);
        assert_eq!(
            ask(&gate, "/", &fields, 95),
            "policy.allowed",
            "{parameters}"
        );
        for now in 95..=last {
            let found = ask(&gate, "/", &fields, now);
            assert_eq!(found, "signature.replayed", "{parameters} at {now}");
        }
        let found = ask(&gate, "/", &fields, last + 1);
        assert_eq!(found, "signature.expired", "{parameters}");
    }
}

/// What an earlier process may have taken is refused, by clocks that are ahead too; what it cannot have
/// is not.
#[test]
fn nothing_from_before_the_start_is_taken() {
    let store = || Arc::new(Table::new("", Memory::default()));
    let settings = json!({"replay": {"reject_before_start": true}});
    let gate = gate(&settings, store(), 100);
    for (made, now, reason) in [
        (50, 100, "signature.replayed"),
        (100, 100, "signature.replayed"),
        (105, 100, "signature.replayed"),
        (105, 300, "signature.replayed"),
        (106, 101, "policy.allowed"),
        (106, 101, "signature.replayed"),
        (200, 200, "policy.allowed"),
    ] {
        let found = ask(&gate, "/", &fields(&created(made), true), now);
        assert_eq!(found, reason, "made {made}, at {now}");
    }
}

#[test]
fn where_the_start_is_not_known_nothing_is_taken() {
    let settings = json!({"replay": {"reject_before_start": true}});
    let gate = gate(&settings, Arc::new(Watched::default()), 100);
    let found = ask(&gate, "/", &fields(&created(200), true), 200);
    assert_eq!(found, "host.error");
}

/// For those who only tell of requests.
#[test]
fn a_gate_that_forgets_says_the_same_each_time() {
    let store = Arc::new(Watched::default());
    let gate = gate(&json!({}), store.clone(), 100).forgetting();
    let fields = fields(&created(100), true);
    for _ in 0..2 {
        assert_eq!(ask(&gate, "/", &fields, 100), "policy.allowed");
    }
    assert_eq!(store.claims.load(Ordering::Relaxed), 0);
}
