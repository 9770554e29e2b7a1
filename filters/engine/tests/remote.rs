//! What is fetched, over time: each case of `remote.json` is a gate and a course of events, with a
//! clock that is moved by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use portcullis_engine::{Answer, Call, CallId, Gate, Moment, Request, Step, Waiting};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    note: String,
    /// Over the provider's usual members; `null` takes one out.
    #[serde(default)]
    provider: serde_json::Map<String, Value>,
    /// Another provider, whose tokens stand in `x-also`.
    also: Option<Value>,
    #[serde(default)]
    cache: Option<u64>,
    /// From 0, the least jitter, to 1.
    #[serde(default)]
    jitter: f64,
    steps: Vec<Event>,
}

/// At a time, one of the others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    at: String,
    /// Exactly these calls are due, as `METHOD CLUSTER AUTHORITY PATH`.
    calls: Option<Vec<String>>,
    /// To the last call that is open, or to the one of this number.
    answer: Option<Reply>,
    /// So many calls are due.
    some_calls: Option<usize>,
    /// So many tokens are shown that nobody issued, and the server says so.
    made_up: Option<usize>,
    /// So many are shown that the server has 16 KiB to say of.
    wordy: Option<usize>,
    /// A request with a token, or with none.
    ask: Option<Ask>,
    /// Whether the wait of everybody is over.
    ready: Option<bool>,
    /// Everybody who waits asks again; in the order in which they came, what became of them.
    again: Option<Vec<String>>,
    /// So many requests like it, of which so many wait.
    crowd: Option<Crowd>,
    /// Those who wait go away.
    #[serde(default)]
    leave: bool,
    /// When something is due next.
    next: Option<String>,
    /// What was counted since it was asked last.
    counts: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default = "ok")]
    status: u16,
    /// A key set of these keys.
    keys: Option<Vec<String>>,
    /// The same, without their ids.
    nameless: Option<Vec<String>>,
    /// Members of the set as they stand, beside or instead of keys.
    #[serde(default)]
    jwks: Vec<Value>,
    json: Option<Value>,
    text: Option<String>,
    /// A body of so many bytes.
    huge: Option<usize>,
    /// The JSON with spaces up to so many.
    padding: Option<usize>,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

fn ok() -> u16 {
    200
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// A token that this key signs, with its own name as `kid`.
    key: Option<String>,
    #[serde(default)]
    claims: serde_json::Map<String, Value>,
    /// A token's own text.
    opaque: Option<String>,
    /// Of the other provider.
    also: Option<String>,
    /// A reason, or `waits`.
    then: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crowd {
    key: String,
    number: usize,
    waits: usize,
    then: String,
}

const START_NS: u64 = 1_800_000_000_000_000_000;

struct Course {
    gate: Gate,
    random: u64,
    open: Vec<CallId>,
    waiting: Vec<(String, Waiting)>,
}

#[test]
fn events_take_their_course() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("remote.json")).unwrap();
    assert!(cases.len() > 20);
    let mut wrong = Vec::new();
    for case in &cases {
        let mut course = Course::new(case);
        for (index, event) in case.steps.iter().enumerate() {
            if let Err(message) = course.happens(event) {
                wrong.push(format!(
                    "{}: step {index} at {}: {message}",
                    case.note, event.at
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

impl Course {
    fn new(case: &Case) -> Course {
        let mut provider = json!({
            "issuer": "https://idp.example.com",
            "audiences": "any",
            "jwks": {"cluster": "idp", "authority": "idp.internal", "path": "/jwks.json"},
        });
        for (name, value) in &case.provider {
            match value {
                Value::Null => drop(provider.as_object_mut().unwrap().remove(name)),
                value => provider[name] = value.clone(),
            }
        }
        let document = json!({
            "policy": {"modules": {"authz.rego": "package envoy.authz\n\ndefault allow := false\n\nallow if input.verified.jwt\n\nallow if input.verified.token\n"}},
            "jwt": {"providers": {"corp": provider}, "cache": {"entries": case.cache.unwrap_or(1000)}, "when_missing": "deny"},
        });
        let mut document = document;
        if let Some(also) = &case.also {
            document["jwt"]["providers"]["also"] = also.clone();
        }
        let secrets = |name: &str| (name == "SECRET").then(|| "a secret: 1%".to_owned());
        let gate = Gate::load(document.to_string().as_bytes(), &secrets)
            .unwrap_or_else(|errors| panic!("{}: {errors}", case.note));
        Course {
            gate,
            random: match case.jitter {
                0.0 => 0,
                // One less than a multiple of every room that is asked of it would be most: near enough.
                jitter => (jitter * 1e9) as u64,
            },
            open: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn happens(&mut self, event: &Event) -> Result<(), String> {
        let since: Duration = humantime::parse_duration(&event.at).unwrap();
        let now = START_NS + u64::try_from(since.as_nanos()).unwrap();
        if let Some(reply) = &event.answer {
            let call = self.open.pop().ok_or("no call is open")?;
            self.gate.answered(call, reply.answer(), now, self.random);
        }
        if let Some(wanted) = &event.calls {
            let calls = self.gate.calls(now, self.random);
            let found: Vec<String> = calls.iter().map(shown).collect();
            self.open.extend(calls.iter().map(|call| call.id));
            same("calls", &found, wanted)?;
        }
        if let Some(number) = event.some_calls {
            let calls = self.gate.calls(now, self.random);
            self.open.extend(calls.iter().map(|call| call.id));
            same("number of calls", &calls.len(), &number)?;
        }
        let words = [
            ("made-up", event.made_up, json!({"active": false})),
            (
                "wordy",
                event.wordy,
                json!({"active": true, "x": "x".repeat(16_000)}),
            ),
        ];
        for (name, number, word) in words {
            for number in 0..number.unwrap_or(0) {
                self.told(&format!("{name}-{number}"), &word, now)?;
            }
        }
        if let Some(ask) = &event.ask {
            let token = match (&ask.key, &ask.opaque) {
                (Some(key), None) => Some(token(key, &ask.claims)),
                (None, opaque) => opaque.clone(),
                _ => return Err("asks with a key and an opaque token".into()),
            };
            let token = token.unwrap_or_default();
            let also = ask.also.as_deref();
            let became = self.ask_with(token, also, now, None);
            same("reason", &became, &ask.then)?;
        }
        if let Some(crowd) = &event.crowd {
            let token = token(&crowd.key, &serde_json::Map::new());
            let mut became: BTreeMap<String, usize> = BTreeMap::new();
            for _ in 0..crowd.number {
                *became
                    .entry(self.ask(token.clone(), now, None))
                    .or_default() += 1;
            }
            let rest = crowd.number - crowd.waits;
            let mut wanted =
                BTreeMap::from([(crowd.then.clone(), rest), ("waits".into(), crowd.waits)]);
            wanted.retain(|_, number| *number > 0);
            same("crowd", &became, &wanted)?;
        }
        if let Some(wanted) = event.ready {
            let mut waiting = self.waiting.iter();
            let found = waiting.all(|(_, waiting)| self.gate.is_ready(waiting, now));
            same("ready", &found, &wanted)?;
        }
        if let Some(wanted) = &event.again {
            let mut found = Vec::new();
            for (token, waiting) in std::mem::take(&mut self.waiting) {
                found.push(self.ask(token, now, Some(waiting)));
            }
            same("again", &found, wanted)?;
        }
        if event.leave {
            self.waiting.clear();
        }
        if let Some(wanted) = &event.next {
            let wanted: Duration = humantime::parse_duration(wanted).unwrap();
            let next = self.gate.next_call_ns().ok_or("nothing is ever due")?;
            let found = Duration::from_nanos(next.saturating_sub(START_NS));
            same("next", &found, &wanted)?;
        }
        if let Some(wanted) = &event.counts {
            let found: BTreeMap<String, u64> = self
                .gate
                .take_counts()
                .into_iter()
                .map(|(name, count)| (name.trim_start_matches("portcullis.").to_owned(), count))
                .collect();
            same("counts", &found, wanted)?;
        }
        Ok(())
    }

    /// A token is shown, and the server says this of it.
    fn told(&mut self, token: &str, word: &Value, now: u64) -> Result<(), String> {
        let became = self.ask(token.to_owned(), now, None);
        same("reason", &became.as_str(), &"waits")?;
        let answer = Answer::Response {
            headers: vec![(":status".to_owned(), b"200".to_vec())],
            body: word.to_string().into_bytes(),
        };
        for call in self.gate.calls(now, self.random) {
            self.gate
                .answered(call.id, answer.clone(), now, self.random);
        }
        self.waiting.clear();
        Ok(())
    }

    fn ask(&mut self, token: String, now_ns: u64, waited: Option<Waiting>) -> String {
        self.ask_with(token, None, now_ns, waited)
    }

    fn ask_with(
        &mut self,
        token: String,
        also: Option<&str>,
        now_ns: u64,
        waited: Option<Waiting>,
    ) -> String {
        let bearer = format!("Bearer {token}");
        let mut headers: Vec<(&str, &[u8])> = vec![
            (":method", b"GET"),
            (":path", b"/"),
            (":authority", b"api.example.com"),
            (":scheme", b"https"),
        ];
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_bytes()));
        }
        headers.extend(also.map(|token| ("x-also", token.as_bytes())));
        let request = Request {
            headers: &headers,
            attributes: Default::default(),
            body: Default::default(),
        };
        let moment = Moment {
            now_ns,
            decision_id: "1",
        };
        match self.gate.step(&request, &moment, waited) {
            Step::Decided(decision) => decision.record.reason.code().to_owned(),
            Step::Body | Step::Passing(..) => "reads".to_owned(),
            Step::Waiting(waiting) => {
                self.waiting.push((token, waiting));
                "waits".to_owned()
            }
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, and not {wanted:?}")),
    }
}

fn shown(call: &Call) -> String {
    let header = |name: &str| {
        let mut found = call.headers.iter();
        found
            .find(|(own, _)| own == name)
            .map_or("-", |(_, value)| value)
    };
    let line = format!(
        "{} {} {} {}",
        header(":method"),
        call.cluster,
        header(":authority"),
        header(":path")
    );
    match call.body.is_empty() {
        true => line,
        false => format!(
            "{line} {} {}",
            header("authorization"),
            String::from_utf8_lossy(&call.body)
        ),
    }
}

impl Reply {
    fn answer(&self) -> Answer {
        if self.failed {
            return Answer::Failed;
        }
        let mut headers = vec![(":status".to_owned(), self.status.to_string().into_bytes())];
        let own = self.headers.iter();
        headers.extend(own.map(|(name, value)| (name.clone(), value.clone().into_bytes())));
        let mut set: Vec<Value> = self.keys.iter().flatten().map(|name| jwk(name)).collect();
        set.extend(self.nameless.iter().flatten().map(|name| nameless(name)));
        set.extend(self.jwks.iter().cloned());
        let body = match (&self.json, &self.text, self.huge) {
            (Some(json), ..) => {
                let mut body = json.to_string().into_bytes();
                body.resize(self.padding.unwrap_or(body.len()), b' ');
                body
            }
            (_, Some(text), _) => text.clone().into_bytes(),
            (.., Some(bytes)) => {
                let mut body = json!({"keys": set}).to_string().into_bytes();
                body.resize(bytes, b' ');
                body
            }
            _ => json!({"keys": set}).to_string().into_bytes(),
        };
        Answer::Response { headers, body }
    }
}

/// The same key for the same name.
fn key(name: &str) -> SigningKey {
    let mut seed = [7; 32];
    for (slot, byte) in seed.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    SigningKey::from_bytes(&seed)
}

fn jwk(name: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key(name).verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "kid": name, "x": x})
}

fn nameless(name: &str) -> Value {
    let mut jwk = jwk(name);
    drop(jwk.as_object_mut().unwrap().remove("kid"));
    jwk
}

fn token(name: &str, claims: &serde_json::Map<String, Value>) -> String {
    let mut payload = json!({
        "iss": "https://idp.example.com",
        "sub": "ann",
        // The same token for a while.
        "exp": START_NS / 1_000_000_000 + 7 * 86_400,
    });
    for (name, value) in claims {
        payload[name] = match value {
            // Seconds from the start.
            Value::Number(seconds) if name == "exp" => {
                json!(START_NS / 1_000_000_000 + seconds.as_u64().unwrap())
            }
            value => value.clone(),
        };
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "EdDSA", "kid": name});
    let signed = format!("{}.{}", part(&header), part(&payload));
    let signature = key(name).sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
